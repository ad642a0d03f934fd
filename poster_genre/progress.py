"""Progress of long work, on standard error: a bar on a terminal, and a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any, TextIO

LINE_SECONDS = 10.0


def progress_bar(
    description: str,
    total: int | None,
    unit: str,
    enabled: bool = True,
    *,
    initial: int = 0,
    unit_scale: bool = False,
    unit_divisor: int = 1000,
) -> Any:
    """A context manager with ``update(n)``, ``refresh()`` and the attributes ``n`` and ``total``.

    On a terminal a tqdm bar; elsewhere ``LineProgress``. It never raises because of standard error.
    """
    stream = sys.stderr
    if not enabled or stream is None or not stream.isatty():
        shown = enabled and stream is not None
        return LineProgress(description, total, unit, stream if shown else None, initial=initial)
    from tqdm import tqdm

    return tqdm(
        desc=description,
        total=total,
        unit=unit,
        initial=initial,
        unit_scale=unit_scale,
        unit_divisor=unit_divisor,
        file=BestEffortStream(stream),
        dynamic_ncols=True,
    )


class LineProgress:
    """Progress as lines without control characters, one every ten seconds; work that is done sooner has none.

    ``stream`` None writes nothing.
    """

    def __init__(
        self, description: str, total: int | None, unit: str, stream: TextIO | None, *, initial: int = 0
    ) -> None:
        self.description, self.total, self.unit, self.n = description, total, unit, initial
        self._stream = None if stream is None else BestEffortStream(stream)
        self._next_line = time.monotonic() + LINE_SECONDS

    def update(self, n: int = 1) -> None:
        """``n`` more are done."""
        self.n += n
        if self._stream is None or time.monotonic() < self._next_line:
            return
        self._next_line = time.monotonic() + LINE_SECONDS
        total = "" if self.total is None else f" of {self.total:,}"
        print(f"{self.description}: {self.n:,}{total} {self.unit.strip()}", file=self._stream, flush=True)

    def refresh(self) -> None:
        """Nothing: a line is written by ``update`` only."""

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing: lines that were written stay."""


class BestEffortStream:
    """A text stream that drops what cannot be written to ``stream``, because it is full, closed or broken."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` if that is possible; its length in any case."""
        with suppress(OSError, ValueError):  # ValueError: the stream was closed
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        with suppress(OSError, ValueError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
