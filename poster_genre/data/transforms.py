"""From a picture to the network's input, the same for training and serving.

bytes -> ``load_poster`` -> uint8 (h, w, 3) -> ``Normalisation.apply`` -> float32
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from poster_genre.data.image_reader import ImageInput, decoded
from poster_genre.data.upright_rgb import shrink
from poster_genre.errors import PosterGenreError

VERSION = 1
"""To be raised when the same bytes give other pixels than before: a cache of the old pixels is then not
used.
"""


def load_poster(source: ImageInput, size: tuple[int, int], name: str | None = None) -> np.ndarray:
    """Any accepted picture squashed to ``size = (height, width)``: uint8 (height, width, 3).

    What ``read_poster`` gives, resized, but in little more memory than the decoded picture takes; see
    ``upright_rgb.shrink``. The errors of ``read_poster``, and PosterGenreError for a ``size`` below (1, 1).
    """
    if min(size) < 1:
        raise PosterGenreError(f"load_poster: expected a (height, width) of at least (1, 1), got {size}")
    with decoded(source, name) as picture:
        return shrink(picture, size)


@dataclass(frozen=True)
class Normalisation:
    """``(x / 255 - mean) / std`` for each channel; mean and std are on the scale of 0 to 1."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        for field in ("mean", "std"):
            values = tuple(float(v) for v in getattr(self, field))
            if len(values) != 3 or not np.isfinite(values).all():
                raise PosterGenreError(f"Normalisation: {field} must be 3 finite numbers, got {values}")
            object.__setattr__(self, field, values)
        if min(self.std) <= 0:
            raise PosterGenreError(f"Normalisation: std must be above 0, got {self.std}")

    def apply(self, images: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
        """uint8 (..., 3) to ``dtype`` (..., 3)."""
        _check_pixels("Normalisation.apply", images)
        mean, std = np.array(self.mean), np.array(self.std)
        scaled = np.multiply(images, (1 / (255 * std)).astype(dtype), dtype=dtype)
        scaled -= (mean / std).astype(dtype)
        return scaled


def _check_pixels(name: str, images: np.ndarray) -> None:
    if images.dtype != np.uint8 or images.ndim < 3 or images.shape[-1] != 3:
        raise PosterGenreError(
            f"{name}: expected uint8 images of shape (n, h, w, 3), got {images.dtype} {images.shape}"
        )
