"""Data augmentation: random changes of a poster that leave its genres the same, others in every epoch.

Everything is a pure function of its input and a Generator; the loader derives one from (seed, epoch, sample).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from poster_genre.errors import PosterGenreError

if TYPE_CHECKING:
    from PIL import Image

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma


@dataclass(frozen=True)
class Augmentation:
    """Random changes of one poster, uint8 (h, w, 3) -> uint8 (h, w, 3).

    flip: probability of a mirror image. shift: the poster moves by up to this fraction of its height and of
    its width, by whole pixels; pixels from outside repeat the edge. min_area: a crop of min_area to 1 of the
    poster's area, at a random position, is resized to the full size. aspect: the aspect ratio of the crop
    changes by up to this factor. brightness, contrast, saturation: each is scaled by a factor drawn from
    1 - value to 1 + value. erase: probability that a rectangle of 5 to 20 % of the poster becomes grey (Zhong
    et al. 2017, "Random Erasing").
    """

    flip: float = 0.5
    min_area: float = 0.6
    aspect: float = 1.15
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    erase: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flip", "brightness", "contrast", "saturation", "erase", "shift"):
            if not 0 <= getattr(self, name) <= 1:
                raise PosterGenreError(f"Augmentation: {name} must be from 0 to 1, got {getattr(self, name)}")
        if not 0 < self.min_area <= 1:
            raise PosterGenreError(
                f"Augmentation: min_area must be above 0 and at most 1, got {self.min_area}"
            )
        if not 1 <= self.aspect < math.inf:
            raise PosterGenreError(f"Augmentation: aspect must be at least 1 and finite, got {self.aspect}")

    def __call__(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The changed poster, a new array."""
        from PIL import Image

        if x.dtype != np.uint8 or x.ndim != 3 or x.shape[2] != 3 or x.size == 0:
            raise PosterGenreError(
                f"Augmentation: expected uint8 of shape (h, w, 3), got {x.dtype} {x.shape}"
            )
        height, width = x.shape[:2]
        # All numbers are drawn, in one order: a poster's numbers do not depend on the settings.
        flip, area, aspect, left, top, light, contrast, saturation, erase, down, right = rng.random(11)
        image = Image.fromarray(_shifted(x, self.shift * (2 * down - 1), self.shift * (2 * right - 1)))
        if flip < self.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.min_area < 1 or self.aspect > 1:
            box = self._crop(area, aspect, left, top, width, height)
            image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
        b = 1 + self.brightness * (2 * light - 1)
        c = 1 + self.contrast * (2 * contrast - 1)
        s = 1 + self.saturation * (2 * saturation - 1)
        if not b == c == s == 1:
            image = image.convert("RGB", _colour_matrix(image, b, c, s))
        out = np.array(image)
        if erase < self.erase:
            _erase(out, rng)
        return out

    def _crop(
        self, area: float, aspect: float, left: float, top: float, width: int, height: int
    ) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of a crop, from four numbers drawn uniformly from 0 to 1."""
        scale = math.sqrt(self.min_area + (1 - self.min_area) * area)
        stretch = math.sqrt(self.aspect ** (2 * aspect - 1))
        w, h = min(scale * stretch, 1.0) * width, min(scale / stretch, 1.0) * height
        x, y = left * (width - w), top * (height - h)
        return x, y, min(x + w, width), min(y + h, height)


def _colour_matrix(image: Image.Image, b: float, c: float, s: float) -> tuple[float, ...]:
    """Brightness b, contrast c and saturation s as one affine map of RGB: three rows of three weights and an
    offset.

    Contrast scales the distance to the poster's mean grey m, saturation that to each pixel's own grey g:

        x -> b * (c * (s * x + (1 - s) * g) + (1 - c) * m),  g = 0.299 r + 0.587 g + 0.114 b
    """
    from PIL import Image

    mean = float(np.asarray(image.resize((1, 1), Image.Resampling.BOX))[0, 0] @ np.array(_GREY))
    rows = []
    for channel in range(3):
        rows += [b * c * (s * (channel == k) + (1 - s) * _GREY[k]) for k in range(3)]
        rows.append(b * (1 - c) * mean)
    return tuple(rows)


def _shifted(image: np.ndarray, down: float, right: float) -> np.ndarray:
    """The image moved by these fractions of its height and width, to the nearest pixel."""
    height, width = image.shape[:2]
    dy, dx = round(down * height), round(right * width)
    if dy == dx == 0:
        return image
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    columns = np.clip(np.arange(width) - dx, 0, width - 1)
    return np.ascontiguousarray(image[rows[:, None], columns])


def _erase(image: np.ndarray, rng: np.random.Generator) -> None:
    """Greys a random rectangle of the image in place, 5 to 20 % of its area."""
    height, width = image.shape[:2]
    area, aspect, left, top = rng.random(4)
    side = math.sqrt(0.05 + 0.15 * area)
    stretch = 2 ** (aspect - 0.5)
    h, w = max(1, round(side * stretch * height)), max(1, round(side / stretch * width))
    y, x = int(top * (height - h + 1)), int(left * (width - w + 1))
    image[y : y + h, x : x + w] = 128


@dataclass(frozen=True)
class Mixup:
    """Blends each example with another of its batch, inputs and targets alike.

        x' = l * x + (1 - l) * x[p],  y' = l * y + (1 - l) * y[p],  l ~ Beta(alpha, alpha), p a permutation

    l is drawn once for the whole batch. Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization".
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise PosterGenreError(f"Mixup: alpha must be above 0, got {self.alpha}; leave mixup out instead")

    def __call__(
        self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """x: floating (n, ...), y: (n, ...), labels of any number type. The results keep x's dtype."""
        if not np.issubdtype(x.dtype, np.floating):
            raise PosterGenreError(
                f"Mixup: expected floating-point inputs, got {x.dtype}; normalise them first"
            )
        if len(x) != len(y):
            raise PosterGenreError(f"Mixup: expected as many targets as inputs, got {len(y)} for {len(x)}")
        share = x.dtype.type(rng.beta(self.alpha, self.alpha))
        partner = rng.permutation(len(x))
        y = y.astype(x.dtype)
        return share * x + (1 - share) * x[partner], share * y + (1 - share) * y[partner]
