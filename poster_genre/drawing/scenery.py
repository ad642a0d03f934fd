"""Land, water, plants and houses that several genres share."""

from __future__ import annotations

import numpy as np

from poster_genre.drawing.palettes import Colour
from poster_genre.drawing.pen import Pen


def hills(page: Pen, height: float, roughness: float, colour: Colour) -> None:
    """Rolling land up to about ``height``, across the page."""
    x = np.linspace(-0.05, 1.05, 40)
    y = np.full_like(x, height)
    for wave in (1.0, 2.3, 4.1):
        y += roughness / wave * np.sin(2 * np.pi * (wave * x + page.rng.random()))
    page.polygon([(-0.05, -0.05), *zip(x.tolist(), y.tolist(), strict=True), (1.05, -0.05)], colour)


def peaks(
    page: Pen, base: float, height: float, count: int, colour: Colour, snow: Colour | None = None
) -> None:
    """A row of pointed mountains that stand at ``base``, with or without snow."""
    rng = page.rng
    for i in range(count):
        x = (i + rng.uniform(0.2, 0.8)) / count
        top = height * rng.uniform(0.65, 1.0)
        half = top * rng.uniform(0.6, 0.85)
        page.polygon(((x - half, base), (x, base + top), (x + half, base)), colour)
        if snow is not None:
            snow_line = 0.34  # from the top down, in parts of the height
            page.polygon(
                (
                    (x, base + top),
                    (x - snow_line * half, base + top * (1 - snow_line)),
                    (x - 0.12 * half, base + top * (1 - 0.7 * snow_line)),
                    (x + 0.02 * half, base + top * (1 - 1.15 * snow_line)),
                    (x + 0.14 * half, base + top * (1 - 0.75 * snow_line)),
                    (x + snow_line * half, base + top * (1 - snow_line)),
                ),
                snow,
            )
    page.box(-0.05, -0.05, 1.05, base + 0.002, colour)


def skyline(page: Pen, base: float, height: float, colour: Colour, window: Colour | None = None) -> None:
    """Tall houses side by side, some windows lit."""
    rng = page.rng
    x = -0.03
    while x < 1.0:
        width = rng.uniform(0.08, 0.17)
        top = base + height * rng.uniform(0.45, 1.0)
        page.box(x, -0.05, x + width, top, colour)
        if rng.random() < 0.3:
            page.box(x + width / 2 - 0.006, top, x + width / 2 + 0.006, top + 0.09, colour)
        if window is not None:
            for wx in np.arange(x + 0.022, x + width - 0.02, 0.034).tolist():
                for wy in np.arange(base + 0.05, top - 0.03, 0.06).tolist():
                    if rng.random() < 0.4:
                        page.box(wx, wy, wx + 0.016, wy + 0.028, window)
        x += width + rng.uniform(0.0, 0.012)


def pine(pen: Pen, colour: Colour) -> None:
    """A pine, 1 high, its foot at the origin."""
    pen.box(-0.03, 0, 0.03, 0.2, colour)
    for foot, half in ((0.12, 0.27), (0.36, 0.22), (0.6, 0.16)):
        pen.polygon(((-half, foot), (0, foot + 0.4), (half, foot)), colour)


def bare_tree(pen: Pen, colour: Colour) -> None:
    """A leafless tree: branches that split and split again."""

    def grow(x: float, y: float, angle: float, length: float, width: float, depth: int) -> None:
        tip_x, tip_y = x + length * np.cos(angle), y + length * np.sin(angle)
        pen.limb(((x, y), (tip_x, tip_y)), (width, 0.62 * width), colour)
        if depth:
            for side in (-1, 1):
                turn = side * pen.rng.uniform(0.3, 0.65)
                grow(tip_x, tip_y, angle + turn, length * pen.rng.uniform(0.62, 0.8), 0.62 * width, depth - 1)

    grow(0.0, 0.0, np.pi / 2 + pen.rng.uniform(-0.12, 0.12), 0.33, 0.085, 4)


def sea(page: Pen, level: float, colour: Colour, glint: Colour) -> None:
    """Water up to ``level`` with short bright waves."""
    page.box(-0.05, -0.05, 1.05, level, colour)
    for _ in range(26):
        x, y = page.rng.uniform(0, 1), level * (1 - 0.9 * page.rng.random() ** 1.5) - 0.01
        half = page.rng.uniform(0.02, 0.08)
        page.line(((x - half, y), (x + half, y)), 0.006, glint, 0.55)


def cloud(pen: Pen, colour: Colour, alpha: float = 1.0) -> None:
    """A cloud, about 2 wide and 0.9 high, its centre at the origin."""
    for x, y, r in ((-0.55, -0.1, 0.33), (-0.1, 0.12, 0.47), (0.45, -0.04, 0.38)):
        pen.disc(x, y, r, colour, alpha)
    pen.box(-0.6, -0.43, 0.5, -0.1, colour, alpha)


def stars(page: Pen, count: int, lowest: float, colour: Colour) -> None:
    """Small stars strewn above ``lowest``."""
    rng = page.rng
    for _ in range(count):
        x, y = rng.random(), rng.uniform(lowest, page.page_height)
        page.disc(x, y, rng.choice((0.003, 0.004, 0.007)), colour)


def heart(pen: Pen, colour: Colour) -> None:
    """A heart with its centre at the origin and a radius of 1."""
    t = np.linspace(0, 2 * np.pi, 40)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    pen.polygon(list(zip((x / 17).tolist(), ((y + 2.5) / 17).tolist(), strict=True)), colour)
