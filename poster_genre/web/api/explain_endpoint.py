"""``POST /api/v1/explain``: a picture and a genre in, a heat map out."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from poster_genre.errors import PosterGenreError
from poster_genre.explain.explain import METHODS, ExplainResult
from poster_genre.explain.occlusion import Progress
from poster_genre.genres import GENRES, N_GENRES, genre_index
from poster_genre.web.api.deadline import Deadline
from poster_genre.web.app_state import AppState, state_of
from poster_genre.web.problem_details import Problem, answer_too_late, unprocessable
from poster_genre.web.security.host_origin_check import from_own_page
from poster_genre.web.upload_form import UploadForm, read_pictures

NDJSON = "application/x-ndjson"


@dataclass
class ExplainInputs:
    """What to explain. ``pixels``: uint8 (height, width, 3); ``genre`` None: the most probable one."""

    pixels: np.ndarray
    genre: str | None
    method: str
    own_page: bool


async def explain(request: Request) -> Response:
    """A heat map for one picture and genre; with ``Accept: application/x-ndjson`` also its progress."""
    state, own_page = state_of(request), from_own_page(request.headers)
    with state.upload_memory.reserve() as reservation:
        form = await read_pictures(request, state.limits, reservation)
        if len(form.pictures) > 1:
            raise Problem(422, "one picture at a time can be explained")
        genre, method = genre_and_method(form)
        decoding = state.decoders.decode(form.pictures, ["image 1"], own_page)
        deadline = Deadline(request, state.limits)
        [pixels] = await deadline.wait_for(decoding)
    if isinstance(pixels, str):
        raise Problem(422, pixels)
    inputs = ExplainInputs(pixels, genre, method, own_page)
    if NDJSON in request.headers.get("accept", ""):
        state.explanations.capacity.check(own_page)
        return StreamingResponse(progress_lines(state, inputs, deadline), media_type=NDJSON)
    abandoned = threading.Event()
    try:
        work = compute(state, inputs, lambda done, total: stop_if(abandoned))
        return JSONResponse(heat_map_json(await deadline.wait_for(work)))
    finally:
        abandoned.set()


def genre_and_method(form: UploadForm) -> tuple[str | None, str]:
    """The form's fields. Problem 422 for a genre or a method that does not exist."""
    genre, method = form.fields.get("genre"), form.fields.get("method", METHODS[0])
    if method not in METHODS:
        raise Problem(422, f"there is no such method; choose one of {', '.join(METHODS)}")
    if genre is not None:
        try:
            genre_index(genre)
        except PosterGenreError:
            raise Problem(422, f"there is no such genre; the {N_GENRES} are: {', '.join(GENRES)}") from None
    return genre, method


async def compute(state: AppState, inputs: ExplainInputs, progress: Progress) -> ExplainResult:
    """The heat map, from the queue."""
    return await state.explanations.explain(
        inputs.pixels, inputs.genre, inputs.method, progress, inputs.own_page
    )


async def progress_lines(state: AppState, inputs: ExplainInputs, deadline: Deadline) -> AsyncIterator[str]:
    """Lines ``{"done": 16, "of": 108}``, then ``{"result": ...}`` or ``{"problem": ...}``."""
    loop, abandoned = asyncio.get_running_loop(), threading.Event()
    lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def report(done: int, total: int) -> None:
        stop_if(abandoned)
        loop.call_soon_threadsafe(lines.put_nowait, {"done": done, "of": total})

    async def work() -> None:
        try:
            async with asyncio.timeout_at(deadline.when):
                heat_map = await compute(state, inputs, report)
            lines.put_nowait({"result": heat_map_json(heat_map)})
        except Problem as problem:
            lines.put_nowait({"problem": problem.document()})
        except PosterGenreError as error:
            lines.put_nowait({"problem": unprocessable(error).document()})
        except TimeoutError:
            lines.put_nowait({"problem": answer_too_late(state.limits.retry_after).document()})
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
    """ClientDisconnect, which ends the computation, once the request is abandoned."""
    if abandoned.is_set():
        raise ClientDisconnect


def heat_map_json(result: ExplainResult) -> dict[str, Any]:
    """The schema ``Explanation``. ``heat`` in thousandths, which makes the document a third of the size."""
    return {
        "genre": result.genre,
        "probability": result.probability,
        "method": result.method,
        "strength": result.strength,
        "height": result.heat.shape[0],
        "width": result.heat.shape[1],
        "heat": np.round(result.heat.astype(np.float64), 3).tolist(),
    }


routes = [Route("/api/v1/explain", explain, methods=["POST"])]
