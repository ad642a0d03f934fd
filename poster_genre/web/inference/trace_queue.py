"""Layer traces are computed on another thread, one at a time, with a bound on how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import server_busy

T = TypeVar("T")
MAX_WAITING = 64  # requests of all visitors that are in work or wait for it


class TraceQueue:
    """Runs one piece of work after the other. Used on the event loop alone."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting = 0
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``. Problem 503 where too many wait, or after ``limits.answer_seconds``."""
        if self.waiting >= MAX_WAITING:
            raise server_busy(self.limits.retry_after)
        self.waiting += 1
        try:
            async with asyncio.timeout(self.limits.answer_seconds), self._turn:
                return await asyncio.to_thread(work)
        except TimeoutError:
            raise server_busy(self.limits.retry_after) from None
        finally:
            self.waiting -= 1
