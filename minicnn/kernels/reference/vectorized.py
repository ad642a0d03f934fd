"""ReLU, pooling and batch normalisation as whole-array NumPy expressions: the ``numpy`` backend's."""

from __future__ import annotations

import numpy as np

from minicnn.kernels.reference.im2col import pad, windows
from minicnn.kernels.reference.naive import argmax_dtype
from minicnn.shapes import PoolGeometry


def channel_sums(x: np.ndarray) -> np.ndarray:
    """``s[c]`` = the sum of x over every axis but the last, added up in float64."""
    return x.reshape(-1, x.shape[-1]).sum(axis=0, dtype=np.float64).astype(x.dtype)


def relu_forward(x: np.ndarray) -> np.ndarray:
    """``y = max(x, 0)``; NaN stays NaN."""
    return np.maximum(x, 0)


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy`` where y > 0, else 0, also under an infinite dy."""
    return np.where(y > 0, dy, dy.dtype.type(0))


def masked(x: np.ndarray, mask: np.ndarray, scale: float) -> np.ndarray:
    """``x * scale`` where the mask is set, ``x * 0`` elsewhere."""
    y = x * mask
    y *= scale
    return y


def global_average(x: np.ndarray) -> np.ndarray:
    """(N, C) means of x (N, H, W, C), summed in float64: in float32, a million numbers lose a percent."""
    return x.mean(axis=(1, 2), dtype=np.float64).astype(x.dtype, copy=False)


def maxpool2d_forward(x: np.ndarray, geometry: PoolGeometry) -> tuple[np.ndarray, np.ndarray]:
    """The maximum of each window and its cell. Padding is -inf, which is larger than no pixel.

    ``np.argmax`` takes the first maximum, and NaN before all.
    """
    cells = _cells(pad(x, geometry.padding, -np.inf), geometry)
    if geometry.padding == ((0, 0), (0, 0)):
        argmax = cells.argmax(axis=3)
    else:
        # In a window of nothing but -inf the maximum must be a pixel, not a cell of the padding.
        inside = _cells(pad(np.ones((1, *geometry.image, 1), bool), geometry.padding, False), geometry)
        largest = cells.max(axis=3, keepdims=True)
        argmax = (inside & ((cells == largest) | np.isnan(cells))).argmax(axis=3)
    y = np.take_along_axis(cells, argmax[:, :, :, None], axis=3)[:, :, :, 0]
    return y, argmax.astype(argmax_dtype(geometry.kernel))


def maxpool2d_backward(dy: np.ndarray, argmax: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """Cell by cell of the window: dy where this cell is the maximum, nothing elsewhere."""
    dx, pixels = _padded_zeros(dy, geometry)
    for cell, target in enumerate(pixels):
        target += np.where(argmax == cell, dy, dy.dtype.type(0))  # a product would make inf * 0, NaN
    return _crop(dx, geometry)


def averagepool2d_forward(x: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """The sum under each window over the number of the image's pixels there."""
    view = windows(pad(x, geometry.padding), geometry)
    return view.sum(axis=(3, 4)) / _pixel_counts(geometry, x.dtype)


def averagepool2d_backward(dy: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """Cell by cell of the window: dy over the number of pixels under its window."""
    share = dy / _pixel_counts(geometry, dy.dtype)
    dx, pixels = _padded_zeros(dy, geometry)
    for target in pixels:
        target += share
    return _crop(dx, geometry)


def _cells(padded: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """(N, OH, OW, kh * kw, C): the numbers under each window, cell by cell."""
    view = windows(padded, geometry)
    return view.reshape(*view.shape[:3], -1, padded.shape[3])


def _pixel_counts(geometry: PoolGeometry, dtype: np.dtype) -> np.ndarray:
    """How many pixels of the image lie under each window, (1, OH, OW, 1)."""
    ones = np.ones((1, *geometry.image, 1), dtype)
    return windows(pad(ones, geometry.padding), geometry).sum(axis=(3, 4))


def _padded_zeros(dy: np.ndarray, geometry: PoolGeometry) -> tuple[np.ndarray, list[np.ndarray]]:
    """A zero gradient of the padded image, and for each cell of the window a view of the pixels under it."""
    (height, width), (vertical, horizontal) = geometry.image, geometry.padding
    (kh, kw), (sh, sw), (oh, ow) = geometry.kernel, geometry.stride, geometry.output
    dx = np.zeros((len(dy), height + sum(vertical), width + sum(horizontal), dy.shape[3]), dy.dtype)
    last_row, last_column = (oh - 1) * sh + 1, (ow - 1) * sw + 1
    pixels = [dx[:, p : p + last_row : sh, q : q + last_column : sw] for p in range(kh) for q in range(kw)]
    return dx, pixels


def _crop(dx: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """The gradient of the image, without that of its padding."""
    (height, width), ((top, _), (left, _)) = geometry.image, geometry.padding
    return dx[:, top : top + height, left : left + width]


def batchnorm_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each column of x (M, C), in float64."""
    mean = x.mean(axis=0, dtype=np.float64)
    variance = np.square(x - mean.astype(x.dtype)).mean(axis=0, dtype=np.float64)
    # The mean was rounded to x's dtype; (mean - rounded)**2 too much is what that adds to the variance.
    return mean, np.maximum(variance - np.square(mean - mean.astype(x.dtype)), 0)


def batchnorm_normalize(
    x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, gamma: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """``y = (x - mean) * (gamma * inv_std) + beta``."""
    y = x - mean.astype(x.dtype)
    y *= (gamma * inv_std).astype(x.dtype)
    y += beta
    return y


def batchnorm_sums(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``dgamma = sum of dy * x_hat``, ``dbeta = sum of dy``, float64."""
    centred = x - mean.astype(x.dtype)
    centred *= dy
    return centred.sum(axis=0, dtype=np.float64) * inv_std, dy.sum(axis=0, dtype=np.float64)


def batchnorm_input_gradient(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    gamma: np.ndarray,
    dgamma: np.ndarray,
    dbeta: np.ndarray,
) -> np.ndarray:
    """``dx = gamma * inv_std * (dy - dbeta / M - x_hat * dgamma / M)``."""
    dx = x - mean.astype(x.dtype)
    dx *= (-inv_std * dgamma / len(x)).astype(x.dtype)
    dx += dy
    dx -= (dbeta / len(x)).astype(x.dtype)
    dx *= (gamma * inv_std).astype(x.dtype)
    return dx
