"""The application: a classifier in, an ASGI app out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.explain import explain
from poster_genre.web.api import openapi, predict_endpoint, trace_endpoints
from poster_genre.web.api.upload_form import Memory
from poster_genre.web.app_state import Serving, serving
from poster_genre.web.inference.prediction_queue import Workers
from poster_genre.web.limits import Limits
from poster_genre.web.pages import page_routes
from poster_genre.web.pages.static_files import load_assets, serve_asset
from poster_genre.web.problem_details import (
    Problem,
    answer_bug,
    answer_http_error,
    answer_nobody,
    answer_problem,
)
from poster_genre.web.security.host_origin_check import Guard


def create_app(
    classifier: PosterGenreClassifier,
    limits: Limits | None = None,
    hosts: Collection[str] | None = None,
) -> ASGIApp:
    """The pages and the interface for one classifier, warmed up.

    ``hosts``: the names that the server answers to (``guard.hosts_for``); None: any. The threads that compute
    start here and end with the application's lifespan.
    """
    limits = limits or Limits()
    state = Serving(
        classifier, limits, Workers(classifier, limits), Memory(limits.upload_memory), load_assets()
    )
    warm_up(state)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        state.ready = True
        yield
        state.ready = False
        await asyncio.to_thread(state.workers.close)

    app = Starlette(
        routes=all_routes(),
        lifespan=lifespan,
        exception_handlers={
            Problem: answer_problem,
            HTTPException: answer_http_error,
            ClientDisconnect: answer_nobody,
            Exception: answer_bug,
        },
    )
    app.state.serving = state
    return Guard(app, hosts)


def all_routes() -> list[BaseRoute]:
    return [
        *page_routes.routes,
        *predict_endpoint.routes,
        *trace_endpoints.routes,
        Route("/openapi.json", openapi.document, methods=["GET"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/static/{path:path}", serve_asset, methods=["GET"]),
    ]


def warm_up(here: Serving) -> None:
    """What compiles, is loaded or prepared on its first use is used once, so that no visitor waits for it."""
    classifier = here.classifier
    height, width = classifier.trained().spec.input_size
    blank = np.zeros((height, width, 3), np.uint8)
    for count in (1, 2, here.limits.batch):
        classifier.predict_proba(np.repeat(blank[None], count, axis=0))
    explain(classifier, blank)
    trace_endpoints.warm_up(here, blank)


async def healthz(request: Request) -> Response:
    """Alive: the event loop turns."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Ready: between start and shutdown, with room in the queue."""
    here = serving(request)
    if not here.ready or here.workers.pictures >= here.limits.queue:
        raise Problem(503, "not now", headers={"Retry-After": str(here.limits.retry_after)})
    return JSONResponse({"status": "ready"})
