"""Filters of a 3x3 convolution, transformed for Winograd's algorithm and packed for the micro-kernel.

w [3][3][C][O]  --G g G^T-->  [O / W][36][C][W]         W channels of the result side by side: a panel
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.winograd.algebra import PRODUCTS
from minicnn.kernels.winograd.records import FilterLayout, Points, Taps
from minicnn.kernels.winograd.tiles import panels, plane_of
from minicnn.kernels.winograd.transforms import transform_adjacent_filters, transform_filter


@jit
def pack_filters(w, layout, first, last, filters):  # type: ignore[no-untyped-def]
    """Transform and pack panels first..last-1 of the filters. Rows that fill up the last panel are zeros."""
    layout = FilterLayout(*layout)
    depth = (layout.rows + WIDTH - 1) // WIDTH * WIDTH
    plane = plane_of(depth * WIDTH)
    adjacent = layout.lane == 1
    # In the order in which w lies in memory: row by row where a row's lanes are adjacent, else lane by lane.
    outer, inner = (depth, last - first) if adjacent else (last - first, depth)
    for i in range(outer):
        for j in range(inner):
            r, p = (i, j) if adjacent else (j, i)
            to, lane = Points(p * PRODUCTS * plane + r * WIDTH, plane), (first + p) * WIDTH
            if r < layout.rows:
                taps = Taps(layout.start + r * layout.row + lane * layout.lane, layout.tap)
                lanes = min(WIDTH, layout.lanes - lane)
                if adjacent and lanes == WIDTH:
                    transform_adjacent_filters(w, taps, layout.row, filters, to)
                else:
                    transform_filter(w, taps, layout.lane, lanes, filters, to)
            else:
                for k in range(PRODUCTS):
                    filters[k * plane + to.start : k * plane + to.start + WIDTH] = 0


class Filters:
    """The transformed filters of w (3, 3, C, O), packed panel by panel on demand.

    ``rotated``: those of the input gradient, w turned by 180 degrees with its channels swapped.
    """

    def __init__(self, w: np.ndarray, rotated: bool = False) -> None:
        _, _, channels, outputs = w.shape
        taps = channels * outputs
        self.w = plain(w).reshape(-1)
        if rotated:
            self.layout = FilterLayout(8 * taps, -taps, row=1, rows=outputs, lane=outputs, lanes=channels)
        else:
            self.layout = FilterLayout(0, taps, row=outputs, rows=channels, lane=1, lanes=outputs)

    def panels(self, first: int, last: int) -> np.ndarray:
        """Panels first..last-1: [panel][36][C rounded up][W], flat."""
        filters = empty((last - first) * self._numbers, self.w.dtype)
        pack_filters(self.w, tuple(self.layout), first, last, filters)
        return filters

    def all(self) -> np.ndarray:
        """All panels."""
        count = panels(self.layout.lanes)
        filters = empty((count, self._numbers), self.w.dtype)
        layout = tuple(self.layout)
        thread_pool.run(lambda p: pack_filters(self.w, layout, p, p + 1, filters[p]), count)
        return filters.reshape(-1)

    @property
    def _numbers(self) -> int:
        """Numbers in one panel."""
        return int(PRODUCTS * plane_of(panels(self.layout.rows) * WIDTH**2))
