"""The steps of a Winograd convolution on one tile and WIDTH channels, straight from and to the registers.

``algebra.py`` has the formulas; each transform reads its 9 to 36 vectors, applies that file's one-dimensional
transforms to the columns and the rows of the square, and stores the result. ``records.py`` says where.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from minicnn.kernels.runtime.jit import inlined, inner, jit
from minicnn.kernels.simd.emitter import WIDTH, Emitter, Vector
from minicnn.kernels.simd.intrinsics import address_of, copy_vector, emitted
from minicnn.kernels.winograd.algebra import (
    PATCH,
    TILE,
    along_both,
    filter_gradient_values,
    filter_points,
    input_points,
    output_gradient_points,
    output_values,
)
from minicnn.kernels.winograd.records import Image, Points, Square, Taps, Window


def panels(channels: int) -> int:
    """Panels of WIDTH channels."""
    return -(-channels // WIDTH)


@jit
def plane_of(numbers):  # type: ignore[no-untyped-def]
    """The distance between matrices of so many numbers: an odd number of cache lines.

    The 36 numbers that a transform writes at a time would otherwise often lie a multiple of 4 KB apart, and
    a first-level cache has 8 places for lines of one such multiple.
    """
    return numbers + WIDTH * (1 - numbers // WIDTH % 2)


# In registers: squares of vectors, read and written.


def _load_square(e: Emitter, square: Square, size: int) -> list[list[Vector]]:
    """size x size pixels."""
    array = e.pointer(square.address)
    return [
        [e.load(array, e.sum(e.product(square.row, i), e.product(square.column, j))) for j in range(size)]
        for i in range(size)
    ]


def _load_points(e: Emitter, array: Any, points: Points) -> list[list[Vector]]:
    """The 36 positions of a tile, as a square."""
    return [
        [e.load(array, e.sum(points.start, e.product(points.plane, PATCH * i + j))) for j in range(PATCH)]
        for i in range(PATCH)
    ]


def _store(e: Emitter, square: list[list[Vector]], array: Any, start: Any, step: Any) -> None:
    """The vectors of a square, row by row, ``step`` apart."""
    for k, value in enumerate(chain(*square)):
        e.store(value, array, e.sum(start, e.product(step, k)))


@emitted
def transform_input(e: Emitter, pixels: Square, points: Any, to: Points) -> None:
    """The points B^T d B of a patch d of 6x6 pixels."""
    square = along_both(input_points, _load_square(e, pixels, PATCH))
    _store(e, square, points, to.start, to.plane)


@emitted
def transform_output(
    e: Emitter, products: Any, at: Points, bias: Any, channel: Any, floor: Any, pixels: Square
) -> None:
    """The 4x4 pixels max(A^T m A + bias, floor) of 36 products m, for the channels from ``channel`` on."""
    y = e.pointer(pixels.address)
    values = _load_points(e, products, at)
    shift, low = e.load(bias, channel), e.broadcast(floor, 0)
    for i, line in enumerate(along_both(output_values, values)):
        for j, value in enumerate(line):
            position = e.sum(e.product(pixels.row, i), e.product(pixels.column, j))
            e.store(e.maximum(low, value + shift), y, position)


@emitted
def transform_output_gradient(e: Emitter, pixels: Square, points: Any, to: Points) -> None:
    """The points A dy A^T of a tile dy of 4x4 pixels."""
    square = along_both(output_gradient_points, _load_square(e, pixels, TILE))
    _store(e, square, points, to.start, to.plane)


@emitted
def transform_filter(e: Emitter, w: Any, taps: Taps, lane: Any, lanes: Any, filters: Any, to: Points) -> None:
    """The points G g G^T of W filters g ``lane`` apart in w, of which the first ``lanes`` exist."""
    square = [
        [e.gather(w, e.sum(taps.start, e.product(taps.tap, 3 * i + j)), lane, lanes) for j in range(3)]
        for i in range(3)
    ]
    _store(e, along_both(filter_points, square), filters, to.start, to.plane)


@emitted
def transform_adjacent_filters(e: Emitter, w: Any, taps: Taps, row: Any, filters: Any, to: Points) -> None:
    """``transform_filter`` where the W filters lie side by side: a vector is one load, not W of them.

    The filters of the next ``row`` are prefetched: the hardware prefetcher does not follow nine streams.
    """
    for t in range(9):
        e.prefetch(w, e.sum(taps.start, row, e.product(taps.tap, t)))
    square = [
        [e.load(w, e.sum(taps.start, e.product(taps.tap, 3 * i + j))) for j in range(3)] for i in range(3)
    ]
    _store(e, along_both(filter_points, square), filters, to.start, to.plane)


@emitted
def transform_filter_gradient(e: Emitter, sums: Any, at: Points, dw: Any, to: Taps) -> None:
    """The nine taps G^T m G of 36 sums m."""
    square = along_both(filter_gradient_values, _load_points(e, sums, at))
    _store(e, square, dw, to.start, to.tap)


# Tiles of images.


@inlined
def tile_at(tile, tiling):  # type: ignore[no-untyped-def]
    """Tile ``tile`` of the batch: the image, and the output's row and column where the tile begins."""
    columns = (tiling.out_width + TILE - 1) // TILE
    tiles_of_image = (tiling.out_height + TILE - 1) // TILE * columns
    n, position = tile // tiles_of_image, tile % tiles_of_image
    return n, position // columns * TILE, position % columns * TILE


@inner
def copy_window(x, window, image, depth, patch):  # type: ignore[no-untyped-def]
    """Copy a window of x into ``patch``, ``depth`` numbers a pixel; zeros outside the image and its
    channels."""
    to = 0
    for i in range(window.top, window.top + window.size):
        for j in range(window.left, window.left + window.size):
            numbers = image.channels if 0 <= i < image.height and 0 <= j < image.width else 0
            start = ((window.n * image.height + i) * image.width + j) * image.channels
            vectors = numbers // WIDTH * WIDTH
            for c in range(0, vectors, WIDTH):
                copy_vector(x, start + c, patch, to + c)
            for c in range(vectors, numbers):
                patch[to + c] = x[start + c]
            for c in range(numbers, depth):
                patch[to + c] = 0
            to += depth


@inlined
def square_of(x, window, image, patch):  # type: ignore[no-untyped-def]
    """Where a window's pixels lie, whole panels of channels: in x, or in ``patch``, where zeros complete
    them."""
    depth = (image.channels + WIDTH - 1) // WIDTH * WIDTH
    bottom, right = window.top + window.size, window.left + window.size
    inside = window.top >= 0 and window.left >= 0 and bottom <= image.height and right <= image.width
    if image.channels == depth and inside:
        start = ((window.n * image.height + window.top) * image.width + window.left) * image.channels
        return Square(address_of(x, start), image.width * image.channels, image.channels)
    copy_window(x, window, image, depth, patch)
    return Square(address_of(patch, 0), window.size * depth, depth)


@inner
def transform_tiles(x, tiling, first, tiles, points, layout, patch):  # type: ignore[no-untyped-def]
    """points = those of x for ``tiles`` tiles from ``first`` on."""
    image = Image(tiling.height, tiling.width, tiling.channels)
    for t in range(tiles):
        n, i, j = tile_at(first + t, tiling)
        square = square_of(x, Window(n, i - tiling.top, j - tiling.left, PATCH), image, patch)
        for p in range((tiling.channels + WIDTH - 1) // WIDTH):
            pixels = Square(square.address + p * WIDTH * x.itemsize, square.row, square.column)
            transform_input(pixels, points, Points(p * layout.panel + t * WIDTH, layout.plane))


@inner
def transform_gradient_tiles(dy, tiling, first, tiles, points, layout, patch):  # type: ignore[no-untyped-def]
    """points = those of dy for ``tiles`` tiles from ``first`` on."""
    image = Image(tiling.out_height, tiling.out_width, tiling.outputs)
    for t in range(tiles):
        n, i, j = tile_at(first + t, tiling)
        square = square_of(dy, Window(n, i, j, TILE), image, patch)
        for p in range((tiling.outputs + WIDTH - 1) // WIDTH):
            pixels = Square(square.address + p * WIDTH * dy.itemsize, square.row, square.column)
            transform_output_gradient(pixels, points, Points(p * layout.panel + t * WIDTH, layout.plane))


@inner
def place_tiles(products, layout, bias, floor, y, tiling, part, first, tiles, patch):  # type: ignore[no-untyped-def]
    """The pixels of y for ``tiles`` tiles from ``first`` on and the panels of ``part``, from their
    products."""
    height, width, outputs = tiling.out_height, tiling.out_width, tiling.outputs
    for t in range(tiles):
        n, i, j = tile_at(first + t, tiling)
        start = ((n * height + i) * width + j) * outputs - part.origin
        rows, columns = min(TILE, height - i), min(TILE, width - j)
        for p in range(part.last_panel - part.first_panel):
            channel = (part.first_panel + p) * WIDTH
            lanes = min(WIDTH, outputs - channel)
            whole = rows == TILE and columns == TILE and lanes == WIDTH
            if whole:
                pixels = Square(address_of(y, start + channel), width * outputs, outputs)
            else:
                pixels = Square(address_of(patch, 0), TILE * WIDTH, WIDTH)
            points = Points(p * layout.panel + t * WIDTH, layout.plane)
            transform_output(products, points, bias, channel, floor, pixels)
            if not whole:
                for r in range(rows):
                    for q in range(columns):
                        pixel = start + (r * width + q) * outputs + channel
                        if lanes == WIDTH:
                            copy_vector(patch, (r * TILE + q) * WIDTH, y, pixel)
                        for lane in range(lanes % WIDTH):
                            y[pixel + lane] = patch[(r * TILE + q) * WIDTH + lane]
