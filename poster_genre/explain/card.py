"""An explanation as one picture: title and caption, the poster, its heat map, and a colour bar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minicnn.layers.activation import sigmoid
from poster_genre.explain.explain import ExplainResult
from poster_genre.explain.heat_map import overlay
from poster_genre.model.calibration import log_odds

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

BACKGROUND, INK, SOFT_INK = (250, 249, 246), (31, 35, 40), (107, 114, 128)
MARGIN, GAP, BAR = 32, 18, 16
HEADER = 84  # pixels for title and caption
SCALE = 52  # pixels for the colour bar and its numbers
MIN_HEIGHT, MAX_HEIGHT, MAX_WIDTH = 320, 900, 900  # of the posters on the card


def render_card(result: ExplainResult, poster: Image.Image) -> Image.Image:
    """Genre and probability, a caption, the poster, the same under its heat map, and a colour bar. RGB."""
    from PIL import Image, ImageDraw

    poster = _fit(poster)
    width, height = poster.size
    title, text, small = _font(30, bold=True), _font(15), _font(13)
    caption = caption_of(result)
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    content = max(2 * width + 2 * GAP + SCALE, int(ruler.textlength(caption, text)))
    card = Image.new("RGB", (content + 2 * MARGIN, HEADER + height + 2 * MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(card)
    pen.text((MARGIN, MARGIN), result.genre, INK, title, anchor="la")
    after = MARGIN + pen.textlength(result.genre, title) + 14
    pen.text((after, MARGIN), f"{result.probability:.0%}", SOFT_INK, _font(30), anchor="la")
    pen.text((MARGIN, MARGIN + 46), caption, SOFT_INK, text, anchor="la")
    top = MARGIN + HEADER
    card.paste(poster, (MARGIN, top))
    card.paste(overlay(poster, result.heat), (MARGIN + width + GAP, top))
    _draw_colour_bar(card, pen, (MARGIN + 2 * (width + GAP), top), height, small)
    return card


def caption_of(result: ExplainResult) -> str:
    """The caption: one line on how to read the map."""
    method = {"grad-cam": "Grad-CAM", "occlusion": "Occlusion"}[result.method]
    if result.strength <= 0:
        return f"{method}: there is no evidence for {result.genre} on this poster"
    if result.method == "occlusion":
        covered = float(sigmoid(log_odds(np.array(result.probability)) - result.strength))
        return f"{method}: with the brightest part covered, {covered:.0%} would be left"
    return f"{method}: the brighter, the stronger the evidence for {result.genre}"


def _fit(poster: Image.Image) -> Image.Image:
    """The poster resized to the limits of a card, if it is outside them."""
    from PIL import Image

    scale = min(max(1, MIN_HEIGHT / poster.height), MAX_HEIGHT / poster.height, MAX_WIDTH / poster.width)
    if scale == 1:
        return poster
    size = max(1, round(poster.width * scale)), max(1, round(poster.height * scale))
    return poster.resize(size, Image.Resampling.LANCZOS)


def _draw_colour_bar(
    card: Image.Image,
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    height: int,
    font: ImageFont.FreeTypeFont,
) -> None:
    """From 1 at the top to 0 at the bottom, as opaque as over a poster of medium grey."""
    from PIL import Image

    left, top = corner
    falling = np.linspace(1, 0, height, dtype=np.float32)[:, None].repeat(BAR, axis=1)
    card.paste(overlay(Image.new("RGB", (BAR, height), (128, 128, 128)), falling), corner)
    for level, anchor in ((1.0, "la"), (0.5, "lm"), (0.0, "ld")):
        y = top + round((1 - level) * (height - 1))
        pen.line((left + BAR, y, left + BAR + 4, y), SOFT_INK)
        pen.text((left + BAR + 9, y), f"{level:g}", SOFT_INK, font, anchor=anchor)


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", name), size)
