"""ReLU as compiled loops: one pass over memory each way, on all threads."""

from __future__ import annotations

import numpy as np

from minicnn.kernels import workers
from minicnn.kernels.arrays import empty
from minicnn.kernels.jit import jit, plain


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


def relu_forward(x: np.ndarray) -> np.ndarray:
    x = plain(x)
    y = empty(x.shape, x.dtype)
    source, target = x.reshape(-1), y.reshape(-1)
    workers.run_stretches(
        lambda first, last: relu_stretch(source, target, first, last),
        x.size,
        workers.stretch(x.size, x.nbytes),
    )
    return y


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    dy, y = plain(dy), plain(y)
    dx = empty(dy.shape, dy.dtype)
    upstream, output, target = dy.reshape(-1), y.reshape(-1), dx.reshape(-1)
    workers.run_stretches(
        lambda first, last: relu_gradient_stretch(upstream, output, target, first, last),
        dy.size,
        workers.stretch(dy.size, dy.nbytes),
    )
    return dx
