"""Motifs of far places and times: Adventure, Fantasy, Sci-Fi, Western, War, History."""

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
    pen.box(-0.045, 0.22, 0.045, 0.76, p.light)
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
    ringed_planet(page.at(page.rng.uniform(0.3, 0.7), page.rng.uniform(0.95, 1.1), 0.42))
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


# Western: mesas, cacti, riders.


def desert(page: Pen, horizon: float) -> None:
    p = page.palette
    page.disc(page.rng.uniform(0.3, 0.7), horizon + 0.36, 0.27, p.light)
    for left, width, top in ((-0.12, 0.44, 0.36), (0.66, 0.5, 0.25)):
        x, w, y = left + page.rng.uniform(-0.04, 0.06), width, horizon + top
        page.polygon(
            (
                (x, horizon),
                (x + 0.08 * w, y - 0.1),
                (x + 0.2 * w, y - 0.1),
                (x + 0.22 * w, y),
                (x + 0.76 * w, y),
                (x + 0.8 * w, y - 0.1),
                (x + 0.92 * w, y - 0.1),
                (x + w, horizon),
            ),
            p.far(0.5),
        )
    page.box(0, 0, 1, horizon, p.far(0.32))


def cactus(pen: Pen) -> None:
    colour = pen.palette.ink
    pen.limb(((0, 0), (0, 0.92)), (0.2, 0.18), colour)
    pen.limb(((0, 0.34), (-0.29, 0.38), (-0.3, 0.66)), (0.13, 0.13, 0.12), colour)
    pen.limb(((0, 0.46), (0.27, 0.5), (0.28, 0.8)), (0.13, 0.13, 0.12), colour)
    pen.disc(0.0, 1.01, 0.05, pen.palette.accent)
    for x in (-0.04, 0.04):
        pen.line(((x, 0.1), (x, 0.86)), 0.012, pen.palette.low)


def rider(pen: Pen) -> None:
    colour = pen.palette.ink
    people.horse(pen.at(0, 0, 0.86), colour)
    man = pen.at(-0.06, 0.2, 0.7)
    people.figure(
        man,
        (
            ((-0.1, 0.62), (0.1, 0.56)),
            ((0.2, 0.62), (0.32, 0.58)),
            ((0.1, 0.32), (0.08, 0.12)),
            ((0.16, 0.32), (0.14, 0.1)),
        ),
        colour,
    )
    people.cowboy_hat(man.at(0, 0, 1.0), colour)


def cowboy(pen: Pen) -> None:
    p = pen.palette
    man = pen.at(0, 0, 0.93)
    people.figure(
        man,
        (
            ((-0.26, 0.64), (-0.2, 0.46)),
            ((0.26, 0.64), (0.2, 0.46)),
            ((-0.13, 0.25), (-0.16, 0.02)),
            ((0.13, 0.25), (0.16, 0.02)),
        ),
        p.ink,
    )
    man.polygon(
        ((-0.15, 0.78), (0.15, 0.78), (0.22, 0.5), (0.06, 0.56), (-0.06, 0.56), (-0.22, 0.5)), p.accent
    )
    people.cowboy_hat(man, p.ink)
    man.line(((-0.14, 0.47), (0.14, 0.47)), 0.03, p.light)


def windmill(pen: Pen) -> None:
    p = pen.palette
    for x in (-0.2, 0.2):
        pen.line(((x, 0), (0.15 * x, 0.78)), 0.025, p.ink)
    for y in (0.2, 0.42, 0.6):
        half = 0.2 - 0.21 * y
        pen.line(((-half, y), (half, y + 0.1)), 0.015, p.ink)
        pen.line(((half, y), (-half, y + 0.1)), 0.015, p.ink)
    for i in range(10):
        pen.wedge(0, 0.8, 0.27, 36 * i, 36 * i + 22, p.ink)
    pen.polygon(((0.0, 0.82), (0.4, 0.9), (0.4, 0.72), (0.0, 0.78)), p.accent)
    pen.disc(0, 0.8, 0.05, p.light)


def cow_skull(pen: Pen) -> None:
    p = pen.palette
    for side in (-1, 1):
        pen.limb(((side * 0.2, 0.36), (side * 0.7, 0.42), (side * 0.95, 0.85)), (0.2, 0.15, 0.03), p.light)
    pen.blob(
        ((-0.3, 0.5), (0.3, 0.5), (0.26, 0.05), (0.15, -0.6), (0, -0.72), (-0.15, -0.6), (-0.26, 0.05)),
        p.light,
    )
    for side in (-1, 1):
        pen.ellipse(side * 0.17, 0.12, 0.085, 0.12, p.ink)
        pen.ellipse(side * 0.06, -0.48, 0.03, 0.09, p.ink)


# War: tanks, planes, wire.


def ruins(page: Pen, horizon: float) -> None:
    """Searchlights over what is left of a town."""
    p = page.palette
    for x in (0.12, 0.5, 0.88):
        lean = page.rng.uniform(-0.45, 0.45)
        page.polygon(
            ((x - 0.01, horizon), (x + 0.01, horizon), (x + lean + 0.13, 1.6), (x + lean - 0.13, 1.6)),
            p.light,
            0.4,
        )
    x = -0.02
    while x < 1:
        w, h = page.rng.uniform(0.09, 0.16), page.rng.uniform(0.08, 0.3)
        top = horizon + h
        page.polygon(
            (
                (x, 0),
                (x, top),
                (x + 0.3 * w, top - 0.05),
                (x + 0.5 * w, top + 0.02),
                (x + 0.7 * w, top - 0.08),
                (x + w, top - 0.04),
                (x + w, 0),
            ),
            p.far(0.45),
        )
        page.box(x + 0.3 * w, horizon + 0.03, x + 0.55 * w, horizon + 0.03 + 0.3 * h, p.low)
        x += w + page.rng.uniform(0.02, 0.06)
    page.box(0, 0, 1, horizon, p.far(0.3))


def tank(pen: Pen) -> None:
    p = pen.palette
    pen.blob(((-0.48, 0.1), (-0.4, 0.24), (0.4, 0.24), (0.48, 0.1), (0.36, 0.0), (-0.36, 0.0)), p.ink)
    for x in (-0.34, -0.17, 0, 0.17, 0.34):
        pen.disc(x, 0.11, 0.07, p.low)
        pen.disc(x, 0.11, 0.035, p.ink)
    pen.polygon(((-0.44, 0.24), (-0.36, 0.36), (0.38, 0.36), (0.46, 0.24)), p.ink)
    pen.blob(((-0.2, 0.36), (-0.16, 0.53), (0.14, 0.53), (0.2, 0.36)), p.ink)
    pen.line(((0.12, 0.45), (0.56, 0.55)), 0.05, p.ink)
    pen.star(-0.02, 0.445, 5, 0.07, 0.028, p.light)
    for x, y, r in ((0.62, 0.58, 0.06), (0.7, 0.66, 0.085), (0.6, 0.72, 0.06)):
        pen.disc(x - 0.06, y, r, p.accent)


def helmet_and_rifle(pen: Pen) -> None:
    p = pen.palette
    pen.limb(((0, 0), (0, 0.6)), (0.04, 0.06), p.ink)
    pen.limb(((0, 0.5), (0.03, 0.76)), (0.09, 0.14), p.ink)
    pen.wedge(0.02, 0.74, 0.27, 0, 180, p.accent)
    pen.line(((-0.3, 0.745), (0.34, 0.745)), 0.05, p.accent)
    for side in (-1, 1):
        pen.ellipse(side * 0.13 + 0.02, 0.03, 0.13, 0.06, p.ink)
        pen.box(side * 0.13 - 0.05, 0.03, side * 0.13 + 0.05, 0.2, p.ink)


def soldiers(pen: Pen) -> None:
    p = pen.palette
    for x, s in ((-0.32, 0.82), (0.3, 0.82), (0, 0.95)):
        man = pen.at(x, 0, s)
        people.figure(man, people.WALKING, p.ink)
        man.wedge(0, 0.94, 0.115, 0, 180, p.ink)
        man.line(((-0.13, 0.945), (0.13, 0.945)), 0.03, p.ink)
        man.line(((-0.2, 0.5), (0.22, 1.0)), 0.04, p.accent)


def bombers(pen: Pen) -> None:
    p = pen.palette
    for x, y, s in ((0, 0.42, 0.62), (-0.6, -0.15, 0.48), (0.6, -0.25, 0.48)):
        plane = pen.at(x, y, s, turn=-12)
        plane.limb(((-0.7, 0), (0.7, 0)), (0.12, 0.2), p.ink)
        plane.polygon(
            ((0.22, 0), (-0.05, 0.85), (-0.22, 0.85), (-0.12, 0), (-0.22, -0.85), (-0.05, -0.85)), p.ink
        )
        plane.polygon(
            ((-0.5, 0), (-0.66, 0.32), (-0.8, 0.32), (-0.7, 0), (-0.8, -0.32), (-0.66, -0.32)), p.ink
        )


def parachutes(pen: Pen) -> None:
    p = pen.palette
    for x, y, s in ((-0.4, 0.3, 0.52), (0.5, 0.05, 0.44), (-0.1, -0.6, 0.36)):
        drop = pen.at(x, y, s)
        drop.wedge(0, 0.2, 0.7, 0, 180, p.accent)
        drop.wedge(0, 0.2, 0.3, 0, 180, p.light)
        for side in (-0.68, -0.25, 0.25, 0.68):
            drop.line(((side, 0.2), (0, -0.55)), 0.04, p.ink)
        drop.limb(((0, -0.55), (0, -0.9)), (0.2, 0.14), p.ink)


def barbed_wire(page: Pen) -> None:
    colour = page.palette.ink
    for y in (0.4, 0.56):
        page.curve([(0.1 * i - 0.05, y + 0.012 * (-1) ** i) for i in range(12)], 0.012, colour)
        for i in range(9):
            x = 0.06 + 0.115 * i
            for sign in (-1, 1):
                page.line(((x - 0.028, y - 0.04 * sign), (x + 0.028, y + 0.04 * sign)), 0.012, colour)
    for x in (0.08, 0.9):
        page.line(((x, 0.3), (x + 0.02, 0.68)), 0.035, colour)


# History: temples, crowns, sails.


def temple(page: Pen, horizon: float) -> None:
    p = page.palette
    stone, shade = p.far(0.55), p.far(0.35)
    top = horizon + 0.62
    page.polygon(((0.02, top + 0.08), (0.5, top + 0.3), (0.98, top + 0.08)), stone)
    page.box(0.04, top, 0.96, top + 0.07, shade)
    for x in (0.13, 0.315, 0.5, 0.685, 0.87):
        page.box(x - 0.05, horizon, x + 0.05, top, stone)
        for dx in (-0.022, 0.008):
            page.box(x + dx, horizon + 0.03, x + dx + 0.014, top - 0.03, shade)
        page.box(x - 0.07, top - 0.035, x + 0.07, top, stone)
        page.box(x - 0.07, horizon, x + 0.07, horizon + 0.03, stone)
    page.box(0, 0, 1, horizon, shade)


def sailing_ship(pen: Pen) -> None:
    p = pen.palette
    pen.polygon(((-0.48, 0.3), (-0.34, 0.04), (0.3, 0.04), (0.5, 0.34), (0.3, 0.24), (-0.34, 0.24)), p.ink)
    for x, top in ((-0.2, 0.9), (0.12, 1.0)):
        pen.line(((x, 0.2), (x, top)), 0.025, p.ink)
        for foot, high in ((0.32, 0.26), (0.62, top - 0.66)):
            pen.blob(
                (
                    (x - 0.14, foot),
                    (x + 0.16, foot),
                    (x + 0.22, foot + high / 2),
                    (x + 0.14, foot + high),
                    (x - 0.12, foot + high),
                    (x - 0.05, foot + high / 2),
                ),
                p.light,
            )
    pen.polygon(((0.12, 1.0), (0.32, 1.04), (0.12, 1.09)), p.accent)
    pen.curve(((-0.55, 0.03), (-0.3, 0.07), (-0.05, 0.01), (0.2, 0.07), (0.55, 0.02)), 0.05, p.accent)


def crown(pen: Pen) -> None:
    p = pen.palette
    pen.polygon(
        ((-0.4, 0.12), (-0.46, 0.66), (-0.22, 0.4), (0, 0.78), (0.22, 0.4), (0.46, 0.66), (0.4, 0.12)),
        p.accent,
    )
    pen.box(-0.4, 0.04, 0.4, 0.17, p.light)
    for x, y in ((-0.46, 0.68), (0, 0.81), (0.46, 0.68)):
        pen.disc(x, y, 0.06, p.light)
    for x in (-0.24, 0, 0.24):
        pen.disc(x, 0.105, 0.04, p.ink)


def scroll(pen: Pen) -> None:
    p = pen.palette
    dark = p.ink if sum(p.ink) < sum(p.light) else p.low
    pen.box(-0.3, 0.1, 0.3, 0.9, p.light)
    for y in (0.08, 0.92):
        pen.limb(((-0.36, y), (0.36, y)), (0.13, 0.13), p.accent)
        for x in (-0.44, 0.44):
            pen.disc(x, y, 0.04, p.ink)
    for i in range(6):
        pen.line(((-0.21, 0.76 - 0.1 * i), (0.21 if i != 5 else 0, 0.76 - 0.1 * i)), 0.03, dark)


def ruined_column(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.3, 0, 0.3, 0.1, p.ink)
    pen.polygon(((-0.2, 0.1), (-0.18, 0.86), (-0.06, 0.78), (0.05, 0.92), (0.18, 0.74), (0.2, 0.1)), p.ink)
    for x in (-0.1, 0, 0.1):
        pen.line(((x, 0.15), (x, 0.68)), 0.025, p.low)
    pen.box(0.24, 0, 0.48, 0.14, p.ink)


def laurels(pen: Pen) -> None:
    p = pen.palette
    for side in (-1, 1):
        pen.arc(0, 0, 0.75, 270, 270 + side * 150, 0.05, p.accent)
        for i in range(7):
            angle = math.radians(270 + side * (18 + 21 * i))
            for r, lean in ((0.87, 40), (0.63, -40)):
                pen.ellipse(
                    r * math.cos(angle),
                    r * math.sin(angle),
                    0.17,
                    0.065,
                    p.accent,
                    turn=math.degrees(angle) + side * (90 - lean),
                )


FAR = {
    "Adventure": Motifs((hiker, tent, treasure_map), (mountains,), (compass,), (trail,)),
    "Fantasy": Motifs((castle, sword_in_stone, wizard), (castle_hill,), (dragon,), (magic_dust,)),
    "Sci-Fi": Motifs((rocket, robot, astronaut), (alien_world,), (ringed_planet, saucer)),
    "Western": Motifs((cactus, rider, cowboy, windmill), (desert,), (cow_skull,)),
    "War": Motifs((tank, helmet_and_rifle, soldiers), (ruins,), (bombers, parachutes), (barbed_wire,)),
    "History": Motifs((sailing_ship, crown, scroll, ruined_column), (temple,), (laurels,)),
}
