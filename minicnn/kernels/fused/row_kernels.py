"""Batch normalisation, ReLU and 2x2 max pooling over one row of pixels and WIDTH channels, in registers.

The channels' numbers stay in registers while the row goes by:

    z        pixel 0       pixel 1       pixel 2                    mean, scale, ... of the same channels
          ...[ WIDTH ].....[ WIDTH ].....[ WIDTH ]...                         [ WIDTH ]
             ^start        ^start + step                                      ^channel

``batchnorm_relu_pool.py`` has the formulas, ``records.py`` the meaning of the records. In all of them
v = (z - mean) * scale + shift, and g is the gradient with respect to v.

Where the number of channels is no multiple of WIDTH, the last vector begins WIDTH before their end and
overlaps its neighbour: what it writes is written twice, with equal values; sums leave out its first
``lanes.skip`` lanes.
"""

from __future__ import annotations

from typing import Any

from minicnn.kernels.fused.records import Affine, Correction, Lanes, PixelRow, WindowRow
from minicnn.kernels.simd.emitter import Emitter, Vector
from minicnn.kernels.simd.intrinsics import emitted

# Cells of a 2x2 window, row by row; a window whose maximum ReLU cut off has none.
CELLS = ((0, 0), (0, 1), (1, 0), (1, 1))
NO_CELL = 4


def _in_registers(e: Emitter, record: Affine | Correction, lanes: Lanes) -> list[Vector]:
    """The fields of the record, for these channels."""
    return [e.load(array, lanes.channel) for array in record]


def _pixel(e: Emitter, pixels: PixelRow, p: Any) -> Any:
    """Where the vector of pixel p begins."""
    return e.sum(pixels.start, e.product(p, pixels.step))


def _cells(e: Emitter, windows: WindowRow, p: Any) -> list[Any]:
    """Where the vectors of the four cells of window p begin."""
    first = e.sum(windows.start, e.product(e.product(p, windows.step), 2))
    return [e.sum(first, e.product(windows.row, i), e.product(windows.step, j)) for i, j in CELLS]


def _pooled(e: Emitter, windows: WindowRow, p: Any) -> Any:
    """Where the vector of window p begins in y, dy and argmax."""
    return e.sum(windows.pooled_start, e.product(p, windows.step))


def _add_to_sums(e: Emitter, total: Any, sums: Any, lanes: Lanes) -> None:
    """sums[channel : channel + WIDTH] += the variable ``total``, but for the lanes that are to be skipped."""
    counted = e.select(e.lanes_from(lanes.skip), e.get(total), e.constant(0))
    e.store(e.load(sums, lanes.channel) + counted, sums, lanes.channel)


@emitted
def moments_row(
    e: Emitter, z: Any, pixels: PixelRow, lanes: Lanes, pivot: Any, sums: Any, squares: Any
) -> None:
    """sums[c] += sum of z - pivot, squares[c] += sum of (z - pivot)**2."""
    centre = e.load(pivot, lanes.channel)
    total, square = e.variable(e.constant(0)), e.variable(e.constant(0))
    with e.loop(pixels.length) as p:
        deviation = e.load(z, _pixel(e, pixels, p.index)) - centre
        e.set(total, e.get(total) + deviation)
        e.set(square, deviation * deviation + e.get(square))
    _add_to_sums(e, total, sums, lanes)
    _add_to_sums(e, square, squares, lanes)


@emitted
def normalize_row(e: Emitter, z: Any, pixels: PixelRow, lanes: Lanes, affine: Affine, y: Any) -> None:
    """y = max(v, floor), at the same positions as z."""
    mean, scale, shift, floor = _in_registers(e, affine, lanes)
    with e.loop(pixels.length) as p:
        position = _pixel(e, pixels, p.index)
        e.store(e.maximum(floor, (e.load(z, position) - mean) * scale + shift), y, position)


@emitted
def normalize_pool_row(
    e: Emitter, z: Any, windows: WindowRow, lanes: Lanes, affine: Affine, y: Any, argmax: Any
) -> None:
    """y = max(largest v of the window, floor); argmax = its cell, or NO_CELL where the floor is larger."""
    mean, scale, shift, floor = _in_registers(e, affine, lanes)
    with e.loop(windows.length) as p:
        values = [(e.load(z, cell) - mean) * scale + shift for cell in _cells(e, windows, p.index)]
        best, best_cell = values[0], e.byte(0)
        for cell, value in enumerate(values[1:], start=1):
            # A NaN, once it is the best, stays: the second condition is false for it.
            better = e.both(e.greater_or_nan(value, best), e.not_nan(best))
            best, best_cell = e.select(better, value, best), e.select(better, e.byte(cell), best_cell)
        passes = e.greater_or_nan(best, floor)
        position = _pooled(e, windows, p.index)
        e.store(e.select(passes, best, floor), y, position)
        e.store_bytes(e.select(passes, best_cell, e.byte(NO_CELL)), argmax, position)


def _through_relu(e: Emitter, dy: Vector, v: Vector, floor: Vector) -> Vector:
    """dy where ReLU let v through, else 0."""
    return e.select(e.greater_or_nan(v, floor), dy, e.constant(0))


@emitted
def gradient_sums_row(
    e: Emitter, z: Any, pixels: PixelRow, lanes: Lanes, affine: Affine, dy: Any, sums: Any, products: Any
) -> None:
    """sums[c] += sum of g, products[c] += sum of g * (z - mean), where g = dy if v > floor, else 0."""
    mean, scale, shift, floor = _in_registers(e, affine, lanes)
    total, product = e.variable(e.constant(0)), e.variable(e.constant(0))
    with e.loop(pixels.length) as p:
        position = _pixel(e, pixels, p.index)
        deviation = e.load(z, position) - mean
        g = _through_relu(e, e.load(dy, position), deviation * scale + shift, floor)
        e.set(total, e.get(total) + g)
        e.set(product, g * deviation + e.get(product))
    _add_to_sums(e, total, sums, lanes)
    _add_to_sums(e, product, products, lanes)


@emitted
def gradient_sums_pool_row(
    e: Emitter,
    z: Any,
    windows: WindowRow,
    lanes: Lanes,
    affine: Affine,
    dy: Any,
    argmax: Any,
    sums: Any,
    products: Any,
) -> None:
    """The same for a pooled row: g is the window's dy at its largest cell, 0 at the others."""
    mean = e.load(affine.mean, lanes.channel)
    total, product = e.variable(e.constant(0)), e.variable(e.constant(0))
    with e.loop(windows.length) as p:
        position = _pooled(e, windows, p.index)
        values = [e.load(z, cell) for cell in _cells(e, windows, p.index)]
        cell_of_maximum, largest = e.load_bytes(argmax, position), values[0]
        for cell, value in enumerate(values[1:], start=1):
            largest = e.select(e.equal(cell_of_maximum, e.byte(cell)), value, largest)
        cut_off = e.equal(cell_of_maximum, e.byte(NO_CELL))
        g = e.select(cut_off, e.constant(0), e.load(dy, position))
        e.set(total, e.get(total) + g)
        e.set(product, g * (largest - mean) + e.get(product))
    _add_to_sums(e, total, sums, lanes)
    _add_to_sums(e, product, products, lanes)


@emitted
def input_gradient_row(
    e: Emitter,
    z: Any,
    pixels: PixelRow,
    lanes: Lanes,
    affine: Affine,
    correction: Correction,
    dy: Any,
    dz: Any,
    bias: Any,
) -> None:
    """dz = scale * g - offset - slope * (z - mean) where z > cut, else 0; bias[c] += its sum."""
    mean, scale, shift, floor = _in_registers(e, affine, lanes)
    offset, slope, cut = _in_registers(e, correction, lanes)
    total = e.variable(e.constant(0))
    with e.loop(pixels.length) as p:
        position = _pixel(e, pixels, p.index)
        value = e.load(z, position)
        deviation = value - mean
        g = _through_relu(e, e.load(dy, position), deviation * scale + shift, floor)
        gradient = scale * g - offset - slope * deviation
        gradient = e.select(e.greater_or_nan(value, cut), gradient, e.constant(0))
        e.set(total, e.get(total) + gradient)
        e.store(gradient, dz, position)
    _add_to_sums(e, total, bias, lanes)


@emitted
def input_gradient_pool_row(
    e: Emitter,
    z: Any,
    windows: WindowRow,
    lanes: Lanes,
    affine: Affine,
    correction: Correction,
    dy: Any,
    argmax: Any,
    dz: Any,
    bias: Any,
) -> None:
    """The same for the four cells of every window of a pooled row."""
    mean, scale, _, _ = _in_registers(e, affine, lanes)
    (offset, slope, cut), zero = _in_registers(e, correction, lanes), e.constant(0)
    total = e.variable(zero)
    with e.loop(windows.length) as p:
        position = _pooled(e, windows, p.index)
        scaled_dy, cell_of_maximum = scale * e.load(dy, position), e.load_bytes(argmax, position)
        cells = _cells(e, windows, p.index)
        for number, (cell, value) in enumerate(zip(cells, [e.load(z, c) for c in cells], strict=True)):
            scaled_g = e.select(e.equal(cell_of_maximum, e.byte(number)), scaled_dy, zero)
            gradient = scaled_g - offset - slope * (value - mean)
            gradient = e.select(e.greater_or_nan(value, cut), gradient, zero)
            e.set(total, e.get(total) + gradient)
            e.store(gradient, dz, cell)
    _add_to_sums(e, total, bias, lanes)


@emitted
def uncovered_input_gradient_row(
    e: Emitter,
    z: Any,
    pixels: PixelRow,
    lanes: Lanes,
    affine: Affine,
    correction: Correction,
    dz: Any,
    bias: Any,
) -> None:
    """The same for pixels that no window covers: g = 0."""
    mean = e.load(affine.mean, lanes.channel)
    (offset, slope, cut), zero = _in_registers(e, correction, lanes), e.constant(0)
    total = e.variable(zero)
    with e.loop(pixels.length) as p:
        position = _pixel(e, pixels, p.index)
        value = e.load(z, position)
        gradient = zero - offset - slope * (value - mean)
        gradient = e.select(e.greater_or_nan(value, cut), gradient, zero)
        e.set(total, e.get(total) + gradient)
        e.store(gradient, dz, position)
    _add_to_sums(e, total, bias, lanes)
