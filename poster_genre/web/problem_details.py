"""Errors as ``application/problem+json`` (RFC 9457), and the exception handlers that answer with them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is answered with an error: the HTTP status, one sentence on why, and headers.

    ``members`` are further members of the JSON document.
    """

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.members = status, detail, headers or {}, members

    def document(self) -> dict[str, Any]:
        """The members ``type``, ``title``, ``status`` and ``detail`` of RFC 9457, then the further ones."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> Response:
        """The document as an HTTP response."""
        return JSONResponse(self.document(), self.status, self.headers, media_type=MEDIA_TYPE)


def server_busy(retry_after: int) -> Problem:
    """Status 503; ``Retry-After`` is ``retry_after`` seconds."""
    return Problem(
        503, "the server is busy; try again in a moment", headers={"Retry-After": str(retry_after)}
    )


def answer_too_late(retry_after: int) -> Problem:
    """Status 503 for a request that was not answered before its deadline."""
    return Problem(
        503,
        "the answer took too long; try again in a moment",
        headers={"Retry-After": str(retry_after)},
    )


def unprocessable(error: Exception) -> Problem:
    """Status 422 for an error whose text is written for the user, a PosterGenreError."""
    return Problem(422, str(error))


async def handle_problem(request: Request, error: Exception) -> Response:
    """Answer with the problem that a handler raised."""
    return error.response() if isinstance(error, Problem) else await handle_unexpected(request, error)


async def handle_poster_genre_error(request: Request, error: Exception) -> Response:
    """Status 422 for a poster without an answer, as where the network's output for it is not finite."""
    return unprocessable(error).response()


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own errors as problems: an unknown path, a method that a path does not have."""
    if not isinstance(error, HTTPException):
        return await handle_problem(request, error)
    details = {404: "there is nothing at this path", 405: f"{request.method} is not allowed at this path"}
    detail = details.get(error.status_code, str(error.detail))
    return Problem(error.status_code, detail, headers=dict(error.headers or {})).response()


async def handle_disconnect(request: Request, error: Exception) -> Response:
    """The client has left: a response that is not sent."""
    return Response(status_code=400)


async def handle_unexpected(request: Request, error: Exception) -> Response:
    """A bug: status 500 without details; the traceback goes to the log.

    Starlette raises the exception again after this response, and the server then closes the connection.
    ``Connection: close`` tells the client, which would otherwise send its next request into it.
    """
    detail = "something went wrong in the server; its log says more"
    return Problem(500, detail, headers={"Connection": "close"}).response()
