"""A generator for building networks whose weights a file is about to replace, bounded by what the file holds.

The architecture in a model file is a claim, and a few bytes can claim a network that fills any memory. All
random weights of a network come from the generator that its builder is given. This one draws nothing: it
returns zeros, and raises as soon as the network has far more weights, or arrays of them, than the file. A
builder may draw a little besides weights, and may spawn generators; that the arrays are exactly those of the
file is checked when they are loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

ARRAYS_BESIDES = 100  # draws that are no weights of the file
NUMBERS_BESIDES = 100_000


class WeightBudget(np.random.Generator):
    """Zeros instead of random weights, hardly more of them than ``arrays`` (name -> array) hold together."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        super().__init__(np.random.PCG64(0))
        self.arrays = len(arrays) + ARRAYS_BESIDES
        self.numbers = sum(array.size for array in arrays.values()) + NUMBERS_BESIDES

    def spawn(self, n_children: int) -> list[Any]:
        """This generator as each of its children: they share the budget."""
        return [self] * n_children

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Zeros of shape ``size``, float64; ``dtype`` and ``out``, which NumPy's has, are ignored.

        ValueError beyond the budget.
        """
        return self._zeros(size)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Zeros of shape ``size``. ValueError beyond the budget."""
        return self._zeros(size)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Zeros of shape ``size``. ValueError beyond the budget."""
        return self._zeros(size)

    def _zeros(self, size: Any) -> np.ndarray:
        shape = (size,) if isinstance(size, (int, np.integer)) else tuple(size or ())
        self.arrays -= 1
        self.numbers -= math.prod(shape)
        if self.arrays < 0 or self.numbers < 0:
            raise ValueError("its network has more weights than the file holds")
        return np.zeros(shape)
