"""Motifs of press and screen: Documentary, News, Reality-TV, Short, N/A."""

from __future__ import annotations

import math

from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.palettes import mix
from poster_genre.drawing.pen import Pen

# Documentary: cameras, photographs, a viewfinder.


def film_camera(pen: Pen) -> None:
    p = pen.palette
    for x in (-0.26, 0, 0.26):
        pen.line(((0, 0.5), (x, 0)), 0.035, p.ink)
    pen.box(-0.26, 0.46, 0.2, 0.74, p.ink)
    pen.polygon(((0.2, 0.56), (0.38, 0.48), (0.38, 0.72), (0.2, 0.64)), p.accent)
    for x, r in ((-0.17, 0.15), (0.12, 0.12)):
        pen.disc(x, 0.87, r, p.ink)
        pen.disc(x, 0.87, 0.4 * r, p.low)
    pen.disc(-0.17, 0.6, 0.04, p.light)


def snapshots(page: Pen, horizon: float) -> None:
    """A wall of photographs."""
    p = page.palette
    for row in range(3):
        for column in range(3):
            photo = page.at(
                0.18 + 0.32 * column, horizon + 0.12 + 0.36 * row, 0.29, turn=page.rng.uniform(-8, 8)
            )
            photo.box(-0.5, -0.55, 0.5, 0.55, mix(p.light, (255, 255, 255), 0.5))
            photo.box(-0.42, -0.3, 0.42, 0.46, p.far(0.5))
            photo.polygon(
                ((-0.42, -0.3), (-0.1, page.rng.uniform(0, 0.3)), (0.12, -0.05), (0.42, -0.3)), p.far(0.2)
            )
            photo.disc(0.22, 0.24, 0.1, p.accent)
    page.box(0, 0, 1, horizon - 0.04, p.far(0.3))


def photo_camera(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.46, 0.1, 0.46, 0.66, p.ink)
    pen.polygon(((-0.16, 0.66), (-0.1, 0.8), (0.14, 0.8), (0.2, 0.66)), p.ink)
    pen.box(-0.4, 0.66, -0.27, 0.71, p.accent)
    pen.box(-0.46, 0.5, 0.46, 0.55, p.accent)
    for r, colour in ((0.24, p.low), (0.21, p.ink), (0.14, p.light), (0.08, p.low)):
        pen.disc(0.02, 0.36, r, colour)


def viewfinder(page: Pen) -> None:
    p = page.palette
    left, right, bottom, top = 0.09, 0.91, 0.36, page.page_height - 0.1
    for x, dx in ((left, 0.14), (right, -0.14)):
        for y, dy in ((bottom, 0.14), (top, -0.14)):
            page.line(((x + dx, y), (x, y), (x, y + dy)), 0.022, p.light)
    y = (bottom + top) / 2
    page.line(((0.45, y), (0.55, y)), 0.012, p.light)
    page.line(((0.5, y - 0.05), (0.5, y + 0.05)), 0.012, p.light)
    page.disc(right - 0.09, top - 0.09, 0.035, p.accent)


# News: the front page, a mast, the ticker.


def front_page(page: Pen, horizon: float) -> None:
    p = page.palette
    dark = p.ink if sum(p.ink) < 380 else p.low
    page.box(0.05, horizon - 0.06, 0.95, 1.43, mix(p.light, (255, 255, 255), 0.5))
    page.box(0.1, 1.27, 0.9, 1.37, dark)
    for y in (1.24, 1.215):
        page.box(0.1, y, 0.9, y + 0.008, dark)
    for column in range(3):
        left = 0.1 + 0.275 * column
        for row in range(int((1.18 - horizon) / 0.042)):
            if not (column > 0 and 5 < row < 13):
                page.box(
                    left,
                    1.17 - 0.042 * row,
                    left + page.rng.uniform(0.2, 0.25),
                    1.185 - 0.042 * row,
                    dark,
                    0.7,
                )
    page.box(0.375, 0.64, 0.9, 0.95, p.accent)
    page.box(0, 0, 1, horizon - 0.07, p.far(0.3))


def newspaper(pen: Pen) -> None:
    p = pen.palette
    dark = p.ink if sum(p.ink) < 380 else p.low
    sheet = pen.at(0, 0.5, turn=pen.rng.uniform(-12, 12))
    sheet.polygon(((-0.36, -0.5), (0.44, -0.46), (0.44, 0.46), (-0.36, 0.5)), p.far(0.4))
    sheet.box(-0.42, -0.5, 0.36, 0.5, mix(p.light, (255, 255, 255), 0.5))
    sheet.box(-0.36, 0.32, 0.3, 0.44, dark)
    sheet.box(-0.36, -0.1, -0.02, 0.24, p.accent)
    for i in range(9):
        y = 0.21 - 0.075 * i
        sheet.box(0.03 if y > -0.12 else -0.36, y, 0.3, y + 0.032, dark)


def radio_mast(pen: Pen) -> None:
    p = pen.palette
    for x in (-0.2, 0.2):
        pen.line(((x, 0), (0, 0.78)), 0.03, p.ink)
    for y in (0.15, 0.36, 0.54):
        half = 0.2 * (1 - y / 0.78)
        pen.line(((-half, y), (half, y)), 0.02, p.ink)
    pen.disc(0, 0.8, 0.06, p.accent)
    for r in (0.17, 0.29, 0.41):
        for middle in (0, 180):
            pen.arc(0, 0.8, r, middle - 38, middle + 38, 0.04, p.accent)


def ticker(page: Pen) -> None:
    """The band at the foot of a news programme."""
    p = page.palette
    page.box(0, 0.36, 1, 0.52, p.accent)
    page.box(0, 0.36, 0.24, 0.52, p.ink)
    page.disc(0.12, 0.44, 0.045, p.light)
    x = 0.28
    while x < 1:
        width = page.rng.uniform(0.05, 0.13)
        page.box(x, 0.42, x + width, 0.46, p.light)
        x += width + 0.03
    page.box(0, 0.53, 1, 0.545, p.light)


# Reality-TV: a set, a test card, an audience of eyes.


def test_card(page: Pen, horizon: float) -> None:
    p = page.palette
    shades = (p.light, p.accent, p.far(0.75), p.far(0.5), p.far(0.2), mix(p.accent, p.light, 0.5), p.ink)
    for i, shade in enumerate(shades):
        page.box(i / 7, horizon, (i + 1) / 7, page.page_height, shade)
    page.ring(0.5, horizon + 0.55, 0.44, 0.03, p.light)
    page.ring(0.5, horizon + 0.55, 0.41, 0.012, p.ink)
    for i in range(10):
        page.box(i / 10, horizon - 0.06, (i + 1) / 10, horizon, p.ink if i % 2 else p.light)
    page.box(0, 0, 1, horizon - 0.06, p.far(0.35))


def television(pen: Pen) -> None:
    p = pen.palette
    for x in (-0.24, 0.24):
        pen.line(((0, 0.72), (x, 1.02)), 0.025, p.ink)
        pen.disc(x, 1.02, 0.035, p.accent)
        pen.line(((1.1 * x, 0.12), (1.4 * x, 0)), 0.04, p.ink)
    pen.blob(
        (
            (-0.46, 0.1),
            (-0.48, 0.42),
            (-0.46, 0.74),
            (0, 0.76),
            (0.46, 0.74),
            (0.48, 0.42),
            (0.46, 0.1),
            (0, 0.08),
        ),
        p.ink,
    )
    pen.box(-0.37, 0.2, 0.2, 0.65, p.light)
    for i, colour in enumerate((p.accent, p.low, p.light, p.accent, p.ink)):
        pen.box(-0.37 + 0.114 * i, 0.3, -0.256 + 0.114 * i, 0.65, colour)
    for y in (0.56, 0.42):
        pen.disc(0.33, y, 0.05, p.accent)


def house_of_screens(pen: Pen) -> None:
    p = pen.palette
    for x in (-0.25, 0.25):
        for y in (0.02, 0.35, 0.68):
            pen.box(x - 0.23, y, x + 0.23, y + 0.3, p.ink)
            pen.box(x - 0.19, y + 0.04, x + 0.19, y + 0.26, p.light if pen.rng.random() < 0.6 else p.accent)
            pen.disc(x, y + 0.16, 0.055, p.ink)
            pen.wedge(x, y + 0.04, 0.11, 0, 180, p.ink)


def scan_lines(page: Pen) -> None:
    for i in range(20):
        y = 0.32 + 0.06 * i
        page.box(0, y, 1, y + 0.018, page.palette.ink, 0.5)


# Short: a strip of film, a clapper, a reel.


def clapper(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.44, 0.02, 0.44, 0.6, p.ink)
    for base, turn in ((pen.at(-0.44, 0.6), 0), (pen.at(-0.44, 0.74), 14)):
        bar = base.at(0, 0, turn=turn)
        bar.box(0, 0, 0.88, 0.13, p.ink)
        for i in range(4):
            bar.polygon(
                (
                    (0.06 + 0.22 * i, 0),
                    (0.16 + 0.22 * i, 0),
                    (0.22 + 0.22 * i, 0.13),
                    (0.12 + 0.22 * i, 0.13),
                ),
                p.light,
            )
    for y in (0.42, 0.24):
        pen.line(((-0.36, y), (0.36, y)), 0.022, p.light)
    pen.line(((0, 0.06), (0, 0.24)), 0.022, p.light)


def reel(pen: Pen) -> None:
    p = pen.palette
    pen.curve(((0.3, 0.1), (0.5, 0.02), (0.62, 0.06)), 0.12, p.ink)
    wheel = pen.at(0, 0.5, turn=pen.rng.uniform(0, 60))
    wheel.disc(0, 0, 0.48, p.ink)
    for i in range(5):
        angle = math.radians(72 * i)
        wheel.disc(0.28 * math.cos(angle), 0.28 * math.sin(angle), 0.12, p.light)
    wheel.disc(0, 0, 0.06, p.light)


def film_edge(page: Pen) -> None:
    """The page as one frame of film."""
    dark = (24, 22, 26)
    for left in (0.0, 0.895):
        page.box(left, 0, left + 0.105, page.page_height, dark)
        for i in range(13):
            y = 0.03 + 0.118 * i
            page.box(left + 0.025, y, left + 0.08, y + 0.062, (246, 242, 232))


# N/A: abstract shapes.


def colour_fields(pen: Pen) -> None:
    p = pen.palette
    for i, colour in enumerate((p.accent, p.light, p.ink)):
        pen.box(-0.42, 0.02 + 0.34 * i, 0.42, 0.32 + 0.34 * i, colour)


def composition(pen: Pen) -> None:
    """Disc, square, triangle."""
    p = pen.palette
    pen.box(-0.3, 0, 0.3, 0.36, p.ink)
    pen.polygon(((-0.3, 0.36), (0.3, 0.36), (0, 0.7)), p.accent)
    pen.disc(0, 0.84, 0.16, p.light)


def quarter_tiles(pen: Pen) -> None:
    p = pen.palette
    for row in range(2):
        for column in range(2):
            x, y = -0.48 + 0.48 * column, 0.02 + 0.48 * row
            colours = (p.ink, p.accent, p.light)
            first = int(pen.rng.integers(3))
            pen.box(x, y, x + 0.47, y + 0.47, colours[first])
            corner = (x, y, 0) if pen.rng.random() < 0.5 else (x + 0.47, y, 90)
            pen.wedge(corner[0], corner[1], 0.47, corner[2], corner[2] + 90, colours[(first + 1) % 3])


SCREEN = {
    "Documentary": Motifs((film_camera, photo_camera), (snapshots,), overlays=(viewfinder,)),
    "News": Motifs((newspaper, radio_mast), (front_page,), overlays=(ticker,)),
    "Reality-TV": Motifs((television, house_of_screens), (test_card,), overlays=(scan_lines,)),
    "Short": Motifs((clapper, reel), overlays=(film_edge, film_edge)),
    "N/A": Motifs((composition, quarter_tiles, colour_fields)),
}
