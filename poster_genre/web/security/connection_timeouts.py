"""uvicorn's HTTP connection with timeouts and a bound on the number of connections.

Handlers can time only what they wait for: they start when a request's headers are complete, and cannot close
the connection of a client that does not read the answer. This class uses internals of uvicorn
(``H11Protocol`` and its request cycle), which is why ``pyproject.toml`` bounds uvicorn's version.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from poster_genre.web.limits import Limits


def connection_class(limits: Limits) -> type[H11Protocol]:
    """The class of connections for a server with these limits, for ``uvicorn.Config(http=...)``."""

    class Connection(TimedConnection):
        pass

    Connection.limits = limits
    return Connection


class TimedConnection(H11Protocol):
    """Closes when a request's headers, or a whole request, take too long.

    Past ``limits.connections`` open ones, a new connection closes the one that has been idle longest.
    """

    limits = Limits()
    opened = 0.0
    _timer: asyncio.TimerHandle | None = None
    _timed_cycle: RequestResponseCycle | None = None

    def connection_made(self, transport: Any) -> None:
        """asyncio: the connection is open."""
        super().connection_made(transport)
        self.opened = self.loop.time()
        self._set_timer(self.limits.header_seconds)
        if len(self.connections) > self.limits.connections:
            self._close_longest_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is closed."""
        self._clear_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come. Once the headers are complete, the time of the whole request counts."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle is not self._timed_cycle:
            self._timed_cycle = self.cycle
            limits = self.limits
            self._set_timer(limits.upload_seconds + limits.answer_seconds + limits.read_seconds)
        elif self._timer is None:
            self._set_timer(self.limits.header_seconds)

    def on_response_complete(self) -> None:
        """uvicorn: the answer is sent. The timer goes on while the rest of a refused body is read."""
        if not self.cycle.more_body:
            self._clear_timer()
        super().on_response_complete()

    @property
    def waits_for_answer(self) -> bool:
        """Whether the request is complete and its answer is not."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _close_longest_idle(self) -> None:
        """Close the connection whose client has kept the server waiting longest; if none does, this one."""
        idle = [
            other
            for other in self.connections
            if isinstance(other, TimedConnection) and other is not self and not other.waits_for_answer
        ]
        longest = min(idle, key=lambda other: (other.cycle is not None, other.opened), default=self)
        longest.transport.abort()

    def _set_timer(self, seconds: float) -> None:
        self._clear_timer()
        self._timer = self.loop.call_later(seconds, self._abort)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        self._timer = None
        self.transport.abort()
