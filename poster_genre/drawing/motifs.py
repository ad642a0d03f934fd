"""What a genre can bring to a poster, in four parts that a composition hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from poster_genre.drawing.pen import Pen

Setting = Callable[[Pen, float], None]
Motif = Callable[[Pen], None]


@dataclass(frozen=True)
class Motifs:
    """The pictures that stand for one genre.

    A setting fills the page behind everything and takes the page's pen and the height of the horizon. A hero
    stands in the middle: its pen has the origin at the feet, 1 is its height, and it stays within half a unit
    left and right. A sky motif hangs above: its pen has the origin in its centre, and 1 is its radius. An
    overlay lies over everything and takes the page's pen.
    """

    heroes: tuple[Motif, ...]
    settings: tuple[Setting, ...] = ()
    skies: tuple[Motif, ...] = ()
    overlays: tuple[Motif, ...] = ()
