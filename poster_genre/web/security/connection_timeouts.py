"""uvicorn's connection with an eye on the clock: no client holds one for long by doing nothing.

Handlers time what they wait for, but they run only once a request's headers are complete, and cannot cut off
who does not read the answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from poster_genre.web.limits import Limits

MARGIN = 10.0  # seconds that an answer may take to be read


def guarded_protocol(limits: Limits) -> type[H11Protocol]:
    """The class of connections for a server with these limits."""

    class Connection(GuardedConnection):
        pass

    Connection.limits = limits
    return Connection


class GuardedConnection(H11Protocol):
    """Aborts when a request's headers, or all of a request, take too long; makes room when there are many."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None
    _timed: RequestResponseCycle | None = None
    since = 0.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.since = self.loop.time()
        self._set_timer(self.limits.header_seconds)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle is not self._timed:
            self._timed = self.cycle
            limits = self.limits
            self._set_timer(limits.upload_seconds + limits.answer_seconds + MARGIN)
        elif self._timer is None:
            self._set_timer(self.limits.header_seconds)

    def on_response_complete(self) -> None:
        # A body that nobody waits for any more is read on and dropped, but only as long as the timer runs.
        if not self.cycle.more_body:
            self._clear_timer()
        super().on_response_complete()

    @property
    def computing(self) -> bool:
        """Whether the client has done its part and waits for ours."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _make_room(self) -> None:
        """Push out whoever has kept the server waiting longest; if nobody does, the newcomer."""
        idle = [other for other in self.connections if isinstance(other, GuardedConnection)]
        idle = [other for other in idle if other is not self and not other.computing]
        out = min(idle, key=lambda other: (other.cycle is not None, other.since), default=self)
        out.transport.abort()

    def _set_timer(self, seconds: float) -> None:
        self._clear_timer()
        self._timer = self.loop.call_later(seconds, self._cut)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        self._timer = None
        self.transport.abort()
