"""The matrix product that every fast convolution is made of: one small tile of C, held in registers.

    C[r, v] (+)= sum over d of A[r, d] * B[d, v]        r < ROWS, v < WIDTH or 2 * WIDTH

A processor core can start one or two vector multiply-adds per cycle but load at most as many vectors, so a
product that loads its operands for every multiply-add runs at a fraction of the peak. The tile below does
``ROWS * 2`` multiply-adds for ``ROWS + 2`` loads, and its accumulators never leave the registers:

                     B  depth x (2 vectors), packed: one row after the other
                  +--------+--------+
                  |  b[0]  |  b[1]  |   <- two loads per step of d
                  +--------+--------+
     A    +---+   +--------+--------+
    rows  | a | * |  acc   |  acc   |   row 0     a = one number, broadcast to all lanes
          | a |   |  acc   |  acc   |   row 1     acc += a * b, one fused multiply-add each
          | . |   |   .    |   .    |    ...
          | a |   |  acc   |  acc   |   row ROWS - 1
          +---+   +--------+--------+

With 8 rows x 2 vectors of 16 (AVX-512) that is 16 of 32 registers, and enough independent sums to hide the
4 cycles that a multiply-add takes; AVX2 and SSE have 16 registers, hence 4 rows.

``A`` is read through steps, so that the same kernel serves rows that are pixels (forward) or channels (weight
gradients), and rows that overlap (a convolution seen as a product, ``implicit_gemm.py``). The depth, over
which the sum runs, comes in segments of equal length; in A each begins elsewhere. A call names where
everything lies:

    set_two(a, LeftOperand(start, row, segment, step), Depth(segments, length),
            RightOperand(address, row, panel), c, Destination(start, row, panel))

Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", is the classic account.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import emitted

ROWS = 8 if WIDTH == 16 else 4


class LeftOperand(NamedTuple):
    """Where A lies in its array: element d of segment s of row r is
    ``start + r * row + s * segment + d * step``."""

    start: int
    row: int
    segment: int
    step: int


class Depth(NamedTuple):
    """How many products are summed up: ``segments`` times ``length``."""

    segments: int
    length: int


class RightOperand(NamedTuple):
    """Where B lies: row d of segment s begins ``(s * length + d) * row`` numbers after ``address``, the
    second vector another ``panel`` further on. In a matrix packed in panels of WIDTH columns ``row`` is
    WIDTH."""

    address: int
    row: int
    panel: int


class Destination(NamedTuple):
    """Where the tile of C lies in its array: vector v of row r begins at ``start + r * row + v * panel``."""

    start: int
    row: int
    panel: int


def _tile(vectors: int, accumulate: bool, rows: int = ROWS) -> Any:
    """The kernel for a tile of so many rows and vectors: C = A B, or C += A B to ``accumulate``."""

    def tile(
        e: Emitter, a: Any, left: LeftOperand, depth: Depth, right: RightOperand, c: Any, to: Destination
    ) -> None:
        b = e.pointer(right.address)
        a_rows = [e.sum(left.start, e.product(left.row, r)) for r in range(rows)]
        c_positions = [
            [e.sum(to.start, e.product(to.row, r), e.product(to.panel, v)) for v in range(vectors)]
            for r in range(rows)
        ]
        sums = [
            [e.variable(e.load(c, position) if accumulate else e.constant(0)) for position in row]
            for row in c_positions
        ]
        with e.loop(depth.segments) as segment:
            a_start = e.product(left.segment, segment.index)
            b_start = e.product(e.product(depth.length, segment.index), right.row)
            with e.loop(depth.length) as step:
                a_offset = e.sum(a_start, e.product(left.step, step.index))
                b_offset = e.sum(b_start, e.product(step.index, right.row))
                row_of_b = [e.load(b, e.sum(b_offset, e.product(right.panel, v))) for v in range(vectors)]
                for r in range(rows):
                    number = e.broadcast(a, e.sum(a_rows[r], a_offset))
                    for v in range(vectors):
                        e.set(sums[r][v], number * row_of_b[v] + e.get(sums[r][v]))
        for row_of_sums, row_of_positions in zip(sums, c_positions, strict=True):
            for total, position in zip(row_of_sums, row_of_positions, strict=True):
                e.store(e.get(total), c, position)

    tile.__name__ = f"{'add' if accumulate else 'set'}_{rows}x{vectors}"
    return emitted(tile)


set_one = _tile(1, accumulate=False)
set_two = _tile(2, accumulate=False)
add_one = _tile(1, accumulate=True)
add_two = _tile(2, accumulate=True)
# The weights of a 3x3 filter over RGB come in rows of nine.
NINE = 9
add_one_of_nine = _tile(1, accumulate=True, rows=NINE)
add_two_of_nine = _tile(2, accumulate=True, rows=NINE)


def tile_reference(
    a: np.ndarray, left: LeftOperand, depth: Depth, b: np.ndarray, right: RightOperand, vectors: int
) -> np.ndarray:
    """The readable twin: the tile (ROWS, vectors, WIDTH) that ``set_one`` and ``set_two`` put into c.

    b is the array that begins at ``right.address``.
    """
    tile = np.zeros((ROWS, vectors, WIDTH), a.dtype)
    for r in range(ROWS):
        for s in range(depth.segments):
            for d in range(depth.length):
                number = a[left.start + r * left.row + s * left.segment + d * left.step]
                for v in range(vectors):
                    row_of_b = (s * depth.length + d) * right.row + v * right.panel
                    tile[r, v] += number * b[row_of_b : row_of_b + WIDTH]
    return tile
