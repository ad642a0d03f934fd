"""Points on circles, arcs and splines, as complex numbers x + iy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

Point = tuple[float, float]
Points = Sequence[Point]


def as_complex(points: Iterable[Point]) -> np.ndarray:
    """The points (x, y) as x + iy."""
    return np.array([complex(x, y) for x, y in points])


@lru_cache(maxsize=8)
def unit_circle(corners: int) -> np.ndarray:
    """A regular polygon with ``corners`` corners on the circle of radius 1."""
    circle: np.ndarray = np.exp(2j * np.pi * np.arange(corners) / corners)
    return circle


def arc(x: float, y: float, radius: float, start: float, stop: float) -> np.ndarray:
    """Points on a circle about (x, y) from ``start`` to ``stop`` degrees, about 7 degrees apart."""
    corners = max(4, int(abs(stop - start) / 7))
    points: np.ndarray = complex(x, y) + radius * np.exp(1j * np.radians(np.linspace(start, stop, corners)))
    return points


@lru_cache(maxsize=512)
def spline(points: tuple[Point, ...], closed: bool) -> np.ndarray:
    """A Catmull-Rom spline through the points. On the piece from p1 to p2, with t from 0 to 1:

        2 q(t) = 2 p1 + (p2 - p0) t + (2 p0 - 5 p1 + 4 p2 - p3) t^2 + (3 p1 - p0 - 3 p2 + p3) t^3

    (Catmull and Rom 1974, "A class of local interpolating splines".)
    """
    p = as_complex(points)
    if closed:
        p0, p1, p2, p3 = (np.roll(p, shift)[:, None] for shift in (1, 0, -1, -2))
    else:
        ends = np.concatenate([p[:1], p, p[-1:]])
        p0, p1, p2, p3 = (ends[i : len(ends) - 3 + i, None] for i in range(4))
    t = np.linspace(0.0, 1.0, 7)[None, :-1]
    smooth = p1 + 0.5 * t * (
        (p2 - p0) + t * ((2 * p0 - 5 * p1 + 4 * p2 - p3) + t * (3 * p1 - p0 - 3 * p2 + p3))
    )
    return smooth.ravel() if closed else np.append(smooth.ravel(), p[-1])
