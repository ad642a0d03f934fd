"""Gradients by central differences, the error between two gradients, and inputs that suit them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minicnn.init import check_generator

STEP = 1e-5

Function = Callable[[np.ndarray], "np.ndarray | float"]


def numerical_gradient(
    f: Function, x: np.ndarray, eps: float = STEP, dy: np.ndarray | float = 1.0
) -> np.ndarray:
    """Gradient of ``sum(dy * f(x))`` by central differences, one element of x at a time.

        dx_i = sum(dy * (f(x + eps * e_i) - f(x - eps * e_i))) / (2 * eps)

    ``f`` takes a float64 array like ``x`` and returns a number, or an array of the shape of ``dy``. The
    outputs are subtracted before they are summed, which keeps digits. ``x`` is not changed. The error is of
    the order of eps**2 times the third derivative, plus 1e-16 / eps times the size of f.
    """
    if not isinstance(x, np.ndarray) or x.dtype != np.float64:
        actual = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"numerical_gradient: expected x as a float64 array, got {actual}")
    if not eps > 0:
        raise ValueError(f"numerical_gradient: eps must be greater than 0, got {eps}")
    gradient = np.zeros(x.shape)
    nudged = x.copy()
    for i in np.ndindex(x.shape):
        nudged[i] = x[i] + eps
        above = np.array(f(nudged), np.float64)
        nudged[i] = x[i] - eps
        gradient[i] = np.sum(dy * (above - f(nudged))) / (2 * eps)
        nudged[i] = x[i]
    return gradient


def relative_error(analytic: np.ndarray, numeric: np.ndarray) -> float:
    """``max|a - n| / max(max|a|, max|n|, 1e-3)``; the 1e-3 is for gradients that are zero by nature."""
    if analytic.shape != numeric.shape:
        return float("inf")
    scale = max(np.abs(analytic).max(), np.abs(numeric).max(), 1e-3)
    return float(np.abs(analytic - numeric).max() / scale)


def spread_input(shape: tuple[int, ...], rng: np.random.Generator | int) -> np.ndarray:
    """A random float64 array for checks: evenly spread over (-2, 2) and shuffled.

    No two values are equal and none is 0; the smallest gap is 4 / size, thousands of steps for the sizes that
    can be checked in reasonable time.
    """
    rng = check_generator("spread_input", rng)
    size = int(np.prod(shape))
    values = (np.arange(size) + 0.5) / size * 4 - 2
    if size % 2:
        values += 1 / size  # the middle one would be 0
    return rng.permutation(values).reshape(shape)
