"""Work that ends at the deadline, or when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import answer_too_late

T = TypeVar("T")


async def before_deadline(request: Request, limits: Limits, work: Awaitable[T]) -> T:
    """The result of ``work``.

    Problem 503 after ``limits.answer_seconds``, ClientDisconnect once the client has left.
    """
    try:
        async with asyncio.timeout(limits.answer_seconds):
            return await unless_disconnected(request.receive, work)
    except TimeoutError:
        raise answer_too_late(limits.retry_after) from None


async def unless_disconnected(receive: Receive, work: Awaitable[T]) -> T:
    """The result of ``work``; ClientDisconnect once the client leaves. A body not yet read is skipped."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def disconnected(receive: Receive) -> None:
    """Return once the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
