"""Strips of images: a few rows of the output, and the rows of the image that they are computed from.

A batch is cut into strips by its shape alone. The image rows of a strip are copied into a buffer with their
padding, ``length`` numbers a row, which stays in the cache while it is multiplied (``implicit_gemm.py``).
"""

from __future__ import annotations

from typing import NamedTuple

from minicnn.kernels.runtime.jit import inlined, inner
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.intrinsics import copy_vector
from minicnn.kernels.simd.microkernel import ROWS
from minicnn.shapes import ConvGeometry

# The most bytes of a strip and its part of the other image, which stay in the cache; the fewest strips that a
# batch is cut into; and the parts that the strips are divided into, each a task.
STRIP_BYTES = 2**18
LEAST_STRIPS = 8
PARTS = 32


class Strips(NamedTuple):
    """Strips first..last-1 of a batch, each of ``rows`` rows of the output, for which ``length`` numbers of
    each image row are copied. An array that holds a part of y only begins with its number ``origin``."""

    rows: int
    length: int
    first: int
    last: int
    origin: int = 0


class Cut:
    """How a batch is cut into strips, these into parts, and how many numbers the buffers of a strip hold."""

    def __init__(self, geometry: ConvGeometry, images: int) -> None:
        (oh, ow), (kh, kw), (sh, sw) = geometry.output, geometry.kernel, geometry.stride
        outputs = geometry.out_channels
        # Micro-kernel tiles that begin inside the last pixels of a row read ROWS pixels all the same.
        self.length = ((-(-ow // ROWS) * ROWS - 1) * sw + kw) * geometry.in_channels
        self.columns = -(-outputs // WIDTH) * WIDTH
        numbers = STRIP_BYTES // 4
        rows = min(numbers // (sh * self.length + ow * self.columns), -(-images * oh // LEAST_STRIPS), oh)
        # An even number of rows: a consumer may pool them two by two.
        self.rows = max(2, rows // 2 * 2)
        self.row_numbers = ow * outputs
        self.image_rows, self.per_image = oh, -(-oh // self.rows)
        self.count = images * self.per_image
        self.parts = min(PARTS, self.count)
        self.numbers = ((self.rows - 1) * sh + kh) * self.length + ROWS

    def strips_of(self, part: int) -> tuple[int, int]:
        """The first strip of a part, and the one after its last."""
        return part * self.count // self.parts, (part + 1) * self.count // self.parts

    def image_row(self, strip: int) -> int:
        """The first row of the output in a strip, counted through the batch."""
        n, position = divmod(strip, self.per_image)
        return n * self.image_rows + position * self.rows


@inlined
def strip_at(s, geometry, strips):  # type: ignore[no-untyped-def]
    """The image of strip s, its first row of the output, and how many rows it has."""
    height = geometry.output[0]
    count = (height + strips.rows - 1) // strips.rows
    n, row = s // count, s % count * strips.rows
    return n, row, min(strips.rows, height - row)


@inner
def fill_strip(x, n, first_row, rows, length, geometry, strip):  # type: ignore[no-untyped-def]
    """Copy what rows first_row..first_row+rows-1 of the output see of image n: ``length`` numbers of each
    image row, from column -left on, zeros outside the image."""
    (height, width), channels, ((top, _), (left, _)) = geometry.image, geometry.in_channels, geometry.padding
    before = min(left * channels, length)
    inside = min(width * channels, length - before)
    for i in range((rows - 1) * geometry.stride[0] + geometry.kernel[0]):
        to = i * length
        h = first_row * geometry.stride[0] - top + i
        numbers = inside if 0 <= h < height else 0
        start = (n * height + h) * width * channels
        for q in range(before):
            strip[to + q] = 0
        vectors = numbers // WIDTH * WIDTH
        for q in range(0, vectors, WIDTH):
            copy_vector(x, start + q, strip, to + before + q)
        for q in range(vectors, numbers):
            strip[to + before + q] = x[start + q]
        for q in range(before + numbers, length):
            strip[to + q] = 0


@inner
def widen(dy, start, pixels, outputs, columns, dy_strip):  # type: ignore[no-untyped-def]
    """Copy pixels of dy, ``outputs`` channels each, into ``columns`` channels each; zeros in those added."""
    for p in range(pixels):
        for o in range(outputs):
            dy_strip[p * columns + o] = dy[start + p * outputs + o]
        for o in range(outputs, columns):
            dy_strip[p * columns + o] = 0
