"""Batch normalisation in four passes over memory: statistics, normalise; gradient sums, input gradient.

A float32 sum over a million pixels loses digits, and a sum of squares minus the square of a sum loses more.
So columns are summed in blocks of BLOCK rows that stay in the cache, the squares about the block's own mean,
and the blocks are combined in float64 in the order of the rows. After Chan, Golub and LeVeque 1983,
    M2 = sum of M2_k + sum of count_k * (mean_k - mean)**2       over the blocks k,
where M2_k is the sum of squares about the block's mean, less the (sum of x - mean)**2 / count that rounding
of the mean adds.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain

BLOCK = 256


@jit
def block_statistics(x, means, drifts, squares, first, last):  # type: ignore[no-untyped-def]
    """For blocks first..last-1 of x (M, C): each column's mean, rounded to x's dtype, and the sums of
    x - mean (0 but for rounding) and of (x - mean)**2.
    """
    for k in range(first, last):
        start, stop = k * BLOCK, min((k + 1) * BLOCK, len(x))
        mean, drift, square = means[k], drifts[k], squares[k]
        mean[:] = 0
        for r in range(start, stop):
            row = x[r]
            for c in range(len(row)):
                mean[c] += row[c]
        for c in range(len(mean)):
            mean[c] /= x.dtype.type(stop - start)
        drift[:] = 0
        square[:] = 0
        for r in range(start, stop):
            row = x[r]
            for c in range(len(row)):
                away = row[c] - mean[c]
                drift[c] += away
                square[c] += away * away


@jit
def block_sums(x, sums, first, last):  # type: ignore[no-untyped-def]
    """For blocks first..last-1 of x (M, C): each column's sum."""
    for k in range(first, last):
        total = sums[k]
        total[:] = 0
        for r in range(k * BLOCK, min((k + 1) * BLOCK, len(x))):
            row = x[r]
            for c in range(len(row)):
                total[c] += row[c]


@jit
def normalize_rows(x, mean, scale, beta, y, first, last):  # type: ignore[no-untyped-def]
    """``y = (x - mean) * scale + beta``; subtracting first keeps the digits of an x far from 0."""
    for r in range(first, last):
        source, target = x[r], y[r]
        for c in range(len(source)):
            target[c] = (source[c] - mean[c]) * scale[c] + beta[c]


@jit
def block_gradient_sums(dy, x, mean, products, sums, first, last):  # type: ignore[no-untyped-def]
    """For blocks first..last-1: the columns' sums of dy * (x - mean) and of dy."""
    for k in range(first, last):
        product, total = products[k], sums[k]
        product[:] = 0
        total[:] = 0
        for r in range(k * BLOCK, min((k + 1) * BLOCK, len(x))):
            upstream, source = dy[r], x[r]
            for c in range(len(source)):
                product[c] += upstream[c] * (source[c] - mean[c])
                total[c] += upstream[c]


@jit
def gradient_rows(dy, x, mean, scale, from_mean, from_var, dx, first, last):  # type: ignore[no-untyped-def]
    """``dx = scale * (dy - from_mean - (x - mean) * from_var)``."""
    for r in range(first, last):
        upstream, source, target = dy[r], x[r], dx[r]
        for c in range(len(source)):
            target[c] = scale[c] * (upstream[c] - from_mean[c] - (source[c] - mean[c]) * from_var[c])


def _blocks(x: np.ndarray) -> tuple[int, int]:
    """The number of blocks, and how many of them make a task."""
    count = -(-len(x) // BLOCK)
    return count, thread_pool.stretch(count, x.nbytes)


def channel_sums(x: np.ndarray) -> np.ndarray:
    """``s[c]`` = the sum of x over every axis but the last."""
    rows = plain(x).reshape(-1, x.shape[-1])
    count, step = _blocks(rows)
    sums = np.empty((count, rows.shape[1]), x.dtype)
    thread_pool.run_stretches(lambda first, last: block_sums(rows, sums, first, last), count, step)
    return sums.sum(axis=0, dtype=np.float64).astype(x.dtype)


def batchnorm_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each column of x (M, C), in float64."""
    x = plain(x)
    count, step = _blocks(x)
    means = np.empty((count, x.shape[1]), x.dtype)
    drifts, squares = np.empty_like(means), np.empty_like(means)
    thread_pool.run_stretches(
        lambda first, last: block_statistics(x, means, drifts, squares, first, last), count, step
    )
    rows = np.full((count, 1), float(BLOCK))
    rows[-1] = len(x) - (count - 1) * BLOCK
    block_means = means + drifts / rows
    mean = (rows * block_means).sum(axis=0) / len(x)
    within = squares - np.square(drifts) / rows
    between = rows * np.square(block_means - mean)
    return mean, (within + between).sum(axis=0) / len(x)


def batchnorm_normalize(
    x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, gamma: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """``y = (x - mean) * (gamma * inv_std) + beta``."""
    x = plain(x)
    y = empty(x.shape, x.dtype)
    centre, scale = mean.astype(x.dtype), (gamma * inv_std).astype(x.dtype)
    thread_pool.run_stretches(
        lambda first, last: normalize_rows(x, centre, scale, plain(beta), y, first, last),
        len(x),
        thread_pool.stretch(len(x), x.nbytes),
    )
    return y


def batchnorm_sums(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``dgamma = sum of dy * x_hat``, ``dbeta = sum of dy``, float64."""
    dy, x = plain(dy), plain(x)
    count, step = _blocks(x)
    products = np.empty((count, x.shape[1]), x.dtype)
    sums = np.empty_like(products)
    centre = mean.astype(x.dtype)
    thread_pool.run_stretches(
        lambda first, last: block_gradient_sums(dy, x, centre, products, sums, first, last), count, step
    )
    return products.sum(axis=0, dtype=np.float64) * inv_std, sums.sum(axis=0, dtype=np.float64)


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
    dy, x = plain(dy), plain(x)
    dx = empty(x.shape, x.dtype)
    centre, scale = mean.astype(x.dtype), (gamma * inv_std).astype(x.dtype)
    from_mean = (dbeta / len(x)).astype(x.dtype)
    from_var = (inv_std * dgamma / len(x)).astype(x.dtype)
    thread_pool.run_stretches(
        lambda first, last: gradient_rows(dy, x, centre, scale, from_mean, from_var, dx, first, last),
        len(x),
        thread_pool.stretch(len(x), x.nbytes),
    )
    return dx
