"""``GET /healthz`` and ``GET /readyz``, for whatever supervises the process."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from poster_genre.web.app_state import state_of
from poster_genre.web.problem_details import server_busy


async def healthz(request: Request) -> Response:
    """Alive: the event loop answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Ready: between start and shutdown, with room in the queue. Otherwise Problem 503."""
    state = state_of(request)
    if not state.ready or state.predictions.capacity.is_full(own_page=False):
        raise server_busy(state.limits.retry_after)
    return JSONResponse({"status": "ready"})


routes = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
]
