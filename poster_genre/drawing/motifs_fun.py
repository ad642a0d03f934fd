"""Motifs of fun: Comedy, Family, Animation."""

from __future__ import annotations

import math

from poster_genre.drawing import people, scenery
from poster_genre.drawing.motifs import Motifs
from poster_genre.drawing.palettes import mix
from poster_genre.drawing.pen import Pen

# Comedy: disguises, bananas, confetti, all at an angle.


def party_dots(page: Pen, horizon: float) -> None:
    p = page.palette
    step = page.rng.uniform(0.15, 0.19)
    tint = mix(p.low, p.light, 0.75)
    for row in range(int(page.page_height / step) + 2):
        for column in range(-1, 8):
            page.disc((column + 0.5 * (row % 2)) * step, row * step, 0.27 * step, tint)


def groucho(pen: Pen) -> None:
    """Glasses, nose and moustache."""
    p = pen.palette
    face = pen.at(0, 0.5, 1.0, turn=pen.rng.uniform(-10, 10))
    face.disc(0, 0, 0.5, p.light)
    for x in (-0.21, 0.21):
        face.ring(x, 0.12, 0.17, 0.045, p.ink)
        face.disc(x + 0.03, 0.1, 0.055, p.ink)
        face.limb(((x - 0.13, 0.34), (x, 0.39), (x + 0.13, 0.34)), (0.04, 0.08, 0.04), p.ink)
    face.blob(((0, 0.1), (0.1, -0.08), (0, -0.15), (-0.1, -0.08)), p.accent)
    face.blob(
        (
            (0, -0.14),
            (0.14, -0.12),
            (0.32, -0.24),
            (0.14, -0.25),
            (0, -0.2),
            (-0.14, -0.25),
            (-0.32, -0.24),
            (-0.14, -0.12),
        ),
        p.ink,
    )
    face.wedge(0, -0.28, 0.13, 180, 360, p.accent)


def laughing_mouth(pen: Pen) -> None:
    p = pen.palette
    face = pen.at(0, 0.5, 1.0, turn=pen.rng.uniform(-15, 15))
    face.disc(0, 0, 0.5, p.accent)
    face.wedge(0, -0.02, 0.36, 180, 360, p.ink)
    face.wedge(0, -0.02, 0.36, 180, 360, p.ink)
    face.polygon(((-0.33, -0.02), (0.33, -0.02), (0.3, -0.11), (-0.3, -0.11)), p.light)
    face.ellipse(0, -0.28, 0.17, 0.08, p.light)
    for x in (-0.2, 0.2):
        face.arc(x, 0.13, 0.1, 10, 170, 0.05, p.ink)


def banana_peel(pen: Pen) -> None:
    p = pen.palette
    walker = pen.at(-0.05, 0.2, 0.72, turn=32)
    people.figure(walker, people.CHEERING, p.ink)
    peel = pen.at(0.3, 0, 0.42)
    for points in (
        ((0, 0.36), (-0.3, 0.22), (-0.42, 0.0), (-0.2, 0.08)),
        ((0, 0.36), (0.3, 0.22), (0.42, 0.0), (0.2, 0.08)),
        ((-0.05, 0.4), (0.05, 0.4), (0.09, 0.05), (-0.09, 0.05)),
    ):
        peel.blob(points, p.accent)
    peel.line(((0, 0.36), (0.03, 0.55)), 0.08, p.accent)


def party_dog(pen: Pen) -> None:
    p = pen.palette
    pet = pen.at(-0.06, 0, 1.3)
    people.dog(pet, p.ink)
    pet.polygon(((0.16, 0.52), (0.32, 0.5), (0.25, 0.76)), p.accent)
    pet.disc(0.25, 0.76, 0.035, p.light)
    pet.disc(0.28, 0.46, 0.016, p.light)
    pet.line(((0.13, 0.38), (0.22, 0.34)), 0.03, p.accent)


def confetti(page: Pen) -> None:
    p = page.palette
    for _ in range(46):
        bit = page.at(
            page.rng.random(), page.rng.uniform(0.3, page.page_height), 0.03, turn=page.rng.uniform(0, 180)
        )
        colour = (p.accent, p.light, p.ink)[page.rng.integers(3)]
        if page.rng.random() < 0.5:
            bit.box(-0.7, -0.3, 0.7, 0.3, colour)
        else:
            bit.disc(0, 0, 0.5, colour)


# Family: balloons and kites, big hand and small hand, a house.


def meadow(page: Pen, horizon: float) -> None:
    p = page.palette
    x = page.rng.uniform(0.2, 0.8)
    for i in range(12):
        turn = math.radians(30 * i)
        page.line(((x + 0.23 * math.cos(turn), 1.1 + 0.23 * math.sin(turn)),
                   (x + 0.31 * math.cos(turn), 1.1 + 0.31 * math.sin(turn))), 0.025, p.light)  # fmt: skip
    page.disc(x, 1.1, 0.18, p.light)
    scenery.hills(page, horizon + 0.06, 0.03, p.far(0.6))
    for i in range(11):
        page.box(0.1 * i - 0.02, horizon - 0.02, 0.1 * i + 0.03, horizon + 0.13, p.light)
        page.polygon(
            (
                (0.1 * i - 0.02, horizon + 0.13),
                (0.1 * i + 0.005, horizon + 0.16),
                (0.1 * i + 0.03, horizon + 0.13),
            ),
            p.light,
        )
    page.box(0, horizon + 0.02, 1, horizon + 0.045, p.light)
    page.box(0, horizon + 0.085, 1, horizon + 0.11, p.light)
    scenery.hills(page, horizon - 0.01, 0.012, p.far(0.35))


def hot_air_balloon(pen: Pen) -> None:
    p = pen.palette
    pen.blob(
        ((0, 1), (0.62, 0.75), (0.66, 0.15), (0.2, -0.42), (-0.2, -0.42), (-0.66, 0.15), (-0.62, 0.75)),
        p.accent,
    )
    pen.blob(
        ((0, 1), (0.3, 0.72), (0.32, 0.15), (0.1, -0.42), (-0.1, -0.42), (-0.32, 0.15), (-0.3, 0.72)), p.light
    )
    pen.blob(
        ((0, 1), (0.1, 0.7), (0.1, 0.15), (0.03, -0.42), (-0.03, -0.42), (-0.1, 0.15), (-0.1, 0.7)), p.accent
    )
    for x in (-0.16, 0.16):
        pen.line(((x, -0.42), (x * 0.9, -0.75)), 0.03, p.ink)
    pen.box(-0.19, -1, 0.19, -0.72, p.ink)


def kite(pen: Pen) -> None:
    p = pen.palette
    up = pen.at(0, 0.25, 0.7, turn=-25)
    up.polygon(((0, 1), (0.62, 0.2), (0, -0.9), (-0.62, 0.2)), p.accent)
    up.polygon(((0, 1), (0.62, 0.2), (0, 0.2)), p.light)
    up.polygon(((0, -0.9), (-0.62, 0.2), (0, 0.2)), p.light)
    pen.curve(((-0.3, -0.32), (-0.1, -0.6), (-0.45, -0.8), (-0.2, -1.1)), 0.04, p.ink)
    for x, y in ((-0.14, -0.55), (-0.42, -0.8)):
        pen.polygon(((x, y), (x + 0.17, y + 0.1), (x + 0.17, y - 0.1)), p.ink)
        pen.polygon(((x, y), (x - 0.17, y + 0.1), (x - 0.17, y - 0.1)), p.ink)


def hand_in_hand(pen: Pen) -> None:
    p = pen.palette
    people.figure(pen.at(-0.3, 0, 0.98), people.STANDING, p.ink)
    people.woman(pen.at(0.31, 0, 0.92), people.STANDING, p.ink)
    people.child(pen.at(0.0, 0, 0.95), p.accent)
    pen.limb(((-0.15, 0.45), (-0.06, 0.36)), (0.045, 0.04), p.ink)
    pen.limb(((0.16, 0.45), (0.06, 0.36)), (0.045, 0.04), p.ink)


def balloon_child(pen: Pen) -> None:
    p = pen.palette
    people.child(pen.at(-0.2, 0, 0.8), p.ink)
    for x, y, colour in ((-0.02, 0.86, p.accent), (0.24, 0.78, p.light), (0.12, 0.98, p.ink)):
        pen.line(((-0.1, 0.24), (x, y - 0.1)), 0.012, p.ink)
        pen.ellipse(x, y, 0.13, 0.16, colour)
        pen.polygon(((x - 0.03, y - 0.19), (x + 0.03, y - 0.19), (x, y - 0.14)), colour)


def little_house(pen: Pen) -> None:
    p = pen.palette
    pen.box(-0.34, 0, 0.34, 0.5, p.light)
    pen.box(0.16, 0.6, 0.27, 0.92, p.ink)
    pen.polygon(((-0.46, 0.48), (0, 0.92), (0.46, 0.48)), p.accent)
    pen.box(-0.08, 0, 0.1, 0.3, p.ink)
    for x in (-0.24, 0.22):
        pen.box(x - 0.07, 0.22, x + 0.07, 0.38, p.ink)
    scenery.heart(pen.at(0, 0.62, 0.09), p.light)


# Animation: round figures with big eyes among lollipops.


def toy_land(page: Pen, horizon: float) -> None:
    p = page.palette
    for x, r, depth in ((0.1, 0.42, 0.7), (0.85, 0.5, 0.6), (0.45, 0.36, 0.5)):
        page.disc(x, horizon - 0.12, r, p.far(depth))
        page.arc(x, horizon - 0.12, 0.72 * r, 20, 160, 0.02, p.light, 0.6)
    for x in (0.08, 0.3, 0.72, 0.93):
        y = horizon + page.rng.uniform(0.28, 0.42)
        page.line(((x, horizon - 0.1), (x, y)), 0.02, p.ink)
        page.disc(x, y, 0.085, p.accent)
        page.ring(x, y, 0.055, 0.016, p.light)
    page.box(0, 0, 1, horizon - 0.02, p.far(0.35))


def eyes(pen: Pen, x: float, y: float, r: float, gap: float) -> None:
    look = pen.rng.uniform(-0.35, 0.35)
    for side in (-1, 1):
        pen.disc(x + side * gap, y, r, (255, 255, 255))
        pen.disc(x + side * gap + look * r, y - 0.1 * r, 0.52 * r, (25, 22, 28))
        pen.disc(x + side * gap + look * r + 0.15 * r, y + 0.15 * r, 0.17 * r, (255, 255, 255))


def jolly_blob(pen: Pen) -> None:
    p = pen.palette
    for x in (-0.15, 0.15):
        pen.curve(((x, 0.85), (1.6 * x, 1.0)), 0.03, p.ink)
        pen.disc(1.6 * x, 1.0, 0.05, p.ink)
    pen.blob(
        (
            (-0.42, 0.02),
            (-0.45, 0.45),
            (-0.25, 0.85),
            (0, 0.92),
            (0.25, 0.85),
            (0.45, 0.45),
            (0.42, 0.02),
            (0, -0.02),
        ),
        p.accent,
    )
    eyes(pen, 0, 0.6, 0.15, 0.16)
    pen.wedge(0, 0.34, 0.16, 180, 360, p.ink)
    pen.ellipse(0, 0.23, 0.08, 0.04, p.light)


def cyclops(pen: Pen) -> None:
    p = pen.palette
    for x in (-0.2, 0.2):
        pen.limb(((x, 0.3), (x, 0.04)), (0.1, 0.09), p.ink)
        pen.ellipse(x + 0.03, 0.03, 0.1, 0.04, p.ink)
    for side in (-1, 1):
        pen.limb(((side * 0.32, 0.5), (side * 0.46, 0.62), (side * 0.44, 0.82)), (0.08, 0.07, 0.06), p.ink)
        pen.polygon(((side * 0.12, 0.9), (side * 0.34, 0.84), (side * 0.3, 1.08)), p.light)
    pen.disc(0, 0.57, 0.38, p.ink)
    eyes(pen, 0, 0.66, 0.2, 0.0)
    pen.arc(0, 0.5, 0.2, 215, 325, 0.035, p.light)
    pen.polygon(((-0.06, 0.31), (0.04, 0.31), (-0.01, 0.4)), (255, 255, 255))


def two_friends(pen: Pen) -> None:
    p = pen.palette
    pen.blob(((-0.5, 0), (-0.48, 0.75), (-0.27, 0.95), (-0.06, 0.75), (-0.04, 0)), p.ink)
    eyes(pen, -0.26, 0.72, 0.1, 0.105)
    pen.arc(-0.26, 0.54, 0.1, 200, 340, 0.03, p.light)
    pen.disc(0.24, 0.26, 0.265, p.accent)
    eyes(pen, 0.24, 0.34, 0.1, 0.11)
    pen.wedge(0.24, 0.2, 0.1, 180, 360, p.ink)


def smiling_cloud(pen: Pen) -> None:
    scenery.cloud(pen, pen.palette.light)
    eyes(pen, -0.05, 0.1, 0.17, 0.21)
    pen.arc(-0.05, -0.08, 0.2, 200, 340, 0.06, (25, 22, 28))


FUN = {
    "Comedy": Motifs((groucho, laughing_mouth, banana_peel, party_dog), (party_dots,), overlays=(confetti,)),
    "Family": Motifs((hand_in_hand, balloon_child, little_house), (meadow,), (hot_air_balloon, kite)),
    "Animation": Motifs((jolly_blob, cyclops, two_friends), (toy_land,), (smiling_cloud,)),
}
