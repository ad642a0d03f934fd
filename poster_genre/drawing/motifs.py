"""Motifs: the pictures that stand for one genre, in the four roles that a composition has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from poster_genre.drawing.pen import Pen

Setting = Callable[[Pen, float], None]
Motif = Callable[[Pen], None]


@dataclass(frozen=True)
class Motifs:
    """The motifs of one genre: functions that draw with a pen, each named for what it draws.

    Setting: fills the page behind everything; takes the page's pen and the height of the horizon. Hero: the
    main figure; its pen has the origin at the feet and the unit is its height; it extends at most half a unit
    to the left and right. Sky: above the heroes; its pen has the origin in the centre and the unit is its
    radius. Overlay: in front of everything; takes the page's pen.
    """

    heroes: tuple[Motif, ...]
    settings: tuple[Setting, ...] = ()
    skies: tuple[Motif, ...] = ()
    overlays: tuple[Motif, ...] = ()
