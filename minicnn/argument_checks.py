"""Checks on arguments, numbers and arrays, with one wording for all of them.

Each takes the name of the layer or function for the message, and returns the checked value if it converts it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Pair = tuple[int, int]
FLOAT_TYPES = (np.dtype(np.float32), np.dtype(np.float64))


def real(
    name: str,
    what: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """``value`` as a finite float within the given bounds.

    Raises TypeError where it is not a number, ValueError where it is NaN, infinite or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: {what} must be a number, got {value!r}")
    bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    inside = (
        math.isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (below is None or value < below)
        and (at_most is None or value <= at_most)
    )
    if not inside:
        expected = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        raise ValueError(f"{name}: {what} must be a finite number {expected or 'of any size'}, got {value!r}")
    return float(value)


def positive_int(name: str, what: str, value: Any) -> int:
    """``value`` as an int of at least 1. Raises TypeError where it is no integer, ValueError below 1."""
    if not _is_integer(value):
        raise TypeError(f"{name}: {what} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name}: {what} must be at least 1, got {value}")
    return int(value)


def non_negative_int(name: str, what: str, value: Any) -> int:
    """``value`` as an int of at least 0. Raises TypeError where it is no integer, ValueError below 0."""
    if not _is_integer(value):
        raise TypeError(f"{name}: {what} must be an integer of at least 0, got {value!r}")
    if value < 0:
        raise ValueError(f"{name}: {what} must be an integer of at least 0, got {value}")
    return int(value)


def pair(name: str, what: str, value: Any, minimum: int = 1) -> Pair:
    """An int or a pair of ints as (vertical, horizontal), each at least ``minimum``.

    Raises TypeError where it is neither, ValueError below ``minimum``.
    """
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not (_is_integer(both[0]) and _is_integer(both[1])):
        raise TypeError(f"{name}: {what} must be an integer or a pair of integers, got {value!r}")
    if both[0] < minimum or both[1] < minimum:
        raise ValueError(f"{name}: {what} must be at least {minimum}, got {value!r}")
    return int(both[0]), int(both[1])


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_dtype(name: str, dtype: Any) -> np.dtype:
    """float32 or float64 as a dtype object; anything else is a TypeError that names the layer."""
    try:
        result = None if dtype is None else np.dtype(dtype)  # NumPy takes None for float64
    except TypeError:
        result = None
    if result is None or result not in FLOAT_TYPES:
        raise TypeError(f"{name}: expected dtype float32 or float64, got {dtype!r}")
    return result


def check_shape(name: str, actual: tuple[int, ...], expected: Sequence[int | str]) -> None:
    """Raise ValueError unless ``actual`` fits ``expected``: numbers where a size is fixed, else letters."""
    if not _fits(actual, expected):
        text = ", ".join(str(size) for size in expected) + ("," if len(expected) == 1 else "")
        raise ValueError(f"{name}: expected shape ({text}), got {actual}")


def _fits(actual: tuple[int, ...], expected: Sequence[int | str]) -> bool:
    if len(actual) != len(expected):
        return False
    for size, n in zip(expected, actual, strict=True):
        if size != n and not isinstance(size, str):
            return False
    return True


def check_array(name: str, x: Any, shape: Sequence[int | str], dtype: Any = None) -> None:
    """Raise unless ``x`` is an array of this shape and dtype.

    ``shape`` holds a number where the size is fixed and a letter where it is free, as in
    ``("N", "H", "W", 3)``. Without ``dtype`` float32 and float64 are both allowed. A masked array is a
    TypeError: the mask would be ignored.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"{name}: expected a NumPy array, got {type(x).__name__}; convert it with numpy.asarray"
        )
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: expected a NumPy array, got a masked array; choose values for the masked numbers "
            "with x.filled(...)"
        )
    check_shape(name, x.shape, shape)
    if x.size == 0:
        raise ValueError(f"{name}: got an empty array of shape {x.shape}; every dimension must be at least 1")
    if dtype is None:
        if x.dtype not in FLOAT_TYPES:
            raise TypeError(
                f"{name}: expected float32 or float64, got {x.dtype}; convert it with x.astype(...)"
            )
    elif x.dtype != dtype:
        other = f" or build the layer with dtype={x.dtype}" if x.dtype in FLOAT_TYPES else ""
        raise TypeError(
            f"{name}: expected {np.dtype(dtype)}, got {x.dtype}; convert the input with "
            f"x.astype({np.dtype(dtype)}){other}"
        )


def check_batch(name: str, x: Any, minimum_rank: int = 1) -> None:
    """Raise unless ``x`` is a float array of ``minimum_rank`` or more dimensions, none of them empty."""
    if isinstance(x, np.ndarray) and x.ndim < minimum_rank:
        raise ValueError(
            f"{name}: expected a batch of {minimum_rank} or more dimensions, got shape {x.shape}"
        )
    check_array(name, x, x.shape if isinstance(x, np.ndarray) else ())
