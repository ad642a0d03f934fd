"""Query parameters and the header Prefer, read strictly: anything unexpected is a Problem 422."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request

from poster_genre.genres import N_GENRES
from poster_genre.web.problem_details import Problem

DEFAULT_TOP = 3
MAX_DIGITS = 6
LENIENT = "handling=lenient"  # RFC 7240


def top_of(request: Request) -> int:
    """``top``: how many genres to list, 1 to 25."""
    text = request.query_params.get("top", str(DEFAULT_TOP))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= N_GENRES):
        raise Problem(422, f"top must be a whole number from 1 to {N_GENRES}")
    return int(text)


def whole_number(request: Request, name: str) -> int:
    """A required whole number of up to six digits."""
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise Problem(422, f"{name} must be a whole number from 0 to {10**MAX_DIGITS - 1}")
    return int(text)


def optional_whole_number(request: Request, name: str) -> int | None:
    """The same, None where the parameter is left out."""
    return whole_number(request, name) if name in request.query_params else None


def is_mirrored(request: Request) -> bool:
    """``mirrored``: 1 for the mirror image, 0 or left out for the poster."""
    text = request.query_params.get("mirrored", "0")
    if text not in ("0", "1"):
        raise Problem(422, "mirrored must be 0 or 1")
    return text == "1"


def background_of(request: Request) -> Literal["light", "dark"]:
    """``background``: of the page that the colours are for; left out: light."""
    text = request.query_params.get("background", "light")
    if text not in ("light", "dark"):
        raise Problem(422, "background must be light or dark")
    return "dark" if text == "dark" else "light"


def is_lenient(request: Request) -> bool:
    """Whether the client prefers an answer with a success status where a picture cannot be read.

    The server's own pages do: browsers write every other status into their console.
    """
    return LENIENT in request.headers.get("prefer", "")
