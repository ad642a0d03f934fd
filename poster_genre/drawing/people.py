"""People and animals as silhouettes, their feet at (0, 0), 1 high unless stated otherwise."""

from __future__ import annotations

from poster_genre.drawing.palettes import Colour
from poster_genre.drawing.pen import Pen
from poster_genre.drawing.splines import Point

# A pose: left arm, right arm, left leg, right leg; of each the middle joint and the end.
Limb = tuple[Point, Point]
Pose = tuple[Limb, Limb, Limb, Limb]

STANDING: Pose = (
    ((-0.16, 0.63), (-0.15, 0.46)),
    ((0.16, 0.63), (0.15, 0.46)),
    ((-0.07, 0.25), (-0.08, 0.02)),
    ((0.07, 0.25), (0.08, 0.02)),
)
WALKING: Pose = (
    ((-0.17, 0.64), (-0.12, 0.48)),
    ((0.14, 0.62), (0.22, 0.50)),
    ((0.06, 0.26), (0.15, 0.03)),
    ((-0.03, 0.24), (-0.17, 0.04)),
)
RUNNING: Pose = (
    ((-0.22, 0.66), (-0.28, 0.52)),
    ((0.20, 0.62), (0.30, 0.74)),
    ((0.20, 0.40), (0.16, 0.16)),
    ((-0.12, 0.28), (-0.34, 0.30)),
)
CHEERING: Pose = (
    ((-0.22, 0.88), (-0.26, 1.08)),
    ((0.22, 0.88), (0.26, 1.08)),
    ((-0.09, 0.25), (-0.13, 0.02)),
    ((0.09, 0.25), (0.13, 0.02)),
)
LEAPING: Pose = (
    ((-0.22, 0.86), (-0.38, 0.96)),
    ((0.22, 0.84), (0.40, 0.88)),
    ((-0.22, 0.40), (-0.44, 0.34)),
    ((0.22, 0.42), (0.44, 0.44)),
)
KICKING: Pose = (
    ((-0.24, 0.72), (-0.36, 0.64)),
    ((0.18, 0.68), (0.28, 0.58)),
    ((-0.06, 0.25), (-0.10, 0.02)),
    ((0.20, 0.38), (0.40, 0.36)),
)


def figure(pen: Pen, pose: Pose, colour: Colour) -> None:
    """A person in a pose, from head to foot."""
    left_arm, right_arm, left_leg, right_leg = pose
    pen.disc(0, 0.92, 0.078, colour)
    pen.limb(((0, 0.9), (0, 0.8)), (0.06, 0.08), colour)
    pen.blob(
        (
            (-0.13, 0.79),
            (0, 0.82),
            (0.13, 0.79),
            (0.1, 0.6),
            (0.1, 0.46),
            (0, 0.43),
            (-0.1, 0.46),
            (-0.1, 0.6),
        ),
        colour,
    )
    for shoulder, arm in ((-0.12, left_arm), (0.12, right_arm)):
        pen.limb(((shoulder, 0.77), *arm), (0.075, 0.06, 0.045), colour)
    for hip, leg in ((-0.055, left_leg), (0.055, right_leg)):
        pen.limb(((hip, 0.47), *leg), (0.105, 0.08, 0.055), colour)
        foot_x, foot_y = leg[1]
        pen.ellipse(foot_x + 0.025, foot_y, 0.055, 0.024, colour)


def coat(pen: Pen, colour: Colour) -> None:
    """A long coat to wear over a standing or walking figure."""
    pen.blob(
        (
            (-0.15, 0.8),
            (0, 0.84),
            (0.15, 0.8),
            (0.17, 0.5),
            (0.2, 0.17),
            (0, 0.14),
            (-0.2, 0.17),
            (-0.17, 0.5),
        ),
        colour,
    )


def skirt(pen: Pen, colour: Colour, width: float = 0.22, hem: float = 0.2) -> None:
    """A skirt from the waist down to the height ``hem``, where it is twice ``width`` wide."""
    pen.blob(((-0.07, 0.6), (0.07, 0.6), (width, hem), (0, hem - 0.03), (-width, hem)), colour)


def brim_hat(pen: Pen, colour: Colour) -> None:
    """A detective's hat."""
    pen.ellipse(0, 0.965, 0.16, 0.026, colour)
    pen.blob(((-0.09, 0.96), (-0.08, 1.05), (0, 1.04), (0.08, 1.05), (0.09, 0.96)), colour)


def cowboy_hat(pen: Pen, colour: Colour) -> None:
    """A hat with a curved brim."""
    pen.blob(
        ((-0.21, 1.0), (-0.12, 0.95), (0, 0.945), (0.12, 0.95), (0.21, 1.0), (0.1, 0.99), (-0.1, 0.99)),
        colour,
    )
    pen.blob(((-0.1, 0.96), (-0.085, 1.07), (0, 1.045), (0.085, 1.07), (0.1, 0.96)), colour)


def top_hat(pen: Pen, colour: Colour) -> None:
    """A tall cylindrical hat."""
    pen.box(-0.085, 0.97, 0.085, 1.13, colour)
    pen.line(((-0.14, 0.975), (0.14, 0.975)), 0.025, colour)


def woman(pen: Pen, pose: Pose, colour: Colour) -> None:
    """A figure in a dress, with long hair."""
    figure(pen, pose, colour)
    skirt(pen, colour)
    pen.blob(
        ((-0.085, 0.95), (0, 1.01), (0.085, 0.95), (0.1, 0.84), (0.05, 0.78), (-0.05, 0.78), (-0.1, 0.84)),
        colour,
    )


def couple(pen: Pen, colour: Colour, other: Colour) -> None:
    """Two people about to kiss."""
    man = pen.at(-0.17, 0)
    figure(man, (((-0.1, 0.6), (0.12, 0.55)), ((0.2, 0.68), (0.3, 0.6)), STANDING[2], STANDING[3]), colour)
    lady = pen.at(0.17, 0, 0.93, flip=True)
    woman(lady, (((-0.1, 0.6), (0.1, 0.56)), ((0.2, 0.76), (0.3, 0.8)), STANDING[2], STANDING[3]), other)


def child(pen: Pen, colour: Colour) -> None:
    """A child, 0.62 high, with a large head."""
    small = pen.at(0, 0, 0.6)
    figure(small, STANDING, colour)
    small.disc(0, 0.93, 0.125, colour)


def dog(pen: Pen, colour: Colour) -> None:
    """A dog, 0.5 high at the ears, facing right."""
    pen.blob(((-0.26, 0.34), (0, 0.33), (0.18, 0.36), (0.2, 0.22), (0, 0.19), (-0.26, 0.2)), colour)
    for x in (-0.23, -0.16, 0.1, 0.17):
        pen.limb(((x, 0.26), (x, 0.02)), (0.08, 0.05), colour)
    pen.limb(((0.15, 0.32), (0.24, 0.44)), (0.14, 0.12), colour)
    pen.blob(((0.17, 0.44), (0.2, 0.54), (0.3, 0.5), (0.4, 0.44), (0.38, 0.39), (0.25, 0.38)), colour)
    pen.limb(((0.19, 0.5), (0.15, 0.38)), (0.06, 0.05), colour)
    pen.limb(((-0.25, 0.32), (-0.36, 0.46)), (0.05, 0.025), colour)


def horse(pen: Pen, colour: Colour) -> None:
    """A trotting horse, 0.85 high, facing right."""
    pen.blob(
        (
            (-0.34, 0.5),
            (-0.28, 0.6),
            (0, 0.56),
            (0.2, 0.6),
            (0.28, 0.5),
            (0.2, 0.37),
            (-0.02, 0.36),
            (-0.28, 0.38),
        ),
        colour,
    )
    pen.blob(
        (
            (0.12, 0.55),
            (0.24, 0.8),
            (0.32, 0.88),
            (0.38, 0.78),
            (0.5, 0.66),
            (0.46, 0.61),
            (0.34, 0.68),
            (0.29, 0.46),
        ),
        colour,
    )
    pen.polygon(((0.29, 0.84), (0.31, 0.95), (0.36, 0.84)), colour)
    pen.limb(((-0.32, 0.55), (-0.42, 0.5), (-0.45, 0.28)), (0.07, 0.09, 0.03), colour)
    for hip, knee, hoof in (
        (-0.27, (-0.32, 0.22), (-0.24, 0.03)),
        (-0.2, (-0.14, 0.22), (-0.2, 0.03)),
        (0.16, (0.12, 0.22), (0.14, 0.03)),
        (0.22, (0.36, 0.28), (0.3, 0.12)),
    ):
        pen.limb(((hip, 0.44), knee, hoof), (0.14, 0.065, 0.05), colour)


def face_profile(pen: Pen, colour: Colour) -> None:
    """A head and shoulders looking right: 1 high, from the chest at y = 0."""
    pen.blob(
        (
            (-0.5, 0),
            (-0.42, 0.16),
            (-0.2, 0.27),
            (-0.17, 0.4),
            (-0.3, 0.58),
            (-0.3, 0.8),
            (-0.12, 0.97),
            (0.1, 0.97),
            (0.22, 0.84),
            (0.22, 0.74),
            (0.24, 0.68),
            (0.33, 0.575),
            (0.26, 0.54),
            (0.275, 0.49),
            (0.26, 0.455),
            (0.27, 0.42),
            (0.22, 0.36),
            (0.1, 0.37),
            (0.09, 0.26),
            (0.3, 0.15),
            (0.4, 0),
        ),
        colour,
    )
