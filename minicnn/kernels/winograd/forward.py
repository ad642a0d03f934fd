"""3x3 convolutions of stride 1 with a quarter of the multiplications, in blocks that stay in the cache.

``algebra.py`` has the idea and the matrices. Done naively, the transformed input alone is 2.25 times
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
call, are packed likewise: [o / W][36][c][W]. Channels that do not fill the last panel are zeros there.

Tiles that stick out of the image, and images whose channels are no multiple of W, pass through a small patch
with the missing pixels and channels filled with zeros; everything else is read and written in place.

Pieces of work are cut by the shape alone and write to memory of their own: the result does not depend on the
number of threads. The workspace is a few megabytes whatever the image's size.

What it cannot do: the 16 outputs of a tile are made of the same 36 products. A NaN or an infinity in the
image spoils the 9 outputs that see it, as it should, and all 16 of the tile in the middle of which it lies
(4x4 of its 6x6 pixels); it never vanishes, but an infinity may come out as NaN. A number far larger than its
neighbours costs the same outputs their last digits: beside 1e6 they are off by about 1. Other outputs do not
notice. Where that matters, ``MINICNN_CONVOLUTION=implicit`` takes the algorithm that has no tiles.
"""

from __future__ import annotations

import math

import numpy as np

from minicnn.kernels.runtime import workers
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.kernels.runtime.row_consumer import RowConsumer
from minicnn.kernels.simd import microkernel
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.intrinsics import address_of
from minicnn.kernels.winograd.algebra import PRODUCTS, TILE
from minicnn.kernels.winograd.tiles import (
    pack_filters,
    panels,
    place_tiles,
    plane_of,
    tile_numbers,
    transform_tiles,
)
from minicnn.shapes import ConvGeometry

ROWS = microkernel.ROWS
set_one, set_two = microkernel.set_one, microkernel.set_two

# Tiles in a block, which is to stay in a 1 MB cache, and in a task, whose part of the output is to do so too.
# With many channels the filters are what must be read seldom: larger blocks.
BLOCK = 16
WIDE_CHANNELS = 768
WIDE_BLOCK = 32
TASK_TILES = 128
WIDE_TILES = 256
# Tasks are cut smaller, then by channels, where there would be fewer than these.
LEAST_TASKS = 4
FEW_TASKS = 3


@jit
def forward_tiles(x, filters, bias, floor, y, origin, geometry, block, part, work, patch):  # type: ignore[no-untyped-def]
    """Some tiles and panels of the output, whose number ``origin`` is the first in y; a block at a time.

    ``part`` is (first tile, the one after the last, first panel of channels, the one after the last, the
    panel that ``filters`` begin with).
    """
    channels = geometry[2]
    c_panels = (channels + WIDTH - 1) // WIDTH
    first, last, first_panel, last_panel, filter_panel = part
    count = last_panel - first_panel
    depth, panel = c_panels * WIDTH, block * WIDTH
    plane, points, sums = plane_of(depth * WIDTH), plane_of(c_panels * panel), plane_of(count * panel)
    products = PRODUCTS * points
    for start in range(first, last, block):
        tiles = min(block, last - start)
        transform_tiles(x, geometry, start, tiles, panel, points, work, patch)
        for k in range(PRODUCTS):
            a, c = k * points, products + k * sums
            for p in range(0, count, 2):
                b = address_of(filters, ((first_panel + p - filter_panel) * PRODUCTS + k) * plane)
                for t in range(0, tiles, ROWS):
                    to = c + p * panel + t * WIDTH
                    if p + 1 < count:
                        set_two(
                            work, a + t * WIDTH, WIDTH, panel, 1, c_panels, WIDTH,
                            b, WIDTH, PRODUCTS * plane, work, to, WIDTH, panel,
                        )  # fmt: skip
                    else:
                        set_one(
                            work, a + t * WIDTH, WIDTH, panel, 1, c_panels, WIDTH,
                            b, WIDTH, PRODUCTS * plane, work, to, WIDTH, panel,
                        )  # fmt: skip
        place_tiles(
            work, products, panel, sums, first_panel, count, bias, floor, y, origin, geometry,
            start, tiles, patch,
        )  # fmt: skip


class Filters:
    """The transformed filters of w (3, 3, C, O), packed panel by panel when they are asked for.

    ``rotated`` gives those of the input gradient: w turned by 180 degrees, its channels swapped.
    """

    def __init__(self, w: np.ndarray, rotated: bool = False) -> None:
        _, _, channels, outputs = w.shape
        taps = channels * outputs
        self.w = plain(w).reshape(-1)
        self.rows, self.lanes = (outputs, channels) if rotated else (channels, outputs)
        row, lane = (1, outputs) if rotated else (outputs, 1)
        start, tap = (8 * taps, -taps) if rotated else (0, taps)
        self._places = (start, tap, row, self.rows, lane, self.lanes)

    def panels(self, first: int, last: int) -> np.ndarray:
        """Panels first..last-1: [panel][36][C rounded up][W], flat."""
        filters = empty((last - first) * self._numbers, self.w.dtype)
        pack_filters(self.w, *self._places, first, last, filters)
        return filters

    def all(self) -> np.ndarray:
        """All panels."""
        count = panels(self.lanes)
        filters = empty((count, self._numbers), self.w.dtype)
        workers.run(lambda p: pack_filters(self.w, *self._places, p, p + 1, filters[p]), count)
        return filters.reshape(-1)

    @property
    def _numbers(self) -> int:
        return int(PRODUCTS * plane_of(panels(self.rows) * WIDTH**2))


class _Tasks:
    """How the output is cut: into rows of tiles and, where these are few, panels of channels; then blocks."""

    def __init__(self, geometry: ConvGeometry, images: int) -> None:
        channels, outputs, (oh, ow) = geometry.in_channels, geometry.out_channels, geometry.output
        self.image_rows, self.row_numbers = oh, ow * outputs
        self.tile_rows, self.columns = -(-oh // TILE), -(-ow // TILE)
        self.total, self.panels = images * self.tile_rows, panels(outputs)
        wide = channels + outputs > WIDE_CHANNELS
        # Rows of tiles that make whole tiles of the micro-kernel; a task has a multiple of them.
        step = ROWS // math.gcd(ROWS, self.columns)
        wanted = WIDE_TILES if wide else min(TASK_TILES, -(-self.total // LEAST_TASKS) * self.columns)
        self.rows = max(step, wanted // self.columns // step * step)
        tasks = -(-self.total // self.rows)
        self.groups = min(-(-LEAST_TASKS // tasks), -(-self.panels // 2)) if tasks < FEW_TASKS else 1
        self.group = -(-self.panels // (2 * self.groups)) * 2
        self.groups = -(-self.panels // self.group)
        self.count = tasks * self.groups
        most = -(-min(self.rows, self.total) * self.columns // ROWS) * ROWS
        self.block = min(WIDE_BLOCK if wide else BLOCK, most)
        panel = self.block * WIDTH
        widest = min(self.group, self.panels)
        self.workspace = PRODUCTS * (plane_of(panels(channels) * panel) + plane_of(widest * panel))
        self.patch = PRODUCTS * panels(channels) * WIDTH

    def part(self, task: int) -> tuple[int, int, int, int]:
        """First tile, the one after the last, first panel, the one after the last."""
        row, panel = task // self.groups * self.rows, task % self.groups * self.group
        last_row, last_panel = min(row + self.rows, self.total), min(panel + self.group, self.panels)
        return row * self.columns, last_row * self.columns, panel, last_panel

    def image_row(self, task: int) -> int:
        """The first row of the output that a task computes, counted through the batch."""
        n, row = divmod(min(task // self.groups * self.rows, self.total), self.tile_rows)
        return n * self.image_rows + row * TILE


def compute(
    x: np.ndarray,
    filters: Filters | np.ndarray,
    bias: np.ndarray | None,
    geometry: ConvGeometry,
    relu: bool = False,
    out: np.ndarray | None = None,
    consumer: RowConsumer | None = None,
) -> None:
    """The convolution with transformed filters. y goes to ``out``.

    ``consumer`` (see ``RowConsumer``) receives the rows of y while they are in the cache; without ``out``
    they are nowhere else, and y as a whole never exists.
    """
    tasks = _Tasks(geometry, len(x))
    if tasks.groups > 1 and consumer is not None:
        # No task has all channels of its rows; the output is small.
        y = empty(geometry.y_shape(len(x)), x.dtype) if out is None else out
        compute(x, filters, bias, geometry, relu, y)
        consumer.expect(1)
        consumer(0, 0, len(x) * geometry.output[0], y.reshape(-1))
        return
    if isinstance(filters, Filters) and tasks.count > tasks.groups:
        # Every task would need the same panels.
        filters = filters.all()
    shift = np.zeros(tasks.panels * WIDTH, x.dtype)
    if bias is not None:
        shift[: len(bias)] = bias
    floor = np.array([0 if relu else -np.inf], x.dtype)
    numbers = tile_numbers(geometry)
    flat_x = plain(x).reshape(-1)
    longest = tasks.rows * TILE * tasks.row_numbers if out is None else 0
    idle: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def task(t: int) -> None:
        if idle:
            work, patch, rows = idle.pop()
        else:
            work, patch, rows = (empty(s, x.dtype) for s in (tasks.workspace, tasks.patch, longest))
        first = tasks.image_row(t)
        origin = first * tasks.row_numbers
        target, start = (rows, 0) if out is None else (out.reshape(-1), origin)
        part = tasks.part(t)
        packed, panel = (filters.panels(*part[2:]), part[2]) if isinstance(filters, Filters) else (filters, 0)
        forward_tiles(
            flat_x, packed, shift, floor, target, origin - start,
            numbers, tasks.block, (*part, panel), work, patch,
        )  # fmt: skip
        if consumer is not None:
            last = tasks.image_row(t + 1)
            consumer(t, first, last, target[start : start + (last - first) * tasks.row_numbers])
        idle.append((work, patch, rows))

    if consumer is not None:
        consumer.expect(tasks.count)
    workers.run(task, tasks.count)


def forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    geometry: ConvGeometry,
    relu: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (3, 3, C, O) and b (O,) or None; max(y, 0) with ``relu``."""
    y = empty(geometry.y_shape(len(x)), x.dtype) if out is None else out
    compute(x, Filters(w), b, geometry, relu, y)
    return y


def backward_input(
    dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry, out: np.ndarray | None = None
) -> np.ndarray:
    """dx (N, H, W, C): the same convolution of dy, with w rotated and the padding turned inside out."""
    dx = empty(geometry.x_shape(len(dy)), dy.dtype) if out is None else out
    compute(dy, Filters(w, rotated=True), None, geometry.transposed(), out=dx)
    return dx
