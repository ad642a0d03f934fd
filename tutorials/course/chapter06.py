"""Checks of chapter 6: a numerical gradient, and five suspects whose gradient checks look strange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake, Questions
from minicnn.gradcheck import numerical_gradient, relative_error, spread_input
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU, Tanh
from minicnn.layers.conv import Conv2D

Array = np.ndarray
Function = Callable[[Array], float]


def _cubes(x: Array) -> float:
    return float((x**3).sum() + x.flat[0] * x.flat[-1])


def _sines(x: Array) -> float:
    return float((np.sin(x) * np.arange(1, x.size + 1).reshape(x.shape)).sum())


def _cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(60)
    return [
        (_cubes, rng.standard_normal((2, 3)), 1e-2),
        (_sines, rng.standard_normal((3, 2)), 5e-2),
        (_cubes, rng.standard_normal((2, 2, 2)), 2e-2),
    ]


def _differences(f: Function, x: Array, up: float, down: float, distance: float) -> Array:
    """(f(x + up) - f(x - down)) / distance, for one number of x at a time."""
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[index] += up
        below[index] -= down
        out[index] = (f(above) - f(below)) / distance
    return out


def _remaining(f: Function, x: Array, h: float) -> Array:
    """Central differences with one pair of copies, in which every step stays."""
    out, above, below = np.zeros_like(x), x.copy(), x.copy()
    for index in np.ndindex(x.shape):
        above[index] += h
        below[index] -= h
        out[index] = (f(above) - f(below)) / (2 * h)
    return out


central_gradient = Exercise(
    "central_gradient",
    cases=_cases,
    answer=lambda f, x, h: numerical_gradient(f, x, eps=h),
    outputs=("gradient",),
    mistakes=(
        Mistake(
            "one-sided",
            "gradient",
            "This is (f(x + h) - f(x)) / h, whose error is of first order in h. Step to both sides.",
            lambda f, x, h: _differences(f, x, h, 0, h),
        ),
        Mistake(
            "backward",
            "gradient",
            "This is (f(x) - f(x - h)) / h, whose error is of first order in h. Step to both sides.",
            lambda f, x, h: _differences(f, x, 0, h, h),
        ),
        Mistake(
            "twice",
            "gradient",
            "It is twice the slope: the two points are 2 h apart.",
            lambda f, x, h: _differences(f, x, h, h, h),
        ),
        Mistake(
            "half",
            "gradient",
            "This is half of a one-sided difference: (f(x + h) - f(x)) / 2 h. Step to both sides.",
            lambda f, x, h: _differences(f, x, h, 0, 2 * h),
        ),
        Mistake(
            "precedence",
            "gradient",
            "/ 2 * h divides by 2 and multiplies by h. Write / (2 * h).",
            lambda f, x, h: _differences(f, x, h, h, 2 / h),
        ),
        Mistake(
            "h not used",
            "gradient",
            "It is the slope itself, or one of a step other than h. Use the h that is given.",
            lambda f, x, h: numerical_gradient(f, x),
        ),
        Mistake(
            "steps remain",
            "gradient",
            "The numbers that were moved before are still moved. Make the copies anew for each number.",
            _remaining,
        ),
        Mistake(
            "all at once",
            "gradient",
            "All numbers of x are moved together, so every entry is the same sum. Move one at a time.",
            lambda f, x, h: np.full_like(x, (f(x + h) - f(x - h)) / (2 * h)),
        ),
    ),
)


class _SwappedFilters(Conv2D):
    """A convolution whose backward pass gives each filter the upstream gradient of another one."""

    def backward(self, dy: Array) -> Array:
        return super().backward(np.ascontiguousarray(dy[..., ::-1]))


class _HalfTanh(Tanh):
    """A tanh whose derivative lacks the square: 1 - y in the place of 1 - y**2."""

    def backward(self, dy: Array) -> Array:
        (y,) = self.recall()
        return dy * (1 - y)


def _suspect(kind: Callable[..., Layer], dtype: Any) -> Layer:
    if issubclass(kind, Conv2D):  # type: ignore[arg-type]
        return kind(3, 3, 3, padding="same", rng=61, dtype=dtype)
    return kind()


_KINDS: dict[str, Callable[..., Layer]] = {
    "A": ReLU,
    "B": _SwappedFilters,
    "C": _HalfTanh,
    "D": Conv2D,
    "E": Tanh,
}
SUSPECTS = tuple(_KINDS)
"""The names of the five layers."""

_STEP = {"float32": 1e-4, "float64": 1e-5}


def error(name: str, upstream: str = "ones", points: str = "grid", dtype: str = "float32") -> float:
    """The relative error of dx of a suspect against central differences.

    ``upstream``  "ones" or "random"; ``points`` "grid" or "spread"; ``dtype`` "float32" or "float64".
    Raises ValueError for any other name or setting.
    """
    choices = {
        "name": (name, SUSPECTS),
        "upstream": (upstream, ("ones", "random")),
        "points": (points, ("grid", "spread")),
        "dtype": (dtype, tuple(_STEP)),
    }
    for setting, (value, allowed) in choices.items():
        if value not in allowed:
            raise ValueError(f"error: {setting} must be one of {', '.join(allowed)}, got {value!r}")
    shape, rng = (2, 5, 4, 3), np.random.default_rng(62)
    if points == "spread":
        x = spread_input(shape, rng)
    else:
        x = rng.integers(-4, 5, shape) / 4.0
    layer = _suspect(_KINDS[name], np.dtype(dtype))
    dy = np.ones(shape) if upstream == "ones" else rng.standard_normal(shape)
    layer.forward(x.astype(dtype), training=True)
    derived = layer.backward(dy.astype(dtype)).astype(np.float64)

    def loss(v: Array) -> float:
        return float((layer.forward(v.astype(dtype)) * dy.astype(dtype)).sum(dtype=dtype))

    return relative_error(derived, numerical_gradient(loss, x, eps=_STEP[dtype]))


suspects = Questions(
    "suspects",
    right={"A": "kink", "B": "hidden by ones", "C": "wrong", "D": "float32 noise", "E": "float32 noise"},
    wrong={
        ("A", "wrong"): "On spread points, with random dy and in float64, it passes.",
        ("A", "float32 noise"): "It fails in float64 as well, on the grid.",
        ("B", "float32 noise"): "Its error does not vanish in float64, once the upstream gradient is random.",
        ("B", "wrong"): "It is, but not every setting shows it: compare ones and random in float64.",
        ("C", "hidden by ones"): "Ones show it too, in float64.",
        ("C", "float32 noise"): "Its error is as large in float64.",
        ("C", "kink"): "It fails on spread points as well.",
        ("D", "wrong"): "In float64 its error vanishes, whatever the other settings.",
        ("D", "kink"): "A convolution has no kink: try the grid in float64.",
        ("D", "hidden by ones"): "In float64 a random upstream gradient finds nothing either.",
        ("A", "hidden by ones"): "A random upstream gradient finds nothing on spread points, in float64.",
        ("B", "kink"): "It fails on spread points as well, once the upstream gradient is random.",
        ("E", "wrong"): "In float64 its error vanishes.",
        ("E", "kink"): "A tanh has no kink: try the grid in float64.",
        ("E", "hidden by ones"): "In float64 a random upstream gradient finds nothing either.",
    },
)
