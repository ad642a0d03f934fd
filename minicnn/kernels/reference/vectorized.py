"""ReLU, pooling and batch normalisation as whole-array NumPy expressions: the ``numpy`` backend's."""

from __future__ import annotations

import numpy as np

from minicnn.kernels.reference.im2col import pad, windows
from minicnn.kernels.reference.naive import argmax_dtype
from minicnn.shapes import Pads, Pair, output_size


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


def maxpool2d_forward(x: np.ndarray, size: Pair, stride: Pair, pads: Pads) -> tuple[np.ndarray, np.ndarray]:
    """Padding is -inf, which no pixel loses to; ``np.argmax`` takes the first maximum, and NaN before all."""
    out = output_size("maxpool2d", (x.shape[1], x.shape[2]), size, stride, pads)
    if pads == ((0, 0), (0, 0)):
        view = windows(x, size, stride, out)
        cells = view.reshape(*view.shape[:3], size[0] * size[1], x.shape[3])
        argmax = cells.argmax(axis=3)
    else:
        # A window of nothing but -inf must not point at a cell of the padding: real pixels come first.
        view = windows(pad(x, pads, -np.inf), size, stride, out)
        cells = view.reshape(*view.shape[:3], size[0] * size[1], x.shape[3])
        real = windows(pad(np.ones((1, *x.shape[1:3], 1), bool), pads, False), size, stride, out)
        real = real.reshape(1, *out, size[0] * size[1], 1)
        largest = cells.max(axis=3, keepdims=True)
        argmax = (real & ((cells == largest) | np.isnan(cells))).argmax(axis=3)
    y = np.take_along_axis(cells, argmax[:, :, :, None], axis=3)[:, :, :, 0]
    return y, argmax.astype(argmax_dtype(size))


def maxpool2d_backward(
    dy: np.ndarray,
    argmax: np.ndarray,
    x_shape: tuple[int, int, int, int],
    size: Pair,
    stride: Pair,
    pads: Pads,
) -> np.ndarray:
    """Cell by cell of the window: dy where this cell won, nothing elsewhere."""
    dx, cells = _padded_zeros(x_shape, size, stride, pads, dy)
    for cell, target in enumerate(cells):
        target += np.where(argmax == cell, dy, dy.dtype.type(0))  # a product would make inf * 0, NaN
    return _crop(dx, x_shape, pads)


def averagepool2d_forward(x: np.ndarray, size: Pair, stride: Pair, pads: Pads) -> np.ndarray:
    out = output_size("averagepool2d", (x.shape[1], x.shape[2]), size, stride, pads)
    view = windows(pad(x, pads), size, stride, out)
    return view.sum(axis=(3, 4)) / _pixel_counts(x.shape[1:3], size, stride, pads, out, x.dtype)


def averagepool2d_backward(
    dy: np.ndarray, x_shape: tuple[int, int, int, int], size: Pair, stride: Pair, pads: Pads
) -> np.ndarray:
    counts = _pixel_counts(x_shape[1:3], size, stride, pads, (dy.shape[1], dy.shape[2]), dy.dtype)
    share = dy / counts
    dx, cells = _padded_zeros(x_shape, size, stride, pads, dy)
    for target in cells:
        target += share
    return _crop(dx, x_shape, pads)


def _pixel_counts(
    image: tuple[int, ...], size: Pair, stride: Pair, pads: Pads, out: Pair, dtype: np.dtype
) -> np.ndarray:
    """How many pixels of the image each window sees, (1, OH, OW, 1)."""
    return windows(pad(np.ones((1, *image, 1), dtype), pads), size, stride, out).sum(axis=(3, 4))


def _padded_zeros(
    x_shape: tuple[int, int, int, int], size: Pair, stride: Pair, pads: Pads, dy: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """A zero gradient of the padded image, and for each cell of the window a view of the pixels under it."""
    n, height, width, c = x_shape
    dx = np.zeros((n, height + sum(pads[0]), width + sum(pads[1]), c), dy.dtype)
    last_row, last_column = (dy.shape[1] - 1) * stride[0] + 1, (dy.shape[2] - 1) * stride[1] + 1
    cells = [
        dx[:, p : p + last_row : stride[0], q : q + last_column : stride[1]]
        for p in range(size[0])
        for q in range(size[1])
    ]
    return dx, cells


def _crop(dx: np.ndarray, x_shape: tuple[int, int, int, int], pads: Pads) -> np.ndarray:
    (top, _), (left, _) = pads
    return dx[:, top : top + x_shape[1], left : left + x_shape[2]]


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
