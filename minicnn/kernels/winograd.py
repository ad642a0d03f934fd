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

import math

import numpy as np

from minicnn.kernels import microkernel, pool
from minicnn.kernels.jit import jit, plain
from minicnn.kernels.rows import RowConsumer
from minicnn.kernels.simd import WIDTH, address_of, copy_vector
from minicnn.kernels.winograd_algebra import PATCH, PRODUCTS, TILE
from minicnn.kernels.winograd_tiles import cut_out, pack_filters, panels, transform_input, transform_output
from minicnn.shapes import Pads, Pair

ROWS = microkernel.ROWS
set_one, set_two = microkernel.set_one, microkernel.set_two

# Tiles in a block, which is to stay in a 1 MB cache, and in a task, whose part of the output is to do so too.
# With many channels the filters are what must be read seldom: larger blocks, fewer tasks.
BLOCK = 16
TASK_TILES = 128
LEAST_TASKS = 8
WIDE_CHANNELS = 768
WIDE_BLOCK = 32
WIDE_TASKS = 2


@jit
def forward_tiles(x, filters, bias, floor, y, origin, geometry, block, first, last, work, patch):  # type: ignore[no-untyped-def]
    """Tiles first..last-1 of the output, whose number ``origin`` is the first in y; a block at a time."""
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
            to = ((n * oh + i) * ow + j) * outputs - origin
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


class _Tasks:
    """How the tiles are cut into tasks of whole rows of tiles, and these into blocks."""

    def __init__(self, x: np.ndarray, y_shape: tuple[int, ...]) -> None:
        (n, height, width, self.channels), (_, oh, ow, self.outputs) = x.shape, y_shape
        self.image_rows, self.row_numbers = oh, ow * self.outputs
        self.tile_rows, self.columns = -(-oh // TILE), -(-ow // TILE)
        wide = self.channels + self.outputs > WIDE_CHANNELS
        # Rows of tiles that make whole tiles of the micro-kernel; a task has a multiple of them.
        step = ROWS // math.gcd(ROWS, self.columns)
        total = n * self.tile_rows
        share = -(-total // (WIDE_TASKS if wide else LEAST_TASKS))
        wanted = min(TASK_TILES // self.columns, share)
        self.rows = max(step, wanted // step * step)
        self.count = -(-total // self.rows)
        self.total = total
        self.block = min(WIDE_BLOCK if wide else BLOCK, -(-self.rows * self.columns // ROWS) * ROWS)
        self.workspace = PRODUCTS * (panels(self.channels) + panels(self.outputs)) * self.block * WIDTH
        self.patch = PRODUCTS * panels(self.channels) * WIDTH
        self.size = (height, width)

    def tiles(self, task: int) -> tuple[int, int]:
        """First tile, and the one after the last."""
        first = task * self.rows
        return first * self.columns, min(first + self.rows, self.total) * self.columns

    def image_row(self, task: int) -> int:
        """The first row of the output that a task computes, counted through the batch."""
        tile_row = min(task * self.rows, self.total)
        n, place = divmod(tile_row, self.tile_rows)
        return n * self.image_rows + place * TILE


def compute(
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray | None,
    corner: Pair,
    y_shape: tuple[int, ...],
    relu: bool = False,
    out: np.ndarray | None = None,
    consumer: RowConsumer | None = None,
) -> None:
    """The convolution with transformed filters; pixel (0, 0) of y sees x from -corner on. y goes to ``out``.

    ``consumer`` (see ``rows.py``) receives the rows of y while they are in the cache; without ``out`` they
    are nowhere else, and y as a whole never exists.
    """
    tasks = _Tasks(x, y_shape)
    shift = np.zeros(panels(tasks.outputs) * WIDTH, x.dtype)
    if bias is not None:
        shift[: tasks.outputs] = bias
    floor = np.array([0 if relu else -np.inf], x.dtype)
    geometry = (*tasks.size, tasks.channels, *corner, tasks.image_rows, y_shape[2], tasks.outputs)
    flat_x = plain(x).reshape(-1)
    longest = tasks.rows * TILE * tasks.row_numbers
    idle: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def task(t: int) -> None:
        if idle:
            work, patch, rows = idle.pop()
        else:
            work, patch = np.empty(tasks.workspace, x.dtype), np.empty(tasks.patch, x.dtype)
            rows = np.empty(longest if out is None else 0, x.dtype)
        first, last = tasks.image_row(t), tasks.image_row(t + 1)
        origin = first * tasks.row_numbers
        target = rows if out is None else out.reshape(-1)
        forward_tiles(
            flat_x, filters, shift, floor, target, origin if out is None else 0,
            geometry, tasks.block, *tasks.tiles(t), work, patch,
        )  # fmt: skip
        if consumer is not None:
            start = 0 if out is None else origin
            consumer(t, first, last, target[start : start + (last - first) * tasks.row_numbers])
        idle.append((work, patch, rows))

    if consumer is not None:
        consumer.expect(tasks.count)
    pool.run(task, tasks.count)


def forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    pads: Pads,
    relu: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (3, 3, C, O) and b (O,) or None; max(y, 0) with ``relu``."""
    y = np.empty(output_shape(x.shape, w.shape, pads), x.dtype) if out is None else out
    compute(x, transformed_filters(w), b, (pads[0][0], pads[1][0]), y.shape, relu, y)
    return y


def output_shape(x_shape: tuple[int, ...], w_shape: tuple[int, ...], pads: Pads) -> tuple[int, ...]:
    n, height, width, _ = x_shape
    return n, height + sum(pads[0]) - 2, width + sum(pads[1]) - 2, w_shape[3]


def backward_input(
    dy: np.ndarray, w: np.ndarray, x_shape: tuple[int, ...], pads: Pads, out: np.ndarray | None = None
) -> np.ndarray:
    """dx (N, H, W, C): the same convolution of dy, with w rotated and the padding turned inside out."""
    dx = np.empty(x_shape, dy.dtype) if out is None else out
    corner = (2 - pads[0][0], 2 - pads[1][0])
    compute(dy, transformed_filters(w, rotated=True), None, corner, x_shape, out=dx)
    return dx
