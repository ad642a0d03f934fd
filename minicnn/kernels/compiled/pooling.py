"""Max and average pooling as compiled loops: the window's cells outside, the channels inside.

With the channels innermost each cell of a window is one vector operation on neighbouring numbers. ``first``
and ``last`` count rows of the output, row r being row r % OH of image r // OH.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.reference.naive import argmax_dtype
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.shapes import PoolGeometry


@jit
def maximum_rows(x, y, argmax, first, last, geometry):  # type: ignore[no-untyped-def]
    """Largest number under each window, and its cell: the first of equal ones, or the first NaN."""
    geometry = PoolGeometry(*geometry)
    (height, width), (oh, ow), channels = geometry.image, geometry.output, x.shape[3]
    (kh, kw), (sh, sw), ((top, _), (left, _)) = geometry.kernel, geometry.stride, geometry.padding
    for r in range(first, last):
        n, i = r // oh, r % oh
        p0, p1 = max(0, top - i * sh), min(kh, height + top - i * sh)
        for j in range(ow):
            q0, q1 = max(0, left - j * sw), min(kw, width + left - j * sw)
            best, winner = y[n, i, j], argmax[n, i, j]
            source = x[n, i * sh + p0 - top, j * sw + q0 - left]
            for c in range(channels):
                best[c] = source[c]
                winner[c] = p0 * kw + q0
            for p in range(p0, p1):
                for q in range(q0, q1):
                    source = x[n, i * sh + p - top, j * sw + q - left]
                    cell = winner.dtype.type(p * kw + q)
                    for c in range(channels):
                        a, m = source[c], best[c]
                        wins = (a > m) | ((a != a) & (m == m))
                        best[c] = a if wins else m
                        winner[c] = cell if wins else winner[c]


@jit
def maximum_gradient(dy, argmax, dx, first, last, geometry):  # type: ignore[no-untyped-def]
    """Images first..last-1 of dx, set to 0 and then each dy added at the maximum of its window."""
    geometry = PoolGeometry(*geometry)
    (height, width), (oh, ow), channels = geometry.image, geometry.output, dx.shape[3]
    (kh, kw), (sh, sw), ((top, _), (left, _)) = geometry.kernel, geometry.stride, geometry.padding
    for n in range(first, last):
        dx[n] = 0
        for i in range(oh):
            p0, p1 = max(0, top - i * sh), min(kh, height + top - i * sh)
            for j in range(ow):
                q0, q1 = max(0, left - j * sw), min(kw, width + left - j * sw)
                upstream, winner = dy[n, i, j], argmax[n, i, j]
                for p in range(p0, p1):
                    for q in range(q0, q1):
                        target = dx[n, i * sh + p - top, j * sw + q - left]
                        cell = winner.dtype.type(p * kw + q)
                        for c in range(channels):
                            target[c] += upstream[c] if winner[c] == cell else upstream.dtype.type(0)


@jit
def average_rows(x, y, first, last, geometry):  # type: ignore[no-untyped-def]
    """The mean of the image's pixels under each window."""
    geometry = PoolGeometry(*geometry)
    (height, width), (oh, ow), channels = geometry.image, geometry.output, x.shape[3]
    (kh, kw), (sh, sw), ((top, _), (left, _)) = geometry.kernel, geometry.stride, geometry.padding
    for r in range(first, last):
        n, i = r // oh, r % oh
        p0, p1 = max(0, top - i * sh), min(kh, height + top - i * sh)
        for j in range(ow):
            q0, q1 = max(0, left - j * sw), min(kw, width + left - j * sw)
            target = y[n, i, j]
            target[:] = 0
            for p in range(p0, p1):
                for q in range(q0, q1):
                    source = x[n, i * sh + p - top, j * sw + q - left]
                    for c in range(channels):
                        target[c] += source[c]
            count = y.dtype.type((p1 - p0) * (q1 - q0))
            for c in range(channels):
                target[c] /= count


@jit
def average_gradient(dy, dx, first, last, geometry):  # type: ignore[no-untyped-def]
    """Images first..last-1 of dx, set to 0 and then each dy shared out among the pixels under its window."""
    geometry = PoolGeometry(*geometry)
    (height, width), (oh, ow), channels = geometry.image, geometry.output, dx.shape[3]
    (kh, kw), (sh, sw), ((top, _), (left, _)) = geometry.kernel, geometry.stride, geometry.padding
    for n in range(first, last):
        dx[n] = 0
        for i in range(oh):
            p0, p1 = max(0, top - i * sh), min(kh, height + top - i * sh)
            for j in range(ow):
                q0, q1 = max(0, left - j * sw), min(kw, width + left - j * sw)
                upstream = dy[n, i, j]
                count = dy.dtype.type((p1 - p0) * (q1 - q0))
                for p in range(p0, p1):
                    for q in range(q0, q1):
                        target = dx[n, i * sh + p - top, j * sw + q - left]
                        for c in range(channels):
                            target[c] += upstream[c] / count


@jit
def sum_pixels(x, sums, first, last):  # type: ignore[no-untyped-def]
    """sums (N, C), float64, of images first..last-1 of x (N, pixels, C): four pixels at a time."""
    pixels, channels = x.shape[1], x.shape[2]
    for n in range(first, last):
        target = sums[n]
        target[:] = 0
        fours = pixels // 4 * 4
        for p in range(0, fours, 4):
            a, b, c, d = x[n, p], x[n, p + 1], x[n, p + 2], x[n, p + 3]
            for k in range(channels):
                target[k] += (np.float64(a[k]) + b[k]) + (np.float64(c[k]) + d[k])
        for p in range(fours, pixels):
            a = x[n, p]
            for k in range(channels):
                target[k] += a[k]


def global_average(x: np.ndarray) -> np.ndarray:
    """(N, C) means of x (N, H, W, C), summed in float64."""
    n, height, width, channels = x.shape
    flat = plain(x).reshape(n, height * width, channels)
    sums = np.empty((n, channels))
    thread_pool.run_stretches(
        lambda first, last: sum_pixels(flat, sums, first, last), n, thread_pool.stretch(n, x.nbytes)
    )
    return (sums / (height * width)).astype(x.dtype, copy=False)


def maxpool2d_forward(x: np.ndarray, geometry: PoolGeometry) -> tuple[np.ndarray, np.ndarray]:
    """y and argmax (N, OH, OW, C): the largest number under each window, and its cell ``p * kw + q``."""
    x = plain(x)
    y = empty(geometry.y_shape(len(x), x.shape[3]), x.dtype)
    argmax = np.empty(y.shape, argmax_dtype(geometry.kernel))
    rows, numbers = len(x) * geometry.output[0], tuple(geometry)
    thread_pool.run_stretches(
        lambda first, last: maximum_rows(x, y, argmax, first, last, numbers),
        rows,
        thread_pool.stretch(rows, x.nbytes),
    )
    return y, argmax


def maxpool2d_backward(dy: np.ndarray, argmax: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """dx (N, H, W, C): each dy added at the pixel that was the maximum of its window."""
    dy, argmax = plain(dy), plain(argmax)
    dx, numbers = empty(geometry.x_shape(len(dy), dy.shape[3]), dy.dtype), tuple(geometry)
    thread_pool.run_stretches(
        lambda first, last: maximum_gradient(dy, argmax, dx, first, last, numbers),
        len(dx),
        thread_pool.stretch(len(dx), dx.nbytes),
    )
    return dx


def averagepool2d_forward(x: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """y (N, OH, OW, C): the mean of the image's pixels under each window."""
    x = plain(x)
    y = empty(geometry.y_shape(len(x), x.shape[3]), x.dtype)
    rows, numbers = len(x) * geometry.output[0], tuple(geometry)
    thread_pool.run_stretches(
        lambda first, last: average_rows(x, y, first, last, numbers),
        rows,
        thread_pool.stretch(rows, x.nbytes),
    )
    return y


def averagepool2d_backward(dy: np.ndarray, geometry: PoolGeometry) -> np.ndarray:
    """dx (N, H, W, C): each dy shared out equally among the pixels under its window."""
    dy = plain(dy)
    dx, numbers = empty(geometry.x_shape(len(dy), dy.shape[3]), dy.dtype), tuple(geometry)
    thread_pool.run_stretches(
        lambda first, last: average_gradient(dy, dx, first, last, numbers),
        len(dx),
        thread_pool.stretch(len(dx), dx.nbytes),
    )
    return dx
