"""A generator for building networks whose weights a file is about to replace, bounded by what the file holds.

The architecture in a model file is a claim, and a few bytes can claim a network that fills any memory. All
random weights of a network come from the generator that its builder is given. This one draws nothing: it
returns zeros, and raises as soon as the network has more weights, or more arrays of them, than the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


class WeightBudget(np.random.Generator):
    """Zeros instead of random weights, no more of them than ``arrays`` (name -> array) hold together."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        super().__init__(np.random.PCG64(0))
        self.arrays, self.numbers = len(arrays), sum(array.size for array in arrays.values())

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
