"""Arrays that are reused within a training step, instead of newly allocated ones."""

from __future__ import annotations

import weakref

import numpy as np

from minicnn.kernels.runtime.aligned import empty


class Arena:
    """A pool of arrays: ``acquire`` one, ``release`` it after its last use.

    Arrays of other origin are not accepted into the pool, and one that is never released is simply freed.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[tuple[int, ...], np.dtype], list[np.ndarray]] = {}
        self._acquired: dict[int, weakref.ref[np.ndarray]] = {}

    def acquire(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array with arbitrary contents."""
        free = self._free.get((shape, dtype))
        array = free.pop() if free else empty(shape, dtype)
        self._acquired[id(array)] = weakref.ref(array)
        return array

    def owns(self, array: np.ndarray) -> bool:
        """Whether the array was acquired from this arena and not released."""
        reference = self._acquired.get(id(array))
        return reference is not None and reference() is array

    def release(self, array: np.ndarray) -> None:
        """Return an array to the pool; one that this arena does not own is ignored."""
        if self.owns(array):
            del self._acquired[id(array)]
            self._free.setdefault((array.shape, array.dtype), []).append(array)

    def clear(self) -> None:
        """Free all arrays, when the shape of a batch has changed."""
        self._free.clear()
        self._acquired.clear()
