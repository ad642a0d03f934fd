"""The steps of a Winograd convolution on one tile and WIDTH channels, straight from and to the registers.

``algebra.py`` has the formulas; each transform here reads its 9 to 36 vectors, runs that file's
one-dimensional transforms over the columns and the rows of the square, and stores what comes out. Position k
of the 36 goes to matrix k, ``plane`` numbers after matrix k - 1.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from minicnn.kernels.runtime.jit import jit
from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import address_of, copy_vector, emitted
from minicnn.kernels.winograd.algebra import (
    PATCH,
    PRODUCTS,
    TILE,
    along_both,
    filter_gradient_values,
    filter_points,
    input_points,
    output_gradient_points,
    output_values,
)
from minicnn.shapes import ConvGeometry


def panels(channels: int) -> int:
    """Panels of WIDTH channels."""
    return -(-channels // WIDTH)


def tile_numbers(geometry: ConvGeometry) -> tuple[int, ...]:
    """What the compiled loops read of a geometry: (height, width, channels, top, left, oh, ow, outputs)."""
    (top, _), (left, _) = geometry.padding
    return *geometry.image, geometry.in_channels, top, left, *geometry.output, geometry.out_channels


@jit
def plane_of(numbers):  # type: ignore[no-untyped-def]
    """The distance between matrices of so many numbers: an odd number of cache lines.

    The 36 numbers that a transform writes at a time would otherwise often lie a multiple of 4 KB apart, and
    a first-level cache has 8 places for lines of one such multiple.
    """
    return numbers + WIDTH * (1 - numbers // WIDTH % 2)


@emitted
def transform_input(e: Emitter, pixels: Any, row: Any, column: Any, points: Any, to: Any, plane: Any) -> None:
    """points[to + k * plane] = (B^T d B)[k] for the 6x6 patch d of W channels at the address ``pixels``."""
    x = e.pointer(pixels)
    patch = [
        [e.load(x, e.sum(e.product(row, i), e.product(column, j))) for j in range(PATCH)]
        for i in range(PATCH)
    ]
    for k, value in enumerate(chain(*along_both(input_points, patch))):
        e.store(value, points, e.sum(to, e.product(plane, k)))


@emitted
def transform_output(
    e: Emitter,
    products: Any,
    at: Any,
    plane: Any,
    bias: Any,
    bias_at: Any,
    floor: Any,
    pixels: Any,
    row: Any,
    column: Any,
) -> None:
    """The 4x4 pixels at the address ``pixels`` = max(A^T m A + bias, floor), with m at products[at]."""
    y = e.pointer(pixels)
    values = [
        [e.load(products, e.sum(at, e.product(plane, PATCH * i + j))) for j in range(PATCH)]
        for i in range(PATCH)
    ]
    shift, low = e.load(bias, bias_at), e.broadcast(floor, 0)
    for i, line in enumerate(along_both(output_values, values)):
        for j, value in enumerate(line):
            e.store(e.maximum(low, value + shift), y, e.sum(e.product(row, i), e.product(column, j)))


@emitted
def transform_output_gradient(
    e: Emitter, pixels: Any, row: Any, column: Any, points: Any, to: Any, plane: Any
) -> None:
    """points[to + k * plane] = (A dy A^T)[k] for the 4x4 pixels dy, W channels, at the address ``pixels``."""
    dy = e.pointer(pixels)
    tile = [
        [e.load(dy, e.sum(e.product(row, i), e.product(column, j))) for j in range(TILE)] for i in range(TILE)
    ]
    for k, value in enumerate(chain(*along_both(output_gradient_points, tile))):
        e.store(value, points, e.sum(to, e.product(plane, k)))


@emitted
def transform_filter(
    e: Emitter, w: Any, at: Any, tap: Any, lane: Any, lanes: Any, filters: Any, to: Any, plane: Any
) -> None:
    """filters[k] = (G g G^T)[k] for W filters g with taps at w[at + t * tap + l * lane], l < lanes."""
    taps = [
        [e.gather(w, e.sum(at, e.product(tap, 3 * i + j)), lane, lanes) for j in range(3)] for i in range(3)
    ]
    for k, value in enumerate(chain(*along_both(filter_points, taps))):
        e.store(value, filters, e.sum(to, e.product(plane, k)))


@emitted
def transform_filter_together(
    e: Emitter, w: Any, at: Any, tap: Any, row: Any, filters: Any, to: Any, plane: Any
) -> None:
    """``transform_filter`` where the W filters lie side by side: a vector is one load, not W of them.

    The next ``row`` is asked for: nine strides through memory are more than the processor foresees.
    """
    for t in range(9):
        e.prefetch(w, e.sum(at, row, e.product(tap, t)))
    taps = [[e.load(w, e.sum(at, e.product(tap, 3 * i + j))) for j in range(3)] for i in range(3)]
    for k, value in enumerate(chain(*along_both(filter_points, taps))):
        e.store(value, filters, e.sum(to, e.product(plane, k)))


@emitted
def transform_filter_gradient(e: Emitter, sums: Any, at: Any, plane: Any, dw: Any, to: Any, tap: Any) -> None:
    """dw[t] = (G^T m G)[t] for the 36 sums m at sums[at]."""
    values = [
        [e.load(sums, e.sum(at, e.product(plane, PATCH * i + j))) for j in range(PATCH)] for i in range(PATCH)
    ]
    for t, value in enumerate(chain(*along_both(filter_gradient_values, values))):
        e.store(value, dw, e.sum(to, e.product(tap, t)))


@jit
def cut_out(x, n, top, bottom, left, right, height, width, channels, depth, patch):  # type: ignore[no-untyped-def]
    """Copy rows top..bottom-1, columns left..right-1 of image n into ``patch``; zeros where it has none."""
    to = 0
    for i in range(top, bottom):
        for j in range(left, right):
            found = channels if 0 <= i < height and 0 <= j < width else 0
            at = ((n * height + i) * width + j) * channels
            vectors = found // WIDTH * WIDTH
            for c in range(0, vectors, WIDTH):
                copy_vector(x, at + c, patch, to + c)
            for c in range(vectors, found):
                patch[to + c] = x[at + c]
            for c in range(found, depth):
                patch[to + c] = 0
            to += depth


@jit
def pack_filters(w, tap_first, tap, row, rows, lane, lanes, first, last, filters):  # type: ignore[no-untyped-def]
    """Transform and pack panels first..last-1 of the filters: row r, lane l of tap t is at
    w[tap_first + t * tap + r * row + l * lane]. Rows beyond ``rows`` are zeros."""
    depth = (rows + WIDTH - 1) // WIDTH * WIDTH
    plane = plane_of(depth * WIDTH)
    for i in range(depth * (last - first)):
        # In the order in which w lies in memory: by rows where those are far apart, else by panels.
        r, p = (i // (last - first), i % (last - first)) if lane == 1 else (i % depth, i // depth)
        to = p * PRODUCTS * plane + r * WIDTH
        if r < rows:
            at = tap_first + r * row + (first + p) * WIDTH * lane
            found = min(WIDTH, lanes - (first + p) * WIDTH)
            if lane == 1 and found == WIDTH:
                transform_filter_together(w, at, tap, row, filters, to, plane)
            else:
                transform_filter(w, at, tap, lane, found, filters, to, plane)
        else:
            for k in range(PRODUCTS):
                filters[k * plane + to : k * plane + to + WIDTH] = 0


@jit
def transform_tiles(x, geometry, first, tiles, panel, plane, points, patch):  # type: ignore[no-untyped-def]
    """points[36][c / W][tile][W] of ``tiles`` tiles from ``first`` on; ``plane`` numbers for each of the 36,
    ``panel`` for each c / W.

    ``geometry`` is (height, width, channels, top, left, oh, ow, outputs): pixel (0, 0) of the output sees x
    from (-top, -left) on.
    """
    height, width, channels, top, left, oh, ow, _ = geometry
    tile_columns = (ow + TILE - 1) // TILE
    tiles_of_image = (oh + TILE - 1) // TILE * tile_columns
    c_panels = (channels + WIDTH - 1) // WIDTH
    depth = c_panels * WIDTH
    for t in range(tiles):
        n, place = (first + t) // tiles_of_image, (first + t) % tiles_of_image
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
            transform_input(pixels + p * WIDTH * x.itemsize, row, column, points, to, plane)


@jit
def place_tiles(  # type: ignore[no-untyped-def]
    products, at, panel, plane, first_panel, count, bias, floor, y, origin, geometry, first, tiles, patch
):
    """The reverse: from products[at:], [36][count][tile][W], to pixels and ``count`` panels of channels of y,
    whose number ``origin`` is the first of the array."""
    oh, ow, outputs = geometry[5:]
    tile_columns = (ow + TILE - 1) // TILE
    tiles_of_image = (oh + TILE - 1) // TILE * tile_columns
    for t in range(tiles):
        n, place = (first + t) // tiles_of_image, (first + t) % tiles_of_image
        i, j = place // tile_columns * TILE, place % tile_columns * TILE
        to = ((n * oh + i) * ow + j) * outputs - origin
        rows, columns = min(TILE, oh - i), min(TILE, ow - j)
        for p in range(count):
            channel = (first_panel + p) * WIDTH
            lanes = min(WIDTH, outputs - channel)
            whole = rows == TILE and columns == TILE and lanes == WIDTH
            if whole:
                pixels = address_of(y, to + channel)
                row, column = ow * outputs, outputs
            else:
                pixels = address_of(patch, 0)
                row, column = TILE * WIDTH, WIDTH
            tile = at + p * panel + t * WIDTH
            transform_output(products, tile, plane, bias, channel, floor, pixels, row, column)
            if not whole:
                for r in range(rows):
                    for q in range(columns):
                        pixel = to + (r * ow + q) * outputs + channel
                        if lanes == WIDTH:
                            copy_vector(patch, (r * TILE + q) * WIDTH, y, pixel)
                        for lane in range(lanes % WIDTH):
                            y[pixel + lane] = patch[(r * TILE + q) * WIDTH + lane]
