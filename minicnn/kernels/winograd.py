"""3x3 convolutions of stride 1 with a quarter of the multiplications, in blocks that stay in the cache.

``winograd_algebra.py`` has the idea and the matrices. Done naively, the transformed input alone is 2.25 times
the image and travels to memory and back; here it never leaves the core's cache. The output is cut into tiles
of 4x4 pixels, and a block of tiles goes through all three steps at once:

    image                 points U                  products M                     output
    6x6 pixels a tile     [36][c / W][tile][W]      [36][o / W][tile][W]           4x4 pixels a tile
    +--+--+--+            +----------+  36 products +----------+                   +--+--+--+
    |  |  |  |  B^T d B   |+----------+ U[k] F[k]   |+----------+   A^T m A + bias |  |  |  |
    +--+--+--+ ---------> ||+----------+ ---------> ||+----------+ --------------> +--+--+--+
    |  |  |  |            +||          | microkernel+||          |                 |  |  |  |
    +--+--+--+             +|          |             +|          |                 +--+--+--+
                            +----------+              +----------+

W is the vector width. All 36 matrices are laid out in panels of W channels, so that a tile's numbers fill
cache lines and the micro-kernel walks through memory in a straight line. The filters F, transformed once a
call, are packed likewise: [36][o / W][c][W]. Channels that do not fill the last panel are zeros there.

Tiles that stick out of the image, and images whose channels are no multiple of W, pass through a small patch
with the missing pixels and channels filled with zeros; everything else is read and written in place.

Pieces of work are cut by the shape alone and write to memory of their own: the result does not depend on the
number of threads. The workspace is a few megabytes whatever the image's size.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels import microkernel, pool
from minicnn.kernels.jit import jit, plain
from minicnn.kernels.simd import WIDTH, address_of, copy_vector
from minicnn.kernels.winograd_algebra import PATCH, PRODUCTS, TILE
from minicnn.kernels.winograd_tiles import cut_out, pack_filters, panels, transform_input, transform_output
from minicnn.shapes import Pads

ROWS = microkernel.ROWS
set_one, set_two = microkernel.set_one, microkernel.set_two

# Tiles in a block, and blocks in a task: the block is to stay in a 1 MB cache.
BLOCK = 16
WIDE_BLOCK = 32
WIDE_CHANNELS = 768
TASK_BLOCKS = 8


@jit
def forward_tiles(x, filters, bias, floor, y, geometry, block, first, last, work, patch):  # type: ignore[no-untyped-def]
    """Tiles first..last-1 of y, a block at a time. ``geometry`` and ``work`` are those of ``_forward``."""
    height, width, channels, top, left, oh, ow, outputs = geometry
    tile_columns = (ow + TILE - 1) // TILE
    tiles_of_image = (oh + TILE - 1) // TILE * tile_columns
    c_panels, o_panels = (channels + WIDTH - 1) // WIDTH, (outputs + WIDTH - 1) // WIDTH
    depth, panel = c_panels * WIDTH, block * WIDTH
    products = PRODUCTS * c_panels * panel
    for start in range(first, last, block):
        tiles = min(block, last - start)
        for t in range(tiles):
            n, place = (start + t) // tiles_of_image, (start + t) % tiles_of_image
            i, j = place // tile_columns * TILE - top, place % tile_columns * TILE - left
            if channels == depth and i >= 0 and j >= 0 and i + PATCH <= height and j + PATCH <= width:
                pixels = address_of(x, ((n * height + i) * width + j) * channels)
                row, column = width * channels, channels
            else:
                cut_out(x, n, i, i + PATCH, j, j + PATCH, height, width, channels, depth, patch)
                pixels = address_of(patch, 0)
                row, column = PATCH * depth, depth
            for p in range(c_panels):
                to = p * panel + t * WIDTH
                transform_input(pixels + p * WIDTH * x.itemsize, row, column, work, to, c_panels * panel)
        for k in range(PRODUCTS):
            a, c = k * c_panels * panel, products + k * o_panels * panel
            for p in range(0, o_panels, 2):
                b = address_of(filters, (k * o_panels + p) * depth * WIDTH)
                for t in range(0, tiles, ROWS):
                    to = c + p * panel + t * WIDTH
                    if p + 1 < o_panels:
                        set_two(
                            work, a + t * WIDTH, WIDTH, panel, 1, c_panels, WIDTH,
                            b, WIDTH, depth * WIDTH, work, to, WIDTH, panel,
                        )  # fmt: skip
                    else:
                        set_one(
                            work, a + t * WIDTH, WIDTH, panel, 1, c_panels, WIDTH,
                            b, WIDTH, depth * WIDTH, work, to, WIDTH, panel,
                        )  # fmt: skip
        for t in range(tiles):
            n, place = (start + t) // tiles_of_image, (start + t) % tiles_of_image
            i, j = place // tile_columns * TILE, place % tile_columns * TILE
            to = ((n * oh + i) * ow + j) * outputs
            rows, columns = min(TILE, oh - i), min(TILE, ow - j)
            for p in range(o_panels):
                lanes = min(WIDTH, outputs - p * WIDTH)
                whole = rows == TILE and columns == TILE and lanes == WIDTH
                if whole:
                    pixels = address_of(y, to + p * WIDTH)
                    row, column = ow * outputs, outputs
                else:
                    pixels = address_of(patch, 0)
                    row, column = TILE * WIDTH, WIDTH
                at = products + p * panel + t * WIDTH
                transform_output(work, at, o_panels * panel, bias, p * WIDTH, floor, pixels, row, column)
                if not whole:
                    for r in range(rows):
                        for q in range(columns):
                            pixel = to + (r * ow + q) * outputs + p * WIDTH
                            if lanes == WIDTH:
                                copy_vector(patch, (r * TILE + q) * WIDTH, y, pixel)
                            for lane in range(lanes % WIDTH):
                                y[pixel + lane] = patch[(r * TILE + q) * WIDTH + lane]


def transformed_filters(w: np.ndarray, rotated: bool = False) -> np.ndarray:
    """The packed filters of ``forward`` for w (3, 3, C, O). ``rotated`` gives those of the input gradient: w
    turned by 180 degrees, its input and output channels swapped."""
    _, _, channels, outputs = w.shape
    taps = channels * outputs
    rows, lanes = (outputs, channels) if rotated else (channels, outputs)
    row, lane = (1, outputs) if rotated else (outputs, 1)
    start, tap = (8 * taps, -taps) if rotated else (0, taps)
    filters = np.empty(PRODUCTS * panels(lanes) * panels(rows) * WIDTH**2, w.dtype)
    flat = plain(w).reshape(-1)

    def pack(panel: int) -> None:
        pack_filters(flat, start, tap, row, rows, lane, lanes, panel, panel + 1, filters)

    pool.run(pack, panels(lanes))
    return filters


def _forward(
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    top: int,
    left: int,
    relu: bool = False,
) -> None:
    """Fill y (N, OH, OW, O) from x (N, H, W, C), which begins ``top`` rows and ``left`` columns late."""
    n, height, width, channels = x.shape
    _, oh, ow, outputs = y.shape
    c_panels, o_panels = panels(channels), panels(outputs)
    tiles = n * -(-oh // TILE) * -(-ow // TILE)
    block = WIDE_BLOCK if channels + outputs > WIDE_CHANNELS else BLOCK
    share = -(-tiles // (2 * ROWS)) * ROWS
    block = min(block, max(ROWS, share))
    task = min(block * TASK_BLOCKS, -(-tiles // (2 * block)) * block)
    shift = np.zeros(o_panels * WIDTH, x.dtype)
    if bias is not None:
        shift[:outputs] = bias
    floor = np.array([0 if relu else -np.inf], x.dtype)
    geometry = (height, width, channels, top, left, oh, ow, outputs)
    size, patch_size = PRODUCTS * (c_panels + o_panels) * block * WIDTH, PRODUCTS * c_panels * WIDTH
    flat_x, flat_y = plain(x).reshape(-1), y.reshape(-1)
    idle: list[tuple[np.ndarray, np.ndarray]] = []

    def compute(part: int) -> None:
        work, patch = idle.pop() if idle else (np.empty(size, x.dtype), np.empty(patch_size, x.dtype))
        first, last = part * task, min(tiles, part * task + task)
        forward_tiles(flat_x, filters, shift, floor, flat_y, geometry, block, first, last, work, patch)
        idle.append((work, patch))

    pool.run(compute, -(-tiles // task))


def forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    pads: Pads,
    relu: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (3, 3, C, O) and b (O,) or None; max(y, 0) with ``relu``."""
    n, height, width, _ = x.shape
    (top, bottom), (left, right) = pads
    shape = (n, height + top + bottom - 2, width + left + right - 2, w.shape[3])
    y = np.empty(shape, x.dtype) if out is None else out
    _forward(x, transformed_filters(w), b, y, top, left, relu)
    return y


def backward_input(
    dy: np.ndarray, w: np.ndarray, x_shape: tuple[int, ...], pads: Pads, out: np.ndarray | None = None
) -> np.ndarray:
    """dx (N, H, W, C): the same convolution of dy, with w rotated and the padding turned inside out."""
    dx = np.empty(x_shape, dy.dtype) if out is None else out
    (top, _), (left, _) = pads
    _forward(dy, transformed_filters(w, rotated=True), None, dx, 2 - top, 2 - left)
    return dx
