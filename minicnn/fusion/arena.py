"""Arrays that are used again within a training step, instead of fresh ones from the operating system."""

from __future__ import annotations

import weakref

import numpy as np

from minicnn.kernels.runtime.aligned import empty


class Arena:
    """Arrays to be used again: ``take`` one, ``give`` it back when nobody will read it any more.

    Arrays that did not come from here are not kept, and one that never comes back is simply freed.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[tuple[int, ...], np.dtype], list[np.ndarray]] = {}
        self._lent: dict[int, weakref.ref[np.ndarray]] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array with anything in it."""
        free = self._free.get((shape, dtype))
        array = free.pop() if free else empty(shape, dtype)
        self._lent[id(array)] = weakref.ref(array)
        return array

    def lends(self, array: np.ndarray) -> bool:
        """Whether the array came from here and is not back."""
        lent = self._lent.get(id(array))
        return lent is not None and lent() is array

    def give(self, array: np.ndarray) -> None:
        if self.lends(array):
            del self._lent[id(array)]
            self._free.setdefault((array.shape, array.dtype), []).append(array)

    def forget(self) -> None:
        """Let go of all arrays, where the shape of a batch has changed."""
        self._free.clear()
        self._lent.clear()
