"""Areas, lines and circles on an image, in a coordinate system that can be moved, scaled and mirrored."""

from __future__ import annotations

import cmath
import copy
import math
from typing import Self

import numpy as np
from PIL import Image, ImageDraw

from poster_genre.drawing.palettes import Colour


class Brush:
    """Draws on an image in its own coordinate system: x to the right, y *up*.

    At first the origin is the lower left corner and the unit is the width of the image. Points are complex
    numbers: z -> origin + factor * z is a shift, a scaling and a rotation at once, and -conj(z) the mirror
    image of z.
    """

    def __init__(self, image: Image.Image) -> None:
        self.page_height = image.height / image.width
        self._draw = ImageDraw.Draw(image, "RGBA")
        self._pixels = (image.width, image.height)
        self._origin, self._factor, self._mirrored = 0j, 1 + 0j, False

    def at(self, x: float, y: float, size: float = 1.0, *, turn: float = 0.0, flip: bool = False) -> Self:
        """The same with its origin at (x, y) and ``size`` as its unit; ``turn`` in degrees, anticlockwise."""
        moved = copy.copy(self)
        moved._origin = complex(self._to_page(np.array([complex(x, y)]))[0])
        factor = cmath.rect(size, math.radians(turn))
        moved._factor = self._factor * (factor.conjugate() if self._mirrored else factor)
        moved._mirrored = self._mirrored != flip
        return moved

    def disc(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 1.0) -> None:
        """A filled circle about (x, y)."""
        self._draw.ellipse(self._bounds(x, y, radius), fill=_rgba(colour, alpha))

    def ring(
        self, x: float, y: float, radius: float, width: float, colour: Colour, alpha: float = 1.0
    ) -> None:
        """A circle's outline; ``radius`` is the outer one."""
        self._draw.ellipse(self._bounds(x, y, radius), outline=_rgba(colour, alpha), width=self._width(width))

    def fill(self, z: np.ndarray, colour: Colour, alpha: float) -> None:
        """The area of the polygon with the corners ``z``."""
        self._draw.polygon(self._to_pixels(z), fill=_rgba(colour, alpha))

    def stroke(self, z: np.ndarray, width: float, colour: Colour, alpha: float) -> None:
        """A line through the points ``z`` with round joints and, where it is opaque, round ends."""
        pixels = self._to_pixels(z)
        thickness = self._width(width)
        ink = _rgba(colour, alpha)
        self._draw.line(pixels, fill=ink, width=thickness, joint="curve" if len(z) > 2 else None)
        if thickness > 3 and alpha >= 1.0:
            r = (thickness - 1) / 2
            for x, y in (pixels[:2], pixels[-2:]):
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)

    def _to_page(self, z: np.ndarray) -> np.ndarray:
        """From this coordinate system to that of the whole image."""
        return self._origin + self._factor * (-z.conj() if self._mirrored else z)

    def _to_pixels(self, z: np.ndarray) -> list[float]:
        """x, y, x, y, ... in pixels from the upper left corner, y down."""
        width, height = self._pixels
        pixels = self._to_page(z).conj() * width + 1j * height
        coordinates: list[float] = pixels.view(np.float64).tolist()
        return coordinates

    def _width(self, width: float) -> int:
        return max(1, round(width * abs(self._factor) * self._pixels[0]))

    def _bounds(self, x: float, y: float, radius: float) -> tuple[float, float, float, float]:
        """The square around a circle: left, top, right and bottom in pixels."""
        px, py = self._to_pixels(np.array([complex(x, y)]))
        r = radius * abs(self._factor) * self._pixels[0]
        return px - r, py - r, px + r, py + r


def _rgba(colour: Colour, alpha: float) -> tuple[int, int, int, int]:
    return (*colour, round(255 * alpha))
