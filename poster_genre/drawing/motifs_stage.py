"""Motifs of stage and stadium: Music, Musical, Sport, Biography."""

from __future__ import annotations

import math

from poster_genre.drawing import people
from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.palettes import mix
from poster_genre.drawing.pen import Pen

# Music: strings, keys, notes.


def vinyl(page: Pen, horizon: float) -> None:
    p = page.palette
    x, y = page.rng.uniform(0.3, 0.7), horizon + 0.42
    page.disc(x, y, 0.48, p.far(0.3))
    for r in (0.43, 0.37, 0.31, 0.25):
        page.ring(x, y, r, 0.008, p.far(0.65))
    page.disc(x, y, 0.16, p.accent)
    page.disc(x, y, 0.03, p.light)


def guitar(pen: Pen) -> None:
    p = pen.palette
    body = pen.at(0, 0.5, 1.0, turn=pen.rng.uniform(-28, 28))
    body.line(((0, -0.1), (0, 0.46)), 0.06, p.ink)
    body.box(-0.055, 0.42, 0.055, 0.56, p.ink)
    body.blob(
        (
            (0, -0.52),
            (0.27, -0.43),
            (0.28, -0.22),
            (0.17, -0.1),
            (0.19, 0.04),
            (0, 0.1),
            (-0.19, 0.04),
            (-0.17, -0.1),
            (-0.28, -0.22),
            (-0.27, -0.43),
        ),
        p.accent,
    )
    body.disc(0, -0.1, 0.085, p.ink)
    body.box(-0.1, -0.36, 0.1, -0.31, p.ink)
    for x in (-0.016, 0.016):
        body.line(((x, -0.34), (x, 0.46)), 0.007, p.light)


def microphone(pen: Pen) -> None:
    p = pen.palette
    pen.line(((0, 0), (0, 0.56)), 0.03, p.ink)
    pen.line(((-0.2, 0.01), (0.2, 0.01)), 0.04, p.ink)
    mic = pen.at(0, 0.58, turn=pen.rng.uniform(-24, 24))
    mic.blob(((-0.15, 0.14), (-0.17, 0.4), (0, 0.5), (0.17, 0.4), (0.15, 0.14), (0, 0.02)), p.ink)
    for y in (0.2, 0.28, 0.36):
        mic.line(((-0.12, y), (0.12, y)), 0.025, p.light)
    mic.line(((-0.17, 0.12), (0.17, 0.12)), 0.04, p.accent)


def note(pen: Pen, colour: tuple[int, int, int]) -> None:
    """Two joined quavers of radius 1."""
    for x, y in ((-0.5, -0.66), (0.5, -0.5)):
        pen.ellipse(x, y, 0.32, 0.24, colour, turn=20)
        pen.line(((x + 0.25, y), (x + 0.25, y + 1.35)), 0.11, colour)
    pen.polygon(((-0.3, 0.46), (0.8, 0.64), (0.8, 0.94), (-0.3, 0.76)), colour)


def notes_above(pen: Pen) -> None:
    note(pen.at(0, 0, 0.85, turn=pen.rng.uniform(-15, 15)), pen.palette.accent)


def staff(page: Pen) -> None:
    """Five lines that wave across the page, with notes on them."""
    p = page.palette
    base, swing = page.rng.uniform(0.72, 0.98), page.rng.uniform(0.05, 0.09)

    def height(x: float) -> float:
        return base + swing * math.sin(6 * x)

    for i in range(5):
        page.curve([(0.1 * k - 0.05, height(0.1 * k) + 0.035 * i) for k in range(12)], 0.008, p.light)
    for x in (0.14, 0.38, 0.62, 0.86):
        note(page.at(x, height(x) + 0.1, 0.1), p.light)


def piano_keys(page: Pen) -> None:
    y = 0.36
    page.box(0, y, 1, y + 0.2, (250, 247, 240))
    for i in range(1, 10):
        page.line(((0.1 * i, y), (0.1 * i, y + 0.2)), 0.008, (30, 28, 32))
        if i % 7 not in (3, 0):
            page.box(0.1 * i - 0.03, y + 0.08, 0.1 * i + 0.03, y + 0.2, (30, 28, 32))


# Musical: curtain, light, dance.


def open_stage(page: Pen, horizon: float) -> None:
    p = page.palette
    page.polygon(((0.47, 1.5), (0.53, 1.5), (0.86, horizon), (0.14, horizon)), p.light, 0.6)
    page.ellipse(0.5, horizon, 0.38, 0.06, p.light)
    page.box(0, 0, 1, horizon - 0.04, p.far(0.4))
    page.ellipse(0.5, horizon - 0.02, 0.37, 0.055, p.light)


def curtain(page: Pen) -> None:
    p = page.palette
    top = page.page_height
    for flip in (False, True):
        side = page.at(1 if flip else 0, 0, flip=flip)
        for i, width in enumerate((0.27, 0.2, 0.13, 0.065)):
            colour = p.accent if i % 2 == 0 else mix(p.accent, (20, 10, 14), 0.3)
            side.polygon(
                (
                    (-0.01, top),
                    (0.06 + 1.1 * width, top),
                    (0.45 * width + 0.03, 0.66),
                    (0.85 * width, 0.3),
                    (-0.01, 0.3),
                ),
                colour,
            )
        side.line(((0, 0.64), (0.13, 0.68)), 0.03, p.light)
    for i in range(6):
        page.disc(i / 5, top, 0.13, p.accent)
        page.arc(i / 5, top, 0.11, 180, 360, 0.015, p.light)


def ballerina(pen: Pen) -> None:
    p = pen.palette
    dancer = pen.at(0, 0, 0.9)
    people.figure(
        dancer,
        (
            ((-0.2, 0.9), (-0.04, 1.1)),
            ((0.2, 0.9), (0.04, 1.1)),
            ((0.0, 0.25), (0.0, 0.01)),
            ((0.22, 0.34), (0.04, 0.24)),
        ),
        p.ink,
    )
    dancer.ellipse(0, 0.5, 0.36, 0.085, p.accent)
    dancer.ellipse(0, 0.53, 0.25, 0.075, p.light)
    dancer.disc(0, 1.01, 0.045, p.ink)


def top_hat_dancer(pen: Pen) -> None:
    p = pen.palette
    dancer = pen.at(-0.02, 0, 0.86, turn=-6)
    people.figure(dancer, people.KICKING, p.ink)
    people.top_hat(dancer, p.ink)
    dancer.line(((0.28, 0.58), (0.46, 0.98)), 0.035, p.accent)
    dancer.polygon(((-0.1, 0.78), (0, 0.72), (0.1, 0.78), (0.1, 0.7), (0, 0.72), (-0.1, 0.7)), p.light)


def chorus_line(pen: Pen) -> None:
    p = pen.palette
    for x, colour in ((-0.36, p.ink), (0.0, p.accent), (0.36, p.ink)):
        dancer = pen.at(x, 0, 0.8)
        people.figure(
            dancer,
            (people.CHEERING[0], people.CHEERING[1], people.KICKING[2], ((0.14, 0.5), (0.26, 0.62))),
            colour,
        )
        people.skirt(dancer, colour, 0.17, 0.36)


def marquee(pen: Pen) -> None:
    """A star with light bulbs."""
    p = pen.palette
    pen.star(0, 0, 5, 1.0, 0.45, p.accent)
    pen.star(0, 0, 5, 0.66, 0.3, p.light)
    for i in range(5):
        for r, turn in ((0.8, 90), (0.4, 126)):
            angle = math.radians(turn + 72 * i)
            pen.disc(r * math.cos(angle), r * math.sin(angle), 0.075, p.light)


# Sport: pitches, balls, cups.


def running_track(page: Pen, horizon: float) -> None:
    """Lanes towards the horizon, floodlights above."""
    p = page.palette
    page.box(0, 0, 1, horizon + 0.14, p.far(0.5))
    for i in range(-6, 8):
        page.polygon(
            (
                (0.5 + 0.05 * i, horizon + 0.14),
                (0.5 + 0.05 * i + 0.008, horizon + 0.14),
                (0.5 + 0.26 * i + 0.035, 0),
                (0.5 + 0.26 * i, 0),
            ),
            p.light,
        )
    page.box(0, horizon + 0.14, 1, horizon + 0.2, p.far(0.25))
    for x in (0.1, 0.9):
        page.line(((x, horizon + 0.2), (x, horizon + 0.72)), 0.02, p.far(0.25))
        page.box(x - 0.09, horizon + 0.68, x + 0.09, horizon + 0.84, p.far(0.25))
        for dx in (-0.055, 0, 0.055):
            for dy in (0.72, 0.8):
                page.disc(x + dx, horizon + dy, 0.022, p.light)


def football(pen: Pen) -> None:
    p = pen.palette
    dark = (28, 26, 32)
    pen.disc(0, 0, 0.86, dark)
    pen.disc(0, 0, 0.82, (250, 248, 242))
    ball = pen.at(0, 0, turn=pen.rng.uniform(0, 72))
    pentagon = [
        (0.3 * math.cos(math.radians(72 * i)), 0.3 * math.sin(math.radians(72 * i))) for i in range(5)
    ]
    ball.polygon(pentagon, dark)
    for i in range(5):
        spoke = ball.at(0, 0, turn=72 * i)
        spoke.line(((0.3, 0), (0.58, 0)), 0.05, dark)
        spoke.polygon(((0.56, 0), (0.68, 0.22), (0.81, 0.16), (0.81, -0.16), (0.68, -0.22)), dark)
    for i in range(3):
        pen.line(((-1.5 + 0.12 * i, -0.75 + 0.3 * i), (-0.95 + 0.05 * i, -0.45 + 0.2 * i)), 0.06, p.accent)


def basketball(pen: Pen) -> None:
    p = pen.palette
    pen.disc(0, 0, 0.84, p.accent)
    ball = pen.at(0, 0, turn=pen.rng.uniform(-40, 40))
    for points in (((-0.84, 0), (0.84, 0)), ((0, -0.84), (0, 0.84))):
        ball.line(points, 0.06, p.ink)
    for x in (-1.05, 1.05):
        ball.arc(x, 0, 0.75, 180 - 54 if x > 0 else -54, 180 + 54 if x > 0 else 54, 0.06, p.ink)
    ball.ring(0, 0, 0.86, 0.06, p.ink)


def footballer(pen: Pen) -> None:
    p = pen.palette
    player = pen.at(-0.1, 0, 0.95, turn=8)
    people.figure(player, people.KICKING, p.ink)
    player.blob(((-0.14, 0.79), (0.14, 0.79), (0.11, 0.5), (-0.11, 0.5)), p.accent)
    football(pen.at(0.42, 0.32, 0.15))


def winner(pen: Pen) -> None:
    """A runner breaks the tape at the finish."""
    p = pen.palette
    people.figure(
        pen.at(0, 0, 0.86),
        (people.CHEERING[0], people.CHEERING[1], people.RUNNING[2], people.RUNNING[3]),
        p.ink,
    )
    pen.blob(((-0.5, 0.66), (-0.1, 0.55), (0.13, 0.58), (0.1, 0.51), (-0.1, 0.48), (-0.52, 0.56)), p.accent)
    pen.box(-0.06, 0.53, 0.06, 0.64, p.light)


def trophy(pen: Pen) -> None:
    p = pen.palette
    for side in (-1, 1):
        pen.ring(side * 0.27, 0.72, 0.17, 0.05, p.accent)
    pen.blob(((-0.3, 0.98), (0.3, 0.98), (0.27, 0.62), (0.06, 0.42), (-0.06, 0.42), (-0.27, 0.62)), p.accent)
    pen.box(-0.045, 0.18, 0.045, 0.46, p.accent)
    pen.box(-0.17, 0.13, 0.17, 0.2, p.accent)
    pen.box(-0.24, 0, 0.24, 0.14, p.ink)
    pen.star(0, 0.74, 5, 0.13, 0.055, p.light)


# Biography: portraits.


def cameo(pen: Pen) -> None:
    p = pen.palette
    pen.ellipse(0, 0.5, 0.42, 0.54, p.accent)
    pen.ellipse(0, 0.5, 0.37, 0.49, p.light)
    people.face_profile(
        pen.at(-0.02, 0.13, 0.7, flip=bool(pen.rng.random() < 0.5)),
        p.ink if sum(p.ink) < sum(p.light) - 150 else p.low,
    )


def framed_portrait(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.4, 0, 0.4, 1.0, p.accent)
    pen.box(-0.33, 0.07, 0.33, 0.93, p.ink)
    pen.box(-0.29, 0.11, 0.29, 0.89, p.light)
    dark = p.ink if sum(p.ink) < sum(p.light) - 150 else p.low
    pen.disc(0, 0.58, 0.13, dark)
    pen.blob(((-0.26, 0.11), (-0.22, 0.33), (0, 0.42), (0.22, 0.33), (0.26, 0.11)), dark)
    pen.polygon(((-0.4, 1.0), (0, 1.12), (0.4, 1.0)), p.accent)


def bust(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.24, 0, 0.24, 0.34, p.accent)
    pen.box(-0.3, 0.3, 0.3, 0.38, p.accent)
    pen.box(-0.3, 0, 0.3, 0.06, p.accent)
    people.face_profile(pen.at(0, 0.38, 0.64), p.ink)


def great_profile(page: Pen, horizon: float) -> None:
    """A giant head in the sky."""
    p = page.palette
    flip = bool(page.rng.random() < 0.5)
    people.face_profile(page.at(0.52, horizon - 0.04, 1.05, flip=flip), p.far(0.6))
    page.box(0, 0, 1, horizon, p.far(0.4))


STAGE = {
    "Music": Motifs((guitar, microphone), (vinyl,), (notes_above,), (staff, piano_keys)),
    "Musical": Motifs((ballerina, top_hat_dancer, chorus_line), (open_stage,), (marquee,), (curtain,)),
    "Sport": Motifs((footballer, winner, trophy), (running_track,), (football, basketball)),
    "Biography": Motifs((cameo, framed_portrait, bust), (great_profile,)),
}
