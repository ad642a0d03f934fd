"""ReLU and dropout's masking as compiled loops: one pass over memory, on all threads."""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain


@jit
def relu_stretch(x, y, first, last):  # type: ignore[no-untyped-def]
    """Numbers first..last-1 of ``y = max(x, 0)``. NaN <= 0 is false, so that NaN stays."""
    source, target = x[first:last], y[first:last]
    zero = x.dtype.type(0)
    for k in range(last - first):
        target[k] = zero if source[k] <= zero else source[k]


@jit
def relu_gradient_stretch(dy, y, dx, first, last):  # type: ignore[no-untyped-def]
    """Numbers first..last-1 of ``dx = dy where y > 0, else 0``."""
    upstream, output, target = dy[first:last], y[first:last], dx[first:last]
    zero = dy.dtype.type(0)
    for k in range(last - first):
        target[k] = upstream[k] if output[k] > zero else zero


@jit
def mask_stretch(x, mask, scale, y, first, last):  # type: ignore[no-untyped-def]
    """Numbers first..last-1 of ``y = x * scale`` where the mask is set, ``x * 0`` elsewhere, so NaN stays."""
    source, chosen, target = x[first:last], mask[first:last], y[first:last]
    zero = x.dtype.type(0)
    for k in range(last - first):
        target[k] = source[k] * (scale if chosen[k] else zero)


def masked(x: np.ndarray, mask: np.ndarray, scale: float) -> np.ndarray:
    """``x * scale`` where the mask, booleans of x's shape, is set, ``x * 0`` elsewhere."""
    x, mask = plain(x), plain(mask)
    y = empty(x.shape, x.dtype)
    source, chosen, target = x.reshape(-1), mask.reshape(-1), y.reshape(-1)
    factor = x.dtype.type(scale)
    thread_pool.run_stretches(
        lambda first, last: mask_stretch(source, chosen, factor, target, first, last),
        x.size,
        thread_pool.stretch(x.size, x.nbytes),
    )
    return y


def relu_forward(x: np.ndarray) -> np.ndarray:
    """``y = max(x, 0)``; NaN stays NaN."""
    x = plain(x)
    y = empty(x.shape, x.dtype)
    source, target = x.reshape(-1), y.reshape(-1)
    thread_pool.run_stretches(
        lambda first, last: relu_stretch(source, target, first, last),
        x.size,
        thread_pool.stretch(x.size, x.nbytes),
    )
    return y


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy`` where y > 0, else 0."""
    dy, y = plain(dy), plain(y)
    dx = empty(dy.shape, dy.dtype)
    upstream, output, target = dy.reshape(-1), y.reshape(-1), dx.reshape(-1)
    thread_pool.run_stretches(
        lambda first, last: relu_gradient_stretch(upstream, output, target, first, last),
        dy.size,
        thread_pool.stretch(dy.size, dy.nbytes),
    )
    return dx
