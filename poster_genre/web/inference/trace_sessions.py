"""Posters that visitors look inside of: kept in memory under a random token, few, and not for long."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from poster_genre.explain.layer_trace.trace import Trace
from poster_genre.web.problem_details import Problem


class Forgotten(Problem):
    """The poster under a token is not, or no longer, in memory."""

    def __init__(self) -> None:
        super().__init__(404, "this poster is no longer in memory; send it again")


@dataclass
class Visit:
    pixels: np.ndarray
    seen: float


class Visits:
    """What is kept for the Inside page. Used on the event loop alone.

    ``pixel_bytes``  size of all posters, at the network's input size; past it the one longest unseen goes.
    ``trace_bytes``  size of all traces, likewise; the last one stays whatever its size. A trace that is gone
                     is computed again when it is needed.
    ``seconds``      after which an unseen poster is forgotten, with its traces.
    """

    def __init__(
        self,
        pixel_bytes: int = 16 * 2**20,
        trace_bytes: int = 64 * 2**20,
        seconds: float = 1800.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pixel_bytes, self.trace_bytes, self.seconds, self.clock = (
            pixel_bytes,
            trace_bytes,
            seconds,
            clock,
        )
        self.visits: OrderedDict[str, Visit] = OrderedDict()
        self.traces: OrderedDict[tuple[str, bool], Trace] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, pixels: np.ndarray) -> str:
        """A token for a poster's pixels; nobody guesses another's."""
        self.forget()
        token = secrets.token_urlsafe(16)
        self.visits[token] = Visit(pixels, self.clock())
        while (
            sum(each.pixels.nbytes for each in self.visits.values()) > self.pixel_bytes
            and len(self.visits) > 1
        ):
            self._drop(next(iter(self.visits)))
        self._set_timer()
        return token

    def pixels(self, token: str) -> np.ndarray:
        """The poster; Forgotten, a Problem 404, where there is none."""
        self.forget()
        visit = self.visits.get(token)
        if visit is None:
            raise Forgotten
        visit.seen = self.clock()
        self.visits.move_to_end(token)
        return visit.pixels

    def trace(self, token: str, mirrored: bool) -> Trace | None:
        """The trace, where there still is one."""
        found = self.traces.get((token, mirrored))
        if found is not None:
            self.traces.move_to_end((token, mirrored))
        return found

    def keep_trace(self, token: str, mirrored: bool, trace: Trace) -> None:
        if token not in self.visits:
            return
        self.traces[token, mirrored] = trace
        while sum(each.nbytes for each in self.traces.values()) > self.trace_bytes and len(self.traces) > 1:
            self.traces.popitem(last=False)

    def forget(self) -> None:
        """Let go of every poster that has not been seen for too long."""
        limit = self.clock() - self.seconds
        while self.visits and (token := next(iter(self.visits))) and self.visits[token].seen <= limit:
            self._drop(token)

    def _drop(self, token: str) -> None:
        del self.visits[token]
        for mirrored in (False, True):
            self.traces.pop((token, mirrored), None)

    def _set_timer(self) -> None:
        """Forget in time even if nobody ever comes back."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.forget()
        if self.visits:
            self._set_timer()
