"""Batch normalisation, ReLU and 2x2 max pooling over one row of pixels and WIDTH channels, in the registers.

The channels' constants stay in registers while the row goes by; ``fused.py`` has the formulas. In all of them

    v = (z - mean) * scale + shift        and   pixel p of the row is at ``at + p * channels``.

Where the number of channels is no multiple of WIDTH, the last vector begins WIDTH before their end and
overlaps its neighbour: what it writes is written twice, alike; sums leave out its first ``skip`` lanes.
"""

from __future__ import annotations

from typing import Any

from minicnn.kernels.simd.emitter import Emitter, Vector, emitted

# Cells of a 2x2 window, row by row; a window whose maximum ReLU cut off has none.
CELLS = ((0, 0), (0, 1), (1, 0), (1, 1))
NOBODY = 4


def _cells(e: Emitter, z: Any, at: Any, row: Any, channels: Any) -> list[Vector]:
    return [e.load(z, e.sum(at, e.product(row, i), e.product(channels, j))) for i, j in CELLS]


@emitted
def moments_row(
    e: Emitter,
    z: Any,
    at: Any,
    pixels: Any,
    channels: Any,
    pivot: Any,
    c: Any,
    skip: Any,
    sums: Any,
    squares: Any,
) -> None:
    """sums[c] += sum of z - pivot, squares[c] += sum of (z - pivot)**2."""
    about, counted = e.load(pivot, c), e.from_lane(skip)
    total, square = e.variable(e.constant(0)), e.variable(e.constant(0))
    with e.loop(pixels) as p:
        away = e.load(z, e.sum(at, e.product(p.index, channels))) - about
        e.set(total, e.get(total) + away)
        e.set(square, away * away + e.get(square))
    for array, slot in ((sums, total), (squares, square)):
        e.store(e.load(array, c) + e.choose(counted, e.get(slot), e.constant(0)), array, c)


@emitted
def normalize_row(
    e: Emitter,
    z: Any,
    at: Any,
    pixels: Any,
    channels: Any,
    mean: Any,
    scale: Any,
    shift: Any,
    c: Any,
    floor: Any,
    y: Any,
) -> None:
    """y = max(v, floor)."""
    m, s, b, low = e.load(mean, c), e.load(scale, c), e.load(shift, c), e.broadcast(floor, 0)
    with e.loop(pixels) as p:
        place = e.sum(at, e.product(p.index, channels))
        e.store(e.larger(low, (e.load(z, place) - m) * s + b), y, place)


@emitted
def normalize_pool_row(
    e: Emitter,
    z: Any,
    at: Any,
    row: Any,
    windows: Any,
    channels: Any,
    mean: Any,
    scale: Any,
    shift: Any,
    c: Any,
    floor: Any,
    y: Any,
    to: Any,
    winners: Any,
) -> None:
    """y = max(largest v of the window, floor); winners = its cell, or NOBODY where the floor is larger."""
    m, s, b, low = e.load(mean, c), e.load(scale, c), e.load(shift, c), e.broadcast(floor, 0)
    with e.loop(windows) as p:
        first = e.sum(at, e.product(e.product(p.index, channels), 2))
        values = [(cell - m) * s + b for cell in _cells(e, z, first, row, channels)]
        best, winner = values[0], e.byte(0)
        for k, value in enumerate(values[1:], start=1):
            # A NaN, once it is the best, stays: nothing is chosen over it but another NaN.
            wins = e.both(e.exceeds(value, best), e.a_number(best))
            best, winner = e.choose(wins, value, best), e.choose(wins, e.byte(k), winner)
        lives = e.exceeds(best, low)
        place = e.sum(to, e.product(p.index, channels))
        e.store(e.choose(lives, best, low), y, place)
        e.store_bytes(e.choose(lives, winner, e.byte(NOBODY)), winners, place)


def _upstream(e: Emitter, dy: Any, place: Any, value: Vector, low: Vector) -> Vector:
    """dy where ReLU let the value through, else 0."""
    return e.choose(e.exceeds(value, low), e.load(dy, place), e.constant(0))


@emitted
def gradient_sums_row(
    e: Emitter,
    z: Any,
    at: Any,
    pixels: Any,
    channels: Any,
    mean: Any,
    scale: Any,
    shift: Any,
    c: Any,
    floor: Any,
    skip: Any,
    dy: Any,
    sums: Any,
    products: Any,
) -> None:
    """sums[c] += sum of g, products[c] += sum of g * (z - mean), where g = dy if v > floor, else 0."""
    m, s, b, low = e.load(mean, c), e.load(scale, c), e.load(shift, c), e.broadcast(floor, 0)
    counted = e.from_lane(skip)
    total, product = e.variable(e.constant(0)), e.variable(e.constant(0))
    with e.loop(pixels) as p:
        place = e.sum(at, e.product(p.index, channels))
        away = e.load(z, place) - m
        g = _upstream(e, dy, place, away * s + b, low)
        e.set(total, e.get(total) + g)
        e.set(product, g * away + e.get(product))
    for array, slot in ((sums, total), (products, product)):
        e.store(e.load(array, c) + e.choose(counted, e.get(slot), e.constant(0)), array, c)


@emitted
def gradient_sums_pool_row(
    e: Emitter,
    z: Any,
    at: Any,
    row: Any,
    windows: Any,
    channels: Any,
    mean: Any,
    c: Any,
    skip: Any,
    dy: Any,
    to: Any,
    winners: Any,
    sums: Any,
    products: Any,
) -> None:
    """The same for a pooled row: g is the window's dy at its winner, 0 at the other cells."""
    m, counted = e.load(mean, c), e.from_lane(skip)
    total, product = e.variable(e.constant(0)), e.variable(e.constant(0))
    with e.loop(windows) as p:
        place = e.sum(to, e.product(p.index, channels))
        cells = _cells(e, z, e.sum(at, e.product(e.product(p.index, channels), 2)), row, channels)
        winner, chosen = e.load_bytes(winners, place), cells[0]
        for k, cell in enumerate(cells[1:], start=1):
            chosen = e.choose(e.equal(winner, e.byte(k)), cell, chosen)
        nobody = e.equal(winner, e.byte(NOBODY))
        g = e.choose(nobody, e.constant(0), e.load(dy, place))
        e.set(total, e.get(total) + g)
        e.set(product, g * (chosen - m) + e.get(product))
    for array, slot in ((sums, total), (products, product)):
        e.store(e.load(array, c) + e.choose(counted, e.get(slot), e.constant(0)), array, c)


@emitted
def input_gradient_row(
    e: Emitter,
    z: Any,
    at: Any,
    pixels: Any,
    channels: Any,
    mean: Any,
    scale: Any,
    shift: Any,
    offset: Any,
    slope: Any,
    c: Any,
    floor: Any,
    cut: Any,
    skip: Any,
    dy: Any,
    dz: Any,
    bias: Any,
) -> None:
    """dz = scale * g - offset - slope * (z - mean) where z > cut, else 0; bias[c] += its sum."""
    m, s, b, low = e.load(mean, c), e.load(scale, c), e.load(shift, c), e.broadcast(floor, 0)
    o, k, below, counted = e.load(offset, c), e.load(slope, c), e.broadcast(cut, 0), e.from_lane(skip)
    total = e.variable(e.constant(0))
    with e.loop(pixels) as p:
        place = e.sum(at, e.product(p.index, channels))
        value = e.load(z, place)
        away = value - m
        g = _upstream(e, dy, place, away * s + b, low)
        gradient = e.choose(e.exceeds(value, below), s * g - o - k * away, e.constant(0))
        e.set(total, e.get(total) + gradient)
        e.store(gradient, dz, place)
    e.store(e.load(bias, c) + e.choose(counted, e.get(total), e.constant(0)), bias, c)


@emitted
def input_gradient_pool_row(
    e: Emitter,
    z: Any,
    at: Any,
    row: Any,
    windows: Any,
    channels: Any,
    mean: Any,
    scale: Any,
    offset: Any,
    slope: Any,
    c: Any,
    cut: Any,
    skip: Any,
    dy: Any,
    to: Any,
    winners: Any,
    dz: Any,
    bias: Any,
) -> None:
    """The same for the four cells of every window of a pooled row."""
    m, s, o, k = e.load(mean, c), e.load(scale, c), e.load(offset, c), e.load(slope, c)
    below, counted = e.broadcast(cut, 0), e.from_lane(skip)
    total = e.variable(e.constant(0))
    with e.loop(windows) as p:
        place = e.sum(to, e.product(p.index, channels))
        first = e.sum(at, e.product(e.product(p.index, channels), 2))
        upstream, winner = s * e.load(dy, place), e.load_bytes(winners, place)
        for number, ((i, j), value) in enumerate(zip(CELLS, _cells(e, z, first, row, channels), strict=True)):
            g = e.choose(e.equal(winner, e.byte(number)), upstream, e.constant(0))
            gradient = e.choose(e.exceeds(value, below), g - o - k * (value - m), e.constant(0))
            e.set(total, e.get(total) + gradient)
            e.store(gradient, dz, e.sum(first, e.product(row, i), e.product(channels, j)))
    e.store(e.load(bias, c) + e.choose(counted, e.get(total), e.constant(0)), bias, c)


@emitted
def input_gradient_left_over_row(
    e: Emitter,
    z: Any,
    at: Any,
    pixels: Any,
    channels: Any,
    mean: Any,
    offset: Any,
    slope: Any,
    c: Any,
    cut: Any,
    skip: Any,
    dz: Any,
    bias: Any,
) -> None:
    """The same for pixels that no window covers: g = 0."""
    m, o, k = e.load(mean, c), e.load(offset, c), e.load(slope, c)
    below, counted = e.broadcast(cut, 0), e.from_lane(skip)
    total = e.variable(e.constant(0))
    with e.loop(pixels) as p:
        place = e.sum(at, e.product(p.index, channels))
        value = e.load(z, place)
        gradient = e.choose(e.exceeds(value, below), e.constant(0) - o - k * (value - m), e.constant(0))
        e.set(total, e.get(total) + gradient)
        e.store(gradient, dz, place)
    e.store(e.load(bias, c) + e.choose(counted, e.get(total), e.constant(0)), bias, c)
