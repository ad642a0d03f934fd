"""The programming interface: pictures in, genres or a heat map out. ``openapi.py`` describes it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from poster_genre.data.image_reader import FORMATS
from poster_genre.errors import PosterGenreError
from poster_genre.explain.explain import METHODS, ExplainResult, genre_index
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.web.api.upload_form import Form, read_form, share_of
from poster_genre.web.app_state import Serving, serving
from poster_genre.web.inference.prediction_queue import unless_gone
from poster_genre.web.problem_details import Problem, busy
from poster_genre.web.security.host_origin_check import from_own_page

T = TypeVar("T")
NDJSON = "application/x-ndjson"
TOP = 3
LENIENT = "handling=lenient"  # RFC 7240


async def predict(request: Request) -> Response:
    """``{results: [...]}``, one for each picture, as ``poster-genre predict --json`` has them.

    Where no picture can be read that is a Problem 422, unless the client prefers ``handling=lenient``.
    """
    here = serving(request)
    top = wanted_top(request)
    own = from_own_page(request.headers)
    here.workers.check_room(own)
    with share_of(here.memory) as taken:
        form = with_pictures(await read_form(request, here.limits, here.memory, taken))
        answers = await in_time(request, here, here.workers.predict(form.pictures, own))
    results = [{**answer, "top": answer["top"][:top]} for answer in answers]
    errors = [answer["error"] for answer in answers if answer["error"] is not None]
    if not is_lenient(request) and len(errors) == len(answers):
        raise Problem(422, errors[0], results=results)
    return JSONResponse({"results": results})


async def explain(request: Request) -> Response:
    """A heat map for one picture and genre; with ``Accept: application/x-ndjson`` and its progress."""
    here, own = serving(request), from_own_page(request.headers)
    with share_of(here.memory) as taken:
        form = with_pictures(await read_form(request, here.limits, here.memory, taken))
        if len(form.pictures) > 1:
            raise Problem(422, "one picture at a time can be explained")
        genre, method = form.fields.get("genre"), form.fields.get("method", METHODS[0])
        if method not in METHODS:
            raise Problem(422, f"there is no such method; choose one of {', '.join(METHODS)}")
        if genre is not None:
            try:
                genre_index(genre)
            except PosterGenreError:
                raise Problem(
                    422, f"there is no such genre; the {N_GENRES} are: {', '.join(GENRES)}"
                ) from None
        pixels = await in_time(request, here, here.workers.decode(form.pictures[0], "image 1"))
    if isinstance(pixels, str):
        raise Problem(422, pixels)
    if NDJSON in request.headers.get("accept", ""):
        if here.workers.maps >= here.workers.room("explanations", own):
            raise busy(here.limits.retry_after)
        return StreamingResponse(progress_lines(here, pixels, genre, method, own), media_type=NDJSON)
    abandoned = threading.Event()
    try:
        work = here.workers.explain(pixels, genre, method, lambda done, of: stop_if(abandoned), own)
        return JSONResponse(explained(await in_time(request, here, work)))
    finally:
        abandoned.set()


async def progress_lines(
    here: Serving, pixels: np.ndarray, genre: str | None, method: str, own: bool
) -> AsyncIterator[str]:
    """``{"done": 16, "of": 108}`` lines, then ``{"result": ...}`` or ``{"problem": ...}``."""
    loop, abandoned = asyncio.get_running_loop(), threading.Event()
    lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def report(done: int, of: int) -> None:
        stop_if(abandoned)
        loop.call_soon_threadsafe(lines.put_nowait, {"done": done, "of": of})

    async def work() -> None:
        try:
            async with asyncio.timeout(here.limits.answer_seconds):
                found = await here.workers.explain(pixels, genre, method, report, own)
            lines.put_nowait({"result": explained(found)})
        except Problem as problem:
            lines.put_nowait({"problem": problem.document()})
        except TimeoutError:
            lines.put_nowait({"problem": late(here).document()})
        finally:
            lines.put_nowait(None)

    task = asyncio.create_task(work())
    try:
        while (line := await lines.get()) is not None:
            yield json.dumps(line) + "\n"
        await task
    finally:
        abandoned.set()
        task.cancel()


def stop_if(abandoned: threading.Event) -> None:
    if abandoned.is_set():
        raise ClientDisconnect


def explained(found: ExplainResult) -> dict[str, Any]:
    """``heat`` in thousandths: the eye sees no finer, and the document is a third of the size."""
    return {
        "genre": found.genre,
        "probability": found.probability,
        "method": found.method,
        "strength": found.strength,
        "height": found.heat.shape[0],
        "width": found.heat.shape[1],
        "heat": np.round(found.heat.astype(np.float64), 3).tolist(),
    }


async def model(request: Request) -> Response:
    return JSONResponse(about_model(serving(request)))


def about_model(here: Serving) -> dict[str, Any]:
    """What is being asked, and what one may ask it."""
    classifier, limits = here.classifier, here.limits
    spec, calibration = classifier.trained_.spec, classifier.trained_.calibration
    return {
        "name": spec.name,
        "version": classifier.model_version,
        "input_size": list(spec.input_size),
        "parameters": sum(p.data.size for p in classifier.trained_.network.parameters().values()),
        "calibrated": calibration is not None,
        "sure_above_bits": None if calibration is None else calibration.sure_above,
        "train_posters": classifier.trained_.provenance.get("train_posters"),
        "genres": [
            {"name": genre, "frequency": float(prior), "threshold": float(threshold)}
            for genre, prior, threshold in zip(
                GENRES, classifier.trained_.priors, classifier.trained_.thresholds, strict=True
            )
        ],
        "limits": {
            "formats": list(FORMATS),
            "bytes": limits.body,
            "pixels": limits.pixels,
            "pictures": limits.pictures,
        },
    }


def is_lenient(request: Request) -> bool:
    """Whether the client would rather hear of what failed in an answer that is a success.

    Our pages do: browsers write every other status into their console.
    """
    return LENIENT in request.headers.get("prefer", "")


def wanted_top(request: Request) -> int:
    text = request.query_params.get("top", str(TOP))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:3]) <= N_GENRES and len(text) <= 3):
        raise Problem(422, f"top must be a whole number from 1 to {N_GENRES}")
    return int(text)


def with_pictures(form: Form) -> Form:
    if not form.pictures:
        raise Problem(422, "the form has no picture; send it in a field called image")
    return form


async def in_time(request: Request, here: Serving, work: Awaitable[T]) -> T:
    """The result of ``work``, given up at the deadline or when the client leaves."""
    try:
        async with asyncio.timeout(here.limits.answer_seconds):
            return await unless_gone(request.receive, work)
    except TimeoutError:
        raise late(here) from None


def late(here: Serving) -> Problem:
    return Problem(
        503,
        "the answer took too long; try again in a moment",
        headers={"Retry-After": str(here.limits.retry_after)},
    )


routes = [
    Route("/api/v1/predict", predict, methods=["POST"]),
    Route("/api/v1/explain", explain, methods=["POST"]),
    Route("/api/v1/model", model, methods=["GET"]),
]
