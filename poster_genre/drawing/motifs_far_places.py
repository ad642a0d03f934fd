"""Motifs of far places: Adventure, Fantasy, Sci-Fi."""

from __future__ import annotations

import math

from poster_genre.drawing import people, scenery
from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.palettes import mix
from poster_genre.drawing.pen import Pen

# Adventure: mountains, maps, a compass.


def mountains(page: Pen, horizon: float) -> None:
    p = page.palette
    scenery.peaks(page, horizon, 0.72, 2, p.far(0.62), p.light)
    scenery.peaks(page, horizon - 0.02, 0.42, 3, p.far(0.36), p.light)


def compass(pen: Pen) -> None:
    p = pen.palette
    pen.ring(0, 0, 0.95, 0.1, p.ink)
    dial = pen.at(0, 0, turn=pen.rng.uniform(-30, 30))
    dial.star(0, 0, 4, 0.55, 0.14, p.ink, 45)
    dial.star(0, 0, 4, 0.86, 0.17, p.light)
    dial.polygon(((-0.16, 0), (0, 0.8), (0.16, 0)), p.accent)


def hiker(pen: Pen) -> None:
    p = pen.palette
    pen.polygon(((-0.5, -0.05), (-0.12, 0.3), (0.12, 0.34), (0.5, -0.05)), p.ink)
    walker = pen.at(0, 0.31, 0.66)
    people.figure(walker, people.WALKING, p.ink)
    walker.blob(((-0.12, 0.8), (-0.28, 0.82), (-0.32, 0.6), (-0.26, 0.48), (-0.1, 0.5)), p.accent)
    people.brim_hat(walker, p.ink)
    walker.line(((0.27, 0.0), (0.2, 0.7)), 0.03, p.ink)


def tent(pen: Pen) -> None:
    p = pen.palette
    pen.polygon(((-0.48, 0), (-0.04, 0.66), (0.48, 0)), p.accent)
    pen.polygon(((-0.2, 0), (-0.04, 0.66), (0.12, 0)), p.ink)
    pen.line(((-0.04, 0.6), (-0.04, 0.95)), 0.02, p.ink)
    pen.polygon(((-0.04, 0.95), (0.26, 0.87), (-0.04, 0.79)), p.light)


def treasure_map(pen: Pen) -> None:
    p = pen.palette
    sheet = pen.at(0, 0.5, turn=pen.rng.uniform(-10, 10))
    sheet.blob(
        (
            (-0.48, -0.38),
            (-0.16, -0.34),
            (0.16, -0.4),
            (0.48, -0.34),
            (0.46, 0),
            (0.48, 0.38),
            (0.16, 0.34),
            (-0.16, 0.4),
            (-0.48, 0.34),
            (-0.46, 0),
        ),
        p.light,
    )
    for i in range(9):
        t = i / 8
        sheet.disc(
            -0.36 + 0.55 * t,
            -0.2 + 0.16 * math.sin(6 * t) + 0.2 * t,
            0.024,
            p.ink if p.ink[0] < 128 else p.low,
        )
    for sign in (-1, 1):
        sheet.line(((0.2, 0.1 - 0.09 * sign), (0.38, 0.1 + 0.09 * sign)), 0.055, p.accent)
    sheet.polygon(((-0.3, 0.1), (-0.18, 0.3), (-0.06, 0.1)), p.far(0.3))


def trail(page: Pen) -> None:
    """A dashed way from corner to corner, a cross at its end."""
    p = page.palette
    phase = page.rng.uniform(0, 6)
    for i in range(12):
        t = i / 12
        page.disc(0.08 + 0.78 * t, 0.42 + 0.8 * t + 0.1 * math.sin(7 * t + phase), 0.02, p.light)
    y = 1.24 + 0.1 * math.sin(7 + phase)
    for sign in (-1, 1):
        page.line(((0.84, y - 0.06 * sign), (0.96, y + 0.06 * sign)), 0.035, p.accent)


# Fantasy: castles, dragons, swords and magic.


def castle_hill(page: Pen, horizon: float) -> None:
    p = page.palette
    scenery.hills(page, horizon + 0.16, 0.05, p.far(0.62))
    castle(page.at(page.rng.uniform(0.35, 0.65), horizon + 0.12, 0.72).recoloured(ink=p.far(0.42)))
    scenery.hills(page, horizon + 0.04, 0.03, p.far(0.36))


def castle(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.38, 0, 0.38, 0.36, p.ink)
    for x, top, half in ((-0.36, 0.52, 0.09), (0.36, 0.52, 0.09), (-0.14, 0.66, 0.08), (0.12, 0.8, 0.1)):
        pen.box(x - half, 0, x + half, top, p.ink)
        pen.polygon(((x - 1.35 * half, top), (x, top + 2.6 * half), (x + 1.35 * half, top)), p.accent)
        pen.box(x - 0.02, top - 0.16, x + 0.02, top - 0.07, p.light)
    pen.box(-0.08, 0, 0.08, 0.14, p.light)
    pen.disc(0, 0.14, 0.08, p.light)
    for i in range(5):
        pen.box(-0.26 + 0.12 * i, 0.34, -0.2 + 0.12 * i, 0.41, p.ink)


def dragon(pen: Pen) -> None:
    p = pen.palette
    pen.limb(((-0.95, -0.35), (-0.55, -0.4), (-0.1, -0.12), (0.3, 0.05)), (0.04, 0.14, 0.34, 0.24), p.ink)
    pen.limb(((0.3, 0.05), (0.5, 0.32), (0.72, 0.36)), (0.24, 0.18, 0.14), p.ink)
    pen.polygon(((0.66, 0.44), (1.0, 0.34), (0.72, 0.24)), p.ink)
    pen.polygon(((0.6, 0.42), (0.5, 0.64), (0.72, 0.44)), p.ink)
    pen.polygon(((-1, -0.52), (-0.84, -0.34), (-1, -0.16)), p.ink)
    pen.polygon(
        ((0.16, 0.1), (-0.15, 0.98), (-0.42, 0.6), (-0.5, 0.8), (-0.62, 0.3), (-0.85, 0.36), (-0.34, -0.16)),
        p.accent,
    )
    pen.polygon(((0.3, 0.06), (0.36, 0.86), (0.12, 0.6), (-0.04, 0.66), (0.0, 0.1)), p.ink)


def sword_in_stone(pen: Pen) -> None:
    p = pen.palette
    pen.glow(0, 0.55, 0.5, p.light, 0.5)
    pen.box(-0.045, 0.22, 0.045, 0.76, p.ink)
    pen.line(((-0.2, 0.76), (0.2, 0.76)), 0.06, p.accent)
    pen.line(((0, 0.76), (0, 0.94)), 0.05, p.accent)
    pen.disc(0, 0.96, 0.05, p.accent)
    pen.polygon(((-0.42, -0.02), (-0.3, 0.22), (-0.1, 0.3), (0.14, 0.27), (0.34, 0.16), (0.42, -0.02)), p.ink)


def wizard(pen: Pen) -> None:
    p = pen.palette
    pen.blob(((-0.12, 0.66), (0.12, 0.66), (0.3, 0.05), (0, 0), (-0.3, 0.05)), p.ink)
    pen.disc(0, 0.7, 0.1, p.light)
    pen.polygon(((-0.09, 0.68), (0.09, 0.68), (0, 0.4)), p.light)
    pen.polygon(((-0.2, 0.74), (0.2, 0.74), (0.06, 1.12)), p.accent)
    pen.line(((-0.23, 0.74), (0.23, 0.74)), 0.045, p.accent)
    pen.limb(((0.1, 0.58), (0.34, 0.5)), (0.12, 0.07), p.ink)
    pen.line(((0.36, 0), (0.36, 0.86)), 0.035, p.ink)
    pen.star(0.36, 0.92, 8, 0.15, 0.05, p.light)


def magic_dust(page: Pen) -> None:
    p = page.palette
    for _ in range(17):
        x, y = page.rng.random(), page.rng.uniform(0.4, page.page_height)
        page.star(
            x, y, 4, page.rng.uniform(0.03, 0.075), 0.012, p.light if page.rng.random() < 0.75 else p.accent
        )


# Sci-Fi: rockets, saucers, planets with rings.


def alien_world(page: Pen, horizon: float) -> None:
    p = page.palette
    scenery.stars(page, 60, horizon, p.light)
    x = page.rng.uniform(0.25, 0.75)
    page.disc(x, horizon + 0.06, 0.4, p.far(0.62))
    page.disc(x - 0.13, horizon + 0.22, 0.07, p.far(0.48))
    page.disc(x + 0.12, horizon + 0.3, 0.045, p.far(0.48))
    scenery.hills(page, horizon, 0.012, p.far(0.4))
    for _ in range(5):
        x, r = page.rng.random(), page.rng.uniform(0.05, 0.11)
        page.ellipse(x, page.rng.uniform(0.1, horizon - 0.06), r, 0.3 * r, p.far(0.6))


def ringed_planet(pen: Pen) -> None:
    p = pen.palette
    tilt = pen.at(0, 0, turn=-18)
    tilt.ellipse(0, 0, 1.0, 0.3, p.light)
    tilt.ellipse(0, 0, 0.8, 0.2, mix(p.top, p.low, 0.3))
    tilt.disc(0, 0, 0.58, p.accent)
    tilt.wedge(0, 0, 0.58, 200, 340, p.far(0.25), 0.4)
    tilt.curve(((-0.98, -0.05), (-0.6, -0.2), (0, -0.26), (0.6, -0.2), (0.98, -0.05)), 0.1, p.light)


def rocket(pen: Pen) -> None:
    p = pen.palette
    ship = pen.at(0, 0.05, 0.95, turn=pen.rng.uniform(-14, 14))
    ship.blob(((-0.1, 0.2), (0, 0.26), (0.1, 0.2), (0, -0.14)), p.light)
    for side in (-1, 1):
        ship.polygon(((side * 0.1, 0.44), (side * 0.34, 0.14), (side * 0.12, 0.2)), p.accent)
    ship.blob(
        ((0, 1.0), (0.15, 0.76), (0.18, 0.48), (0.12, 0.2), (-0.12, 0.2), (-0.18, 0.48), (-0.15, 0.76)), p.ink
    )
    ship.polygon(((-0.12, 0.84), (0, 1.04), (0.12, 0.84)), p.accent)
    ship.disc(0, 0.62, 0.085, p.light)
    ship.disc(0, 0.62, 0.055, p.low)


def saucer(pen: Pen) -> None:
    p = pen.palette
    pen.polygon(((-0.2, -0.05), (0.2, -0.05), (0.65, -1.3), (-0.65, -1.3)), p.light, 0.45)
    pen.wedge(0, 0.05, 0.45, 0, 180, p.light)
    pen.ellipse(0, 0, 1.0, 0.24, p.ink)
    for x in (-0.6, -0.2, 0.2, 0.6):
        pen.disc(x, -0.03, 0.08, p.accent)


def robot(pen: Pen) -> None:
    p = pen.palette
    pen.line(((0, 0.9), (0, 1.04)), 0.025, p.ink)
    pen.disc(0, 1.04, 0.04, p.accent)
    pen.box(-0.2, 0.64, 0.2, 0.92, p.ink)
    for x in (-0.09, 0.09):
        pen.disc(x, 0.8, 0.055, p.light)
    pen.box(-0.1, 0.69, 0.1, 0.72, p.light)
    pen.box(-0.26, 0.24, 0.26, 0.61, p.ink)
    pen.box(-0.14, 0.36, 0.14, 0.52, p.accent)
    for side in (-1, 1):
        pen.limb(((side * 0.31, 0.56), (side * 0.4, 0.4), (side * 0.36, 0.24)), (0.08, 0.08, 0.08), p.ink)
        pen.arc(side * 0.36, 0.19, 0.06, 130, 410, 0.035, p.ink)
        pen.box(side * 0.14 - 0.06, 0.0, side * 0.14 + 0.06, 0.26, p.ink)


def astronaut(pen: Pen) -> None:
    p = pen.palette
    man = pen.at(0, 0, 0.98)
    man.box(-0.22, 0.42, 0.22, 0.74, p.accent)
    for side in (-1, 1):
        man.limb(((side * 0.14, 0.66), (side * 0.3, 0.52), (side * 0.36, 0.66)), (0.16, 0.14, 0.12), p.ink)
        man.limb(((side * 0.09, 0.42), (side * 0.13, 0.22), (side * 0.14, 0.05)), (0.2, 0.17, 0.16), p.ink)
    man.blob(((-0.18, 0.72), (0.18, 0.72), (0.2, 0.4), (0, 0.34), (-0.2, 0.4)), p.ink)
    man.disc(0, 0.83, 0.19, p.ink)
    man.ellipse(0.03, 0.83, 0.13, 0.11, p.light)


FAR_PLACES = {
    "Adventure": Motifs((hiker, tent, treasure_map), (mountains,), (compass,), (trail,)),
    "Fantasy": Motifs((castle, sword_in_stone, wizard), (castle_hill,), (dragon,), (magic_dust,)),
    "Sci-Fi": Motifs((rocket, robot, astronaut), (alien_world,), (ringed_planet, saucer)),
}
