"""The definitions, as loops over single numbers: the textbook, and the oracle of the fast kernels.

Every function takes and returns what its namesake in ``dispatch`` does. NHWC throughout:
x (N, H, W, C), w (kh, kw, C/groups, O), y (N, OH, OW, O).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from minicnn.shapes import Pads, Pair, output_size


def window(
    i: int, j: int, size: Pair, kernel: Pair, stride: Pair, pads: Pads, dilation: Pair = (1, 1)
) -> Iterator[tuple[int, int, int, int]]:
    """The pixels under the kernel when it computes output pixel (i, j): (p, q, h, v) with kernel cell
    (p, q) over image pixel (h, v). Cells that hang over the edge of the image are left out: they see zeros.
    """
    (top, _), (left, _) = pads
    for p in range(kernel[0]):
        for q in range(kernel[1]):
            h = i * stride[0] + p * dilation[0] - top
            v = j * stride[1] + q * dilation[1] - left
            if 0 <= h < size[0] and 0 <= v < size[1]:
                yield p, q, h, v


def conv2d_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``y[n,i,j,o] = b[o] + sum over p,q,c of x[n,h,v,c] * w[p,q,c,o]``, c running over o's group."""
    n_images, height, width, _ = x.shape
    kh, kw, depth, n_filters = w.shape
    out_h, out_w = output_size("conv2d", (height, width), (kh, kw), stride, pads, dilation)
    y = np.zeros((n_images, out_h, out_w, n_filters), x.dtype)
    for n in range(n_images):
        for i in range(out_h):
            for j in range(out_w):
                for p, q, h, v in window(i, j, (height, width), (kh, kw), stride, pads, dilation):
                    for o in range(n_filters):
                        first = o // (n_filters // groups) * depth
                        y[n, i, j, o] += x[n, h, v, first : first + depth] @ w[p, q, :, o]
    return y if b is None else y + b


def conv2d_backward_input(
    dy: np.ndarray,
    w: np.ndarray,
    x_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``dx[n,h,v,c] = sum of dy[n,i,j,o] * w[p,q,c,o]`` over every (i,j,p,q) that put (p,q) over (h,v)."""
    n_images, height, width, _ = x_shape
    kh, kw, depth, n_filters = w.shape
    dx = np.zeros(x_shape, dy.dtype)
    for n in range(n_images):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for p, q, h, v in window(i, j, (height, width), (kh, kw), stride, pads, dilation):
                    for o in range(n_filters):
                        first = o // (n_filters // groups) * depth
                        dx[n, h, v, first : first + depth] += dy[n, i, j, o] * w[p, q, :, o]
    return dx


def conv2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    w_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``dw[p,q,c,o] = sum over n,i,j of dy[n,i,j,o] * x[n,h,v,c]``."""
    n_images, height, width, _ = x.shape
    kh, kw, depth, n_filters = w_shape
    dw = np.zeros(w_shape, dy.dtype)
    for n in range(n_images):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for p, q, h, v in window(i, j, (height, width), (kh, kw), stride, pads, dilation):
                    for o in range(n_filters):
                        first = o // (n_filters // groups) * depth
                        dw[p, q, :, o] += dy[n, i, j, o] * x[n, h, v, first : first + depth]
    return dw


def channel_sums(x: np.ndarray) -> np.ndarray:
    """``s[c] = sum over n,h,w of x[n,h,w,c]``: the gradient of a bias that every pixel had added."""
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


def maxpool2d_forward(x: np.ndarray, size: Pair, stride: Pair, pads: Pads) -> tuple[np.ndarray, np.ndarray]:
    """The largest number under each window, and the cell ``p * kw + q`` that held it; ties go to the first.

    A NaN beats every number, so that it is seen downstream.
    """
    n_images, height, width, channels = x.shape
    out_h, out_w = output_size("maxpool2d", (height, width), size, stride, pads)
    y = np.empty((n_images, out_h, out_w, channels), x.dtype)
    argmax = np.empty(y.shape, argmax_dtype(size))
    for n in range(n_images):
        for i in range(out_h):
            for j in range(out_w):
                for c in range(channels):
                    best = None
                    for p, q, h, v in window(i, j, (height, width), size, stride, pads):
                        value = x[n, h, v, c]
                        if best is None or value > best or (np.isnan(value) and not np.isnan(best)):
                            best = value
                            argmax[n, i, j, c] = p * size[1] + q
                    y[n, i, j, c] = best
    return y, argmax


def argmax_dtype(size: Pair) -> type[np.integer]:
    """The smallest type that numbers the cells of a window: one byte a pixel for all usual pools."""
    return np.uint8 if size[0] * size[1] <= 256 else np.int32


def maxpool2d_backward(
    dy: np.ndarray,
    argmax: np.ndarray,
    x_shape: tuple[int, int, int, int],
    size: Pair,
    stride: Pair,
    pads: Pads,
) -> np.ndarray:
    """``dx[n,h,v,c] = sum of dy[n,i,j,c]`` over the windows whose maximum stood at (h, v)."""
    (top, _), (left, _) = pads
    dx = np.zeros(x_shape, dy.dtype)
    for n, i, j, c in np.ndindex(dy.shape):
        p, q = divmod(int(argmax[n, i, j, c]), size[1])
        dx[n, i * stride[0] + p - top, j * stride[1] + q - left, c] += dy[n, i, j, c]
    return dx


def averagepool2d_forward(x: np.ndarray, size: Pair, stride: Pair, pads: Pads) -> np.ndarray:
    """``y[n,i,j,c]`` = the mean of the image's pixels under the window; padding is not counted."""
    n_images, height, width, channels = x.shape
    out_h, out_w = output_size("averagepool2d", (height, width), size, stride, pads)
    y = np.zeros((n_images, out_h, out_w, channels), x.dtype)
    for n in range(n_images):
        for i in range(out_h):
            for j in range(out_w):
                pixels = list(window(i, j, (height, width), size, stride, pads))
                for _, _, h, v in pixels:
                    y[n, i, j] += x[n, h, v]
                y[n, i, j] /= len(pixels)
    return y


def averagepool2d_backward(
    dy: np.ndarray, x_shape: tuple[int, int, int, int], size: Pair, stride: Pair, pads: Pads
) -> np.ndarray:
    """Each pixel under a window receives ``dy[n,i,j,c]`` divided by the number of pixels there."""
    n_images, height, width, _ = x_shape
    dx = np.zeros(x_shape, dy.dtype)
    for n in range(n_images):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                pixels = list(window(i, j, (height, width), size, stride, pads))
                for _, _, h, v in pixels:
                    dx[n, h, v] += dy[n, i, j] / len(pixels)
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
