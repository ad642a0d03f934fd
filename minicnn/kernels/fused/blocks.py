"""Batch normalisation, ReLU and 2x2 max pooling in one pass over memory forward and two backward.

One after the other, the three layers read and write the image five times forward and more backward, and keep
three copies of it. Together, with z what the convolution put out, (N, H, W, C):

    forward     v = (z - mean) * scale + beta,  scale = gamma * inv_std          read z
                y = the largest v of each 2x2 window, at least 0                 write y (a quarter)
                winner = which cell it was, or nobody where ReLU cut it off      write a byte for each y

    backward    g = dy at the winner, 0 elsewhere: never stored
      sums      dbeta = sum g,   dgamma = inv_std * sum g * (z - mean)           read z, dy
      dz        dz = scale * (g - dbeta / M - (z - mean) * inv_std * dgamma / M) read z, dy; write dz

which is the gradient in ``layers/normalization.py``. Kept between forward and backward: z, the winners, and
two numbers a channel. Without pooling there are no winners either: whether v > 0 is computed again.
Where a ReLU stands before the normalisation, z is what it put out, and dz is 0 where z is 0. The sum of dz
over pixels, the gradient of the convolution's bias, comes out of the last pass too.

Sums are taken in float32 over a few thousand pixels, about a pivot close to the mean, then in float64 over
these parts in their order; the parts follow from the shape alone. The rows are in ``fused_rows.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minicnn.kernels.fused import rows as fused_rows
from minicnn.kernels.runtime import workers
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.kernels.simd.emitter import WIDTH

moments_row = fused_rows.moments_row
normalize_row, normalize_pool_row = fused_rows.normalize_row, fused_rows.normalize_pool_row
gradient_sums_row, gradient_sums_pool_row = fused_rows.gradient_sums_row, fused_rows.gradient_sums_pool_row
input_gradient_row, input_gradient_pool_row = (
    fused_rows.input_gradient_row,
    fused_rows.input_gradient_pool_row,
)
input_gradient_left_over_row = fused_rows.input_gradient_left_over_row

# Pixels that all channels of are dealt with before the next come; parts that the work is cut into.
RUN = 64
PARTS = 32


class Normalization(NamedTuple):
    """What turns z into v, each (C,): mean and inv_std float64, gamma and beta as in the layer."""

    mean: np.ndarray
    inv_std: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray

    def constants(self, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """mean, scale and shift as the kernels take them."""
        scale = self.gamma * self.inv_std
        return self.mean.astype(dtype), scale.astype(dtype), self.beta.astype(dtype)


def applies(channels: int, dtype: np.dtype) -> bool:
    """Whether these kernels know an image: float32, and channels enough for one vector.

    They are made of machine instructions: with ``NUMBA_DISABLE_JIT`` set they know none.
    """
    import numba

    compiled = not getattr(numba.config, "DISABLE_JIT", False)
    return compiled and dtype == np.float32 and channels >= WIDTH


def can_replace(channels: int) -> bool:
    """Whether dz may be written over z: not where the last vector of a pixel overlaps its neighbour."""
    return channels % WIDTH == 0


@jit
def moments(z, channels, first, last, pivot, sums, squares):  # type: ignore[no-untyped-def]
    """sums += sum of z - pivot and squares += sum of (z - pivot)**2 over pixels first..last-1."""
    for start in range(first, last, RUN):
        pixels = min(RUN, last - start)
        for vector in range(0, channels, WIDTH):
            c = min(vector, channels - WIDTH)
            at = start * channels + c
            moments_row(z, at, pixels, channels, pivot, c, vector - c, sums, squares)


@jit
def normalize(z, mean, scale, shift, floor, y, channels, first, last):  # type: ignore[no-untyped-def]
    for start in range(first, last, RUN):
        pixels = min(RUN, last - start)
        for vector in range(0, channels, WIDTH):
            c = min(vector, channels - WIDTH)
            normalize_row(z, start * channels + c, pixels, channels, mean, scale, shift, c, floor, y)


@jit
def normalize_pool(z, origin, mean, scale, shift, floor, y, winners, base, size, first, last):  # type: ignore[no-untyped-def]
    """Rows first..last-1 of all y; the z given begins at number ``origin``, y and winners at row ``base``."""
    height, width, channels = size
    rows, windows = height // 2, width // 2
    for r in range(first, last):
        start = (r // rows * height + r % rows * 2) * width * channels - origin
        for vector in range(0, channels, WIDTH):
            c = min(vector, channels - WIDTH)
            normalize_pool_row(
                z, start + c, width * channels, windows, channels, mean, scale, shift, c, floor,
                y, (r - base) * windows * channels + c, winners,
            )  # fmt: skip


@jit
def gradient_sums(z, mean, scale, shift, floor, dy, channels, first, last, sums, products):  # type: ignore[no-untyped-def]
    for start in range(first, last, RUN):
        pixels = min(RUN, last - start)
        for vector in range(0, channels, WIDTH):
            c = min(vector, channels - WIDTH)
            gradient_sums_row(
                z, start * channels + c, pixels, channels, mean, scale, shift, c, floor, vector - c,
                dy, sums, products,
            )  # fmt: skip


@jit
def gradient_sums_pool(z, mean, dy, winners, size, first, last, sums, products):  # type: ignore[no-untyped-def]
    height, width, channels = size
    rows, windows = height // 2, width // 2
    for r in range(first, last):
        start = (r // rows * height + r % rows * 2) * width * channels
        for vector in range(0, channels, WIDTH):
            c = min(vector, channels - WIDTH)
            gradient_sums_pool_row(
                z, start + c, width * channels, windows, channels, mean, c, vector - c,
                dy, r * windows * channels + c, winners, sums, products,
            )  # fmt: skip


@jit
def input_gradient(z, mean, scale, shift, offset, slope, floor, cut, dy, dz, channels, first, last, bias):  # type: ignore[no-untyped-def]
    for start in range(first, last, RUN):
        pixels = min(RUN, last - start)
        for vector in range(0, channels, WIDTH):
            c = min(vector, channels - WIDTH)
            input_gradient_row(
                z, start * channels + c, pixels, channels, mean, scale, shift, offset, slope, c, floor, cut,
                vector - c, dy, dz, bias,
            )  # fmt: skip


@jit
def input_gradient_pool(z, mean, scale, offset, slope, cut, dy, winners, dz, size, first, last, bias):  # type: ignore[no-untyped-def]
    """For window rows first..last-1, and the image rows and columns beside them that no window covers."""
    height, width, channels = size
    rows, windows = height // 2, width // 2
    row = width * channels
    for r in range(first, last):
        start = (r // rows * height + r % rows * 2) * row
        for vector in range(0, channels, WIDTH):
            c = min(vector, channels - WIDTH)
            skip = vector - c
            input_gradient_pool_row(
                z, start + c, row, windows, channels, mean, scale, offset, slope, c, cut, skip,
                dy, r * windows * channels + c, winners, dz, bias,
            )  # fmt: skip
            # Left over: the last column where the width is odd, the last row where the height is.
            lines = 3 if r % rows == rows - 1 and height % 2 == 1 else 2
            for line in range(lines):
                whole = line == 2
                pixels = width if whole else width % 2
                at = start + line * row + c + (0 if whole else (width - 1) * channels)
                if pixels > 0:
                    input_gradient_left_over_row(
                        z, at, pixels, channels, mean, offset, slope, c, cut, skip, dz, bias
                    )


def _parts(units: int) -> list[tuple[int, int]]:
    """0..units in at most PARTS stretches of nearly equal length."""
    count = min(PARTS, units)
    return [(p * units // count, (p + 1) * units // count) for p in range(count)]


def combine_moments(
    counts: np.ndarray, pivots: np.ndarray, sums: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance (C,), float64, of parts whose sums (parts, C) were taken about their pivots.

    After Chan, Golub and LeVeque 1983: the squares about the mean of all are those about the parts' means,
    plus count * (mean of the part - mean of all)**2.
    """
    n = counts.astype(np.float64)[:, None]
    away = sums / n
    means = pivots + away
    mean = (n * means).sum(axis=0) / n.sum()
    about = squares - n * away**2 + n * (means - mean) ** 2
    return mean, np.maximum(about.sum(axis=0) / n.sum(), 0)


class Moments:
    """Takes the rows of z from the convolution (``rows.py``); then ``statistics`` of all of them."""

    def __init__(self, channels: int, dtype: np.dtype) -> None:
        self.channels, self.dtype = channels, dtype

    def expect(self, tasks: int) -> None:
        self.counts = np.zeros(tasks)
        self.pivots, self.sums, self.squares = np.zeros((3, tasks, self.channels), self.dtype)

    def __call__(self, task: int, first: int, last: int, rows: np.ndarray) -> None:
        pixels = rows.size // self.channels
        self.counts[task] = pixels
        self.pivots[task] = rows[: self.channels]
        moments(rows, self.channels, 0, pixels, self.pivots[task], self.sums[task], self.squares[task])

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and biased variance (C,), float64."""
        return combine_moments(self.counts, self.pivots, self.sums, self.squares)


class Normalizer:
    """Takes the rows of z from the convolution and turns them into those of y, normalised and pooled."""

    def __init__(
        self, z_shape: tuple[int, ...], y: np.ndarray, n: Normalization, relu: bool, pooled: bool
    ) -> None:
        self.size, self.y, self.pooled = z_shape[1:], y.reshape(-1), pooled
        self.constants, self.floor = n.constants(y.dtype), _floor(relu, y.dtype)

    def expect(self, tasks: int) -> None:
        """Nothing to prepare: rows of y do not depend on each other."""

    def __call__(self, task: int, first: int, last: int, rows: np.ndarray) -> None:
        height, width, channels = self.size
        if self.pooled:
            begin, end = (row // height * (height // 2) + row % height // 2 for row in (first, last))
            y = self.y[begin * (width // 2) * channels : end * (width // 2) * channels]
            normalize_pool(
                rows, first * width * channels, *self.constants, self.floor,
                y, np.empty(y.size, np.uint8), begin, self.size, begin, end,
            )  # fmt: skip
        else:
            y = self.y[first * width * channels : last * width * channels]
            normalize(rows, *self.constants, self.floor, y, channels, 0, rows.size // channels)


def _floor(relu: bool, dtype: np.dtype) -> np.ndarray:
    return np.array([0 if relu else -np.inf], dtype)


def pooled_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    n, height, width, channels = shape
    return n, height // 2, width // 2, channels


def forward(
    z: np.ndarray, n: Normalization, relu: bool, pooled: bool, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """y, (N, H // 2, W // 2, C) with ``pooled``, else as z; and the winners, uint8 of y's shape, or None."""
    channels = z.shape[-1]
    y = empty(pooled_shape(z.shape) if pooled else z.shape, z.dtype) if out is None else out
    winners = empty(y.shape if pooled else 0, np.uint8)
    mean, scale, shift = n.constants(z.dtype)
    floor, size = _floor(relu, z.dtype), z.shape[1:]
    flat_z, flat_y, flat_winners = plain(z).reshape(-1), y.reshape(-1), winners.reshape(-1)
    parts = _parts(y.shape[0] * y.shape[1] if pooled else y.size // channels)

    def part(p: int) -> None:
        if pooled:
            normalize_pool(flat_z, 0, mean, scale, shift, floor, flat_y, flat_winners, 0, size, *parts[p])
        else:
            normalize(flat_z, mean, scale, shift, floor, flat_y, channels, *parts[p])

    workers.run(part, len(parts))
    return y, winners if pooled else None


class Gradients(NamedTuple):
    """dz (N, H, W, C); its sum over pixels, dgamma and dbeta (C,), float64."""

    dz: np.ndarray
    bias: np.ndarray
    dgamma: np.ndarray
    dbeta: np.ndarray


def backward(
    dy: np.ndarray,
    z: np.ndarray,
    winners: np.ndarray | None,
    n: Normalization,
    relu: bool,
    relu_before: bool,
    out: np.ndarray | None = None,
) -> Gradients:
    """The gradients where mean and variance were those of z itself; ``winners`` as ``forward`` gave them.

    ``out`` may be z where ``can_replace`` says so.
    """
    channels, size, dtype = z.shape[-1], z.shape[1:], z.dtype
    dz = empty(z.shape, z.dtype) if out is None else out
    mean, scale, shift = n.constants(dtype)
    floor, cut = _floor(relu, dtype), _floor(relu_before, dtype)
    flat_z, flat_dy, flat_dz = plain(z).reshape(-1), plain(dy).reshape(-1), dz.reshape(-1)
    flat_winners = None if winners is None else winners.reshape(-1)
    parts = _parts(flat_z.size // channels if winners is None else dy.shape[0] * dy.shape[1])
    sums, products, bias = np.zeros((3, len(parts), channels), dtype)

    def sum_up(p: int) -> None:
        first, last = parts[p]
        if flat_winners is None:
            gradient_sums(
                flat_z, mean, scale, shift, floor, flat_dy, channels, first, last, sums[p], products[p]
            )
        else:
            gradient_sums_pool(flat_z, mean, flat_dy, flat_winners, size, first, last, sums[p], products[p])

    workers.run(sum_up, len(parts))
    dbeta = sums.sum(axis=0, dtype=np.float64)
    dgamma = n.inv_std * products.sum(axis=0, dtype=np.float64)
    pixels = z.size // channels
    wide = n.gamma * n.inv_std
    offset, slope = (wide * dbeta / pixels).astype(dtype), (wide * n.inv_std * dgamma / pixels).astype(dtype)

    def spread(p: int) -> None:
        first, last = parts[p]
        if flat_winners is None:
            input_gradient(
                flat_z, mean, scale, shift, offset, slope, floor, cut,
                flat_dy, flat_dz, channels, first, last, bias[p],
            )  # fmt: skip
        else:
            input_gradient_pool(
                flat_z, mean, scale, offset, slope, cut,
                flat_dy, flat_winners, flat_dz, size, first, last, bias[p],
            )  # fmt: skip

    workers.run(spread, len(parts))
    return Gradients(dz, bias.sum(axis=0, dtype=np.float64), dgamma, dbeta)


# The readable twins.


def reference_forward(z: np.ndarray, n: Normalization, relu: bool, pooled: bool) -> np.ndarray:
    """y by the formulas above, the layers one after the other."""
    y = (z - n.mean) * (n.gamma * n.inv_std) + n.beta
    if pooled:
        _, height, width, _ = pooled_shape(z.shape)
        y = np.maximum.reduce([y[:, i : 2 * height : 2, j : 2 * width : 2] for i in (0, 1) for j in (0, 1)])
    return np.maximum(y, 0) if relu else y


def reference_backward(
    dy: np.ndarray, z: np.ndarray, n: Normalization, relu: bool, relu_before: bool, pooled: bool
) -> Gradients:
    """The gradients by the formulas above; where cells of a window are equal, dy goes to the first."""
    v = (z - n.mean) * (n.gamma * n.inv_std) + n.beta
    g = np.zeros_like(v)
    if pooled:
        _, height, width, _ = pooled_shape(z.shape)
        cells = [(i, j) for i in (0, 1) for j in (0, 1)]
        views = [(slice(None), slice(i, 2 * height, 2), slice(j, 2 * width, 2)) for i, j in cells]
        winner = np.argmax([v[view] for view in views], axis=0)
        for k, view in enumerate(views):
            g[view] = np.where(winner == k, dy, 0)
    else:
        g[...] = dy
    if relu:
        g[v <= 0] = 0
    axes, pixels = (0, 1, 2), z.size // z.shape[-1]
    x_hat = (z - n.mean) * n.inv_std
    dbeta, dgamma = g.sum(axis=axes), (g * x_hat).sum(axis=axes)
    dz = n.gamma * n.inv_std * (g - dbeta / pixels - x_hat * dgamma / pixels)
    if relu_before:
        dz[z <= 0] = 0
    return Gradients(dz, dz.sum(axis=axes), dgamma, dbeta)
