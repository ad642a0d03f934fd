"""Convolution of a few output pixels with many weights: one image, deep in a network.

512 -> 512 channels have 9 MB of weights. For a map of 6x4 pixels each is used 24 times, and reading them is
most of the time. Winograd's algorithm reads four times as many, transformed; this one reads each once:

    patches [pixel][k]              w [k][o]                        k = (row, column, channel) of the filter
    +--------------+               +--------+--------+--------+
    | 24 rows,     |               | part 0 | part 1 |  ...   |  <- DEPTH rows of a part are packed while
    | all kh*kw*c  |               |        |        |        |     the next are prefetched
    +--------------+               +--------+--------+--------+
            y[pixel, o] = bias[o] + sum over k of patches[pixel, k] * w[k, o]

A task takes some panels of output channels and goes through all of k; its sums stay in the first-level cache.
Nothing is stored between calls. The parts follow from the shape alone: the number of threads changes no bit.
``reference/im2col.py`` is the readable twin.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minicnn.kernels.compiled import patches
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import address_of, emitted
from minicnn.kernels.simd.microkernel import (
    ROWS,
    Depth,
    Destination,
    LeftOperand,
    RightOperand,
    add_one,
    add_two,
)
from minicnn.shapes import ConvGeometry

# The most output pixels of a batch, and the fewest weights, that this kernel is chosen for.
MOST_PIXELS = 32
LEAST_WEIGHTS = 2**20
# Rows of w packed at a time, and the parts that the output channels are cut into.
DEPTH = 64
PARTS = 4
# Rows of w between the one that is packed and the one that is prefetched.
AHEAD = 16


def applies(geometry: ConvGeometry, images: int) -> bool:
    """Whether a batch of so many images has few enough output pixels, and the filters enough weights."""
    pixels, weights = images * math.prod(geometry.output), math.prod(geometry.w_shape)
    return pixels <= MOST_PIXELS and geometry.out_channels % WIDTH == 0 and weights >= LEAST_WEIGHTS


@emitted
def pack_vector(e: Emitter, w: Any, start: Any, ahead: Any, packed: Any, packed_start: Any) -> None:
    """packed[packed_start : packed_start + WIDTH] = w[start : start + WIDTH]; the numbers ``ahead`` of them
    are prefetched."""
    e.prefetch(w, e.sum(start, ahead))
    e.store(e.load(w, start), packed, packed_start)


@jit
def add_panels(rows, depth, tiles, w, outputs, first, last, packed, sums):  # type: ignore[no-untyped-def]
    """sums [pixel][panel][W] += rows (pixels, depth) times panels first..last-1 of w (depth, outputs)."""
    count = last - first
    for start in range(0, depth, DEPTH):
        steps = min(DEPTH, depth - start)
        for k in range(steps):
            for p in range(count):
                vector = (start + k) * outputs + (first + p) * WIDTH
                pack_vector(w, vector, AHEAD * outputs, packed, (p * DEPTH + k) * WIDTH)
        for p in range(0, count, 2):
            right = RightOperand(address_of(packed, p * DEPTH * WIDTH), row=WIDTH, panel=DEPTH * WIDTH)
            for r in range(0, tiles, ROWS):
                left = LeftOperand(r * depth + start, row=depth, segment=0, step=1)
                to = Destination((r * count + p) * WIDTH, row=count * WIDTH, panel=WIDTH)
                if p + 1 < count:
                    add_two(rows, left, Depth(1, steps), right, sums, to)
                else:
                    add_one(rows, left, Depth(1, steps), right, sums, to)


def forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    geometry: ConvGeometry,
    relu: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (kh, kw, C, O) and b (O,) or None; max(y, 0) with ``relu``."""
    outputs, pixels = geometry.out_channels, len(x) * math.prod(geometry.output)
    depth, tiles = w.size // outputs, -(-pixels // ROWS) * ROWS
    rows = empty((tiles, depth), x.dtype)
    rows[pixels:] = 0
    patches.lay_out(plain(x), rows[:pixels], geometry)
    y = empty(geometry.y_shape(len(x)), x.dtype) if out is None else out
    columns, flat_rows, flat_w = y.reshape(pixels, outputs), rows.reshape(-1), plain(w).reshape(-1)
    panels = outputs // WIDTH
    parts = min(PARTS, -(-panels // 2))

    def part(p: int) -> None:
        first, last = (min(panels, 2 * (q * -(-panels // 2) // parts)) for q in (p, p + 1))
        packed, sums = (
            empty((last - first) * DEPTH * WIDTH, x.dtype),
            empty((tiles, last - first, WIDTH), x.dtype),
        )
        sums[...] = 0 if b is None else b.reshape(-1, WIDTH)[first:last]
        add_panels(flat_rows, depth, tiles, flat_w, outputs, first, last, packed, sums.reshape(-1))
        target = columns[:, first * WIDTH : last * WIDTH]
        np.maximum(sums.reshape(tiles, -1)[:pixels], 0 if relu else -np.inf, out=target)

    thread_pool.run(part, parts)
    return y
