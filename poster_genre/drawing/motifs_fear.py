"""Motifs of fear: Horror, Thriller, Mystery."""

from __future__ import annotations

import math

from poster_genre.drawing import people, scenery
from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.palettes import mix
from poster_genre.drawing.pen import Pen

# Horror: the house on the hill, skulls, hands, claws.


def haunted_hill(page: Pen, horizon: float) -> None:
    p = page.palette
    x = page.rng.uniform(0.3, 0.7)
    page.disc(x, horizon + 0.5, 0.33, p.light)
    far = p.far(0.2)
    page.blob(
        (
            (x - 0.7, -0.2),
            (x - 0.45, horizon),
            (x - 0.12, horizon + 0.2),
            (x + 0.12, horizon + 0.2),
            (x + 0.45, horizon),
            (x + 0.7, -0.2),
        ),
        far,
    )
    house = page.at(x, horizon + 0.17, 0.42)
    house.box(-0.3, 0, 0.3, 0.55, far)
    house.polygon(((-0.38, 0.53), (0, 0.95), (0.38, 0.53)), far)
    house.box(0.16, 0.5, 0.36, 0.95, far)
    house.polygon(((0.1, 0.93), (0.26, 1.4), (0.42, 0.93)), far)
    for wx, wy in ((-0.16, 0.3), (0.1, 0.3), (0.26, 0.72)):
        house.box(wx - 0.045, wy - 0.08, wx + 0.045, wy + 0.08, p.accent)
    for side in (-0.4, 0.4):
        scenery.bare_tree(page.at(x + side, horizon - 0.06, 0.45), far)


def skull(pen: Pen) -> None:
    p = pen.palette
    pen.blob(
        (
            (-0.42, 0.62),
            (-0.3, 0.92),
            (0, 1.0),
            (0.3, 0.92),
            (0.42, 0.62),
            (0.32, 0.4),
            (0.24, 0.34),
            (-0.24, 0.34),
            (-0.32, 0.4),
        ),
        p.ink,
    )
    pen.blob(((-0.24, 0.4), (0.24, 0.4), (0.22, 0.1), (0.1, 0.04), (-0.1, 0.04), (-0.22, 0.1)), p.ink)
    for x in (-0.17, 0.17):
        pen.blob(((x - 0.12, 0.64), (x, 0.7), (x + 0.12, 0.64), (x + 0.08, 0.48), (x - 0.08, 0.48)), p.low)
    pen.polygon(((-0.06, 0.36), (0, 0.47), (0.06, 0.36)), p.low)
    for x in (-0.12, -0.04, 0.04, 0.12):
        pen.line(((x, 0.08), (x, 0.24)), 0.022, p.low)


def grasping_hand(pen: Pen) -> None:
    """A hand out of the ground."""
    p = pen.palette
    pen.limb(((0, -0.05), (0.02, 0.46)), (0.24, 0.2), p.ink)
    pen.blob(((-0.16, 0.45), (-0.2, 0.62), (0, 0.68), (0.18, 0.62), (0.14, 0.42)), p.ink)
    for joints in (
        ((-0.14, 0.6), (-0.28, 0.78), (-0.22, 0.9)),
        ((-0.05, 0.64), (-0.1, 0.88), (-0.03, 1.02)),
        ((0.05, 0.64), (0.09, 0.88), (0.15, 1.0)),
        ((0.14, 0.6), (0.25, 0.8), (0.3, 0.9)),
        ((0.14, 0.5), (0.32, 0.56), (0.38, 0.68)),
    ):
        pen.limb(joints, (0.1, 0.085, 0.05), p.ink)
    for x in (-0.3, -0.12, 0.14, 0.3):
        pen.disc(x, 0, 0.09, p.ink)


def ghost(pen: Pen) -> None:
    p = pen.palette
    pen.blob(
        (
            (-0.36, 0.02),
            (-0.34, 0.6),
            (-0.2, 0.94),
            (0, 1.0),
            (0.2, 0.94),
            (0.34, 0.6),
            (0.36, 0.02),
            (0.24, 0.12),
            (0.12, 0.0),
            (0, 0.12),
            (-0.12, 0.0),
            (-0.24, 0.12),
        ),
        p.light,
    )
    for x in (-0.12, 0.12):
        pen.ellipse(x, 0.7, 0.06, 0.1, p.ink if p.ink != p.light else p.low)
    pen.ellipse(0, 0.48, 0.07, 0.11, p.ink)


def gravestones(pen: Pen) -> None:
    p = pen.palette
    for x, s in ((-0.3, 0.62), (0.26, 0.8)):
        stone = pen.at(x, 0, s, turn=pen.rng.uniform(-9, 9))
        stone.box(-0.24, -0.05, 0.24, 0.6, p.ink)
        stone.disc(0, 0.6, 0.24, p.ink)
        stone.line(((0, 0.34), (0, 0.7)), 0.05, p.low)
        stone.line(((-0.1, 0.57), (0.1, 0.57)), 0.05, p.low)
    scenery.bare_tree(pen.at(0, 0, 0.9), p.ink)


def bats_and_moon(pen: Pen) -> None:
    p = pen.palette
    pen.disc(0, 0, 0.8, p.light)
    for x, y, s in ((-0.35, 0.2, 0.42), (0.4, -0.1, 0.5), (0.1, 0.6, 0.3)):
        pen.at(x, y, s).polygon(
            (
                (-1, 0.35),
                (-0.6, 0.45),
                (-0.2, 0.1),
                (-0.12, 0.3),
                (0, 0.16),
                (0.12, 0.3),
                (0.2, 0.1),
                (0.6, 0.45),
                (1, 0.35),
                (0.7, 0),
                (0.5, 0.1),
                (0.25, -0.2),
                (0, -0.35),
                (-0.25, -0.2),
                (-0.5, 0.1),
                (-0.7, 0),
            ),
            p.ink,
        )


def dripping(page: Pen) -> None:
    """Drops that run down from the upper edge."""
    colour = page.palette.accent
    top = page.page_height
    page.box(0, top - 0.06, 1, top + 0.01, colour)
    x = 0.0
    while x < 1.05:
        width = page.rng.uniform(0.035, 0.07)
        page.limb(((x, top), (x, top - page.rng.uniform(0.08, 0.3))), (1.4 * width, width), colour)
        x += page.rng.uniform(0.05, 0.11)


def claw_marks(page: Pen) -> None:
    colour = page.palette.accent
    x, y = page.rng.uniform(0.1, 0.3), page.rng.uniform(0.55, 0.75)
    for i in range(4):
        left = x + 0.14 * i
        page.polygon(
            ((left, y), (left + 0.2, y + 0.62), (left + 0.26, y + 0.66), (left + 0.24, y + 0.58)), colour
        )


# Thriller: corridors, long shadows, a person in the cross hairs.


def stairwell(page: Pen, horizon: float) -> None:
    """Frames within frames, down to a small bright door."""
    p = page.palette
    x, y = page.rng.uniform(0.4, 0.6), horizon + page.rng.uniform(0.3, 0.45)
    for i in range(7):
        share = (1 - i / 7) ** 1.5
        shade = p.far(0.38 if i % 2 == 0 else 0.64)
        page.polygon(
            [(x + (cx - x) * share, y + (cy - y) * share) for cx, cy in ((0, 0), (1, 0), (1, 1.5), (0, 1.5))],
            shade,
        )
    page.box(x - 0.045, y - 0.09, x + 0.045, y + 0.08, p.light)


def steps(page: Pen, horizon: float) -> None:
    """A staircase that climbs across the page."""
    p = page.palette
    flip = bool(page.rng.random() < 0.5)
    pen = page.at(1 if flip else 0, 0, flip=flip)
    for i in range(9):
        pen.box(i * 0.115, 0, 1.05, horizon - 0.22 + i * 0.115, p.far(0.8 - 0.05 * i))


def long_shadow(pen: Pen) -> None:
    p = pen.palette
    pen.polygon(((-0.12, 0.02), (0.12, 0.02), (-0.3, -0.62), (-0.62, -0.62)), p.far(0.3))
    pen.wedge(0, 0.42, 0.5, 0, 180, p.light)
    pen.box(-0.5, 0, 0.5, 0.42, p.light)
    people.figure(pen.at(0, 0, 0.84), people.STANDING, p.ink)


def cross_hairs(page: Pen) -> None:
    colour = page.palette.accent
    x, y = page.rng.uniform(0.35, 0.65), page.rng.uniform(0.7, 1.0)
    page.ring(x, y, 0.33, 0.028, colour)
    page.ring(x, y, 0.13, 0.014, colour)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        page.line(((x + 0.08 * dx, y + 0.08 * dy), (x + 0.42 * dx, y + 0.42 * dy)), 0.02, colour)


def knife(pen: Pen) -> None:
    p = pen.palette
    blade = pen.at(0, 0.5, 1.0, turn=pen.rng.uniform(-18, 18))
    blade.polygon(((-0.09, 0.0), (-0.09, -0.4), (0.0, -0.55), (0.1, -0.3), (0.1, 0.0)), p.ink)
    blade.box(-0.2, -0.01, 0.2, 0.05, p.accent)
    blade.box(-0.075, 0.05, 0.075, 0.46, p.accent)
    blade.line(((0.02, -0.1), (0.02, -0.36)), 0.02, p.low)


def staring_eye(pen: Pen) -> None:
    p = pen.palette
    pen.blob(
        ((-1, 0), (-0.5, 0.42), (0, 0.56), (0.5, 0.42), (1, 0), (0.5, -0.42), (0, -0.56), (-0.5, -0.42)),
        p.light,
    )
    pen.disc(0, 0, 0.46, p.accent)
    pen.disc(0, 0, 0.24, (22, 20, 26))
    pen.disc(0.12, 0.14, 0.09, (255, 255, 255))
    pen.curve(((-1, 0.02), (-0.5, 0.46), (0, 0.6), (0.5, 0.46), (1, 0.02)), 0.09, p.ink)


def blinds(page: Pen) -> None:
    """Light through a venetian blind."""
    slant = page.rng.choice((-0.12, 0.12))
    for i in range(9):
        y = 0.42 + 0.13 * i
        page.polygon(((0, y), (1, y + slant), (1, y + slant + 0.05), (0, y + 0.05)), page.palette.ink, 0.55)


# Mystery: a magnifying glass, a keyhole, a lamp in the fog.


def keyhole(page: Pen, horizon: float) -> None:
    p = page.palette
    page.box(0, 0, 1, page.page_height, p.far(0.45))
    x, y = page.rng.uniform(0.42, 0.58), horizon + 0.52
    page.glow(x, y - 0.1, 0.55, p.light, 0.4)
    page.disc(x, y, 0.27, p.light)
    page.polygon(
        ((x - 0.12, y), (x + 0.12, y), (x + 0.25, horizon - 0.06), (x - 0.25, horizon - 0.06)), p.light
    )


def magnifier(pen: Pen) -> None:
    p = pen.palette
    glass = pen.at(0.05, 0.62, 1.0, turn=pen.rng.uniform(-20, 20))
    glass.limb(((-0.2, -0.22), (-0.42, -0.54)), (0.09, 0.13), p.ink)
    glass.disc(0, 0, 0.37, p.ink)
    glass.disc(0, 0, 0.3, p.light)
    if pen.rng.random() < 0.5:
        staring_eye(glass.at(0, 0, 0.26))
    else:
        glass.arc(0, 0, 0.2, 110, 190, 0.04, p.low)
        for x, y in ((0.02, -0.1), (0.09, 0.06)):
            glass.ellipse(x, y, 0.045, 0.085, p.ink, turn=-12)


def lamp_post(pen: Pen) -> None:
    p = pen.palette
    pen.glow(-0.22, 0.9, 0.36, p.light, 0.7)
    pen.polygon(((-0.3, 0.86), (-0.14, 0.86), (0.16, 0), (-0.6, 0)), p.light, 0.35)
    pen.line(((-0.22, 0), (-0.22, 0.86)), 0.03, p.ink)
    pen.line(((-0.3, 0.01), (-0.14, 0.01)), 0.04, p.ink)
    pen.polygon(((-0.3, 0.98), (-0.14, 0.98), (-0.17, 0.83), (-0.27, 0.83)), p.light)
    pen.polygon(((-0.33, 0.98), (-0.22, 1.06), (-0.11, 0.98)), p.ink)
    man = pen.at(0.16, 0, 0.64)
    people.figure(man, people.STANDING, p.ink)
    people.coat(man, p.ink)
    people.brim_hat(man, p.ink)


def ajar_door(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.36, 0, 0.36, 1.0, p.ink)
    pen.box(-0.28, 0, 0.28, 0.93, p.light)
    pen.polygon(((-0.28, 0), (0.02, -0.09), (0.02, 0.86), (-0.28, 0.93)), p.accent)
    pen.disc(-0.03, 0.4, 0.03, p.ink)
    pen.polygon(((0.02, 0), (0.28, 0), (0.5, -0.24), (0.1, -0.24)), p.light, 0.6)


def fog(page: Pen) -> None:
    for _ in range(6):
        x, y = page.rng.uniform(-0.2, 0.9), page.rng.uniform(0.36, 1.05)
        length = page.rng.uniform(0.4, 0.8)
        page.limb(((x, y), (x + length, y)), (0.06, 0.06), mix(page.palette.low, page.palette.light, 0.6))


def crescent(pen: Pen) -> None:
    p = pen.palette
    outer = [(0.75 * math.cos(t / 20), 0.75 * math.sin(t / 20)) for t in range(16, 93)]
    inner = [(0.31 + 0.52 * math.cos(t / 20), 0.12 + 0.52 * math.sin(t / 20)) for t in range(84, 24, -1)]
    pen.polygon(outer + inner, p.light)
    for y, left in ((-0.35, -1.0), (-0.62, -0.7)):
        pen.limb(((left, y), (left + 1.5, y)), (0.17, 0.17), mix(p.low, p.light, 0.55))


FEAR = {
    "Horror": Motifs(
        (skull, grasping_hand, ghost, gravestones), (haunted_hill,), (bats_and_moon,), (dripping, claw_marks)
    ),
    "Thriller": Motifs((long_shadow, knife), (stairwell, steps), (staring_eye,), (cross_hairs, blinds)),
    "Mystery": Motifs((magnifier, lamp_post, ajar_door), (keyhole,), (crescent,), (fog,)),
}
