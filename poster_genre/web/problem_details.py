"""What goes wrong, as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that cannot be answered: the status, one sentence on why, and headers if need be.

    ``more`` are further members of the document.
    """

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more

    def document(self) -> dict[str, Any]:
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }

    def response(self) -> Response:
        return JSONResponse(self.document(), self.status, self.headers, media_type=MEDIA_TYPE)


def busy(seconds: int) -> Problem:
    return Problem(
        503,
        "the server has as much to do as it takes on; try again in a moment",
        headers={"Retry-After": str(seconds)},
    )


async def answer_problem(request: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, Problem) else await answer_bug(request, error)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, a method that a path does not have."""
    if not isinstance(error, HTTPException):
        return await answer_problem(request, error)
    said = {404: "there is nothing at this path", 405: f"{request.method} is not for this path"}
    detail = said.get(error.status_code, str(error.detail))
    return Problem(error.status_code, detail, headers=dict(error.headers or {})).response()


async def answer_nobody(request: Request, error: Exception) -> Response:
    """The client has left; what is returned goes nowhere."""
    return Response(status_code=400)


async def answer_bug(request: Request, error: Exception) -> Response:
    """The last resort: the log gets the traceback, the visitor one sentence.

    Starlette hands the exception on to the server, which drops the connection; the answer says so, or the
    client's next request would go into a closed one.
    """
    said = "something went wrong in the server; its log says more"
    return Problem(500, said, headers={"Connection": "close"}).response()
