"""The definitions, as loops over single numbers: the textbook, and the oracle of the fast kernels.

Every function takes and returns what its namesake in ``dispatch`` does. NHWC throughout:
x (N, H, W, C), w (kh, kw, C/groups, O), y (N, OH, OW, O).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from minicnn.argument_checks import Pair
from minicnn.shapes import ConvGeometry, Geometry, PoolGeometry


def window(i: int, j: int, geometry: Geometry) -> Iterator[tuple[int, int, int, int]]:
    """The pixels under the kernel when it computes output pixel (i, j): (p, q, h, v) with kernel cell
    (p, q) over image pixel (h, v). Cells that hang over the edge of the image are left out: they see zeros.
    """
    (top, _), (left, _) = geometry.padding
    for p in range(geometry.kernel[0]):
        for q in range(geometry.kernel[1]):
            h = i * geometry.stride[0] + p * geometry.dilation[0] - top
            v = j * geometry.stride[1] + q * geometry.dilation[1] - left
            if 0 <= h < geometry.image[0] and 0 <= v < geometry.image[1]:
                yield p, q, h, v


def terms(images: int, geometry: ConvGeometry) -> Iterator[tuple[int, ...]]:
    """The indices (n, i, j, o, h, v, d, p, q, c) of every product in a convolution.

    y[n, i, j, o], x[n, h, v, d] and w[p, q, c, o] belong together, where channel d of x is channel c of the
    group that filter o belongs to.
    """
    _, _, depth, filters = geometry.w_shape
    for n in range(images):
        for i in range(geometry.output[0]):
            for j in range(geometry.output[1]):
                for p, q, h, v in window(i, j, geometry):
                    for o in range(filters):
                        first = o // (filters // geometry.groups) * depth
                        for c in range(depth):
                            yield n, i, j, o, h, v, first + c, p, q, c


def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray | None, geometry: ConvGeometry) -> np.ndarray:
    """``y[n,i,j,o] = b[o] + sum over p,q,c of x[n,h,v,d] * w[p,q,c,o]``, d running over o's group."""
    y = np.zeros(geometry.y_shape(len(x)), x.dtype)
    for n, i, j, o, h, v, d, p, q, c in terms(len(x), geometry):
        y[n, i, j, o] += x[n, h, v, d] * w[p, q, c, o]
    return y if b is None else y + b


def conv2d_backward_input(dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dx[n,h,v,d] = sum of dy[n,i,j,o] * w[p,q,c,o]`` over every (i,j,p,q) that put (p,q) over (h,v)."""
    dx = np.zeros(geometry.x_shape(len(dy)), dy.dtype)
    for n, i, j, o, h, v, d, p, q, c in terms(len(dy), geometry):
        dx[n, h, v, d] += dy[n, i, j, o] * w[p, q, c, o]
    return dx


def conv2d_backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dw[p,q,c,o] = sum over n,i,j of dy[n,i,j,o] * x[n,h,v,d]``."""
    dw = np.zeros(geometry.w_shape, dy.dtype)
    for n, i, j, o, h, v, d, p, q, c in terms(len(dy), geometry):
        dw[p, q, c, o] += dy[n, i, j, o] * x[n, h, v, d]
    return dw


def channel_sums(x: np.ndarray) -> np.ndarray:
    """``s[c] = sum over n,h,v of x[n,h,v,c]``: the gradient of a bias that every pixel had added."""
    rows = x.reshape(-1, x.shape[-1])
    return np.array([math.fsum(rows[:, c]) for c in range(rows.shape[1])], x.dtype)


def relu_forward(x: np.ndarray) -> np.ndarray:
    """``y = max(x, 0)``; NaN stays NaN."""
    y = np.empty(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        y[index] = 0 if x[index] <= 0 else x[index]
    return y


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy`` where y > 0, else 0."""
    dx = np.zeros(dy.shape, dy.dtype)
    for index in np.ndindex(dy.shape):
        if y[index] > 0:
            dx[index] = dy[index]
    return dx


def maxpool2d_forward(x: np.ndarray, geometry: PoolGeometry) -> tuple[np.ndarray, np.ndarray]:
    """The largest number under each window, and the cell ``p * kw + q`` that held it; ties go to the first.

    A NaN beats every number, so that it is seen downstream.
    """
    y = np.empty(geometry.y_shape(len(x), x.shape[3]), x.dtype)
    argmax = np.empty(y.shape, argmax_dtype(geometry.kernel))
    for n, i, j, c in np.ndindex(y.shape):
        best = None
        for p, q, h, v in window(i, j, geometry):
            value = x[n, h, v, c]
            if best is None or value > best or (np.isnan(value) and not np.isnan(best)):
                best = value
                argmax[n, i, j, c] = p * geometry.kernel[1] + q
        y[n, i, j, c] = best
    return y, argmax


def argmax_dtype(size: Pair) -> type[np.integer]:
    """The smallest type that numbers the cells of a window: one byte a pixel for all usual pools."""
    return np.uint8 if size[0] * size[1] <= 256 else np.int32


def maxpool2d_backward(dy: np.ndarray, argmax: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """``dx[n,h,v,c] = sum of dy[n,i,j,c]`` over the windows whose maximum was at (h, v)."""
    (top, _), (left, _) = geometry.padding
    dx = np.zeros(geometry.x_shape(len(dy), dy.shape[3]), dy.dtype)
    for n, i, j, c in np.ndindex(dy.shape):
        p, q = divmod(int(argmax[n, i, j, c]), geometry.kernel[1])
        dx[n, i * geometry.stride[0] + p - top, j * geometry.stride[1] + q - left, c] += dy[n, i, j, c]
    return dx


def averagepool2d_forward(x: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """``y[n,i,j,c]`` = the mean of the image's pixels under the window; padding is not counted."""
    y = np.zeros(geometry.y_shape(len(x), x.shape[3]), x.dtype)
    for n, i, j, c in np.ndindex(y.shape):
        pixels = list(window(i, j, geometry))
        for _, _, h, v in pixels:
            y[n, i, j, c] += x[n, h, v, c]
        y[n, i, j, c] /= len(pixels)
    return y


def averagepool2d_backward(dy: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """Each pixel under a window receives ``dy[n,i,j,c]`` divided by the number of pixels under it."""
    dx = np.zeros(geometry.x_shape(len(dy), dy.shape[3]), dy.dtype)
    for n, i, j, c in np.ndindex(dy.shape):
        pixels = list(window(i, j, geometry))
        for _, _, h, v in pixels:
            dx[n, h, v, c] += dy[n, i, j, c] / len(pixels)
    return dx


def batchnorm_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each column of x (M, C), float64: ``sum (x - mean)**2 / M``."""
    m, channels = x.shape
    mean = np.empty(channels)
    variance = np.empty(channels)
    for c in range(channels):
        column = [float(value) for value in x[:, c]]
        mean[c] = math.fsum(column) / m
        variance[c] = math.fsum((value - mean[c]) ** 2 for value in column) / m
    return mean, variance


def batchnorm_normalize(
    x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, gamma: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """``y[m,c] = gamma[c] * (x[m,c] - mean[c]) * inv_std[c] + beta[c]``."""
    y = np.empty(x.shape, x.dtype)
    for m, c in np.ndindex(x.shape):
        y[m, c] = gamma[c] * (x[m, c] - mean[c]) * inv_std[c] + beta[c]
    return y


def batchnorm_sums(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``dgamma[c] = sum over m of dy * x_hat`` and ``dbeta[c] = sum over m of dy``, float64."""
    dgamma = np.zeros(x.shape[1])
    dbeta = np.zeros(x.shape[1])
    for m, c in np.ndindex(x.shape):
        dgamma[c] += dy[m, c] * (x[m, c] - mean[c]) * inv_std[c]
        dbeta[c] += dy[m, c]
    return dgamma, dbeta


def batchnorm_input_gradient(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    gamma: np.ndarray,
    dgamma: np.ndarray,
    dbeta: np.ndarray,
) -> np.ndarray:
    """``dx = gamma * inv_std * (dy - dbeta / M - x_hat * dgamma / M)``, column by column."""
    count = len(x)
    dx = np.empty(x.shape, dy.dtype)
    for m, c in np.ndindex(x.shape):
        x_hat = (x[m, c] - mean[c]) * inv_std[c]
        dx[m, c] = gamma[c] * inv_std[c] * (dy[m, c] - dbeta[c] / count - x_hat * dgamma[c] / count)
    return dx
