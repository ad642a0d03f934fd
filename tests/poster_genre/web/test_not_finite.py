"""A network whose output is not finite: status 422 with one sentence, not a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.model.trained_model import NOT_FINITE
from poster_genre.web.limits import Limits
from tests.poster_genre.web.live_server import running
from tests.poster_genre.web.problem_document import problem


@pytest.fixture(scope="module")
def overflowing(web_model: Path) -> Iterator[Any]:
    """A server whose network overflows once it is warmed up."""
    classifier = PosterGenreClassifier.load(web_model)
    with running(classifier, Limits()) as server:
        for parameter in classifier.trained().network.parameters().values():
            parameter.data[...] = np.inf
        yield server


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("path", ["explain", "inside"])
def test_a_poster_without_a_finite_output_is_status_422(overflowing: Any, poster: bytes, path: str) -> None:
    answer = overflowing.client.post(f"/api/v1/{path}", files={"image": poster})
    assert problem(answer, 422) == NOT_FINITE


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_stream_of_progress_ends_in_the_problem(overflowing: Any, poster: bytes) -> None:
    answer = overflowing.client.post(
        "/api/v1/explain", files={"image": poster}, headers={"Accept": "application/x-ndjson"}
    )
    last = json.loads(answer.text.splitlines()[-1])
    assert (last["problem"]["status"], last["problem"]["detail"]) == (422, NOT_FINITE)
