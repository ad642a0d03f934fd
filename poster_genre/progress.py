"""The progress bar of everything that keeps a person waiting. It writes to standard error only."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(description: str, total: int | None, unit: str, enabled: bool = True, **options: Any) -> Any:
    """A tqdm bar. Where standard error is a file and not a screen, it adds a line every ten seconds."""
    from tqdm import tqdm

    screen = sys.stderr is not None and sys.stderr.isatty()
    return tqdm(
        desc=description,
        total=total,
        unit=unit,
        disable=not enabled or sys.stderr is None,
        file=sys.stderr,
        mininterval=0.1 if screen else 10,
        dynamic_ncols=screen,
        **options,
    )
