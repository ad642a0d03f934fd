"""Bounded queues: how many items may be waiting or in work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from poster_genre.web.problem_details import server_busy


class Capacity:
    """Counts the items in a queue, up to ``limit``; for the server's own pages up to ``limit + for_pages``.

    Used on the event loop alone. ``retry_after`` is in seconds.
    """

    def __init__(self, limit: int, for_pages: int, retry_after: int) -> None:
        self.limit, self.for_pages, self.retry_after = limit, for_pages, retry_after
        self.in_use = 0

    def is_full(self, own_page: bool) -> bool:
        """Whether not one more item has room."""
        return self.in_use >= self._limit_of(own_page)

    def check(self, own_page: bool) -> None:
        """Problem 503 where the queue is full."""
        if self.is_full(own_page):
            raise server_busy(self.retry_after)

    @contextmanager
    def reserve(self, count: int, own_page: bool) -> Iterator[None]:
        """Room for ``count`` items within the context. Problem 503 where there is none."""
        if self.in_use + count > self._limit_of(own_page):
            raise server_busy(self.retry_after)
        self.in_use += count
        try:
            yield
        finally:
            self.in_use -= count

    def _limit_of(self, own_page: bool) -> int:
        return self.limit + (self.for_pages if own_page else 0)
