"""``openapi.yaml`` against the code: routes, limits, genres, statuses, and the schemas of real answers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import poster_genre.web
from minicnn import __version__
from poster_genre.data.image_reader import formats
from poster_genre.explain.explain import METHODS
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.web.api.openapi import openapi_document, openapi_yaml, resolve
from poster_genre.web.api.query_parameters import DEFAULT_TOP, MAX_DIGITS
from poster_genre.web.app import all_routes
from poster_genre.web.inference.trace_sessions import SessionExpired
from poster_genre.web.limits import Limits
from poster_genre.web.pages.api_reference import CURL

PAGES = ("inside", "model", "api")
NOT_API = (
    "/",
    *(f"/{name}{slash}" for name in PAGES for slash in ("", "/")),
    "/favicon.ico",
    "/static/{path}",
    "/openapi.json",
)
ANY_PATH = {405, 500}  # a method that a path does not have, and a bug: not listed for each operation
HAS_MORE_MEMBERS = "additionalProperties"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(Limits())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def parameters(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The schemas of every parameter of a name."""
    return [
        parameter["schema"]
        for _, _, operation in operations(document)
        for parameter in (resolve(document, each) for each in operation.get("parameters", []))
        if parameter["name"] == name
    ]


def test_every_route_of_the_api_is_documented_and_no_other(document: dict[str, Any]) -> None:
    routes = {
        (route.path.replace(":int", "").replace(":path", ""), method)  # type: ignore[attr-defined]
        for route in all_routes()
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    documented = {(path, method) for path, method, _ in operations(document)}
    assert documented == {(path, method) for path, method in routes if path not in NOT_API}


def test_the_genres_and_methods_are_the_codes(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Genre"]["enum"] == list(GENRES)
    assert schemas["Explanation"]["properties"]["method"]["enum"] == list(METHODS)
    form = document["paths"]["/api/v1/explain"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["properties"]["method"] | {"description": ""} == {
        "enum": list(METHODS),
        "default": METHODS[0],
        "description": "",
    }
    answers = schemas["TraceSession"]["properties"]["genres"]
    assert answers["minItems"] == answers["maxItems"] == N_GENRES


def test_the_ranges_of_parameters_are_the_codes(document: dict[str, Any]) -> None:
    assert parameters(document, "top") == [
        {"type": "integer", "minimum": 1, "maximum": N_GENRES, "default": DEFAULT_TOP}
    ]
    for name in ("row", "column", "channel", "input"):
        for schema in parameters(document, name):
            assert schema == {"type": "integer", "minimum": 0, "maximum": 10**MAX_DIGITS - 1}


def test_the_limits_of_the_server_are_filled_in() -> None:
    limits = replace(Limits(), pictures=7, pixels=1_234_567, request_pixels=7_654_321, body=3 * 2**20)
    document = openapi_document(limits)
    form = document["paths"]["/api/v1/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["properties"]["image"]["maxItems"] == 7
    assert (
        "1,234,567 pixels; an upload holds up to 3 MB and 7,654,321 pixels in all"
        in document["info"]["description"]
    )
    assert document["info"]["version"] == __version__


def test_the_formats_are_the_codes(document: dict[str, Any]) -> None:
    for name in formats():
        assert name.lower() in document["info"]["description"].lower()


def test_the_documented_problems_are_those_that_the_code_raises(document: dict[str, Any]) -> None:
    raised = {
        call.args[0].value
        for file in Path(poster_genre.web.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Problem"
        and isinstance(call.args[0], ast.Constant)
    } | {SessionExpired().status}
    documented = [problems_of(operation) for _, _, operation in operations(document)]
    assert set().union(*documented) == raised - ANY_PATH
    for _, _, operation in operations(document):
        assert 421 in problems_of(operation)
        if "requestBody" in operation:
            assert problems_of(operation) == raised - ANY_PATH - {404}


def problems_of(operation: dict[str, Any]) -> set[int]:
    """The documented statuses of errors."""
    return {int(status) for status in operation["responses"] if int(status) >= 400}


def test_every_reference_has_a_target(document: dict[str, Any]) -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            assert resolve(document, node)
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            check(child)

    check(document)


def test_every_component_is_used(document: dict[str, Any]) -> None:
    for kind, components in document["components"].items():
        for name in components:
            assert f'"#/components/{kind}/{name}"' in openapi_yaml()


def test_every_operation_has_an_example(document: dict[str, Any]) -> None:
    assert set(CURL) == {operation["operationId"] for _, _, operation in operations(document)}


def closed(node: Any) -> Any:
    """The document without further members than the documented ones, but where it says so itself."""
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: closed(value) for key, value in node.items()}
    if "properties" in made and made.get("type") == "object" and HAS_MORE_MEMBERS not in made:
        made[HAS_MORE_MEMBERS] = False
    return made


@pytest.fixture(scope="module")
def requests(live: Any, poster: bytes) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """For every operationId addresses and forms of valid requests."""
    image = {"files": {"image": poster}}
    token = live.client.post("/api/v1/inside", **image).json()["token"]
    steps = live.client.post("/api/v1/inside", **image).json()["steps"]
    session = f"/api/v1/inside/{token}"
    number = "row=0&column=0&channel=0"
    return {
        "predict": [
            ("/api/v1/predict?top=25", image),
            ("/api/v1/predict", {"files": [("image", poster), ("image", b"no picture")]}),
        ],
        "explain": [
            ("/api/v1/explain", {**image, "data": {"method": method, "genre": "Drama"}}) for method in METHODS
        ],
        "model": [("/api/v1/model", {})],
        "startTraceSession": [
            ("/api/v1/inside", image),
            ("/api/v1/inside", {"files": {"image": b"x"}, "headers": {"Prefer": "handling=lenient"}}),
        ],
        "tracePoster": [(f"{session}/poster.png", {})],
        "traceMaps": [(f"{session}/maps/1.png", {}), (f"{session}/maps/1.png?channel=0", {})],
        "traceNumber": [(f"{session}/numbers/{step['step']}?{number}", {}) for step in steps],
        "traceGenre": [(f"{session}/genres/Horror", {})],
        "traceGradients": [(f"{session}/gradients/Horror", {})],
        "traceGradientMaps": [(f"{session}/gradients/Horror/maps/1.png", {})],
        "traceGradient": [
            (f"{session}/gradients/Horror/numbers/{step['step']}?{number}", {}) for step in steps
        ],
        "tracePatches": [("/api/v1/inside/patches/3?channel=1", {})],
        "tracePatchPictures": [("/api/v1/inside/patches/3.png?channel=1", {})],
        "traceFilters": [("/api/v1/inside/filters.png", {})],
        "healthz": [("/healthz", {})],
        "readyz": [("/readyz", {})],
    }


def test_real_answers_have_the_documented_members_and_no_others(
    live: Any, document: dict[str, Any], requests: dict[str, list[tuple[str, dict[str, Any]]]]
) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="needs the extra browser")
    schema = schemathesis.openapi.from_dict(closed(document))
    for path, method, operation in operations(document):
        for address, form in requests[operation["operationId"]]:
            answer = live.client.request(method, address, **form)
            assert answer.status_code == 200, answer.text
            answer.request.read()  # schemathesis reads the form that was sent
            schema[path][method].validate_response(answer)
