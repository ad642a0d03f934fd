"""Motifs of feeling: Drama, Romance."""

from __future__ import annotations

from poster_genre.drawing import people, scenery
from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.pen import Pen

# Drama: rain, a window, one person alone.


def rain(page: Pen) -> None:
    colour = page.palette.light
    slant = 0.05
    for _ in range(70):
        x, y = page.rng.uniform(-0.05, 1.05), page.rng.uniform(0, page.page_height)
        length = page.rng.uniform(0.07, 0.16)
        page.line(((x, y), (x + slant * length / 0.1, y + length)), 0.008, colour, 0.75)


def tall_window(page: Pen, horizon: float) -> None:
    """A dark room with one window, its light lying on the floor."""
    p = page.palette
    page.box(0, 0, 1, page.page_height, p.far(0.55))
    left = page.rng.uniform(0.2, 0.4)
    right, top = left + 0.42, horizon + 0.82
    bottom = horizon + 0.2
    page.box(0, 0, 1, horizon, p.far(0.38))
    page.polygon(((left, horizon), (right, horizon), (right + 0.22, 0), (left + 0.02, 0)), p.light, 0.35)
    page.box(left, bottom, right, top, p.light)
    frame = p.far(0.3)
    middle = (left + right) / 2
    for x in (left, middle, right):
        page.line(((x, bottom), (x, top)), 0.022, frame)
    for y in (bottom, bottom + 0.3, top):
        page.line(((left, y), (right, y)), 0.022, frame)


def umbrella(pen: Pen) -> None:
    p = pen.palette
    people.figure(pen.at(0, 0, 0.76), people.WALKING, p.ink)
    people.coat(pen.at(0, 0, 0.76), p.ink)
    pen.line(((0.13, 0.42), (0.13, 0.98)), 0.018, p.ink)
    pen.wedge(0.1, 0.76, 0.38, 0, 180, p.accent)
    for x in (-0.153, 0.1, 0.353):
        pen.disc(x, 0.755, 0.125, p.accent)
    pen.line(((0.1, 1.1), (0.1, 1.18)), 0.02, p.accent)


def lonely_tree(pen: Pen) -> None:
    scenery.bare_tree(pen, pen.palette.ink)
    sitting = pen.at(0.3, 0, 0.5)
    sitting.disc(0.0, 0.52, 0.08, pen.palette.ink)
    sitting.limb(((-0.06, 0.42), (-0.1, 0.12)), (0.16, 0.2), pen.palette.ink)
    sitting.limb(((-0.1, 0.08), (0.14, 0.3), (0.22, 0.02)), (0.13, 0.1, 0.07), pen.palette.ink)


def two_faces(pen: Pen) -> None:
    """Two profiles turned away from each other."""
    p = pen.palette
    people.face_profile(pen.at(-0.1, 0, 1.0, flip=True), p.accent)
    people.face_profile(pen.at(0.14, 0, 0.94), p.ink)


def bench_in_leaves(pen: Pen) -> None:
    p = pen.palette
    for y in (0.26, 0.36, 0.46):
        pen.line(((-0.46, y), (0.46, y)), 0.04, p.ink)
    for x in (-0.36, 0.36):
        pen.line(((x, 0), (x, 0.48)), 0.04, p.ink)
    for _ in range(8):
        pen.ellipse(pen.rng.uniform(-0.5, 0.5), pen.rng.uniform(0.5, 1.0), 0.045, 0.022, p.accent, turn=40)
    seated = pen.at(-0.15, 0.27, 0.5)
    seated.disc(0.06, 0.62, 0.1, p.ink)
    seated.limb(((0, 0.48), (-0.04, 0.08)), (0.2, 0.24), p.ink)
    seated.limb(((0, 0.06), (0.24, 0.04), (0.22, -0.5)), (0.18, 0.13, 0.09), p.ink)


# Romance: hearts, couples, the sun in the sea.


def sunset(page: Pen, horizon: float) -> None:
    p = page.palette
    x = page.rng.uniform(0.35, 0.65)
    page.glow(x, horizon, 0.62, p.light, 0.5)
    page.disc(x, horizon + 0.02, 0.34, p.light)
    scenery.sea(page, horizon, p.far(0.5), p.light)
    for i in range(9):
        y = horizon * (1 - (i + 0.6) / 10)
        half = 0.3 * (1 - i / 12) * page.rng.uniform(0.5, 1)
        page.line(((x - half, y), (x + half, y)), 0.013, p.light, 0.8)


def big_heart(pen: Pen) -> None:
    scenery.heart(pen.at(0, 0, 0.95, turn=pen.rng.uniform(-12, 12)), pen.palette.accent)


def pair_of_hearts(pen: Pen) -> None:
    scenery.heart(pen.at(-0.4, 0.1, 0.66, turn=14), pen.palette.accent)
    scenery.heart(pen.at(0.45, -0.2, 0.5, turn=-12), pen.palette.light)


def lovers(pen: Pen) -> None:
    p = pen.palette
    people.couple(pen, p.ink, p.accent)


def lovers_in_heart(pen: Pen) -> None:
    p = pen.palette
    scenery.heart(pen.at(0, 0.56, 0.52), p.accent)
    people.couple(pen.at(0, 0, 0.74), p.ink, p.ink)


def rose(pen: Pen) -> None:
    p = pen.palette
    pen.curve(((0.02, 0), (-0.03, 0.3), (0, 0.66)), 0.035, p.ink)
    pen.blob(((0, 0.28), (0.14, 0.44), (0.3, 0.46), (0.2, 0.3)), p.ink)
    pen.blob(((-0.02, 0.18), (-0.15, 0.34), (-0.3, 0.34), (-0.18, 0.2)), p.ink)
    pen.blob(((-0.2, 0.9), (0, 1.0), (0.2, 0.9), (0.17, 0.7), (0, 0.6), (-0.17, 0.7)), p.accent)
    for r in (0.13, 0.09, 0.05):
        pen.arc(0, 0.84, r, 20 + 900 * r, 250 + 900 * r, 0.018, p.light)


def falling_hearts(page: Pen) -> None:
    p = page.palette
    for _ in range(11):
        at = page.at(
            page.rng.random(),
            page.rng.uniform(0.35, page.page_height),
            page.rng.uniform(0.025, 0.06),
            turn=page.rng.uniform(-30, 30),
        )
        scenery.heart(at, p.accent if page.rng.random() < 0.6 else p.light)


FEELING = {
    "Drama": Motifs(
        (umbrella, lonely_tree, two_faces, bench_in_leaves), settings=(tall_window,), overlays=(rain, rain)
    ),
    "Romance": Motifs(
        (lovers, lovers_in_heart, rose), (sunset,), (big_heart, pair_of_hearts), (falling_hearts,)
    ),
}
