"""The pixels of an opened picture as upright RGB: whole, or shrunk without ever being converted whole.

A decoded picture of 25 megapixels takes up to 100 MB. To composite it over white or to turn it takes as much
again several times over, for an input of 128x192. ``shrink`` therefore works on strips of rows of the upright
picture. Each is cut from the decoded picture, turned, converted to RGB and averaged over whole blocks of
pixels; only the averages are collected:

    decoded, as stored          upright strip      RGB strip        averages of fx x fy blocks
    +----------------+
    |                |          +---------+        +---------+      +---+
    |                |  crop,   | strip k |  rgb   | strip k | mean | k |   paste  +---+
    |                |  turn -> +---------+   ->   +---------+  ->  +---+    ->    |   |  ->  cubic resampling
    +----------------+                                                             +---+

Pillow's own ``resize(..., reducing_gap=3.0)`` averages over the same blocks first, so the result has the same
bits as for the picture converted whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from poster_genre.errors import PosterGenreError

if TYPE_CHECKING:
    from PIL import Image

STRIP_PIXELS = 2**20
REDUCING_GAP = 3.0
"""Averaging over blocks leaves at least this many times the output's pixels, in both directions."""

ORIENTATION = 0x0112
"""The EXIF tag Orientation."""


def upright_rgb(picture: Image.Image) -> Image.Image:
    """A copy of the picture in 8-bit RGB, turned as its EXIF tag says, transparency composited over white."""
    turn = orientation(picture)
    return to_rgb(picture.copy() if turn is None else picture.transpose(turn))


def shrink(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """``upright_rgb(picture)`` squashed to ``size = (height, width)``: uint8 (height, width, 3).

    Shrinking averages over the whole area that an output pixel covers (Pillow widens the cubic kernel by the
    scale), so a poster at 208 and the same at 300 pixels of width give nearly the same input. Of Pillow's
    filters this one has the smallest such difference relative to the detail it preserves, about a third of
    that of box averaging.
    """
    from PIL import Image

    height, width = size
    turn = orientation(picture)
    upright_width, upright_height = picture.size[::-1] if is_quarter_turn(turn) else picture.size
    blocks = (
        max(int(upright_width / width / REDUCING_GAP), 1),
        max(int(upright_height / height / REDUCING_GAP), 1),
    )
    reduced = Image.new("RGB", (-(-upright_width // blocks[0]), -(-upright_height // blocks[1])))
    for top, bottom in strips(upright_width, upright_height, blocks[1]):
        strip = to_rgb(upright_strip(picture, turn, top, bottom))
        reduced.paste(strip if blocks == (1, 1) else strip.reduce(blocks), (0, top // blocks[1]))
    if reduced.size != (width, height):
        box = (0, 0, upright_width / blocks[0], upright_height / blocks[1])
        reduced = reduced.resize((width, height), Image.Resampling.BICUBIC, box)
    return np.array(reduced)


def strips(width: int, height: int, rows: int) -> Iterator[tuple[int, int]]:
    """(first row, row after the last) of strips of about ``STRIP_PIXELS``, in multiples of ``rows`` rows."""
    step = max(STRIP_PIXELS // (width * rows), 1) * rows
    for top in range(0, height, step):
        yield top, min(top + step, height)


def orientation(picture: Image.Image) -> Image.Transpose | None:
    """What turns the picture upright, by its EXIF tag Orientation; None where nothing is to be done."""
    from PIL import Image

    turn = Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    try:
        return turns.get(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # Damaged EXIF does not affect the pixels: the picture is not turned.
        return None


def is_quarter_turn(turn: Image.Transpose | None) -> bool:
    """Whether ``turn`` exchanges width and height."""
    from PIL import Image

    kinds = Image.Transpose
    return turn in (kinds.ROTATE_90, kinds.ROTATE_270, kinds.TRANSPOSE, kinds.TRANSVERSE)


def upright_strip(picture: Image.Image, turn: Image.Transpose | None, top: int, bottom: int) -> Image.Image:
    """Rows ``top`` to ``bottom`` of the picture after ``turn``, in the picture's mode."""
    from PIL import Image

    width, height = picture.size
    kinds = Image.Transpose
    rows, rows_from_below = (0, top, width, bottom), (0, height - bottom, width, height - top)
    columns, columns_from_right = (top, 0, bottom, height), (width - bottom, 0, width - top, height)
    boxes = {
        None: rows,
        kinds.FLIP_LEFT_RIGHT: rows,
        kinds.ROTATE_180: rows_from_below,
        kinds.FLIP_TOP_BOTTOM: rows_from_below,
        kinds.TRANSPOSE: columns,
        kinds.ROTATE_270: columns,
        kinds.TRANSVERSE: columns_from_right,
        kinds.ROTATE_90: columns_from_right,
    }
    strip = picture.crop(boxes[turn])
    return strip if turn is None else strip.transpose(turn)


def to_rgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB of a picture in any mode but floating point; transparency is composited over white."""
    from PIL import Image

    if picture.mode.startswith("I"):
        # Pillow clips 16-bit values to 255 instead of scaling them: 65535 = 257 * 255.
        grey = np.clip(np.asarray(picture), 0, 65535).astype(np.uint32)
        clear = picture.info.get("transparency")  # of a PNG the one level of grey that is transparent
        if isinstance(clear, int):
            grey[grey == clear] = 65535
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise PosterGenreError("a picture of floating-point pixels has no defined range; give 8 or 16 bits")
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        colours = picture.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(white, colours).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")
