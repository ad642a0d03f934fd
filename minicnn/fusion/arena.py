"""Arrays that are used again within a training step, instead of fresh ones from the operating system."""

from __future__ import annotations

import weakref

import numpy as np

from minicnn.kernels.runtime.aligned import empty


class Arena:
    """A pool of arrays: ``take`` one, ``give`` it back after its last use.

    Arrays of other origin are not accepted into the pool, and one that is never given back is simply freed.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[tuple[int, ...], np.dtype], list[np.ndarray]] = {}
        self._lent: dict[int, weakref.ref[np.ndarray]] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array with arbitrary contents."""
        free = self._free.get((shape, dtype))
        array = free.pop() if free else empty(shape, dtype)
        self._lent[id(array)] = weakref.ref(array)
        return array

    def lends(self, array: np.ndarray) -> bool:
        """Whether the array was taken from this arena and not given back."""
        lent = self._lent.get(id(array))
        return lent is not None and lent() is array

    def give(self, array: np.ndarray) -> None:
        """Give an array back, to be taken again; one that this arena does not lend is ignored."""
        if self.lends(array):
            del self._lent[id(array)]
            self._free.setdefault((array.shape, array.dtype), []).append(array)

    def forget(self) -> None:
        """Let go of all arrays, where the shape of a batch has changed."""
        self._free.clear()
        self._lent.clear()
