"""The weight gradient of a 3x3 convolution by Winograd's transforms: a quarter of the multiplications again.

``algebra.py`` has the formula, dg = G^T [ sum over tiles of (B^T x B) * (A dy A^T) ] G:

    x    6x6 pixels a tile --B^T x B-->  points  [36][c / W][tile][W]  --+
                                                                         +-- 36 products --> sums [36][c][o]
    dy   4x4 pixels a tile --A dy A^T--> points  [36][o / W][tile][W]  --+   over the tiles      |
                                                                                         G^T m G |
                                                                          dw [3][3][c][o] <------+

Where the sums are small, each part of the tiles gets its own, and a block of tiles goes through both steps
while it is in the cache; the parts are added up in their order. Where the sums are large, there is one set:
all threads transform a long run of tiles, then each computes the products of some input channels. Either way
the parts follow from the shape alone, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import inner, jit, plain
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.intrinsics import address_of
from minicnn.kernels.simd.microkernel import (
    ROWS,
    Depth,
    Destination,
    LeftOperand,
    RightOperand,
    add_one,
    add_two,
)
from minicnn.kernels.winograd.algebra import PRODUCTS, TILE
from minicnn.kernels.winograd.records import Layout, Points, Taps, Tiling
from minicnn.kernels.winograd.tiles import panels, transform_gradient_tiles, transform_tiles
from minicnn.kernels.winograd.transforms import transform_filter_gradient
from minicnn.shapes import ConvGeometry

# Tiles in a block, and the largest set of sums that each part of the work gets one of its own of.
SUM_BLOCK = 32
SUM_NUMBERS = 2**19
# Numbers in the transformed images of one run, where all share one set of sums.
RUN_NUMBERS = 2**23
# Parts that work is cut into: enough for the threads of a large desktop computer.
PARTS = 16


@inner
def layout_of(channels, capacity):  # type: ignore[no-untyped-def]
    """That of the points of ``capacity`` tiles: 36 matrices one after the other."""
    panel = capacity * WIDTH
    return Layout((channels + WIDTH - 1) // WIDTH * panel, panel)


@jit
def transform_both(x, dy, tiling, capacity, first, last, x_points, dy_points, patch):  # type: ignore[no-untyped-def]
    """Step 1: the points of x and dy for tiles first..last-1, in arrays for ``capacity`` tiles."""
    tiling, tiles = Tiling(*tiling), last - first
    transform_tiles(x, tiling, first, tiles, x_points, layout_of(tiling.channels, capacity), patch)
    transform_gradient_tiles(dy, tiling, first, tiles, dy_points, layout_of(tiling.outputs, capacity), patch)


@jit
def add_products(x_points, dy_points, tiling, capacity, tiles, channels, sums):  # type: ignore[no-untyped-def]
    """Step 2: sums[k][c][o] += the products of the points of x and dy at position k, over the first ``tiles``
    tiles, for the first ``channels`` input channels in ``x_points``."""
    tiling = Tiling(*tiling)
    x_layout, dy_layout = layout_of(tiling.channels, capacity), layout_of(tiling.outputs, capacity)
    o_panels, depth = (tiling.outputs + WIDTH - 1) // WIDTH, Depth(1, tiles)
    columns = o_panels * WIDTH
    for k in range(PRODUCTS):
        for c in range(0, channels, ROWS):
            start = k * x_layout.plane + c // WIDTH * x_layout.panel + c % WIDTH
            left = LeftOperand(start, row=1, segment=0, step=WIDTH)
            for p in range(0, o_panels, 2):
                b = address_of(dy_points, k * dy_layout.plane + p * dy_layout.panel)
                right = RightOperand(b, row=WIDTH, panel=dy_layout.panel)
                start = (k * channels + c) * columns + p * WIDTH
                to = Destination(start, row=columns, panel=WIDTH)
                if p + 1 < o_panels:
                    add_two(x_points, left, depth, right, sums, to)
                else:
                    add_one(x_points, left, depth, right, sums, to)


@jit
def sum_blocks(x, dy, tiling, block, first, last, x_points, dy_points, patch, sums):  # type: ignore[no-untyped-def]
    """Steps 1 and 2 for tiles first..last-1, ``block`` of them at a time, and all input channels."""
    channels = Tiling(*tiling).channels
    depth = (channels + WIDTH - 1) // WIDTH * WIDTH
    for start in range(first, last, block):
        stop = min(start + block, last)
        transform_both(x, dy, tiling, block, start, stop, x_points, dy_points, patch)
        add_products(x_points, dy_points, tiling, block, stop - start, depth, sums)


@jit
def place_weights(sums, base, depth, channels, outputs, first, last, dw, patch):  # type: ignore[no-untyped-def]
    """Step 3: dw (3, 3, c, o) for input channels first..last-1; ``sums`` has ``depth`` from ``base`` on."""
    o_panels = (outputs + WIDTH - 1) // WIDTH
    plane = depth * o_panels * WIDTH
    for c in range(first, last):
        for p in range(o_panels):
            points = Points(((c - base) * o_panels + p) * WIDTH, plane)
            lanes = min(WIDTH, outputs - p * WIDTH)
            if lanes == WIDTH:
                taps = Taps(c * outputs + p * WIDTH, channels * outputs)
                transform_filter_gradient(sums, points, dw, taps)
            else:
                transform_filter_gradient(sums, points, patch, Taps(0, WIDTH))
                for t in range(9):
                    for lane in range(lanes):
                        dw[(t * channels + c) * outputs + p * WIDTH + lane] = patch[t * WIDTH + lane]


def backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """dw (3, 3, C, O) of dy (N, OH, OW, O) and x (N, H, W, C)."""
    height, width = geometry.output
    tiles = len(dy) * -(-height // TILE) * -(-width // TILE)
    flat_x, flat_dy = plain(x).reshape(-1), plain(dy).reshape(-1)
    dw = np.empty(geometry.w_shape, x.dtype)
    small = PRODUCTS * panels(geometry.in_channels) * panels(geometry.out_channels) * WIDTH**2 <= SUM_NUMBERS
    compute = _by_blocks if small else _by_runs
    compute(flat_x, flat_dy, Tiling.of(geometry), tiles, dw.reshape(-1))
    return dw


def _by_blocks(x: np.ndarray, dy: np.ndarray, tiling: Tiling, tiles: int, dw: np.ndarray) -> None:
    """Few channels: each part of the tiles has 36 sums of its own, in the cache beside a block of tiles."""
    channels, outputs = tiling.channels, tiling.outputs
    c_panels, o_panels, numbers = panels(channels), panels(outputs), tuple(tiling)
    depth = c_panels * WIDTH
    parts = max(1, min(PARTS, tiles // SUM_BLOCK))
    partial = np.zeros((parts, PRODUCTS * depth * o_panels * WIDTH), x.dtype)

    def add_up(part: int) -> None:
        x_points = empty(PRODUCTS * c_panels * SUM_BLOCK * WIDTH, x.dtype)
        dy_points = empty(PRODUCTS * o_panels * SUM_BLOCK * WIDTH, x.dtype)
        patch = empty(PRODUCTS * max(c_panels, o_panels) * WIDTH, x.dtype)
        first, last = part * tiles // parts, (part + 1) * tiles // parts
        sum_blocks(x, dy, numbers, SUM_BLOCK, first, last, x_points, dy_points, patch, partial[part])

    thread_pool.run(add_up, parts)
    sums = partial.sum(axis=0)

    def weights(part: int) -> None:
        first, last = part * channels // PARTS, (part + 1) * channels // PARTS
        patch = np.empty(9 * WIDTH, x.dtype)
        place_weights(sums, 0, depth, channels, outputs, first, last, dw, patch)

    thread_pool.run(weights, PARTS)


def _by_runs(x: np.ndarray, dy: np.ndarray, tiling: Tiling, tiles: int, dw: np.ndarray) -> None:
    """Many channels: first all threads transform a long run of tiles, then each computes the products of some
    input channels. Where one run is enough, sums live no longer than their task."""
    channels, outputs = tiling.channels, tiling.outputs
    c_panels, o_panels, numbers = panels(channels), panels(outputs), tuple(tiling)
    run = min(tiles, max(SUM_BLOCK, RUN_NUMBERS // (PRODUCTS * (c_panels + o_panels) * WIDTH)))
    x_points = empty(PRODUCTS * c_panels * run * WIDTH, x.dtype)
    dy_points = empty(PRODUCTS * o_panels * run * WIDTH, x.dtype)
    size = PRODUCTS * WIDTH * o_panels * WIDTH
    all_sums = None if run == tiles else np.zeros((c_panels, size), x.dtype)

    for start in range(0, tiles, run):
        count = min(run, tiles - start)

        def points(part: int, start: int = start, count: int = count) -> None:
            patch = empty(PRODUCTS * max(c_panels, o_panels) * WIDTH, x.dtype)
            before, after = part * count // PARTS, (part + 1) * count // PARTS
            transform_both(
                x, dy, numbers, run, start + before, start + after,
                x_points[before * WIDTH :], dy_points[before * WIDTH :], patch,
            )  # fmt: skip

        def products(panel: int, start: int = start, count: int = count) -> None:
            sums = np.zeros(size, x.dtype) if all_sums is None else all_sums[panel]
            first = panel * WIDTH
            add_products(x_points[first * run :], dy_points, numbers, run, count, WIDTH, sums)
            if start + count == tiles:
                patch, last = np.empty(9 * WIDTH, x.dtype), min(first + WIDTH, channels)
                place_weights(sums, first, WIDTH, channels, outputs, first, last, dw, patch)

        thread_pool.run(points, PARTS)
        thread_pool.run(products, c_panels)
