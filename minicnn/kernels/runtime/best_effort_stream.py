"""A text stream for messages that must never stop the work they are about."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TextIO


class BestEffortStream:
    """Drops what cannot be written to ``stream`` because it is full, closed, broken or None.

    ``sys.stderr`` is None in a process that was started without standard error.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` if that is possible; its length in any case."""
        if self.stream is not None:
            with suppress(OSError, ValueError):  # ValueError: the stream was closed
                self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        if self.stream is not None:
            with suppress(OSError, ValueError):
                self.stream.flush()

    def isatty(self) -> bool:
        """Whether the stream is a terminal; False for one that is closed."""
        if self.stream is None:
            return False
        try:
            return self.stream.isatty()
        except (OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
