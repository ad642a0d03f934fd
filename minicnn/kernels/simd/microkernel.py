"""The matrix product that every fast convolution is made of: one small tile of C, kept in registers.

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

``A`` is read through strides, so that the same kernel serves rows that are pixels (forward) or channels
(weight gradients), and rows that overlap (a convolution seen as a product, ``implicit_gemm.py``). Its depth
comes in ``segments`` of ``depth`` numbers: element d of segment s of row r is at

    a_at + r * a_row + s * a_segment + d * a_step

``b`` is the address of B's first number; row d of segment s is ``(s * depth + d) * b_step`` further, and the
second vector another ``b_panel``. In a matrix packed in panels of WIDTH columns ``b_step`` is WIDTH. ``C`` is
at ``c_at + r * c_row + v * c_panel``.

Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", is the classic account.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import emitted

ROWS = 8 if WIDTH == 16 else 4


def _tile(panels: int, accumulate: bool, rows: int = ROWS) -> Any:
    def tile(
        e: Emitter,
        a: Any,
        a_at: Any,
        a_row: Any,
        a_segment: Any,
        a_step: Any,
        segments: Any,
        depth: Any,
        b: Any,
        b_step: Any,
        b_panel: Any,
        c: Any,
        c_at: Any,
        c_row: Any,
        c_panel: Any,
    ) -> None:
        b = e.pointer(b)
        row_at = [e.sum(a_at, e.product(a_row, r)) for r in range(rows)]
        c_positions = [
            [e.sum(c_at, e.product(c_row, r), e.product(c_panel, v)) for v in range(panels)]
            for r in range(rows)
        ]
        sums = [
            [e.variable(e.load(c, at) if accumulate else e.constant(0)) for at in row] for row in c_positions
        ]
        with e.loop(segments) as segment:
            a_start = e.product(a_segment, segment.index)
            b_start = e.product(e.product(depth, segment.index), b_step)
            with e.loop(depth) as step:
                a_offset = e.sum(a_start, e.product(a_step, step.index))
                b_offset = e.sum(b_start, e.product(step.index, b_step))
                row_of_b = [e.load(b, e.sum(b_offset, e.product(b_panel, v))) for v in range(panels)]
                for r in range(rows):
                    number = e.broadcast(a, e.sum(row_at[r], a_offset))
                    for v in range(panels):
                        e.set(sums[r][v], number * row_of_b[v] + e.get(sums[r][v]))
        for row_of_sums, row_of_positions in zip(sums, c_positions, strict=True):
            for total, at in zip(row_of_sums, row_of_positions, strict=True):
                e.store(e.get(total), c, at)

    tile.__name__ = f"{'add' if accumulate else 'set'}_{rows}x{panels}"
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
    a: np.ndarray,
    a_at: int,
    a_row: int,
    a_segment: int,
    a_step: int,
    segments: int,
    depth: int,
    b: np.ndarray,
    b_step: int,
    b_panel: int,
    panels: int,
) -> np.ndarray:
    """The readable twin: the tile (ROWS, panels, WIDTH) that ``set_one`` and ``set_two`` put into ``c``."""
    tile = np.zeros((ROWS, panels, WIDTH), a.dtype)
    for r in range(ROWS):
        for s in range(segments):
            for d in range(depth):
                for v in range(panels):
                    row_of_b = v * b_panel + (s * depth + d) * b_step
                    tile[r, v] += (
                        a[a_at + r * a_row + s * a_segment + d * a_step] * b[row_of_b : row_of_b + WIDTH]
                    )
    return tile
