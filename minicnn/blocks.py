"""Walk through arrays in pieces that stay in the cache.

An optimiser touches every parameter a dozen times in a row. Done array by array each of those passes would
travel to main memory and back; done piece by piece only the first read and the last write do, and the scratch
space is one piece long instead of one model long.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 32768


def blocks(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Matching flat views into arrays of one shape, at most ``BLOCK`` numbers each.

    Arrays that are not C-contiguous have no flat view; then the arrays come whole, as one piece.
    """
    if not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple(array[start : start + BLOCK] for array in flat)


class Scratch:
    """Uninitialised working space for one block, kept from call to call."""

    def __init__(self) -> None:
        self._kept: dict[np.dtype, np.ndarray] = {}

    def like(self, block: np.ndarray) -> np.ndarray:
        kept = self._kept.get(block.dtype)
        if kept is None or kept.size < block.size:
            kept = self._kept[block.dtype] = np.empty(max(block.size, BLOCK), block.dtype)
        return kept[: block.size].reshape(block.shape)
