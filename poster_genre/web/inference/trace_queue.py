"""Layer traces are computed on another thread, one at a time, with a bound on how many may wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from poster_genre.web.inference.capacity import Capacity
from poster_genre.web.inference.priority_threads import PriorityThreads
from poster_genre.web.limits import Limits

T = TypeVar("T")


class TraceQueue:
    """Runs one piece of work after the other, on a thread called ``name``. Used on the event loop alone."""

    def __init__(self, limits: Limits, name: str = "trace") -> None:
        self.capacity = Capacity(limits.traces, limits.for_pages, limits.retry_after)
        self._thread = PriorityThreads(1, name)

    async def run(self, work: Callable[[], T], own_page: bool) -> T:
        """The result of ``work``. Problem 503 where the queue is full.

        Work that is still waiting when the coroutine is cancelled is dropped.
        """
        with self.capacity.reserve(1, own_page):
            return await self._thread.run(work, own_page)

    def close(self) -> None:
        """Finish the work that is waiting, then end the thread. Blocks."""
        self._thread.close()
