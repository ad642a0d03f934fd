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


class Deadline:
    """``limits.answer_seconds`` from now on, for all the work of one request.

    ``when``: the time of the event loop at which it ends.
    """

    def __init__(self, request: Request, limits: Limits) -> None:
        self.request, self.limits = request, limits
        self.when = asyncio.get_running_loop().time() + limits.answer_seconds

    async def wait_for(self, work: Awaitable[T]) -> T:
        """The result of ``work``. Problem 503 past the deadline, ClientDisconnect if the client leaves."""
        try:
            async with asyncio.timeout_at(self.when):
                return await unless_disconnected(self.request.receive, work)
        except TimeoutError:
            raise answer_too_late(self.limits.retry_after) from None


async def before_deadline(request: Request, limits: Limits, work: Awaitable[T]) -> T:
    """The result of ``work``, the only work of a request; see ``Deadline``."""
    return await Deadline(request, limits).wait_for(work)


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
