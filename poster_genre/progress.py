"""Progress of long work, on standard error: a bar on a terminal, and a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from minicnn.kernels.runtime.best_effort_stream import BestEffortStream

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
    stream = BestEffortStream(sys.stderr if enabled else None)
    if not stream.isatty():
        return LineProgress(description, total, unit, stream, initial=initial)
    from tqdm import tqdm

    return tqdm(
        desc=description,
        total=total,
        unit=unit,
        initial=initial,
        unit_scale=unit_scale,
        unit_divisor=unit_divisor,
        file=stream,
        dynamic_ncols=True,
    )


class LineProgress:
    """Progress as lines without control characters, one every ten seconds; shorter work has none."""

    def __init__(
        self, description: str, total: int | None, unit: str, stream: BestEffortStream, *, initial: int = 0
    ) -> None:
        self.description, self.total, self.unit, self.n = description, total, unit, initial
        self._stream = stream
        self._next_line = time.monotonic() + LINE_SECONDS

    def update(self, n: int = 1) -> None:
        """``n`` more are done."""
        self.n += n
        if time.monotonic() < self._next_line:
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
