"""Heat maps: resized, as colours, and laid over a poster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

COLOURS = "inferno"  # a colour map of matplotlib
OPACITY = 0.35, 0.85  # of the colours over the poster where the heat is 0 and 1


def resize_map(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (rows, columns) at the pixels of ``size = (height, width)``, float32.

    Linear between the centres of cells, constant beyond the outermost centres.
    """
    down, across = (_weights(cells, pixels) for cells, pixels in zip(values.shape, size, strict=True))
    return (down @ values.astype(np.float64) @ across.T).astype(np.float32)


def _weights(cells: int, pixels: int) -> np.ndarray:
    """(pixels, cells): the weight of each cell's value in each pixel's."""
    position = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(cells)), 0)


def heat_layer(heat: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """heat (h, w), 0 to 1, as an RGBA image of ``size = (height, width)`` to lay over a poster."""
    from matplotlib import colormaps
    from PIL import Image

    level = np.clip(resize_map(heat, size), 0, 1)
    colours = colormaps[COLOURS](level, bytes=True)[..., :3]
    opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * level[..., None]
    pixels = np.concatenate([colours, np.round(255 * opacity)], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


def overlay(poster: Image.Image, heat: np.ndarray) -> Image.Image:
    """The poster in grey under the colours of heat (h, w), 0 to 1; RGB, of the poster's size."""
    grey = poster.convert("L").convert("RGBA")
    grey.alpha_composite(heat_layer(heat, (poster.height, poster.width)))
    return grey.convert("RGB")
