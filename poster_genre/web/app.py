"""The ASGI application for one classifier: its routes, its exception handlers, and its start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.explain.explain import explain
from poster_genre.web.api import (
    explain_endpoint,
    gradient_endpoints,
    health_endpoints,
    model_endpoint,
    openapi,
    patch_endpoints,
    predict_endpoint,
    trace_endpoints,
)
from poster_genre.web.app_state import AppState
from poster_genre.web.limits import Limits
from poster_genre.web.pages import page_routes
from poster_genre.web.pages.not_found import handle_not_found
from poster_genre.web.problem_details import (
    Problem,
    handle_disconnect,
    handle_http_exception,
    handle_poster_genre_error,
    handle_problem,
    handle_unexpected,
)
from poster_genre.web.security.host_names import HostNames, allowed_hosts
from poster_genre.web.security.host_origin_check import HostOriginCheck
from poster_genre.web.security.response_headers import SecurityHeaders


def create_app(
    classifier: PosterGenreClassifier,
    limits: Limits | None = None,
    hosts: HostNames | None = None,
    posters: np.ndarray | None = None,
) -> ASGIApp:
    """The pages and the API for one fitted classifier, warmed up.

    ``hosts``: the host names that the server answers to; None: the loopback names. ``posters``: those that
    the Inside page shows patches of, uint8 (N, h, w, 3) at the network's input size; None: drawn ones. The
    threads that compute start here and end with the application's lifespan.
    """
    state = AppState.create(classifier, limits or Limits(), posters)
    warm_up(state)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        state.ready = True
        yield
        state.ready = False
        await asyncio.to_thread(state.close)

    app = Starlette(
        routes=all_routes(),
        lifespan=lifespan,
        exception_handlers={
            Problem: handle_not_found(handle_problem),
            PosterGenreError: handle_poster_genre_error,
            HTTPException: handle_not_found(handle_http_exception),
            ClientDisconnect: handle_disconnect,
            Exception: handle_unexpected,
        },
    )
    app.router.redirect_slashes = False  # its redirects name http:// where a proxy has taken HTTPS
    app.state.shared = state
    return SecurityHeaders(HostOriginCheck(app, hosts or allowed_hosts("localhost")))


def all_routes() -> list[BaseRoute]:
    """Every route of the application: pages, API, OpenAPI document, health."""
    return [
        *page_routes.routes,
        *predict_endpoint.routes,
        *explain_endpoint.routes,
        *model_endpoint.routes,
        *trace_endpoints.routes,
        *gradient_endpoints.routes,
        *patch_endpoints.routes,
        *health_endpoints.routes,
        Route("/openapi.json", openapi.openapi_json, methods=["GET"]),
    ]


def warm_up(state: AppState) -> None:
    """Run every computation once, so that no request waits for compilation or loading."""
    classifier = state.classifier
    height, width = classifier.trained().spec.input_size
    black = np.zeros((height, width, 3), np.uint8)
    for count in (1, 2, state.limits.batch):
        classifier.predict_proba(np.repeat(black[None], count, axis=0))
    explain(classifier, black)
    state.traces.warm_up(black)
