"""Palettes. Each is used for every genre: by design, the colours say little about a poster's genres."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """Five colours by their use; each is (red, green, blue), 0 to 255.

    ``top`` and ``low`` are the two ends of the background; ``ink`` is for silhouettes and contrasts with
    both; ``accent`` and ``light`` are for what is to be seen first: a balloon, a moon, a title.
    """

    top: Colour
    low: Colour
    ink: Colour
    accent: Colour
    light: Colour

    def far(self, depth: float) -> Colour:
        """Ink mixed with the background, as of distant objects: at ``depth`` 1 it is the background."""
        thickness = 1.0 if luminance(self.ink) < 0.5 else 0.55
        return mix(self.ink, self.low, 1 - thickness * (1 - depth))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` with a ``share`` (0 to 1) of ``second`` mixed in."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Brightness from 0 to 1, by the Rec. 601 weights that JPEG uses."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def _palette(text: str) -> Palette:
    top, low, ink, accent, light = (
        (int(word[0:2], 16), int(word[2:4], 16), int(word[4:6], 16)) for word in text.split()
    )
    return Palette(top, low, ink, accent, light)


# Each line: top, low, ink, accent, light. The first group has dark silhouettes, the second bright ones. In
# the second, `light` is of medium brightness, so that a bright silhouette is visible in front of a moon.
DARK_INK = tuple(
    map(
        _palette,
        (
            "e8b04a f3d79a 2b2118 c8452c fff4d8",  # mustard
            "e4572e f5a65b 2a1a24 17475c ffe9c4",  # vermilion
            "7fb7be d9e4d5 1f2f3a d1495b fffbe8",  # lagoon
            "3f8f8c a7d0b4 10282c e9653a fdf3d0",  # verdigris
            "f2c6b4 f8e3d0 3a2230 b5345a ffffff",  # blush
            "b8a1cf f0c9cf 2a2046 c7365f fff3e2",  # lilac
            "efe6d2 e2d0b0 33312f b63a2b ffffff",  # paper
            "d8dcd6 b9c2c0 22282c c83b3b ffffff",  # overcast
            "5d9ad1 bfe0ee 14263c e8542f fffdf0",  # fair weather
            "c94f6d f3a683 2b1230 35245e ffe8c9",  # raspberry
            "8fae5d d9d991 1e2b1c b8472a fffbe0",  # meadow
            "d5a06b ecd0a4 3b2114 8c2f1d fff6e0",  # sand
            "cf5c36 efc88b 2c2a2f 2b5d68 fff3dc",  # terracotta
            "9aa5c9 e5d4d9 232640 d0632f ffffff",  # dusk
            "eec64a f4e2a0 221f1c d23a2a fffdf2",  # lemon
            "e36a80 f7c9b6 2d1626 1f5b66 fff7ea",  # coral
        ),
    )
)
BRIGHT_INK = tuple(
    map(
        _palette,
        (
            "0f1c33 2a4a6d fbf4e2 ef6f4c c99a3c",  # midnight
            "170f23 4b2148 fbeee2 e8518d c98a3a",  # aubergine
            "0c2424 1d5650 faf0d8 f07f47 5fa58c",  # pine
            "2b0d12 7a1f2b fbefe0 f08a3c c4635a",  # oxblood
            "15171c 3b414c f4f2ec e2483d 8f9bab",  # graphite
            "10133f 35389a f7f4ff ff6f91 7f8ee6",  # cobalt
            "20130c 5e3a1f fbf0d6 e2683a c2924a",  # tobacco
            "0b2a3f 0f6080 faf6e6 ff7f50 4fa6bd",  # deep sea
            "231942 6a4c93 fdf2f7 ff7b89 b190dc",  # violet
            "1d2a16 4d6631 f8f3dc e97f3a 9db35c",  # moss
        ),
    )
)

# These genres have bright silhouettes a little more often than the others.
_GLOOMY = frozenset({"Crime", "Horror", "Mystery", "Sci-Fi", "Thriller", "War"})


def random_palette(genres: Sequence[str], rng: np.random.Generator) -> Palette:
    """A palette for a poster of these genres, with random small changes of hue and saturation."""
    gloom = sum(genre in _GLOOMY for genre in genres) / max(len(genres), 1)
    group = BRIGHT_INK if rng.random() < 0.22 + 0.1 * gloom else DARK_INK
    palette = group[rng.integers(len(group))]
    turn, strength = rng.uniform(-0.02, 0.02), rng.uniform(0.85, 1.04)

    def shifted(colour: Colour) -> Colour:
        hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
        red, green, blue = colorsys.hsv_to_rgb((hue + turn) % 1.0, min(1.0, saturation * strength), value)
        return round(255 * red), round(255 * green), round(255 * blue)

    top, low = (palette.top, palette.low) if rng.random() < 0.75 else (palette.low, palette.top)
    return Palette(*map(shifted, (top, low, palette.ink, palette.accent, palette.light)))
