"""The tiles of an image: where they lie, and their transforms (``transforms.py``) one after the other.

A tile that reaches beyond the image, or whose channels are no multiple of WIDTH, passes through a small
patch.
"""

from __future__ import annotations

from minicnn.kernels.runtime.jit import inlined, inner, jit
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.intrinsics import address_of, copy_vector
from minicnn.kernels.winograd.algebra import PATCH, TILE
from minicnn.kernels.winograd.records import Image, Points, Square, Window
from minicnn.kernels.winograd.transforms import transform_input, transform_output, transform_output_gradient


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
def copy_pixels(patch, rows, columns, lanes, y, start, row, column):  # type: ignore[no-untyped-def]
    """Copy the first rows, columns and channels of a tile in ``patch`` to y, where pixel (i, j) begins at
    ``start + i * row + j * column``."""
    for i in range(rows):
        for j in range(columns):
            pixel = start + i * row + j * column
            if lanes == WIDTH:
                copy_vector(patch, (i * TILE + j) * WIDTH, y, pixel)
            for lane in range(lanes % WIDTH):
                y[pixel + lane] = patch[(i * TILE + j) * WIDTH + lane]


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
            points = Points(p * layout.panel + t * WIDTH, layout.plane)
            if rows == TILE and columns == TILE and lanes == WIDTH:
                pixels = Square(address_of(y, start + channel), width * outputs, outputs)
                transform_output(products, points, bias, channel, floor, pixels)
            else:
                pixels = Square(address_of(patch, 0), TILE * WIDTH, WIDTH)
                transform_output(products, points, bias, channel, floor, pixels)
                copy_pixels(patch, rows, columns, lanes, y, start + channel, width * outputs, outputs)
