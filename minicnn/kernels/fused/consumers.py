"""Receivers of the rows of a convolution (``runtime/row_consumer.py``), for batch normalisation.

Training needs the mean and variance of all rows before it can normalise the first: ``Moments`` gathers them.
Inference has them beforehand: ``Normalizer`` turns rows of z into rows of y; z as a whole never exists.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.fused.image_kernels import moments, normalize, normalize_pool
from minicnn.kernels.fused.records import Normalization, rows_of


def combine_moments(
    counts: np.ndarray, pivots: np.ndarray, sums: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance (C,), float64, of parts whose sums (parts, C) were taken about their pivots.

    After Chan, Golub and LeVeque 1983: the squares about the mean of all are those about the parts' means,
    plus count * (mean of the part - mean of all)**2.
    """
    n = counts.astype(np.float64)[:, None]
    deviations = sums / n
    means = pivots + deviations
    mean = (n * means).sum(axis=0) / n.sum()
    about_mean = squares - n * deviations**2 + n * (means - mean) ** 2
    return mean, np.maximum(about_mean.sum(axis=0) / n.sum(), 0)


class Moments:
    """Mean and variance of the rows of z: ``statistics``, once all rows have come."""

    def __init__(self, channels: int, dtype: np.dtype) -> None:
        self.channels, self.dtype = channels, dtype

    def expect(self, tasks: int) -> None:
        """Make room for the sums of so many tasks."""
        self.counts = np.zeros(tasks)
        self.pivots, self.sums, self.squares = np.zeros((3, tasks, self.channels), self.dtype)

    def __call__(self, task: int, first: int, last: int, rows: np.ndarray) -> None:
        """Sum up the rows of one task, about its first pixel."""
        pixels = rows.size // self.channels
        self.counts[task] = pixels
        self.pivots[task] = rows[: self.channels]
        moments(rows, self.channels, 0, pixels, self.pivots[task], self.sums[task], self.squares[task])

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and biased variance (C,), float64."""
        return combine_moments(self.counts, self.pivots, self.sums, self.squares)


class Normalizer:
    """Writes y, the rows of z normalised, with ``relu`` cut off at 0 and with ``pooled`` pooled 2x2."""

    def __init__(
        self, z_shape: tuple[int, ...], y: np.ndarray, n: Normalization, relu: bool, pooled: bool
    ) -> None:
        self.size, self.y, self.pooled = z_shape[1:], y.reshape(-1), pooled
        self.affine = rows_of(n.affine(relu), y.dtype)

    def expect(self, tasks: int) -> None:
        """Nothing to prepare: rows of y do not depend on each other."""

    def __call__(self, task: int, first: int, last: int, rows: np.ndarray) -> None:
        """Normalise rows first..last-1 of z."""
        height, width, channels = self.size
        if self.pooled:
            begin, end = (row // height * (height // 2) + row % height // 2 for row in (first, last))
            y = self.y[begin * (width // 2) * channels : end * (width // 2) * channels]
            argmax, z_origin = np.empty(y.size, np.uint8), first * width * channels
            normalize_pool(rows, z_origin, self.affine, y, argmax, begin, self.size, begin, end)
        else:
            y = self.y[first * width * channels : last * width * channels]
            normalize(rows, self.affine, y, channels, 0, rows.size // channels)
