"""3x3 convolutions of stride 1 with a quarter of the multiplications, in blocks that stay in the cache.

``algebra.py`` has the idea and the matrices. Done naively, the transformed input alone is 2.25 times the
image and is written to memory and read again; here it never leaves the core's cache. The output is cut into
tiles of 4x4 pixels, and a block of tiles goes through all three steps at once:

    image                 points U                  products M                     output
    6x6 pixels a tile     [36][c / W][tile][W]      [36][o / W][tile][W]           4x4 pixels a tile
    +--+--+--+            +----------+  36 products +----------+                   +--+--+--+
    |  |  |  |  B^T d B   |+----------+ U[k] F[k]   |+----------+   A^T m A + bias |  |  |  |
    +--+--+--+ ---------> ||+----------+ ---------> ||+----------+ --------------> +--+--+--+
    |  |  |  |            +||          | microkernel+||          |                 |  |  |  |
    +--+--+--+             +|          |             +|          |                 +--+--+--+
                            +----------+              +----------+

W is the vector width. All 36 matrices are laid out in panels of W channels, so that a tile's numbers fill
cache lines and the micro-kernel reads memory sequentially. The filters F, transformed once a
call, are packed likewise: [o / W][36][c][W]. Channels that do not fill the last panel are zeros there.

Tiles that reach beyond the image, and images whose channels are no multiple of W, pass through a small patch
with the missing pixels and channels filled with zeros; everything else is read and written in place.

Tasks are cut by the shape alone (``tasks.py``) and write to memory of their own: the result does not depend
on the number of threads. The workspace is a few megabytes whatever the image's size.

Limits: the 16 outputs of a tile are made of the same 36 products. A NaN or an infinity in the image makes the
9 outputs whose windows contain it not finite, as it should, and also all 16 of the tile in the middle of
which it lies (4x4 of its 6x6 pixels); it never vanishes, but an infinity may become NaN. A number far larger
than its neighbours costs the same outputs their last digits: beside 1e6 they are off by about 1. Other
outputs do not change. Where that matters, ``MINICNN_CONVOLUTION=implicit`` selects the algorithm that has no
tiles.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import inner, jit, plain
from minicnn.kernels.runtime.row_consumer import RowConsumer
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.intrinsics import address_of
from minicnn.kernels.simd.microkernel import (
    ROWS,
    Depth,
    Destination,
    LeftOperand,
    RightOperand,
    set_one,
    set_two,
)
from minicnn.kernels.winograd.algebra import PRODUCTS, TILE
from minicnn.kernels.winograd.filters import Filters
from minicnn.kernels.winograd.records import Layout, Part, Tiling
from minicnn.kernels.winograd.tasks import Tasks
from minicnn.kernels.winograd.tiles import place_tiles, plane_of, transform_tiles
from minicnn.shapes import ConvGeometry


@inner
def multiply_points(points, layout, filters, products, products_layout, part, segments, tiles):  # type: ignore[no-untyped-def]
    """products = points times the filters of ``part``, summed over ``segments`` panels of channels, for a
    block of tiles."""
    depth = Depth(segments, WIDTH)  # WIDTH: the length of the inner loop is a compile-time constant
    panels, plane = part.last_panel - part.first_panel, plane_of(segments * WIDTH * WIDTH)
    for k in range(PRODUCTS):
        for p in range(0, panels, 2):
            b = address_of(filters, (p * PRODUCTS + k) * plane)
            right = RightOperand(b, row=WIDTH, panel=PRODUCTS * plane)
            for t in range(0, tiles, ROWS):
                start = k * layout.plane + t * WIDTH
                left = LeftOperand(start, row=WIDTH, segment=layout.panel, step=1)
                start = k * products_layout.plane + p * products_layout.panel + t * WIDTH
                to = Destination(start, row=WIDTH, panel=products_layout.panel)
                if p + 1 < panels:
                    set_two(points, left, depth, right, products, to)
                else:
                    set_one(points, left, depth, right, products, to)


@jit
def forward_tiles(x, filters, bias, floor, y, tiling, part, work, patch):  # type: ignore[no-untyped-def]
    """The tiles and panels of ``part`` in y, a block of tiles at a time: y = max(convolution + bias,
    floor)."""
    tiling, part = Tiling(*tiling), Part(*part)
    panel, panels = part.block * WIDTH, part.last_panel - part.first_panel
    segments = (tiling.channels + WIDTH - 1) // WIDTH
    layout = Layout(plane_of(segments * panel), panel)
    products_layout = Layout(plane_of(panels * panel), panel)
    points, products = work, work[PRODUCTS * layout.plane :]
    for first in range(part.first, part.last, part.block):
        tiles = min(part.block, part.last - first)
        transform_tiles(x, tiling, first, tiles, points, layout, patch)
        multiply_points(points, layout, filters, products, products_layout, part, segments, tiles)
        place_tiles(products, products_layout, bias, floor, y, tiling, part, first, tiles, patch)


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
    they are stored nowhere else, and y as a whole is not stored.
    """
    tasks = Tasks(geometry, len(x))
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
    tiling, flat_x = tuple(Tiling.of(geometry)), plain(x).reshape(-1)
    longest = tasks.rows * TILE * tasks.row_numbers if out is None else 0
    idle_buffers: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def task(t: int) -> None:
        if idle_buffers:
            work, patch, rows = idle_buffers.pop()
        else:
            work, patch, rows = (empty(s, x.dtype) for s in (tasks.workspace, tasks.patch, longest))
        part = tasks.part(t)
        y = rows if out is None else out.reshape(-1)[part.origin :]
        if isinstance(filters, Filters):
            packed = filters.panels(part.first_panel, part.last_panel)
        else:
            packed = filters[part.first_panel * filters.size // tasks.panels :]
        forward_tiles(flat_x, packed, shift, floor, y, tiling, tuple(part), work, patch)
        if consumer is not None:
            first, last = tasks.image_row(t), tasks.image_row(t + 1)
            consumer(t, first, last, y[: (last - first) * tasks.row_numbers])
        idle_buffers.append((work, patch, rows))

    if consumer is not None:
        consumer.expect(tasks.count)
    thread_pool.run(task, tasks.count)


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
    """dx (N, H, W, C) of dy (N, OH, OW, O): its convolution with w rotated, in the transposed geometry."""
    dx = empty(geometry.x_shape(len(dy)), dy.dtype) if out is None else out
    compute(dy, Filters(w, rotated=True), None, geometry.transposed(), out=dx)
    return dx
