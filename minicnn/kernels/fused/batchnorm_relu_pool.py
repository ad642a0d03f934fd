"""Batch normalisation, ReLU and 2x2 max pooling in one pass over memory forward and two backward.

One after the other, the three layers read and write the image five times forward and more backward, and store
three copies of it. Together, with z the output of the convolution, (N, H, W, C):

    forward     v = (z - mean) * scale + beta,  scale = gamma * inv_std          read z
                y = the largest v of each 2x2 window, at least 0                 write y (a quarter)
                argmax = the cell it came from, or none where ReLU cut it off    write a byte for each y

    backward    g = dy at the window's argmax, 0 elsewhere: never stored
      sums      dbeta = sum g,   dgamma = inv_std * sum g * (z - mean)           read z, dy
      dz        dz = scale * (g - dbeta / M - (z - mean) * inv_std * dgamma / M) read z, dy; write dz

with M the pixels of the batch: the gradient derived in ``layers/normalization.py``. Stored between forward
and backward: z, argmax, and two numbers a channel. Without pooling there is no argmax: whether v > 0 is
computed again. Where a ReLU stands before the normalisation, z is its output, and dz is 0 where z is 0. The
sum of dz over pixels, the gradient of the convolution's bias, comes out of the last pass too.

Sums are taken in float32 over a few thousand pixels, about a pivot close to the mean, then in float64 over
these parts in their order; the parts follow from the shape alone.

    reference.py       these formulas on whole arrays: the readable twins
    row_kernels.py     one row of pixels, in registers
    image_kernels.py   rows of images, compiled
    consumers.py       forward, on rows as the convolution computes them
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.fused.image_kernels import (
    gradient_sums,
    gradient_sums_pool,
    input_gradient,
    input_gradient_pool,
    normalize,
    normalize_pool,
)
from minicnn.kernels.fused.records import (
    Correction,
    Gradients,
    Normalization,
    floor_of,
    rows_of,
)
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import plain
from minicnn.kernels.simd.emitter import WIDTH

# Parts that the work is cut into.
PARTS = 32


def applies(channels: int, dtype: np.dtype) -> bool:
    """Whether these kernels can compute an image: float32, and channels enough for one vector.

    They are made of machine instructions: with ``NUMBA_DISABLE_JIT`` set there are none.
    """
    import numba

    compiled = not getattr(numba.config, "DISABLE_JIT", False)
    return compiled and dtype == np.float32 and channels >= WIDTH


def can_replace(channels: int) -> bool:
    """Whether dz may be written over z: not where the last vector of a pixel overlaps its neighbour."""
    return channels % WIDTH == 0


def pooled_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(N, H // 2, W // 2, C) of (N, H, W, C)."""
    n, height, width, channels = shape
    return n, height // 2, width // 2, channels


def _parts(units: int) -> list[tuple[int, int]]:
    """0..units in at most PARTS stretches of nearly equal length."""
    count = min(PARTS, units)
    return [(p * units // count, (p + 1) * units // count) for p in range(count)]


def forward(
    z: np.ndarray, n: Normalization, relu: bool, pooled: bool, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """y, (N, H // 2, W // 2, C) with ``pooled``, else as z; and argmax, uint8 of y's shape, or None.

    argmax is the cell 2 * i + j of the first maximum of a window, 4 where ReLU cut it off.
    """
    channels = z.shape[-1]
    y = empty(pooled_shape(z.shape) if pooled else z.shape, z.dtype) if out is None else out
    argmax = empty(y.shape if pooled else 0, np.uint8)
    affine, size = rows_of(n.affine(relu), z.dtype), z.shape[1:]
    flat_z, flat_y, flat_argmax = plain(z).reshape(-1), y.reshape(-1), argmax.reshape(-1)
    parts = _parts(y.shape[0] * y.shape[1] if pooled else y.size // channels)

    def part(p: int) -> None:
        first, last = parts[p]
        if pooled:
            normalize_pool(flat_z, 0, affine, flat_y, flat_argmax, 0, size, first, last)
        else:
            normalize(flat_z, affine, flat_y, channels, first, last)

    thread_pool.run(part, len(parts))
    return y, argmax if pooled else None


def backward(
    dy: np.ndarray,
    z: np.ndarray,
    argmax: np.ndarray | None,
    n: Normalization,
    relu: bool,
    relu_before: bool,
    out: np.ndarray | None = None,
) -> Gradients:
    """The gradients where mean and variance were those of z itself; ``argmax`` as ``forward`` returned it.

    ``out`` may be z where ``can_replace`` holds.
    """
    channels, size, dtype = z.shape[-1], z.shape[1:], z.dtype
    dz = empty(z.shape, z.dtype) if out is None else out
    affine = rows_of(n.affine(relu), dtype)
    flat_z, flat_dy, flat_dz = plain(z).reshape(-1), plain(dy).reshape(-1), dz.reshape(-1)
    flat_argmax = None if argmax is None else argmax.reshape(-1)
    parts = _parts(flat_z.size // channels if argmax is None else dy.shape[0] * dy.shape[1])
    sums, products, bias = np.zeros((3, len(parts), channels), dtype)

    def sum_up(p: int) -> None:
        first, last = parts[p]
        if flat_argmax is None:
            gradient_sums(flat_z, affine, flat_dy, channels, first, last, sums[p], products[p])
        else:
            gradient_sums_pool(flat_z, affine, flat_dy, flat_argmax, size, first, last, sums[p], products[p])

    thread_pool.run(sum_up, len(parts))
    dbeta = sums.sum(axis=0, dtype=np.float64)
    dgamma = n.inv_std * products.sum(axis=0, dtype=np.float64)
    correction = rows_of(_correction(n, dgamma, dbeta, z.size // channels, relu_before), dtype)

    def propagate(p: int) -> None:
        first, last = parts[p]
        if flat_argmax is None:
            input_gradient(flat_z, affine, correction, flat_dy, flat_dz, channels, first, last, bias[p])
        else:
            input_gradient_pool(
                flat_z, affine, correction, flat_dy, flat_argmax, flat_dz, size, first, last, bias[p]
            )

    thread_pool.run(propagate, len(parts))
    return Gradients(dz, bias.sum(axis=0, dtype=np.float64), dgamma, dbeta)


def _correction(
    n: Normalization, dgamma: np.ndarray, dbeta: np.ndarray, pixels: int, relu_before: bool
) -> Correction:
    """The terms of dz that come from the batch's mean and variance."""
    scale = n.gamma * n.inv_std
    offset, slope = scale * dbeta / pixels, scale * n.inv_std * dgamma / pixels
    return Correction(offset, slope, np.full(offset.shape, floor_of(relu_before)))
