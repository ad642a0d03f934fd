"""The pen that motifs are drawn with: shapes in coordinates of their own, in the colours of a palette."""

from __future__ import annotations

import cmath
import copy
import dataclasses
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from PIL import Image

from poster_genre.drawing import splines
from poster_genre.drawing.brush import Brush
from poster_genre.drawing.palettes import Colour, Palette
from poster_genre.drawing.splines import Points, as_complex, spline, unit_circle


class Pen(Brush):
    """A brush with a palette, a random generator and more shapes.

    The page's pen has the origin in the lower left corner; the page is 1 wide and ``page_height`` high. A
    motif receives a pen moved by ``at`` to its position and size.
    """

    def __init__(self, image: Image.Image, palette: Palette, rng: np.random.Generator) -> None:
        super().__init__(image)
        self.palette = palette
        self.rng = rng

    def recoloured(self, **colours: Colour) -> Self:
        """The same pen with some colours of its palette replaced."""
        pen = copy.copy(self)
        pen.palette = dataclasses.replace(self.palette, **colours)
        return pen

    def polygon(self, points: Points, colour: Colour, alpha: float = 1.0) -> None:
        """The area within straight lines from point to point."""
        self.fill(as_complex(points), colour, alpha)

    def blob(self, points: Points, colour: Colour, alpha: float = 1.0) -> None:
        """A smooth closed outline through the points."""
        self.fill(spline(tuple(points), True), colour, alpha)

    def box(
        self, left: float, bottom: float, right: float, top: float, colour: Colour, alpha: float = 1.0
    ) -> None:
        """A rectangle."""
        self.polygon(((left, bottom), (right, bottom), (right, top), (left, top)), colour, alpha)

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
        circle = unit_circle(48)
        tilt = cmath.rect(1.0, math.radians(turn))
        self.fill(complex(x, y) + tilt * (across * circle.real + 1j * up * circle.imag), colour, alpha)

    def wedge(
        self, x: float, y: float, radius: float, start: float, stop: float, colour: Colour, alpha: float = 1.0
    ) -> None:
        """A slice of a disc between two angles in degrees, anticlockwise from the x axis."""
        self.fill(np.append(splines.arc(x, y, radius, start, stop), complex(x, y)), colour, alpha)

    def line(self, points: Points, width: float, colour: Colour, alpha: float = 1.0) -> None:
        """A line through the points with round joints and ends."""
        self.stroke(as_complex(points), width, colour, alpha)

    def curve(self, points: Points, width: float, colour: Colour, alpha: float = 1.0) -> None:
        """A smooth line through the points."""
        self.stroke(spline(tuple(points), False), width, colour, alpha)

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
        self.stroke(splines.arc(x, y, radius, start, stop), width, colour, alpha)

    def limb(self, joints: Points, widths: Sequence[float], colour: Colour) -> None:
        """A line through the joints that changes its width from joint to joint: an arm, a branch, a horn."""
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
        """A star whose points lie on two circles; the first spike at ``turn`` degrees, up by default."""
        radii = np.tile([outer, inner], spikes)
        angles = np.radians(turn + np.arange(2 * spikes) * 180.0 / spikes)
        self.fill(complex(x, y) + radii * np.exp(1j * angles), colour, 1.0)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.5) -> None:
        """Light that fades towards ``radius``."""
        for step in range(7):
            self.disc(x, y, radius * (1 - step / 8), colour, strength / 6)
