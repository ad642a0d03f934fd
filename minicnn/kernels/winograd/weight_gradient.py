"""The weight gradient of a 3x3 convolution by Winograd's transforms: a quarter of the multiplications again.

``algebra.py`` has the formula, dg = G^T [ sum over tiles of (B^T x B) * (A dy A^T) ] G:

    x    6x6 pixels a tile --B^T x B-->  points  [36][c / W][tile][W]  --+
                                                                         +-- 36 products --> sums [36][c][o]
    dy   4x4 pixels a tile --A dy A^T--> points  [36][o / W][tile][W]  --+   over the tiles      |
                                                                                         G^T m G |
                                                                          dw [3][3][c][o] <------+

Where the sums are small, each part of the tiles gets its own, and a block of tiles goes through both steps
while it is in the cache; the parts are added up in their order. Where the sums are large, there is one set:
all threads transform a long run of tiles, then each takes the products of some input channels. Either way
the parts follow from the shape alone, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import workers
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.kernels.simd import microkernel
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.intrinsics import address_of
from minicnn.kernels.winograd.algebra import PATCH, PRODUCTS, TILE
from minicnn.kernels.winograd.tiles import (
    cut_out,
    panels,
    tile_numbers,
    transform_filter_gradient,
    transform_input,
    transform_output_gradient,
)
from minicnn.shapes import ConvGeometry

ROWS = microkernel.ROWS
add_one, add_two = microkernel.add_one, microkernel.add_two

# Tiles in a block, and the largest set of sums that each part of the work gets one of its own of.
SUM_BLOCK = 32
SUM_NUMBERS = 2**19
# Numbers in the transformed images of one run, where all share one set of sums.
RUN_NUMBERS = 2**23
# Parts that work is cut into: enough for the threads of a large desktop computer.
PARTS = 16


@jit
def gradient_sums(x, dy, geometry, run, steps, points, products, x_points, dy_points, patch, sums):  # type: ignore[no-untyped-def]
    """Both steps of the weight gradient, for tiles points[0]..points[1]-1, ``steps`` at a time.

    Step 1 puts the transforms of tile t into place (t - points[2]) % run of x_points and dy_points.
    Step 2 adds the 36 products over the first products[2] places, or over the tiles of this step where that
    is 0, to sums[k] (c, o), for the input channels products[0] <= c < products[1].
    """
    height, width, channels, top, left, oh, ow, outputs = geometry
    tile_columns = (ow + TILE - 1) // TILE
    tiles_of_image = (oh + TILE - 1) // TILE * tile_columns
    c_panels, o_panels = (channels + WIDTH - 1) // WIDTH, (outputs + WIDTH - 1) // WIDTH
    c_depth, o_depth, panel = c_panels * WIDTH, o_panels * WIDTH, run * WIDTH
    first, last, origin = points
    start = first
    while True:
        stop = min(start + steps, last)
        for tile in range(start, stop):
            n, place = tile // tiles_of_image, tile % tiles_of_image
            i, j = place // tile_columns * TILE, place % tile_columns * TILE
            h, v = i - top, j - left
            if channels == c_depth and h >= 0 and v >= 0 and h + PATCH <= height and v + PATCH <= width:
                pixels = address_of(x, ((n * height + h) * width + v) * channels)
                row, column = width * channels, channels
            else:
                cut_out(x, n, h, h + PATCH, v, v + PATCH, height, width, channels, c_depth, patch)
                pixels = address_of(patch, 0)
                row, column = PATCH * c_depth, c_depth
            to = (tile - origin) % run * WIDTH
            for p in range(c_panels):
                transform_input(
                    pixels + p * WIDTH * x.itemsize, row, column, x_points, p * panel + to, c_panels * panel
                )
            if outputs == o_depth and i + TILE <= oh and j + TILE <= ow:
                pixels = address_of(dy, ((n * oh + i) * ow + j) * outputs)
                row, column = ow * outputs, outputs
            else:
                cut_out(dy, n, i, i + TILE, j, j + TILE, oh, ow, outputs, o_depth, patch)
                pixels = address_of(patch, 0)
                row, column = TILE * o_depth, o_depth
            for p in range(o_panels):
                transform_output_gradient(
                    pixels + p * WIDTH * x.itemsize, row, column, dy_points, p * panel + to, o_panels * panel
                )
        tiles = products[2] if products[2] > 0 else stop - start
        first_c, last_c = products[0], products[1]
        for k in range(PRODUCTS if last_c > first_c else 0):
            a, b = k * c_panels * panel, k * o_panels * panel
            for c in range(first_c, last_c, ROWS):
                row_at = a + c // WIDTH * panel + c % WIDTH
                for p in range(0, o_panels, 2):
                    to = (k * (last_c - first_c) + c - first_c) * o_depth + p * WIDTH
                    if p + 1 < o_panels:
                        add_two(
                            x_points, row_at, 1, 0, WIDTH, 1, tiles,
                            address_of(dy_points, b + p * panel), WIDTH, panel, sums, to, o_depth, WIDTH,
                        )  # fmt: skip
                    else:
                        add_one(
                            x_points, row_at, 1, 0, WIDTH, 1, tiles,
                            address_of(dy_points, b + p * panel), WIDTH, panel, sums, to, o_depth, WIDTH,
                        )  # fmt: skip
        start = stop
        if start >= last:
            break


@jit
def gradient_filters(sums, base, depth, channels, outputs, first, last, dw, patch):  # type: ignore[no-untyped-def]
    """Step 3: dw (3, 3, c, o) for input channels first..last-1; ``sums`` has ``depth`` from ``base`` on."""
    o_panels = (outputs + WIDTH - 1) // WIDTH
    plane = depth * o_panels * WIDTH
    for c in range(first, last):
        for p in range(o_panels):
            at = ((c - base) * o_panels + p) * WIDTH
            lanes = min(WIDTH, outputs - p * WIDTH)
            if lanes == WIDTH:
                transform_filter_gradient(sums, at, plane, dw, c * outputs + p * WIDTH, channels * outputs)
            else:
                transform_filter_gradient(sums, at, plane, patch, 0, WIDTH)
                for t in range(9):
                    for lane in range(lanes):
                        dw[(t * channels + c) * outputs + p * WIDTH + lane] = patch[t * WIDTH + lane]


def backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """dw (3, 3, C, O) of dy (N, OH, OW, O) and x (N, H, W, C)."""
    oh, ow = geometry.output
    tiles = len(dy) * -(-oh // TILE) * -(-ow // TILE)
    flat_x, flat_dy = plain(x).reshape(-1), plain(dy).reshape(-1)
    dw = np.empty(geometry.w_shape, x.dtype)
    if PRODUCTS * panels(geometry.in_channels) * panels(geometry.out_channels) * WIDTH**2 <= SUM_NUMBERS:
        _by_blocks(flat_x, flat_dy, tile_numbers(geometry), tiles, dw)
    else:
        _by_runs(flat_x, flat_dy, tile_numbers(geometry), tiles, dw)
    return dw


def _by_blocks(x: np.ndarray, dy: np.ndarray, geometry: tuple[int, ...], tiles: int, dw: np.ndarray) -> None:
    """Few channels: each part of the tiles has 36 sums of its own, in the cache beside a block of tiles."""
    channels, outputs = geometry[2], geometry[7]
    c_panels, o_panels = panels(channels), panels(outputs)
    depth = c_panels * WIDTH
    parts = max(1, min(PARTS, tiles // SUM_BLOCK))
    partial = np.zeros((parts, PRODUCTS * depth * o_panels * WIDTH), x.dtype)

    def add_up(part: int) -> None:
        x_points = empty(PRODUCTS * c_panels * SUM_BLOCK * WIDTH, x.dtype)
        dy_points = empty(PRODUCTS * o_panels * SUM_BLOCK * WIDTH, x.dtype)
        patch = empty(PRODUCTS * max(c_panels, o_panels) * WIDTH, x.dtype)
        first, last = part * tiles // parts, (part + 1) * tiles // parts
        gradient_sums(
            x, dy, geometry, SUM_BLOCK, SUM_BLOCK, (first, last, first), (0, depth, 0),
            x_points, dy_points, patch, partial[part],
        )  # fmt: skip

    workers.run(add_up, parts)
    sums = partial.sum(axis=0)

    def filters(part: int) -> None:
        first, last = part * channels // PARTS, (part + 1) * channels // PARTS
        patch = np.empty(9 * WIDTH, x.dtype)
        gradient_filters(sums, 0, depth, channels, outputs, first, last, dw.reshape(-1), patch)

    workers.run(filters, PARTS)


def _by_runs(x: np.ndarray, dy: np.ndarray, geometry: tuple[int, ...], tiles: int, dw: np.ndarray) -> None:
    """Many channels: first all threads transform a long run of tiles, then each takes the products of some
    input channels. Where one run is enough, sums live no longer than their task."""
    channels, outputs = geometry[2], geometry[7]
    c_panels, o_panels = panels(channels), panels(outputs)
    run = min(tiles, max(SUM_BLOCK, RUN_NUMBERS // (PRODUCTS * (c_panels + o_panels) * WIDTH)))
    x_points = empty(PRODUCTS * c_panels * run * WIDTH, x.dtype)
    dy_points = empty(PRODUCTS * o_panels * run * WIDTH, x.dtype)
    size = PRODUCTS * WIDTH * o_panels * WIDTH
    kept = None if run == tiles else np.zeros((c_panels, size), x.dtype)

    for start in range(0, tiles, run):
        count = min(run, tiles - start)

        def points(part: int, start: int = start, count: int = count) -> None:
            patch = empty(PRODUCTS * max(c_panels, o_panels) * WIDTH, x.dtype)
            first, last = start + part * count // PARTS, start + (part + 1) * count // PARTS
            gradient_sums(
                x, dy, geometry, run, run, (first, last, start), (0, 0, 0),
                x_points, dy_points, patch, x_points,
            )  # fmt: skip

        def products(panel: int, start: int = start, count: int = count) -> None:
            sums = np.zeros(size, x.dtype) if kept is None else kept[panel]
            first, last = panel * WIDTH, panel * WIDTH + WIDTH
            gradient_sums(
                x, dy, geometry, run, run, (start, start, start), (first, last, count),
                x_points, dy_points, x_points, sums,
            )  # fmt: skip
            if start + count == tiles:
                patch, last = np.empty(9 * WIDTH, x.dtype), min(last, channels)
                gradient_filters(sums, first, WIDTH, channels, outputs, first, last, dw.reshape(-1), patch)

        workers.run(points, PARTS)
        workers.run(products, c_panels)
