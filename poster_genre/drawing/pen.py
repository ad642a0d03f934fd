"""A pen that draws in its own coordinates, so that a motif can be placed anywhere, at any size."""

from __future__ import annotations

import cmath
import dataclasses
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from poster_genre.drawing.palettes import Colour, Palette

Point = tuple[float, float]
Points = Sequence[Point]


class Pen:
    """Draws on an image in a frame of its own: x to the right, y *up*, as in mathematics.

    The page's pen has the origin in the lower left corner; the page is 1 wide, ``page_height`` high. ``at``
    gives a pen with another origin, scale, turn and mirroring. Points are complex numbers inside, for
    z -> origin + factor * z is a shift, a scaling and a rotation at once, and -conj(z) the mirror image.
    """

    def __init__(self, image: Image.Image, palette: Palette, rng: np.random.Generator) -> None:
        self.palette = palette
        self.rng = rng
        self.page_height = image.height / image.width
        self._draw = ImageDraw.Draw(image, "RGBA")
        self._pixels = (image.width, image.height)
        self._origin, self._factor, self._mirrored = 0j, 1 + 0j, False

    def at(self, x: float, y: float, size: float = 1.0, *, turn: float = 0.0, flip: bool = False) -> Pen:
        """A pen with its origin at (x, y) and ``size`` as its unit; ``turn`` in degrees, anticlockwise."""
        pen = self._copy()
        pen._origin = complex(self._place(np.array([complex(x, y)]))[0])
        factor = cmath.rect(size, math.radians(turn))
        pen._factor = self._factor * (factor.conjugate() if self._mirrored else factor)
        pen._mirrored = self._mirrored != flip
        return pen

    def recoloured(self, **colours: Colour) -> Pen:
        """The same pen with some colours of its palette replaced."""
        pen = self._copy()
        pen.palette = dataclasses.replace(self.palette, **colours)
        return pen

    def polygon(self, points: Points, colour: Colour, alpha: float = 1.0) -> None:
        self._fill(_as_complex(points), colour, alpha)

    def blob(self, points: Points, colour: Colour, alpha: float = 1.0) -> None:
        """A smooth closed outline through the points."""
        self._fill(_spline(tuple(points), True), colour, alpha)

    def box(
        self, left: float, bottom: float, right: float, top: float, colour: Colour, alpha: float = 1.0
    ) -> None:
        self.polygon(((left, bottom), (right, bottom), (right, top), (left, top)), colour, alpha)

    def disc(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 1.0) -> None:
        left, top, right, bottom = self._square(x, y, radius)
        self._draw.ellipse((left, top, right, bottom), fill=_rgba(colour, alpha))

    def ring(
        self, x: float, y: float, radius: float, width: float, colour: Colour, alpha: float = 1.0
    ) -> None:
        """A circle's outline; ``radius`` is the outer one."""
        self._draw.ellipse(self._square(x, y, radius), outline=_rgba(colour, alpha), width=self._width(width))

    def ellipse(
        self,
        x: float,
        y: float,
        across: float,
        up: float,
        colour: Colour,
        alpha: float = 1.0,
        turn: float = 0.0,
    ) -> None:
        """An ellipse with half-axes ``across`` and ``up``, turned by ``turn`` degrees."""
        circle = _circle(48)
        tilt = cmath.rect(1.0, math.radians(turn))
        self._fill(complex(x, y) + tilt * (across * circle.real + 1j * up * circle.imag), colour, alpha)

    def wedge(
        self, x: float, y: float, radius: float, start: float, stop: float, colour: Colour, alpha: float = 1.0
    ) -> None:
        """A slice of a disc between two angles in degrees, anticlockwise from the x axis."""
        self._fill(np.append(_arc(x, y, radius, start, stop), complex(x, y)), colour, alpha)

    def line(self, points: Points, width: float, colour: Colour, alpha: float = 1.0) -> None:
        """A line through the points with round joints and ends."""
        self._stroke(_as_complex(points), width, colour, alpha)

    def curve(self, points: Points, width: float, colour: Colour, alpha: float = 1.0) -> None:
        """A smooth line through the points."""
        self._stroke(_spline(tuple(points), False), width, colour, alpha)

    def arc(
        self,
        x: float,
        y: float,
        radius: float,
        start: float,
        stop: float,
        width: float,
        colour: Colour,
        alpha: float = 1.0,
    ) -> None:
        """Part of a circle's line, from ``start`` to ``stop`` degrees."""
        self._stroke(_arc(x, y, radius, start, stop), width, colour, alpha)

    def limb(self, joints: Points, widths: Sequence[float], colour: Colour) -> None:
        """Round-ended pieces that narrow from joint to joint: an arm, a branch, a horn."""
        pairs = zip(joints, joints[1:], widths, widths[1:], strict=False)
        for (x0, y0), (x1, y1), wide, narrow in pairs:
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            across, up = (y0 - y1) / length / 2, (x1 - x0) / length / 2
            self.polygon(
                (
                    (x0 + across * wide, y0 + up * wide),
                    (x1 + across * narrow, y1 + up * narrow),
                    (x1 - across * narrow, y1 - up * narrow),
                    (x0 - across * wide, y0 - up * wide),
                ),
                colour,
            )
        for (x, y), width in zip(joints, widths, strict=True):
            self.disc(x, y, width / 2, colour)

    def star(
        self, x: float, y: float, spikes: int, outer: float, inner: float, colour: Colour, turn: float = 90.0
    ) -> None:
        radii = np.tile([outer, inner], spikes)
        angles = np.radians(turn + np.arange(2 * spikes) * 180.0 / spikes)
        self._fill(complex(x, y) + radii * np.exp(1j * angles), colour, 1.0)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.5) -> None:
        """Light that fades towards ``radius``."""
        for step in range(7):
            self.disc(x, y, radius * (1 - step / 8), colour, strength / 6)

    def _copy(self) -> Pen:
        pen = object.__new__(Pen)
        pen.__dict__.update(self.__dict__)
        return pen

    def _place(self, z: np.ndarray) -> np.ndarray:
        return self._origin + self._factor * (-z.conj() if self._mirrored else z)

    def _to_pixels(self, z: np.ndarray) -> list[float]:
        width, height = self._pixels
        placed = self._place(z).conj() * width + 1j * height
        coordinates: list[float] = placed.view(np.float64).tolist()
        return coordinates

    def _fill(self, z: np.ndarray, colour: Colour, alpha: float) -> None:
        self._draw.polygon(self._to_pixels(z), fill=_rgba(colour, alpha))

    def _stroke(self, z: np.ndarray, width: float, colour: Colour, alpha: float) -> None:
        pixels = self._to_pixels(z)
        thickness = self._width(width)
        ink = _rgba(colour, alpha)
        self._draw.line(pixels, fill=ink, width=thickness, joint="curve" if len(z) > 2 else None)
        if thickness > 3 and alpha >= 1.0:
            r = (thickness - 1) / 2
            for x, y in (pixels[:2], pixels[-2:]):
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)

    def _width(self, width: float) -> int:
        return max(1, round(width * abs(self._factor) * self._pixels[0]))

    def _square(self, x: float, y: float, radius: float) -> tuple[float, float, float, float]:
        px, py = self._to_pixels(np.array([complex(x, y)]))
        r = radius * abs(self._factor) * self._pixels[0]
        return px - r, py - r, px + r, py + r


def _rgba(colour: Colour, alpha: float) -> tuple[int, int, int, int]:
    return (*colour, round(255 * alpha))


def _as_complex(points: Iterable[Point]) -> np.ndarray:
    return np.array([complex(x, y) for x, y in points])


@lru_cache(maxsize=8)
def _circle(corners: int) -> np.ndarray:
    circle: np.ndarray = np.exp(2j * np.pi * np.arange(corners) / corners)
    return circle


def _arc(x: float, y: float, radius: float, start: float, stop: float) -> np.ndarray:
    corners = max(4, int(abs(stop - start) / 7))
    arc: np.ndarray = complex(x, y) + radius * np.exp(1j * np.radians(np.linspace(start, stop, corners)))
    return arc


@lru_cache(maxsize=512)
def _spline(points: tuple[Point, ...], closed: bool) -> np.ndarray:
    """A Catmull-Rom spline: on the piece from p1 to p2, with t from 0 to 1,

    2 q(t) = 2 p1 + (p2 - p0) t + (2 p0 - 5 p1 + 4 p2 - p3) t^2 + (3 p1 - p0 - 3 p2 + p3) t^3.
    """
    p = _as_complex(points)
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
