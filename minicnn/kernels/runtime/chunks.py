"""Walk through arrays in chunks that stay in the cache.

An optimiser touches every parameter a dozen times in a row. Done array by array each of those passes would
travel to main memory and back; done chunk by chunk only the first read and the last write do, and the scratch
space is one chunk long instead of one model long.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CHUNK = 32768


def chunks(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Matching flat views into arrays of one shape, at most ``CHUNK`` numbers each.

    Arrays that are not C-contiguous have no flat view; then the arrays come whole, as one chunk.
    """
    if not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, CHUNK):
        yield tuple(array[start : start + CHUNK] for array in flat)


class Scratch:
    """Uninitialised working space for one chunk, kept from call to call."""

    def __init__(self) -> None:
        self._kept: dict[np.dtype, np.ndarray] = {}

    def like(self, chunk: np.ndarray) -> np.ndarray:
        kept = self._kept.get(chunk.dtype)
        if kept is None or kept.size < chunk.size:
            kept = self._kept[chunk.dtype] = np.empty(max(chunk.size, CHUNK), chunk.dtype)
        return kept[: chunk.size].reshape(chunk.shape)
