"""Arguments of the fused kernels: the numbers of each channel, and the positions of the pixels.

Kernels run over flat arrays, so that a position is a start and a step. The records below give those numbers
names; in compiled code they cost nothing (``simd/intrinsics.py``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Affine(NamedTuple):
    """v = (z - mean) * scale + shift, and max(v, floor) after it: (C,) each, of z's dtype.

    The floor is 0 for ReLU, minus infinity without.
    """

    mean: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    floor: np.ndarray


class Correction(NamedTuple):
    """dz = scale * g - offset - slope * (z - mean) where z > cut, else 0: (C,) each, of z's dtype.

    offset and slope are what mean and variance contribute to the gradient. The cut is 0 where z came out of a
    ReLU, minus infinity where it did not.
    """

    offset: np.ndarray
    slope: np.ndarray
    cut: np.ndarray


def rows_of(record: Affine | Correction, dtype: np.dtype) -> np.ndarray:
    """(fields, C): one array for a call of a kernel, which makes it a record again.

    A call from Python costs a microsecond for each record among the arguments, as much as some of the kernels
    take, but a tenth of that for an array.
    """
    return np.array(record, dtype)


class Normalization(NamedTuple):
    """Batch normalisation of z, each (C,): mean and inv_std float64, gamma and beta as in the layer."""

    mean: np.ndarray
    inv_std: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray

    def affine(self, relu: bool) -> Affine:
        """The same with the layer's ReLU after it, or without, in float64."""
        floor = np.full(self.mean.shape, floor_of(relu))
        return Affine(self.mean, self.gamma * self.inv_std, self.beta, floor)


class Gradients(NamedTuple):
    """dz (N, H, W, C); its sum over pixels, dgamma and dbeta (C,), float64."""

    dz: np.ndarray
    bias: np.ndarray
    dgamma: np.ndarray
    dbeta: np.ndarray


class Lanes(NamedTuple):
    """The channels in one vector: WIDTH of them from ``channel`` on.

    The first ``skip`` lanes belong to the vector before as well, where WIDTH does not divide the channels.
    """

    channel: int
    skip: int


class PixelRow(NamedTuple):
    """``length`` pixels: the vector of pixel p begins at number ``start + p * step``."""

    start: int
    length: int
    step: int


class WindowRow(NamedTuple):
    """``length`` windows of 2x2 pixels side by side, in a row of z and in the pooled row.

    The vector of cell (i, j) of window p begins at number ``start + (2 * p + j) * step + i * row`` of z, that
    of the window's output at number ``pooled_start + p * step`` of y, dy and argmax.
    """

    start: int
    length: int
    step: int
    row: int
    pooled_start: int


def floor_of(relu: bool) -> float:
    """The smallest number that passes: 0 with ReLU, minus infinity without."""
    return 0.0 if relu else -np.inf
