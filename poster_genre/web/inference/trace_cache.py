"""Layer traces in memory, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict

from poster_genre.explain.layer_trace.trace import Trace


class TraceCache:
    """Traces by token and mirroring; past ``max_bytes`` the least recently used ones are dropped.

    The last one stays whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.traces: OrderedDict[tuple[str, bool], Trace] = OrderedDict()

    def get(self, token: str, mirrored: bool) -> Trace | None:
        """The trace, None where it is not in memory."""
        trace = self.traces.get((token, mirrored))
        if trace is not None:
            self.traces.move_to_end((token, mirrored))
        return trace

    def store(self, token: str, mirrored: bool, trace: Trace) -> None:
        """Add or replace a trace."""
        self.traces[token, mirrored] = trace
        while sum(each.nbytes for each in self.traces.values()) > self.max_bytes and len(self.traces) > 1:
            self.traces.popitem(last=False)

    def drop(self, token: str) -> None:
        """Remove the traces under a token."""
        for mirrored in (False, True):
            self.traces.pop((token, mirrored), None)
