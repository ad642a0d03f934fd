"""Arrays in chunks that fit into the cache.

An optimiser's step makes about a dozen passes over each parameter. On whole arrays each pass reads or writes
main memory; on chunks only the first read and the last write do, and the working space is one chunk, not as
large as the model.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CHUNK = 32768


def chunks(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Matching flat views into arrays of one shape, at most ``CHUNK`` numbers each.

    Arrays that are not C-contiguous have no flat view; then the arrays are one chunk.
    """
    if not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, CHUNK):
        yield tuple(array[start : start + CHUNK] for array in flat)


class Scratch:
    """Uninitialised working space for one chunk of each dtype, reused from call to call."""

    def __init__(self) -> None:
        self._arrays: dict[np.dtype, np.ndarray] = {}

    def like(self, chunk: np.ndarray) -> np.ndarray:
        """An uninitialised array of the chunk's shape and dtype, valid until the next call for that dtype."""
        array = self._arrays.get(chunk.dtype)
        if array is None or array.size < chunk.size:
            array = self._arrays[chunk.dtype] = np.empty(max(chunk.size, CHUNK), chunk.dtype)
        return array[: chunk.size].reshape(chunk.shape)
