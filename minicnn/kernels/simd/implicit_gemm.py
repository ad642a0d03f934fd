"""Any convolution as a matrix product whose left matrix is the image itself: no patches are laid out.

In an NHWC image the kw * C numbers under one row of the kernel lie side by side, and the next output pixel's
begin ``stride * C`` further on. So the patch matrix of a row of output pixels is the image row, read with
rows that overlap, once for every row of the kernel:

    image row    | c c c | c c c | c c c | c c c | c c c | c c c |          C = 3, kw = 3, stride 1
    pixel 0      [----- kw * C ----------]
    pixel 1              [------------------------]                         a_row     = stride * C
    pixel 2                      [------------------------]                 depth     = kw * C
    kernel row i: the same, i image rows further down                       segments  = kh, a_segment = a row

    y[pixel, o] = sum over i < kh, q < kw * C of  image[i][pixel * stride * C + q] * w[i, q, o]

which the micro-kernel computes, one kernel row a segment (``microkernel.py``). The weight gradient is the
transposed product with the same strides: rows are the q's, the depth runs over the pixels,

    dw[i, q, o] = sum over pixels of  image[i][pixel * stride * C + q] * dy[pixel, o]

and the input gradient of a convolution of stride 1 is the forward product of dy with the filters rotated.

The image is cut into strips of a few output rows. A strip is copied into a buffer with its padding, which
costs little, as each number is then used kh * kw * O times, and stays in the cache while it is multiplied:

    strip  (rows - 1) * stride + kh  image rows       x        weights  [o / W][kh * kw * C][W]

A first layer, 3 channels deep, gains most: Winograd's transforms would be mostly padding, and BLAS prepares
its operands at greater cost than the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import inlined, inner, jit, plain
from minicnn.kernels.runtime.row_consumer import RowConsumer
from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import address_of, emitted
from minicnn.kernels.simd.microkernel import (
    NINE,
    ROWS,
    Depth,
    Destination,
    LeftOperand,
    RightOperand,
    add_one,
    add_one_of_nine,
    add_two,
    add_two_of_nine,
    set_one,
    set_two,
)
from minicnn.kernels.simd.strips import Cut, Strips, fill_strip, strip_at, widen
from minicnn.shapes import ConvGeometry


@emitted
def finish(
    e: Emitter, tile: Any, start: Any, bias: Any, channel: Any, floor: Any, pixels: Any, row: Any
) -> None:
    """ROWS pixels of WIDTH channels at the address ``pixels``, ``row`` apart = max(tile + bias, floor)."""
    y = e.pointer(pixels)
    shift, low = e.load(bias, channel), e.broadcast(floor, 0)
    for r in range(ROWS):
        sums = e.load(tile, e.sum(start, 2 * WIDTH * r))
        e.store(e.maximum(low, sums + shift), y, e.product(row, r))


@jit
def rows_of_weights(depth):  # type: ignore[no-untyped-def]
    """Rows of the weight gradient that one micro-kernel tile takes; nine need the registers of AVX-512."""
    return NINE if depth == NINE and WIDTH == 16 else ROWS


@inner
def copy_lanes(tile, position, pixels, lanes, y, start, outputs):  # type: ignore[no-untyped-def]
    """Copy the first ``lanes`` channels of a tile's first ``pixels`` pixels to y."""
    for q in range(pixels):
        for lane in range(lanes):
            y[start + q * outputs + lane] = tile[position + q * 2 * WIDTH + lane]


@inlined
def place_tile(tile, bias, floor, y, start, pixels, outputs, o):  # type: ignore[no-untyped-def]
    """Write a tile, up to two vectors of channels from ``o`` on, into ``pixels`` pixels of y from ``start``
    on."""
    for v in range(0, min(2 * WIDTH, outputs - o), WIDTH):
        lanes = min(WIDTH, outputs - o - v)
        if pixels == ROWS and lanes == WIDTH:
            finish(tile, v, bias, o + v, floor, address_of(y, start + v), outputs)
        else:
            finish(tile, v, bias, o + v, floor, address_of(tile, v), 2 * WIDTH)
            copy_lanes(tile, v, pixels, lanes, y, start + v, outputs)


@jit
def forward_strips(x, weights, bias, floor, y, geometry, strips, strip, tile):  # type: ignore[no-untyped-def]
    """y = max(convolution + bias, floor) for some strips; ``strip`` and ``tile`` are buffers."""
    geometry, strips = ConvGeometry(*geometry), Strips(*strips)
    channels, outputs, (oh, ow) = geometry.in_channels, geometry.out_channels, geometry.output
    (kh, kw), (sh, sw) = geometry.kernel, geometry.stride
    depth, length = Depth(kh, kw * channels), strips.length
    panel = kh * kw * channels * WIDTH
    for s in range(strips.first, strips.last):
        n, first_row, rows = strip_at(s, geometry, strips)
        fill_strip(x, n, first_row, rows, length, geometry, strip)
        for o in range(0, outputs, 2 * WIDTH):
            right = RightOperand(address_of(weights, o * kh * kw * channels), row=WIDTH, panel=panel)
            to = Destination(0, row=2 * WIDTH, panel=WIDTH)
            for r in range(rows):
                for j in range(0, ow, ROWS):
                    start = r * sh * length + j * sw * channels
                    left = LeftOperand(start, row=sw * channels, segment=length, step=1)
                    if outputs - o > WIDTH:
                        set_two(strip, left, depth, right, tile, to)
                    else:
                        set_one(strip, left, depth, right, tile, to)
                    pixel = (n * oh + first_row + r) * ow + j
                    start = pixel * outputs + o - strips.origin
                    place_tile(tile, bias, floor, y, start, min(ROWS, ow - j), outputs, o)


@inlined
def add_tile(strip, left, depth, right, sums, to, nine, two):  # type: ignore[no-untyped-def]
    """The tile of nine rows or of ROWS, of two vectors or of one."""
    if two:
        if nine:
            add_two_of_nine(strip, left, depth, right, sums, to)
        else:
            add_two(strip, left, depth, right, sums, to)
    elif nine:
        add_one_of_nine(strip, left, depth, right, sums, to)
    else:
        add_one(strip, left, depth, right, sums, to)


@jit
def gradient_strips(x, dy, geometry, strips, strip, dy_strip, sums):  # type: ignore[no-untyped-def]
    """sums (kh, kw * C rounded up, O rounded up) += the weight gradient of some strips."""
    geometry, strips = ConvGeometry(*geometry), Strips(*strips)
    channels, outputs, (oh, ow) = geometry.in_channels, geometry.out_channels, geometry.output
    (kh, kw), (sh, sw), length = geometry.kernel, geometry.stride, strips.length
    step = rows_of_weights(kw * channels)
    weight_rows = (kw * channels + step - 1) // step * step
    columns = (outputs + WIDTH - 1) // WIDTH * WIDTH
    for s in range(strips.first, strips.last):
        n, first_row, rows = strip_at(s, geometry, strips)
        fill_strip(x, n, first_row, rows, length, geometry, strip)
        start = (n * oh + first_row) * ow * outputs
        upstream = address_of(dy, start)
        if outputs != columns:
            widen(dy, start, rows * ow, outputs, columns, dy_strip)
            upstream = address_of(dy_strip, 0)
        depth = Depth(rows, ow)
        for i in range(kh):
            for o in range(0, columns, 2 * WIDTH):
                right = RightOperand(upstream + o * dy.itemsize, row=columns, panel=WIDTH)
                for q in range(0, weight_rows, step):
                    left = LeftOperand(i * length + q, row=1, segment=sh * length, step=sw * channels)
                    to = Destination((i * weight_rows + q) * columns + o, row=columns, panel=WIDTH)
                    add_tile(strip, left, depth, right, sums, to, step == NINE, columns - o > WIDTH)


def packed_weights(w: np.ndarray) -> np.ndarray:
    """w (kh, kw, C, O) in panels [O / W][kh * kw * C][W], zeros in the lanes beyond O; flat."""
    outputs = w.shape[3]
    columns = -(-outputs // WIDTH)
    panels = empty((columns, w.size // outputs, WIDTH), w.dtype)
    panels[-1] = 0
    flat = w.reshape(-1, outputs)
    for p in range(columns):
        part = flat[:, p * WIDTH : (p + 1) * WIDTH]
        panels[p, :, : part.shape[1]] = part
    return panels.reshape(-1)


def forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    geometry: ConvGeometry,
    relu: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (kh, kw, C, O) and b (O,) or None; max(y, 0) with ``relu``."""
    y = empty(geometry.y_shape(len(x)), x.dtype) if out is None else out
    compute(x, packed_weights(w), b, geometry, relu, y)
    return y


def compute(
    x: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray | None,
    geometry: ConvGeometry,
    relu: bool = False,
    out: np.ndarray | None = None,
    consumer: RowConsumer | None = None,
) -> None:
    """Convolution with packed weights. y goes to ``out``, to ``consumer`` (a ``RowConsumer``) or both."""
    cut = Cut(geometry, len(x))
    shift = np.zeros(cut.columns, x.dtype)
    if bias is not None:
        shift[: len(bias)] = bias
    floor = np.array([0 if relu else -np.inf], x.dtype)
    flat_x, numbers = plain(x).reshape(-1), tuple(geometry)

    def part(p: int) -> None:
        strip, tile = empty(cut.numbers, x.dtype), empty(2 * ROWS * WIDTH, x.dtype)
        strip[...] = 0
        target = empty(cut.rows * cut.row_numbers, x.dtype) if out is None else out.reshape(-1)
        start, stop = cut.strips_of(p)
        step = stop - start if consumer is None else 1
        for s in range(start, stop, step):
            first, last = cut.image_row(s), cut.image_row(s + step)
            origin = first * cut.row_numbers if out is None else 0
            strips = tuple(Strips(cut.rows, cut.length, s, s + step, origin))
            forward_strips(flat_x, weights, shift, floor, target, numbers, strips, strip, tile)
            if consumer is not None:
                begin, end = first * cut.row_numbers - origin, last * cut.row_numbers - origin
                consumer(s, first, last, target[begin:end])

    if consumer is not None:
        consumer.expect(cut.count)
    thread_pool.run(part, cut.parts)


def has_input_gradient(geometry: ConvGeometry) -> bool:
    """Whether ``backward_input`` computes this convolution's: stride 1, padding less than the kernel."""
    padding = zip(geometry.padding, geometry.kernel, strict=True)
    return geometry.stride == (1, 1) and all(max(pads) < k for pads, k in padding)


def backward_input(
    dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry, out: np.ndarray | None = None
) -> np.ndarray:
    """dx (N, H, W, C) for stride 1: the convolution of dy with w turned by 180 degrees, channels swapped."""
    rotated = np.ascontiguousarray(w[::-1, ::-1].transpose(0, 1, 3, 2))
    return forward(dy, rotated, None, geometry.transposed(), out=out)


def backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """dw (kh, kw, C, O) of dy (N, OH, OW, O) and x (N, H, W, C)."""
    kh, kw, channels, outputs = geometry.w_shape
    cut = Cut(geometry, len(x))
    step = rows_of_weights(kw * channels)
    depth = -(-kw * channels // step) * step
    sums = np.zeros((cut.parts, kh, depth, cut.columns), x.dtype)
    flat_x, flat_dy, numbers = plain(x).reshape(-1), plain(dy).reshape(-1), tuple(geometry)

    def part(p: int) -> None:
        strip = empty(cut.numbers, x.dtype)
        strip[...] = 0
        dy_strip = empty(cut.rows * geometry.output[1] * cut.columns, x.dtype)
        strips = tuple(Strips(cut.rows, cut.length, *cut.strips_of(p)))
        gradient_strips(flat_x, flat_dy, numbers, strips, strip, dy_strip, sums[p].reshape(-1))

    thread_pool.run(part, cut.parts)
    return np.ascontiguousarray(sums.sum(axis=0)[:, : kw * channels, :outputs]).reshape(geometry.w_shape)
