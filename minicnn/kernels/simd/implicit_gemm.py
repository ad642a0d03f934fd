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

which is what the micro-kernel computes, segments and all (``microkernel.py``). The weight gradient is the
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

from typing import Any, NamedTuple

import numpy as np

from minicnn.kernels.runtime import workers
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.kernels.runtime.row_consumer import RowConsumer
from minicnn.kernels.simd import microkernel
from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import address_of, copy_vector, emitted
from minicnn.shapes import ConvGeometry

ROWS = microkernel.ROWS
set_one, set_two = microkernel.set_one, microkernel.set_two
add_one, add_two = microkernel.add_one, microkernel.add_two
add_one_of_nine, add_two_of_nine = microkernel.add_one_of_nine, microkernel.add_two_of_nine
NINE = microkernel.NINE

# Bytes of a strip and its part of the other image, to stay in the cache; strips that a batch is cut into at
# least; and the parts that all work is cut into.
STRIP_BYTES = 2**18
LEAST_STRIPS = 8
PARTS = 32


class Strip(NamedTuple):
    """The size of a strip: the output rows made from it, and the numbers in each image row copied into it."""

    rows: int
    length: int


@emitted
def finish(
    e: Emitter, tile: Any, at: Any, bias: Any, bias_at: Any, floor: Any, pixels: Any, row: Any
) -> None:
    """ROWS pixels of WIDTH channels at the address ``pixels``, ``row`` apart = max(tile + bias, floor)."""
    y = e.pointer(pixels)
    shift, low = e.load(bias, bias_at), e.broadcast(floor, 0)
    for r in range(ROWS):
        sums = e.load(tile, e.sum(at, 2 * WIDTH * r))
        e.store(e.maximum(low, sums + shift), y, e.product(row, r))


@jit
def rows_of_weights(depth):  # type: ignore[no-untyped-def]
    """Rows of the weight gradient that one micro-kernel tile takes; nine need the registers of AVX-512."""
    return NINE if depth == NINE and WIDTH == 16 else ROWS


@jit
def fill_strip(x, n, first_row, rows, length, geometry, strip):  # type: ignore[no-untyped-def]
    """Rows first_row.. of image n, from column -left on, ``length`` numbers each, zeros outside the image."""
    (height, width), channels, (_, (left, _)) = geometry.image, geometry.in_channels, geometry.padding
    before = min(left * channels, length)
    inside = min(width * channels, length - before)
    for i in range(rows):
        to = i * length
        h = first_row + i
        numbers = inside if 0 <= h < height else 0
        at = (n * height + h) * width * channels
        for q in range(before):
            strip[to + q] = 0
        vectors = numbers // WIDTH * WIDTH
        for q in range(0, vectors, WIDTH):
            copy_vector(x, at + q, strip, to + before + q)
        for q in range(vectors, numbers):
            strip[to + before + q] = x[at + q]
        for q in range(before + numbers, length):
            strip[to + q] = 0


@jit
def forward_strips(  # type: ignore[no-untyped-def]
    x, weights, bias, floor, y, origin, geometry, size, first, last, strip, tile
):
    """Strips first..last-1, of ``size``, of the output, whose number ``origin`` is the first in y."""
    channels, outputs, (oh, ow) = geometry.in_channels, geometry.out_channels, geometry.output
    (kh, kw), (sh, sw), ((top, _), _) = geometry.kernel, geometry.stride, geometry.padding
    strip_rows, length = size.rows, size.length
    strips = (oh + strip_rows - 1) // strip_rows
    depth = kw * channels
    for s in range(first, last):
        n, r0 = s // strips, s % strips * strip_rows
        rows = min(strip_rows, oh - r0)
        fill_strip(x, n, r0 * sh - top, (rows - 1) * sh + kh, length, geometry, strip)
        for o in range(0, outputs, 2 * WIDTH):
            b = address_of(weights, o * kh * depth)
            for r in range(rows):
                for j in range(0, ow, ROWS):
                    at = r * sh * length + j * sw * channels
                    to = ((n * oh + r0 + r) * ow + j) * outputs + o - origin
                    if outputs - o > WIDTH:
                        set_two(
                            strip, at, sw * channels, length, 1, kh, depth,
                            b, WIDTH, kh * depth * WIDTH, tile, 0, 2 * WIDTH, WIDTH,
                        )  # fmt: skip
                    else:
                        set_one(
                            strip, at, sw * channels, length, 1, kh, depth,
                            b, WIDTH, kh * depth * WIDTH, tile, 0, 2 * WIDTH, WIDTH,
                        )  # fmt: skip
                    for v in range(0, min(2 * WIDTH, outputs - o), WIDTH):
                        lanes, pixels = min(WIDTH, outputs - o - v), min(ROWS, ow - j)
                        whole = pixels == ROWS and lanes == WIDTH
                        if whole:
                            target, row = address_of(y, to + v), outputs
                        else:
                            target, row = address_of(tile, v), 2 * WIDTH
                        finish(tile, v, bias, o + v, floor, target, row)
                        if not whole:
                            for q in range(pixels):
                                for lane in range(lanes):
                                    y[to + q * outputs + v + lane] = tile[q * 2 * WIDTH + v + lane]


@jit
def gradient_strips(x, dy, geometry, size, first, last, strip, dy_strip, sums):  # type: ignore[no-untyped-def]
    """sums (kh, kw * C rounded up, O rounded up) += the weight gradient of strips first..last-1."""
    channels, outputs, (oh, ow) = geometry.in_channels, geometry.out_channels, geometry.output
    (kh, kw), (sh, sw), ((top, _), _) = geometry.kernel, geometry.stride, geometry.padding
    strip_rows, length = size.rows, size.length
    strips = (oh + strip_rows - 1) // strip_rows
    step = rows_of_weights(kw * channels)
    depth = (kw * channels + step - 1) // step * step
    columns = (outputs + WIDTH - 1) // WIDTH * WIDTH
    for s in range(first, last):
        n, r0 = s // strips, s % strips * strip_rows
        rows = min(strip_rows, oh - r0)
        fill_strip(x, n, r0 * sh - top, (rows - 1) * sh + kh, length, geometry, strip)
        at = (n * oh + r0) * ow * outputs
        upstream = address_of(dy, at)
        if outputs != columns:
            upstream = address_of(dy_strip, 0)
            for p in range(rows * ow):
                for o in range(outputs):
                    dy_strip[p * columns + o] = dy[at + p * outputs + o]
                for o in range(outputs, columns):
                    dy_strip[p * columns + o] = 0
        for i in range(kh):
            for o in range(0, columns, 2 * WIDTH):
                b = upstream + o * dy.itemsize
                for q in range(0, depth, step):
                    a, to = i * length + q, (i * depth + q) * columns + o
                    if columns - o > WIDTH:
                        if step == NINE:
                            add_two_of_nine(
                                strip, a, 1, sh * length, sw * channels, rows, ow,
                                b, columns, WIDTH, sums, to, columns, WIDTH,
                            )  # fmt: skip
                        else:
                            add_two(
                                strip, a, 1, sh * length, sw * channels, rows, ow,
                                b, columns, WIDTH, sums, to, columns, WIDTH,
                            )  # fmt: skip
                    elif step == NINE:
                        add_one_of_nine(
                            strip, a, 1, sh * length, sw * channels, rows, ow,
                            b, columns, WIDTH, sums, to, columns, WIDTH,
                        )  # fmt: skip
                    else:
                        add_one(
                            strip, a, 1, sh * length, sw * channels, rows, ow,
                            b, columns, WIDTH, sums, to, columns, WIDTH,
                        )  # fmt: skip


class _Strips:
    """How a batch is cut: the size of a strip, the number of strips, and the sizes of a strip's buffers."""

    def __init__(self, geometry: ConvGeometry, images: int) -> None:
        (oh, ow), (kh, kw), (sh, sw) = geometry.output, geometry.kernel, geometry.stride
        outputs = geometry.out_channels
        # Micro-kernel tiles that begin inside the last pixels of a row read ROWS pixels all the same.
        length = ((-(-ow // ROWS) * ROWS - 1) * sw + kw) * geometry.in_channels
        self.columns = -(-outputs // WIDTH) * WIDTH
        numbers = STRIP_BYTES // 4
        rows = min(numbers // (sh * length + ow * self.columns), -(-images * oh // LEAST_STRIPS), oh)
        # An even number of rows: a consumer may pool them two by two.
        self.size = Strip(max(2, rows // 2 * 2), length)
        self.row_numbers = ow * outputs
        self.image_rows, self.per_image = oh, -(-oh // self.size.rows)
        self.count = images * self.per_image
        self.parts = min(PARTS, self.count)
        self.numbers = ((self.size.rows - 1) * sh + kh) * length + ROWS

    def image_row(self, strip: int) -> int:
        """The first row of the output in a strip, counted through the batch."""
        n, position = divmod(strip, self.per_image)
        return n * self.image_rows + position * self.size.rows


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
    cut = _Strips(geometry, len(x))
    shift = np.zeros(cut.columns, x.dtype)
    if bias is not None:
        shift[: len(bias)] = bias
    floor = np.array([0 if relu else -np.inf], x.dtype)
    flat_x = plain(x).reshape(-1)

    def part(p: int) -> None:
        strip, tile = empty(cut.numbers, x.dtype), empty(2 * ROWS * WIDTH, x.dtype)
        strip[...] = 0
        target = empty(cut.size.rows * cut.row_numbers, x.dtype) if out is None else out.reshape(-1)
        start, stop = p * cut.count // cut.parts, (p + 1) * cut.count // cut.parts
        step = stop - start if consumer is None else 1
        for s in range(start, stop, step):
            first, last = cut.image_row(s), cut.image_row(s + step)
            origin = first * cut.row_numbers if out is None else 0
            forward_strips(
                flat_x, weights, shift, floor, target, origin,
                geometry, cut.size, s, s + step, strip, tile,
            )  # fmt: skip
            if consumer is not None:
                at = first * cut.row_numbers - origin
                consumer(s, first, last, target[at : at + (last - first) * cut.row_numbers])

    if consumer is not None:
        consumer.expect(cut.count)
    workers.run(part, cut.parts)


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
    cut = _Strips(geometry, len(x))
    step = rows_of_weights(kw * channels)
    depth = -(-kw * channels // step) * step
    sums = np.zeros((cut.parts, kh, depth, cut.columns), x.dtype)
    flat_x, flat_dy = plain(x).reshape(-1), plain(dy).reshape(-1)

    def part(p: int) -> None:
        strip = empty(cut.numbers, x.dtype)
        strip[...] = 0
        dy_strip = empty(cut.size.rows * geometry.output[1] * cut.columns, x.dtype)
        first, last = p * cut.count // cut.parts, (p + 1) * cut.count // cut.parts
        gradient_strips(
            flat_x, flat_dy, geometry, cut.size, first, last, strip, dy_strip, sums[p].reshape(-1)
        )

    workers.run(part, cut.parts)
    return np.ascontiguousarray(sums.sum(axis=0)[:, : kw * channels, :outputs]).reshape(geometry.w_shape)
