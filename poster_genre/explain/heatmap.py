"""A heat map as a picture: laid over the poster, and on a card with the poster, a title and a colour bar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minicnn.layers.activation import sigmoid
from poster_genre.explain.explain import ExplainResult, enlarge
from poster_genre.model.calibration import log_odds

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

COLOURS = "inferno"
FAINTEST, STRONGEST = 0.35, 0.85  # how opaque the colour lies over the poster where the heat is 0 and 1
GROUND, INK, SOFT = (250, 249, 246), (31, 35, 40), (107, 114, 128)
MARGIN, GAP, BAR = 32, 18, 16
LOWEST, HIGHEST, WIDEST = 320, 900, 900  # the size in pixels that posters are shown at


def heat_layer(heat: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """heat (h, w), 0 to 1, as an RGBA picture of ``size = (height, width)`` to lay over a poster."""
    from PIL import Image

    level = np.clip(enlarge(heat, size), 0, 1)[..., None]
    opacity = FAINTEST + (STRONGEST - FAINTEST) * level
    pixels = np.concatenate([_colours(level[..., 0]), np.round(255 * opacity)], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


def overlay(poster: Image.Image, heat: np.ndarray) -> Image.Image:
    """The poster in grey under the colours of the heat; RGB, of the poster's size."""
    grey = poster.convert("L").convert("RGBA")
    grey.alpha_composite(heat_layer(heat, (poster.height, poster.width)))
    return grey.convert("RGB")


def render(result: ExplainResult, poster: Image.Image) -> Image.Image:
    """A card: genre and probability, the poster, the same under its heat map, and a colour bar. RGB."""
    from PIL import Image, ImageDraw

    poster = _shown(poster)
    width, height = poster.size
    title, text, small = _font(30, bold=True), _font(15), _font(13)
    caption = describe(result)
    head = 84
    scale = 52  # the colour bar and its numbers
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    inside = max(2 * width + 2 * GAP + scale, int(ruler.textlength(caption, text)))
    card = Image.new("RGB", (inside + 2 * MARGIN, head + height + 2 * MARGIN), GROUND)
    pen = ImageDraw.Draw(card)
    pen.text((MARGIN, MARGIN), result.genre, INK, title, anchor="la")
    after = MARGIN + pen.textlength(result.genre, title) + 14
    pen.text((after, MARGIN), f"{result.probability:.0%}", SOFT, _font(30), anchor="la")
    pen.text((MARGIN, MARGIN + 46), caption, SOFT, text, anchor="la")
    top = MARGIN + head
    card.paste(poster, (MARGIN, top))
    card.paste(overlay(poster, result.heat), (MARGIN + width + GAP, top))
    _colour_bar(card, pen, (MARGIN + 2 * (width + GAP), top), height, small)
    return card


def describe(result: ExplainResult) -> str:
    """One line on what the map shows."""
    if result.strength <= 0:
        return f"{_name(result)}: nothing on this poster speaks for {result.genre}"
    if result.method == "occlusion":
        covered = float(sigmoid(log_odds(np.array(result.probability)) - result.strength))
        return f"{_name(result)}: with the brightest place covered, {covered:.0%} would be left"
    return f"{_name(result)}: the brighter, the more the place speaks for {result.genre}"


def _name(result: ExplainResult) -> str:
    return {"grad-cam": "Grad-CAM", "occlusion": "Occlusion"}[result.method]


def _shown(poster: Image.Image) -> Image.Image:
    from PIL import Image

    scale = min(max(1, LOWEST / poster.height), HIGHEST / poster.height, WIDEST / poster.width)
    if scale == 1:
        return poster
    size = max(1, round(poster.width * scale)), max(1, round(poster.height * scale))
    return poster.resize(size, Image.Resampling.LANCZOS)


def _colour_bar(
    card: Image.Image,
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    height: int,
    font: ImageFont.FreeTypeFont,
) -> None:
    """From 1 at the top to 0 at the bottom, as opaque as over a middling grey poster."""
    from PIL import Image

    left, top = corner
    falling = np.linspace(1, 0, height, dtype=np.float32)[:, None].repeat(BAR, axis=1)
    card.paste(overlay(Image.new("RGB", (BAR, height), (128, 128, 128)), falling), corner)
    for level in (1.0, 0.5, 0.0):
        y = top + round((1 - level) * (height - 1))
        place = {1.0: "la", 0.5: "lm", 0.0: "ld"}[level]
        pen.line((left + BAR, y, left + BAR + 4, y), SOFT)
        pen.text((left + BAR + 9, y), f"{level:g}", SOFT, font, anchor=place)


def _colours(level: np.ndarray) -> np.ndarray:
    """(h, w) from 0 to 1 as (h, w, 3) from 0 to 255."""
    from matplotlib import colormaps

    return colormaps[COLOURS](level, bytes=True)[..., :3]


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", name), size)
