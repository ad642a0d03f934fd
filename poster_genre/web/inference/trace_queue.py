"""Layer traces are computed on another thread, one at a time, with a bound on how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from poster_genre.web.inference.capacity import Capacity
from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import answer_too_late

T = TypeVar("T")


class TraceQueue:
    """Runs one piece of work after the other. Used on the event loop alone."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.capacity = Capacity(limits.traces, 0, limits.retry_after)
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``. Problem 503 where the queue is full, or after ``limits.answer_seconds``."""
        with self.capacity.reserve(1, own_page=False):
            try:
                async with asyncio.timeout(self.limits.answer_seconds), self._turn:
                    return await asyncio.to_thread(work)
            except TimeoutError:
                raise answer_too_late(self.limits.retry_after) from None
