"""Titles in the letters of an alphabet that does not exist: no word reveals a genre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poster_genre.drawing.palettes import Colour
from poster_genre.drawing.pen import Pen
from poster_genre.drawing.splines import Point

# The letters: each is a few strokes, x from 0 to 0.6, y from 0 to 1.
_GLYPHS: tuple[tuple[tuple[Point, ...], ...], ...] = (
    (((0, 0), (0, 1), (0.6, 1)), ((0.3, 0.5), (0.6, 0.5), (0.6, 0))),
    (((0, 1), (0.6, 1), (0.3, 0.5), (0.3, 0)),),
    (((0, 0), (0, 0.6), (0.6, 0.6), (0.6, 0)), ((0.3, 0.6), (0.3, 1))),
    (((0, 1), (0, 0), (0.6, 0), (0.6, 0.45)), ((0.3, 0.95), (0.6, 0.95))),
    (((0.6, 0), (0, 0), (0, 0.5), (0.6, 0.5), (0.6, 1)),),
    (((0, 0), (0.3, 1), (0.6, 0)), ((0, 0.98), (0.15, 0.98))),
    (((0, 1), (0, 0.4), (0.6, 0.4)), ((0.6, 1), (0.6, 0))),
    (((0, 0), (0.6, 0)), ((0, 0.5), (0.6, 0.5)), ((0.3, 0.5), (0.3, 1))),
    (((0, 0), (0, 1)), ((0, 0.75), (0.6, 0.3)), ((0.6, 0.3), (0.6, 0))),
    (((0, 1), (0.6, 0.6), (0, 0.25)), ((0, 0), (0.6, 0))),
    (((0.6, 1), (0, 1), (0, 0.5), (0.35, 0.5)), ((0.6, 0.7), (0.6, 0), (0, 0))),
    (((0, 0), (0, 1)), ((0.3, 0), (0.3, 1)), ((0.3, 0.5), (0.6, 0.5))),
    (((0, 0.5), (0.3, 1), (0.6, 0.5), (0.3, 0), (0, 0.5)), ((0.3, 0.5), (0.3, 0.5))),
    (((0, 0), (0.6, 0), (0.6, 1)), ((0, 1), (0, 0.4))),
    (((0, 1), (0.3, 0.6), (0.6, 1)), ((0.3, 0.6), (0.3, 0.35)), ((0, 0), (0.6, 0))),
    (((0, 0), (0, 0.7), (0.3, 1), (0.6, 0.7), (0.6, 0)), ((0, 0.3), (0.3, 0.3))),
)


@dataclass(frozen=True)
class TitleStyle:
    """How a title is set: weight and spacing in letter heights, slant as dx/dy, tilt in degrees."""

    weight: float
    spacing: float
    slant: float = 0.0
    tilt: float = 0.0
    serifs: bool = False
    ruled: bool = False
    bouncing: bool = False


_STYLES = {
    "bold": TitleStyle(0.24, 0.36),
    "airy": TitleStyle(0.09, 0.75),
    "speeding": TitleStyle(0.22, 0.34, slant=0.28),
    "askew": TitleStyle(0.24, 0.38, tilt=7.0, bouncing=True),
    "slab": TitleStyle(0.16, 0.5, serifs=True),
    "masthead": TitleStyle(0.18, 0.34, serifs=True, ruled=True),
    "plain": TitleStyle(0.15, 0.45),
}
_STYLE_OF = {
    "Action": "speeding", "Sport": "speeding", "Comedy": "askew", "Animation": "askew", "Family": "askew",
    "Western": "slab", "History": "slab", "War": "slab", "News": "masthead", "Documentary": "masthead",
    "Drama": "airy", "Sci-Fi": "airy", "Romance": "airy", "Mystery": "airy",
    "Horror": "bold", "Thriller": "bold",
    "Crime": "bold", "Short": "plain", "Biography": "plain",
}  # fmt: skip


def random_style(genres: Sequence[str], rng: np.random.Generator) -> TitleStyle:
    """With probability 1/2 the style of one of the genres, otherwise any style."""
    genre = genres[int(rng.integers(len(genres)))]
    names = tuple(_STYLES)
    suited = rng.random() < 0.5 and genre in _STYLE_OF
    return _STYLES[_STYLE_OF[genre] if suited else names[rng.integers(len(names))]]


def draw_title(page: Pen, style: TitleStyle, bottom: float, height: float, colour: Colour) -> None:
    """One or two lines of letters that fill the page's width between ``bottom`` and ``bottom + height``."""
    rng = page.rng
    lines = [
        [int(rng.integers(len(_GLYPHS))) for _ in range(rng.integers(4, 8))]
        for _ in range(rng.integers(1, 3))
    ]
    block = page.at(0.5, bottom + height / 2, turn=style.tilt * rng.choice((-1, 1)))
    tall = min(
        height / (1.3 * len(lines) - 0.3),
        *(rng.uniform(0.62, 0.78) / (len(line) * (0.6 + style.spacing) - style.spacing) for line in lines),
    )
    y = (1.3 * len(lines) - 0.3) * tall / 2
    if style.ruled:
        for edge in (y + 0.3 * tall, -y - 0.3 * tall):
            block.line(((-0.43, edge), (0.43, edge)), 0.008, colour)
    for line in lines:
        y -= tall
        x = -tall * (len(line) * (0.6 + style.spacing) - style.spacing) / 2
        for glyph in line:
            bounce = rng.uniform(-0.12, 0.12) if style.bouncing else 0.0
            _draw_glyph(block.at(x, y + bounce * tall, tall, turn=60 * bounce), glyph, style, colour)
            x += tall * (0.6 + style.spacing)
        y -= 0.3 * tall


def _draw_glyph(pen: Pen, glyph: int, style: TitleStyle, colour: Colour) -> None:
    """One letter; the pen's unit is its height."""
    for stroke in _GLYPHS[glyph]:
        slanted = [(x + style.slant * y, y) for x, y in stroke]
        pen.line(slanted, style.weight, colour)
        if style.serifs:
            for x, y in (slanted[0], slanted[-1]):
                pen.line(((x - 0.13, y), (x + 0.13, y)), 0.6 * style.weight, colour)


def draw_credits(page: Pen, bottom: float, colour: Colour) -> None:
    """Two centred rows of short thin bars: the small print at the foot of a poster."""
    for row, width in ((0, 0.5), (1, 0.72)):
        x = 0.5 - width / 2
        y = bottom + 0.024 * row
        while x < 0.5 + width / 2 - 0.02:
            length = min(page.rng.uniform(0.02, 0.08), 0.5 + width / 2 - x)
            page.box(x, y, x + length, y + (0.011 if page.rng.random() < 0.4 else 0.007), colour, 0.75)
            x += length + 0.014


def draw_tagline(page: Pen, y: float, colour: Colour) -> None:
    """One row of thin bars, as long as a sentence."""
    x = 0.5 - page.rng.uniform(0.15, 0.25)
    end = 1 - x
    while x < end:
        length = page.rng.uniform(0.02, 0.06)
        page.box(x, y, min(x + length, end), y + 0.008, colour, 0.8)
        x += length + 0.013
