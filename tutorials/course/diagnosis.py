"""Mistakes that can happen in any exercise: other axes, a sign, a factor, a border, too few digits.

A diagnosis must hold for every case that an attempt was tried on. One that fits a single case may be a
coincidence: a matrix with one number, say, is its own transpose more often than not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
Arrays = Sequence[Array]

SINGLE = 1e-5
"""Relative error that float32 sums may have; float16 has 2 digits less."""


def agree(value: Array, right: Array, rtol: float) -> bool:
    """Whether two arrays have one shape and equal numbers, up to ``rtol`` times the largest of ``right``.

    Values in float32 or float16 may have the rounding errors of their type.
    """
    if value.shape != right.shape or value.dtype.kind not in "biufU":
        return False
    if "U" in (value.dtype.kind, right.dtype.kind):
        return bool((value == right).all())
    if value.dtype.kind == "f" and value.dtype.itemsize < 8:
        rtol = max(rtol, SINGLE if value.dtype.itemsize == 4 else 100 * SINGLE)
    return bool(np.allclose(value, right, rtol=0, atol=rtol * scale_of(right), equal_nan=True))


def scale_of(right: Array) -> float:
    """The size of the largest finite number, or 1 where all are 0."""
    return float(np.abs(right[np.isfinite(right)]).max(initial=0.0)) or 1.0


def other_order(values: Sequence[Arrays], right: Sequence[Arrays], rtol: float) -> tuple[int, ...] | None:
    """The order in which outputs were returned, where it is not the right one. Both are (cases, outputs)."""
    for order in itertools.permutations(range(len(right[0]))):
        if list(order) != sorted(order) and all(
            agree(value, wanted[place], rtol)
            for row, wanted in zip(values, right, strict=True)
            for value, place in zip(row, order, strict=True)
        ):
            return order
    return None


def general(values: Arrays, right: Arrays, rtol: float) -> tuple[str, str, int]:
    """The key of a mistake, a sentence on it, and the case that it is told of.

    ``values`` and ``right``: one array a case, of which at least one pair does not agree.
    """
    case = next(i for i, (a, b) in enumerate(zip(values, right, strict=True)) if not agree(a, b, rtol))
    value, wanted = values[case], right[case]
    if value.dtype.kind not in "biufU":
        return "type", f"It holds {value.dtype} values, expected numbers.", case
    if "U" in (value.dtype.kind, wanted.dtype.kind):
        return "other", f"It is {value.tolist()!r}, where {wanted.tolist()!r} is right.", case
    values = [a.astype(np.int64) if a.dtype.kind == "b" else a for a in values]
    explained = _shape(values, right, rtol, case) or _digits(values, right, rtol, case)
    if explained is None:
        explained = _same_numbers(values, right, rtol) or _where(values, right, rtol, case)
    return *explained, case


def _all(values: Arrays, right: Arrays, test: Callable[[Array, Array], bool]) -> bool:
    return all(test(a, b) for a, b in zip(values, right, strict=True))


def _axes(values: Arrays, right: Arrays, rtol: float) -> tuple[int, ...] | None:
    """The order of axes in which the right numbers are in every case; None where there is none."""
    ndim = right[0].ndim
    if {a.ndim for a in values} == {ndim}:
        for axes in itertools.permutations(range(ndim)):
            if list(axes) != sorted(axes) and all(
                agree(a, b.transpose(axes), rtol) for a, b in zip(values, right, strict=True)
            ):
                return axes
    return None


def _shape(values: Arrays, right: Arrays, rtol: float, case: int) -> tuple[str, str] | None:
    value, wanted = values[case], right[case]
    if value.shape == wanted.shape:
        return None
    text = f"Its shape is {value.shape}, expected {wanted.shape}."
    axes = _axes(values, right, rtol)
    if axes is not None:
        return "axes", f"{text} These are the right numbers with the axes in the order {axes}."
    return "shape", text


def _digits(values: Arrays, right: Arrays, rtol: float, case: int) -> tuple[str, str] | None:
    value, wanted = values[case], right[case]
    lost = ~np.isfinite(value) & np.isfinite(wanted)
    if lost.any():
        where = tuple(map(int, np.argwhere(lost)[0]))
        return "not finite", f"There is {value[where]} at {where or 'the only position'}."
    if rtol < SINGLE and _all(values, right, lambda a, b: agree(a, b, SINGLE)):
        return "float32", "These are the right numbers with the few digits of float32. Compute in float64."
    return None


def _same_numbers(values: Arrays, right: Arrays, rtol: float) -> tuple[str, str] | None:
    """Right numbers in the wrong place, with the wrong sign, or multiplied."""
    if len({a.shape == b.shape for a, b in zip(values, right, strict=True)}) > 1:
        return None
    axes = _axes(values, right, rtol)
    if axes is not None:
        return "axes", f"These are the right numbers with the axes in the order {axes}."
    if _all(values, right, lambda a, b: agree(-a, b, rtol)):
        return "sign", "Every number has the wrong sign."
    ratios = [_constant_ratio(a, b) for a, b in zip(values, right, strict=True)]
    first = ratios[0]
    if first is not None and all(r is not None and np.isclose(r, first, rtol=1e-5) for r in ratios):
        return "factor", f"Every number is {first:.4g} times what it should be."
    for axis in range(right[0].ndim):
        if _all(values, right, lambda a, b, axis=axis: agree(np.flip(a, axis), b, rtol)):  # type: ignore[misc]
            return "reversed", f"These are the right numbers in reverse order along axis {axis}."
    return None


def _constant_ratio(value: Array, right: Array) -> float | None:
    """The number that ``value`` is a multiple of ``right`` by, or None; never a number that is nearly 1."""
    used = (right != 0) & np.isfinite(right)
    if right.size < 2 or not used.any():
        return None
    ratios = np.asarray(value, np.float64)[used] / np.asarray(right, np.float64)[used]
    same = np.allclose(ratios, ratios[0], rtol=1e-6, atol=0) and not np.asarray(value)[right == 0].any()
    return float(ratios[0]) if same and ratios[0] != 0 and abs(ratios[0] - 1) > 1e-3 else None


def _where(values: Arrays, right: Arrays, rtol: float, case: int) -> tuple[str, str]:
    value, wanted = values[case], right[case]
    if not wanted.ndim:
        return "other", f"It is {value[()]:.6g}, where {wanted[()]:.6g} is right."
    difference = np.abs(np.asarray(value, np.float64) - np.asarray(wanted, np.float64))
    wrong = difference > rtol * scale_of(wanted)
    where = tuple(map(int, np.unravel_index(int(np.nanargmax(difference)), difference.shape)))
    text = (
        f"{wrong.mean():.0%} of its numbers are off, most at {where}: {value[where]:.6g}, where "
        f"{wanted[where]:.6g} is right."
    )
    if _all(values, right, lambda a, b: _right_inside(a, b, rtol)):
        return "border", f"Only numbers at the border are wrong. {text}"
    return "other", text


def _right_inside(value: Array, right: Array, rtol: float) -> bool:
    """Whether all but the outermost numbers are right, where there are enough inside to tell."""
    inner = tuple(slice(1, -1) if size > 3 else slice(None) for size in right.shape)
    inside = right[inner]
    if value.shape != right.shape or inside.size in (0, right.size) or not inside.any():
        return False
    return agree(value[inner], inside, rtol * scale_of(right) / scale_of(inside))
