"""Trace sessions: posters of the Inside page, in memory under random tokens, bounded in size and time."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from poster_genre.explain.layer_trace.trace import Trace
from poster_genre.web.inference.trace_cache import TraceCache
from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import Problem


class SessionExpired(Problem):
    """Problem 404: the poster under a token is not, or no longer, in memory."""

    def __init__(self) -> None:
        super().__init__(404, "this poster is no longer in memory; send it again")


@dataclass
class TraceSession:
    """A poster's pixels, uint8 (height, width, 3), and when they were last used, in seconds of the clock."""

    pixels: np.ndarray
    last_used: float


class TraceSessions:
    """The sessions of all clients, within ``limits``. Used on the event loop alone.

    ``clock``: the time in seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self.clock = limits, clock
        self.sessions: OrderedDict[str, TraceSession] = OrderedDict()
        self.traces = TraceCache(limits.session_traces)
        self._timer: asyncio.TimerHandle | None = None

    def start(self, pixels: np.ndarray) -> str:
        """The random token of a new session for a poster."""
        self.end_expired()
        token = secrets.token_urlsafe(16)
        self.sessions[token] = TraceSession(pixels, self.clock())
        while (
            sum(each.pixels.nbytes for each in self.sessions.values()) > self.limits.session_pixels
            and len(self.sessions) > 1
        ):
            self.end(next(iter(self.sessions)))
        self._set_timer()
        return token

    def pixels(self, token: str) -> np.ndarray:
        """The poster under a token. SessionExpired, a Problem 404, where there is none."""
        self.end_expired()
        session = self.sessions.get(token)
        if session is None:
            raise SessionExpired
        session.last_used = self.clock()
        self.sessions.move_to_end(token)
        return session.pixels

    def trace(self, token: str, mirrored: bool) -> Trace | None:
        """The trace, None where it is not in memory."""
        return self.traces.get(token, mirrored)

    def store_trace(self, token: str, mirrored: bool, trace: Trace) -> None:
        """Store a trace, unless its session has ended meanwhile."""
        if token in self.sessions:
            self.traces.store(token, mirrored, trace)

    def end_expired(self) -> None:
        """End every session that was not used for ``limits.session_seconds``."""
        limit = self.clock() - self.limits.session_seconds
        while self.sessions and (token := next(iter(self.sessions))):
            if self.sessions[token].last_used > limit:
                return
            self.end(token)

    def end(self, token: str) -> None:
        """Drop a session's poster and traces."""
        del self.sessions[token]
        self.traces.drop(token)

    def _set_timer(self) -> None:
        """End sessions in time even if no request ever comes again."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.limits.session_seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.end_expired()
        if self.sessions:
            self._set_timer()
