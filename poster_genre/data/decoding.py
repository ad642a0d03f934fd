"""Decoding many images on several threads, in order, with a progress bar and a bounded number in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from poster_genre.progress import progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_FLIGHT = 64
_MOST_THREADS = 8


def map_images(
    decode: Callable[[Item], Result],
    items: Sequence[Item],
    title: str,
    unit: str,
    *,
    progress: bool = True,
    threads: int | None = None,
) -> Iterator[Result]:
    """``decode(item)`` of every item, in order, computed by threads (default: one a core, at most 8).

    At most 64 results are in memory. Threads suffice, because Pillow decodes without holding the
    interpreter's lock. ``title`` and ``unit`` are the progress bar's.
    """
    bar = progress_bar(title, len(items), unit, progress)
    with bar, ThreadPoolExecutor(threads or min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
        for start in range(0, len(items), _IN_FLIGHT):
            for result in pool.map(decode, items[start : start + _IN_FLIGHT]):
                yield result
                bar.update()
