"""Feature maps and filters as PNG images.

All maps of a step share one colour scale: 0 has the colour of the page's background (nearly black on a dark
page, nearly white on a light one), positive numbers are orange and negative ones blue. The strongest colour
stands for the step's display scale, which one number in two hundred exceeds.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from minicnn.layers.conv import Conv2D

if TYPE_CHECKING:
    from PIL import Image

Background = Literal["light", "dark"]
COLOURS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "dark": ((178, 218, 255), (52, 128, 214), (20, 22, 29), (217, 112, 22), (255, 228, 168)),
    "light": ((8, 46, 104), (72, 140, 216), (246, 246, 243), (240, 140, 40), (116, 44, 0)),
}
SAMPLED = 2**13  # of a larger output, about so many numbers are enough for its display scale
TILE = 96  # maps in an atlas are at most this many pixels a side
GAP = 6  # pixels between the tiles of a row of pictures


@cache
def palette(background: Background) -> bytes:
    """256 RGB colours: entry 128 stands for 0, 1 for -scale and 255 for +scale."""
    stops = np.linspace(-1, 1, len(COLOURS[background]))
    levels = np.clip((np.arange(256) - 128) / 127, -1, 1)
    colours = np.array(COLOURS[background], np.float64)
    return (
        np.stack([np.interp(levels, stops, colours[:, c]) for c in range(3)], axis=1)
        .round()
        .astype(np.uint8)
        .tobytes()
    )


def display_scale(image: np.ndarray, least: float = 1e-6) -> float:
    """The number that the strongest colour stands for: the 99.5th percentile of |image|, at least ``least``.

    Of an image (height, width, channels) of more than ``SAMPLED`` numbers it is the percentile of about that
    many, spread evenly over rows, columns and channels.
    """
    numbers = image.reshape(-1)
    stride = max(1, numbers.size // SAMPLED)
    while math.gcd(stride, image.shape[-1] * image.shape[-2]) > 1:
        stride += 1
    return max(float(np.percentile(np.abs(numbers[::stride]), 99.5)), least)


def reduction_factor(height: int, width: int) -> int:
    """The factor by which the sides of maps are reduced in an atlas."""
    return max(1, -(-max(height, width) // TILE))


def atlas_columns(height: int, width: int, channels: int) -> int:
    """The number of maps side by side in an atlas that is about square."""
    return max(1, min(channels, math.ceil(math.sqrt(channels * height / width))))


def atlas(image: np.ndarray, scale: float, background: Background) -> bytes:
    """All channels of (height, width, channels) as tiles, row by row; PNG.

    Maps are reduced by ``reduction_factor``: each pixel is the mean of a square. Rows and columns left over
    at the bottom and the right are cut off.
    """
    height, width, channels = image.shape
    factor = reduction_factor(height, width)
    if factor > 1:
        height, width = height // factor, width // factor
        squares = image[: height * factor, : width * factor].reshape(height, factor, width, factor, channels)
        image = squares.mean(axis=(1, 3))
    columns = atlas_columns(height, width, channels)
    rows = -(-channels // columns)
    tiles = np.zeros((rows * columns, height, width), np.float32)
    tiles[:channels] = image.transpose(2, 0, 1)
    tiles = tiles.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return map_image(tiles.reshape(rows * height, columns * width), scale, background)


def map_image(values: np.ndarray, scale: float, background: Background) -> bytes:
    """One map (height, width) as a PNG of the same size, in the palette's colours."""
    from PIL import Image

    levels = np.clip(np.nan_to_num(values / scale), -1, 1)
    indices = (128 + np.round(127 * levels)).astype(np.uint8)
    image = Image.frombytes("P", values.shape[::-1], indices.tobytes())
    image.putpalette(palette(background))
    return _png(image)


def filter_sheet(layer: Conv2D) -> bytes:
    """The filters of a convolution over RGB side by side in one row, (kh, out * kw) pixels; PNG.

    Each filter is scaled so that its largest absolute weight is 0 or 255; grey stands for weight 0. Raises
    ValueError for a convolution over other than 3 channels.
    """
    from PIL import Image

    weight = layer.weight.data.astype(np.float64)
    kh, kw, channels, out = weight.shape
    if channels != 3:
        raise ValueError(f"filter_sheet: expected filters over 3 colours, got {channels} channels")
    peak = np.maximum(np.abs(weight).max(axis=(0, 1, 2)), 1e-12)
    tones = np.round(127.5 + 127.5 * weight / peak).astype(np.uint8)
    return _png(Image.fromarray(np.ascontiguousarray(tones.transpose(0, 3, 1, 2)).reshape(kh, out * kw, 3)))


def rgb_image(pixels: np.ndarray) -> bytes:
    """uint8 pixels (h, w, 3) as PNG."""
    from PIL import Image

    return _png(Image.fromarray(np.ascontiguousarray(pixels)))


def tile_row(pictures: Sequence[np.ndarray]) -> bytes:
    """Pictures, uint8 (h, w, 3) each, in a row of square tiles of ``TILE`` pixels, as large as they fit; PNG.

    Between the tiles are ``GAP`` transparent pixels.
    """
    from PIL import Image

    row = Image.new("RGBA", (max((TILE + GAP) * len(pictures) - GAP, 1), TILE))
    for i, pixels in enumerate(pictures):
        factor = TILE / max(pixels.shape[:2])
        width, height = (max(1, round(side * factor)) for side in pixels.shape[1::-1])
        tile = Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), Image.Resampling.NEAREST)
        row.paste(tile, ((TILE + GAP) * i + (TILE - width) // 2, (TILE - height) // 2))
    return _png(row)


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=4)
    return stream.getvalue()
