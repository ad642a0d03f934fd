"""Motifs of other times: Western, War, History."""

from __future__ import annotations

import math

from poster_genre.drawing import people
from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.pen import Pen

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
    """Searchlights over the ruins of a town."""
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


FAR_TIMES = {
    "Western": Motifs((cactus, rider, cowboy, windmill), (desert,), (cow_skull,)),
    "War": Motifs((tank, helmet_and_rifle, soldiers), (ruins,), (bombers, parachutes), (barbed_wire,)),
    "History": Motifs((sailing_ship, crown, scroll, ruined_column), (temple,), (laurels,)),
}
