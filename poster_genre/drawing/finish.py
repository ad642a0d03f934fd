"""The finish of a drawn poster: a vignette and film grain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image


def finish(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The image with a vignette and film grain; the same size and mode, RGB."""
    pixels = np.asarray(image, dtype=np.int16)
    height, width, _ = pixels.shape
    grain = rng.integers(-7, 8, size=(height, width, 1), dtype=np.int16)
    shaded = (pixels * _vignette(height, width)) >> 8
    shaded += grain + np.int16(5)
    return Image.fromarray(np.clip(shaded, 0, 255).astype(np.uint8))


@lru_cache(maxsize=4)
def _vignette(height: int, width: int) -> np.ndarray:
    """Brightness in 256ths, (height, width, 1) int32: 256 in the middle, less towards the corners."""
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None, :]
    shade: np.ndarray = np.round(256 - 38 * np.clip((x * x + y * y) / 2, 0, 1) ** 1.5).astype(np.int32)
    return shade[:, :, None]
