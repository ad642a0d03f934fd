"""The composition of one poster: a motif for every genre, as setting, hero, sky or overlay, and a title."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from poster_genre.drawing import scenery, titles
from poster_genre.drawing.motifs import Motif, Motifs, Setting
from poster_genre.drawing.motifs_danger import DANGER
from poster_genre.drawing.motifs_far_places import FAR_PLACES
from poster_genre.drawing.motifs_far_times import FAR_TIMES
from poster_genre.drawing.motifs_fear import FEAR
from poster_genre.drawing.motifs_feeling import FEELING
from poster_genre.drawing.motifs_fun import FUN
from poster_genre.drawing.motifs_screen import SCREEN
from poster_genre.drawing.motifs_stage import STAGE
from poster_genre.drawing.palettes import Colour, Palette, luminance, random_palette
from poster_genre.drawing.pen import Pen

MOTIFS: dict[str, Motifs] = {**FEELING, **FUN, **FEAR, **DANGER, **FAR_PLACES, **FAR_TIMES, **STAGE, **SCREEN}


class Cast:
    """The motifs of one poster, by role: at least one of every genre, at most four in all.

    setting, sky, overlay: a motif each, or None. heroes: up to three motifs.
    """

    def __init__(self, genres: Sequence[str], rng: np.random.Generator) -> None:
        self.setting: Setting | None = None
        self.heroes: list[Motif] = []
        self.sky: Motif | None = None
        self.overlay: Motif | None = None
        order = [genres[i] for i in rng.permutation(len(genres))]
        for genre in order:
            self._add_motif(MOTIFS[genre], rng, most_heroes=3)
        for i in range(2 if len(order) > 1 else 3):
            if self.size < 4 and rng.random() < 0.85:
                self._add_motif(MOTIFS[order[i % len(order)]], rng, most_heroes=2)

    @property
    def size(self) -> int:
        """The number of motifs."""
        others = (self.setting, self.sky, self.overlay)
        return len(self.heroes) + sum(motif is not None for motif in others)

    def _add_motif(self, motifs: Motifs, rng: np.random.Generator, most_heroes: int) -> None:
        """Adds one of a genre's motifs in a role that is still free, a setting most often."""
        free = []
        if self.setting is None and motifs.settings:
            free += ["setting"] * 3
        if self.sky is None and motifs.skies:
            free += ["sky"] * 2
        if self.overlay is None and motifs.overlays:
            free += ["overlay"]
        if len(self.heroes) < most_heroes and not set(motifs.heroes) & set(self.heroes):
            free += ["hero"] * (3 if len(self.heroes) == 0 else 1)
        if not free:
            return
        role = free[rng.integers(len(free))]
        if role == "setting":
            self.setting = motifs.settings[rng.integers(len(motifs.settings))]
        elif role == "sky":
            self.sky = motifs.skies[rng.integers(len(motifs.skies))]
        elif role == "overlay":
            self.overlay = motifs.overlays[rng.integers(len(motifs.overlays))]
        else:
            self.heroes.append(motifs.heroes[rng.integers(len(motifs.heroes))])


def compose(genres: Sequence[str], size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """The shapes of a poster, without vignette and grain, at ``size`` (height, width) in pixels."""
    palette = random_palette(genres, rng)
    image = _gradient(palette, size)
    page = Pen(image, palette, rng)
    cast = Cast(genres, rng)
    title_on_top = rng.random() < 0.3
    horizon = rng.uniform(0.22, 0.28) if title_on_top else rng.uniform(0.38, 0.45)
    if cast.setting is not None:
        cast.setting(page, horizon)
    else:
        _plain_setting(page, horizon, cast.sky is None)
    if cast.sky is not None:
        high = rng.uniform(0.92, 1.0) if title_on_top else rng.uniform(1.08, 1.2)
        across = rng.choice((rng.uniform(0.24, 0.36), rng.uniform(0.64, 0.76)))
        cast.sky(page.at(across, high, rng.uniform(0.2, 0.26)))
    _place_heroes(page, cast, horizon)
    if cast.overlay is not None:
        cast.overlay(page)
    _draw_lettering(page, image, genres, horizon, title_on_top)
    return image


def _gradient(palette: Palette, size: tuple[int, int]) -> Image.Image:
    """The background: from the palette's ``top`` at the top to its ``low`` at the bottom."""
    height, width = size
    share = np.linspace(0.0, 1.0, height)[:, None] ** 1.2
    column = np.array(palette.top) * (1 - share) + np.array(palette.low) * share
    return Image.fromarray(np.round(column).astype(np.uint8)[:, None, :]).resize(
        (width, height), Image.Resampling.NEAREST
    )


def _plain_setting(page: Pen, horizon: float, empty_sky: bool) -> None:
    """Hills, a plain or nothing where no genre provides the setting, and a sun in some empty skies."""
    p, rng = page.palette, page.rng
    if empty_sky and rng.random() < 0.45:
        page.disc(
            rng.uniform(0.35, 0.65),
            horizon + rng.uniform(0.4, 0.6),
            rng.uniform(0.28, 0.4),
            p.light,
            rng.choice((0.5, 1.0)),
        )
    kind = rng.random()
    if kind < 0.35:
        scenery.hills(page, horizon, 0.014, p.far(0.35))
    elif kind < 0.7:
        page.box(0, 0, 1, horizon, p.far(rng.uniform(0.25, 0.5)))


def _place_heroes(page: Pen, cast: Cast, horizon: float) -> None:
    """Draws the heroes side by side, their feet a little below the horizon."""
    rng = page.rng
    count = len(cast.heroes)
    tallest = 0.74 if cast.sky is None else 0.62
    positions = {
        0: (),
        1: ((0.5, 1.0),),
        2: ((0.29, 0.82), (0.71, 0.82)),
        3: ((0.2, 0.62), (0.8, 0.62), (0.5, 0.7)),
    }[count]
    for hero, (x, share) in zip(cast.heroes, positions, strict=True):
        size = tallest * share * rng.uniform(0.88, 1.08)
        shift = rng.uniform(-0.1, 0.1) if count == 1 else rng.uniform(-0.03, 0.03)
        foot = horizon - 0.03 - (0.05 if count == 3 and x == 0.5 else 0.0)
        hero(page.at(x + shift, foot, size, flip=bool(rng.random() < 0.5)))


def _draw_lettering(
    page: Pen, image: Image.Image, genres: Sequence[str], horizon: float, title_on_top: bool
) -> None:
    """Title, credits and, on some posters, a tagline."""
    rng = page.rng
    style = titles.random_style(genres, rng)
    top = page.page_height
    bottom, height = (top - 0.26, 0.17) if title_on_top else (0.125, min(0.2, horizon - 0.2))
    titles.draw_title(page, style, bottom, height, _legible(page, image, bottom, height))
    titles.draw_credits(page, 0.045, _legible(page, image, 0.03, 0.06))
    if not title_on_top and rng.random() < 0.4:
        titles.draw_tagline(page, top - 0.075, _legible(page, image, top - 0.1, 0.05))


def _legible(page: Pen, image: Image.Image, bottom: float, height: float) -> Colour:
    """The colour of the palette that contrasts most with what is already drawn on this band of the page."""
    unit = image.width
    upper, lower = (int(image.height - y * unit) for y in (bottom + height, bottom))
    band = image.crop((unit // 8, upper, unit - unit // 8, lower))
    red, green, blue = np.asarray(band, dtype=float).mean(axis=(0, 1)).tolist()
    behind = luminance((red, green, blue))
    choices = (page.palette.light, page.palette.ink, page.palette.low)
    return max(choices, key=lambda colour: abs(luminance(colour) - behind))
