"""Feature maps and filters as PNG.

Numbers become colours on one scale for all maps of a step: 0 is the ground (nearly black on a dark page,
nearly white on a light one), positive numbers are orange, negative ones blue, and the strongest tone is the
step's ``scale``, which only one number in two hundred exceeds.
"""

from __future__ import annotations

import io
import math
from functools import cache
from typing import Literal

import numpy as np

from minicnn.layers.conv import Conv2D

Ground = Literal["light", "dark"]
TONES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "dark": ((178, 218, 255), (52, 128, 214), (20, 22, 29), (217, 112, 22), (255, 228, 168)),
    "light": ((8, 46, 104), (72, 140, 216), (246, 246, 243), (240, 140, 40), (116, 44, 0)),
}
SAMPLED = 2**13
TILE = 96  # maps in an atlas are at most this many pixels a side


@cache
def palette(ground: Ground) -> bytes:
    """256 RGB colours: entry 128 stands for 0, 1 for -scale and 255 for +scale."""
    at = np.linspace(-1, 1, len(TONES[ground]))
    levels = np.clip((np.arange(256) - 128) / 127, -1, 1)
    tones = np.array(TONES[ground], np.float64)
    return (
        np.stack([np.interp(levels, at, tones[:, c]) for c in range(3)], axis=1)
        .round()
        .astype(np.uint8)
        .tobytes()
    )


def scale_of(image: np.ndarray) -> float:
    """What the strongest tone stands for: the 99.5th percentile of the absolute values, at least 1e-6.

    Of an image (height, width, channels) of more than ``SAMPLED`` numbers about so many are looked at, spread
    evenly over rows, columns and channels.
    """
    numbers = image.reshape(-1)
    stride = max(1, numbers.size // SAMPLED)
    while math.gcd(stride, image.shape[-1] * image.shape[-2]) > 1:
        stride += 1
    return max(float(np.percentile(np.abs(numbers[::stride]), 99.5)), 1e-6)


def shrinkage(height: int, width: int) -> int:
    """By how much maps are shrunk for an atlas."""
    return max(1, -(-max(height, width) // TILE))


def atlas_columns(height: int, width: int, channels: int) -> int:
    """Maps beside each other in an atlas that is about square."""
    return max(1, min(channels, math.ceil(math.sqrt(channels * height / width))))


def atlas(image: np.ndarray, scale: float, ground: Ground) -> bytes:
    """All channels of (height, width, channels) as tiles, row by row; PNG.

    A tile is a map shrunk by ``shrinkage``: means over squares, what is left over at the far edges cut off.
    """
    height, width, channels = image.shape
    by = shrinkage(height, width)
    if by > 1:
        height, width = height // by, width // by
        image = image[: height * by, : width * by].reshape(height, by, width, by, channels).mean(axis=(1, 3))
    columns = atlas_columns(height, width, channels)
    rows = -(-channels // columns)
    sheet = np.zeros((rows * columns, height, width), np.float32)
    sheet[:channels] = image.transpose(2, 0, 1)
    sheet = sheet.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return coloured(sheet.reshape(rows * height, columns * width), scale, ground)


def coloured(grid: np.ndarray, scale: float, ground: Ground) -> bytes:
    """Numbers (height, width) as a PNG of as many pixels."""
    from PIL import Image

    levels = np.clip(np.nan_to_num(grid / scale), -1, 1)
    picture = Image.frombytes(
        "P", grid.shape[::-1], (128 + np.round(127 * levels)).astype(np.uint8).tobytes()
    )
    picture.putpalette(palette(ground))
    return png(picture)


def filter_sheet(layer: Conv2D) -> bytes:
    """The filters of a convolution over RGB as pictures in one row, (kh, out * kw) pixels; PNG.

    Each filter is stretched so that its largest weight, in absolute value, is full tone; grey stands for 0.
    """
    from PIL import Image

    weight = layer.weight.data.astype(np.float64)
    kh, kw, channels, out = weight.shape
    if channels != 3:
        raise ValueError(f"filter_sheet: expected filters over 3 colours, got {channels} channels")
    peak = np.maximum(np.abs(weight).max(axis=(0, 1, 2)), 1e-12)
    tones = np.round(127.5 + 127.5 * weight / peak).astype(np.uint8)
    return png(Image.fromarray(np.ascontiguousarray(tones.transpose(0, 3, 1, 2)).reshape(kh, out * kw, 3)))


def picture_of(pixels: np.ndarray) -> bytes:
    """uint8 (h, w, 3) as PNG."""
    from PIL import Image

    return png(Image.fromarray(np.ascontiguousarray(pixels)))


def png(picture: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=4)  # type: ignore[attr-defined]
    return stream.getvalue()
