"""Valid and invalid requests generated from the OpenAPI document: every answer is a documented one."""

from __future__ import annotations

from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs the extra browser")

from hypothesis import HealthCheck, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from poster_genre.web.api.openapi import openapi_document  # noqa: E402
from poster_genre.web.limits import Limits  # noqa: E402

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


schema = schemathesis.openapi.from_dict(openapi_document(Limits()))


def test_the_document_that_is_served_is_the_one_fuzzed(live: Any) -> None:
    assert live.client.get("/openapi.json").json() == schema.raw_schema


@pytest.fixture(scope="session")
def token(live: Any, poster: bytes) -> str:
    """Of a trace session."""
    answer = live.client.post("/api/v1/inside", files={"image": ("poster.jpg", poster, "image/jpeg")})
    return str(answer.json()["token"])


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_a_documented_one(case: Any, live: Any, token: str) -> None:
    if "token" in case.path_parameters and len(case.path_parameters["token"]) % 3:
        case.path_parameters["token"] = token  # a generated one is answered with 404
    case.call_and_validate(base_url=live.url, checks=CHECKS)
