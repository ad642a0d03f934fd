"""Motifs of danger: Crime, Action."""

from __future__ import annotations

import math

from poster_genre.drawing import people, scenery
from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.palettes import mix
from poster_genre.drawing.pen import Pen

# Crime: fingerprints, money, the city at night.


def city_at_night(page: Pen, horizon: float) -> None:
    p = page.palette
    scenery.skyline(page, horizon, 0.72, p.far(0.62))
    scenery.skyline(page, horizon - 0.03, 0.46, p.far(0.3), p.accent)


def line_up(page: Pen, horizon: float) -> None:
    """The wall of a police line-up, ruled with heights."""
    p = page.palette
    for i in range(9):
        y = horizon + 0.1 + 0.12 * i
        page.box(0, y, 1, y + 0.012, p.ink, 0.8)
        for x in (0.03, 0.89):
            page.box(x, y + 0.024, x + 0.08, y + 0.06, p.ink)
    page.box(0, 0, 1, horizon, p.far(0.35))


def fingerprint(pen: Pen) -> None:
    p = pen.palette
    for i in range(6):
        r = 0.09 + 0.065 * i
        gap = pen.rng.uniform(-15, 15)
        pen.arc(0, 0.56, r, -20 + gap, 200 + gap, 0.033, p.ink)
        if i > 0:
            pen.curve(((-r, 0.55), (-0.92 * r, 0.3), (-0.6 * r, 0.52 - r * 1.1)), 0.033, p.ink)
            pen.curve(((r, 0.55), (0.96 * r, 0.36), (0.72 * r, 0.52 - r * 0.98)), 0.033, p.ink)
    pen.line(((0, 0.56), (0.01, 0.4)), 0.033, p.ink)


def handcuffs(pen: Pen) -> None:
    p = pen.palette
    for x, y in ((-0.24, 0.34), (0.24, 0.56)):
        pen.ring(x, y, 0.25, 0.075, p.ink)
        pen.box(x - 0.1, y + 0.17, x + 0.1, y + 0.31, p.ink)
        pen.disc(x, y + 0.24, 0.03, p.low)
    for i in range(4):
        pen.ring(-0.2 + 0.13 * i, 0.66 + 0.05 * i, 0.07, 0.03, p.accent)


def revolver(pen: Pen) -> None:
    p = pen.palette
    gun = pen.at(0, 0.2, 1.0)
    gun.box(-0.14, 0.37, 0.48, 0.47, p.ink)
    gun.box(-0.16, 0.28, 0.1, 0.5, p.ink)
    gun.polygon(((0.42, 0.47), (0.46, 0.54), (0.48, 0.47)), p.ink)
    gun.blob(
        (
            (-0.18, 0.48),
            (-0.06, 0.36),
            (-0.2, 0.16),
            (-0.3, -0.12),
            (-0.46, -0.06),
            (-0.34, 0.24),
            (-0.3, 0.46),
        ),
        p.ink,
    )
    gun.arc(0.0, 0.27, 0.11, 170, 380, 0.03, p.ink)
    gun.limb(((-0.2, 0.48), (-0.3, 0.6)), (0.07, 0.05), p.ink)
    for y in (0.33, 0.39, 0.45):
        gun.line(((-0.11, y), (0.05, y)), 0.02, p.low)


def money_bag(pen: Pen) -> None:
    p = pen.palette
    pen.blob(
        ((-0.42, 0.06), (-0.42, 0.4), (-0.14, 0.72), (0.14, 0.72), (0.42, 0.4), (0.42, 0.06), (0, -0.02)),
        p.ink,
    )
    pen.polygon(
        ((-0.12, 0.72), (-0.24, 0.97), (-0.06, 0.91), (0.02, 1.0), (0.1, 0.91), (0.24, 0.95), (0.12, 0.72)),
        p.ink,
    )
    pen.line(((-0.15, 0.73), (0.15, 0.73)), 0.06, p.accent)
    pen.curve(
        ((0.12, 0.45), (0, 0.5), (-0.11, 0.42), (0, 0.33), (0.11, 0.25), (0, 0.16), (-0.12, 0.21)),
        0.05,
        p.light,
    )
    pen.line(((0, 0.1), (0, 0.56)), 0.035, p.light)


def police_tape(page: Pen) -> None:
    p = page.palette
    for turn, y in ((page.rng.uniform(8, 16), 0.62), (page.rng.uniform(-18, -8), 0.98)):
        tape = page.at(0.5, y, turn=turn)
        tape.box(-0.75, -0.045, 0.75, 0.045, p.light)
        for i in range(-8, 9):
            x = 0.1 * i
            tape.polygon(((x, -0.045), (x + 0.05, -0.045), (x + 0.09, 0.045), (x + 0.04, 0.045)), p.ink)


# Action: rays, blasts and speed.


def rays(page: Pen, horizon: float) -> None:
    p = page.palette
    x, y = page.rng.uniform(0.35, 0.65), horizon + page.rng.uniform(0.2, 0.5)
    turn = page.rng.uniform(0, 20)
    for i in range(0, 24, 2):
        page.wedge(x, y, 1.8, turn + 15 * i, turn + 15 * i + 15, mix(p.low, p.light, 0.65))


def blast(pen: Pen) -> None:
    p = pen.palette
    turn = pen.rng.uniform(0, 30)
    pen.star(0, 0.5, 12, 0.56, 0.33, p.accent, turn)
    pen.star(0, 0.5, 12, 0.4, 0.24, p.light, turn + 10)
    people.figure(pen.at(0, 0, 0.86, flip=bool(pen.rng.random() < 0.5)), people.RUNNING, p.ink)


def leaping_hero(pen: Pen) -> None:
    p = pen.palette
    hero = pen.at(0, 0.05, 0.95, turn=pen.rng.uniform(-14, 4))
    for y in (0.32, 0.5, 0.68):
        hero.line(((-0.56, y - 0.1), (-0.2, y)), 0.025, p.accent)
    people.figure(hero, people.LEAPING, p.ink)


def fast_car(pen: Pen) -> None:
    p = pen.palette
    pen.blob(
        (
            (-0.5, 0.12),
            (-0.48, 0.27),
            (-0.28, 0.3),
            (-0.12, 0.46),
            (0.14, 0.46),
            (0.28, 0.3),
            (0.48, 0.25),
            (0.52, 0.12),
            (0.3, 0.09),
            (-0.3, 0.09),
        ),
        p.accent,
    )
    pen.polygon(((-0.18, 0.31), (-0.08, 0.41), (0.02, 0.41), (0.02, 0.31)), p.light)
    pen.polygon(((0.06, 0.31), (0.06, 0.41), (0.12, 0.41), (0.2, 0.31)), p.light)
    for x in (-0.29, 0.3):
        pen.disc(x, 0.11, 0.115, p.ink)
        pen.disc(x, 0.11, 0.05, p.light)
    for y in (0.2, 0.32, 0.44):
        pen.line(((-0.92, y), (-0.56, y)), 0.022, p.light)
    pen.star(-0.6, 0.75, 11, 0.27, 0.14, p.light)


def fist(pen: Pen) -> None:
    p = pen.palette
    pen.star(0, 0.62, 14, 0.52, 0.36, p.accent)
    pen.limb(((0, -0.02), (0, 0.42)), (0.27, 0.25), p.ink)
    pen.blob(((-0.25, 0.46), (-0.25, 0.78), (0, 0.86), (0.24, 0.78), (0.24, 0.46), (0, 0.38)), p.ink)
    for x in (-0.17, -0.06, 0.05, 0.16):
        pen.limb(((x, 0.82), (x, 0.66)), (0.115, 0.115), p.ink)
        pen.line(((x + 0.055, 0.85), (x + 0.055, 0.66)), 0.016, p.low)
    pen.limb(((-0.25, 0.5), (0.1, 0.56)), (0.13, 0.11), p.ink)
    pen.line(((-0.2, 0.57), (0.12, 0.63)), 0.016, p.low)


def speed_lines(page: Pen) -> None:
    p = page.palette
    for _ in range(16):
        x, y = page.rng.uniform(-0.2, 0.9), page.rng.uniform(0.3, page.page_height)
        length = page.rng.uniform(0.15, 0.4)
        colour = p.accent if page.rng.random() < 0.6 else p.light
        page.polygon(
            ((x, y), (x + length, y + 0.62 * length), (x + length, y + 0.62 * length + 0.024)), colour
        )


def sparks(pen: Pen) -> None:
    """A blast in the sky."""
    pen.star(0, 0, 13, 1.0, 0.5, pen.palette.accent, math.degrees(pen.rng.uniform(0, 1)))
    pen.star(0, 0, 13, 0.66, 0.32, pen.palette.light, 14)


DANGER = {
    "Crime": Motifs(
        (fingerprint, handcuffs, revolver, money_bag), (city_at_night, line_up), overlays=(police_tape,)
    ),
    "Action": Motifs((blast, leaping_hero, fast_car, fist), (rays,), (sparks,), (speed_lines,)),
}
