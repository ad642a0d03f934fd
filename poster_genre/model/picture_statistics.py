"""Numbers that tell posters from other pictures: how plain a picture is, and how its colours are spread.

A white sheet, a page of text or a chart differ from posters in them more than in what a network for genres
reads.
"""

from __future__ import annotations

import numpy as np

STATISTICS = (
    "share of the commonest colour",
    "share of the four commonest colours",
    "square root of the number of colours",
    "square root of the share of pixels like their right neighbour",
    "square root of the share of pixels like their lower neighbour",
    "log of the mean difference to the right neighbour",
    "log of the mean difference to the lower neighbour",
    "mean of the lightness",
    "deviation of the lightness",
    "log of the least deviation along a row",
    "log of the median deviation along a row",
    "log of the least deviation along a column",
    "log of the median deviation along a column",
    "log of the deviation along the border",
)
"""Colours are of 4 bits a channel; differences and deviations in steps of 0 to 255, logs of 1 more."""
BITS = 4
ALIKE = 2  # pixels that differ by less in every channel count as alike


def picture_statistics(pixels: np.ndarray) -> np.ndarray:
    """The ``STATISTICS`` of uint8 pixels (N, h, w, 3): (N, 14) float64."""
    return np.stack([_statistics(each) for each in pixels]) if len(pixels) else np.zeros((0, len(STATISTICS)))


def _statistics(picture: np.ndarray) -> np.ndarray:
    coarse = (picture >> (8 - BITS)).astype(np.int64)
    colours = (coarse[..., 0] << 2 * BITS) + (coarse[..., 1] << BITS) + coarse[..., 2]
    shares = np.sort(np.bincount(colours.ravel(), minlength=8**BITS))[::-1] / colours.size
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)  # reduces faster than channels last
    lightness = planes.mean(axis=0)
    right, below = (np.abs(np.diff(planes, axis=axis)).max(axis=0) for axis in (2, 1))
    rows, columns = (planes.std(axis=axis).mean(axis=0) for axis in (2, 1))
    border = np.concatenate([planes[:, 0], planes[:, -1], planes[:, :, 0], planes[:, :, -1]], axis=1)
    return np.array(
        [
            shares[0],
            shares[:4].sum(),
            np.sqrt(np.count_nonzero(shares)),
            np.sqrt(np.mean(right < ALIKE)),
            np.sqrt(np.mean(below < ALIKE)),
            np.log1p(right.mean()),
            np.log1p(below.mean()),
            lightness.mean(),
            lightness.std(),
            np.log1p(rows.min()),
            np.log1p(np.median(rows)),
            np.log1p(columns.min()),
            np.log1p(np.median(columns)),
            np.log1p(border.std(axis=1).mean()),
        ],
        np.float64,
    )
