"""The transforms of Winograd's convolution on one tile and WIDTH channels, from and to memory by registers.

``algebra.py`` has the formulas; each transform reads its 9 to 36 vectors, applies that file's one-dimensional
transforms to the columns and the rows of the square, and stores the result. ``records.py`` says where.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from minicnn.kernels.simd.emitter import Emitter, Vector
from minicnn.kernels.simd.intrinsics import emitted
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
from minicnn.kernels.winograd.records import Points, Square, Taps


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
