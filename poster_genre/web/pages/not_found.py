"""A page for browsers where there is nothing at a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from poster_genre.web.pages.html_templates import render
from poster_genre.web.problem_details import Problem

Handler = Callable[[Request, Exception], Awaitable[Response]]


def handle_not_found(handler: Handler) -> Handler:
    """The exception handler, but a browser that opens an unknown path gets a page with a way home."""

    async def handle(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status", None)
        is_page = isinstance(error, (HTTPException, Problem)) and status == 404 and opens_page(request)
        return not_found_page(request) if is_page else await handler(request, error)

    return handle


def opens_page(request: Request) -> bool:
    """Whether a browser asks for a page, rather than a program for data."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


def not_found_page(request: Request) -> Response:
    """Status 404. Links are relative to the path that was asked for."""
    root = "../" * (request.url.path.count("/") - 1)
    return HTMLResponse(render("not_found.html", path=None, root=root), 404)
