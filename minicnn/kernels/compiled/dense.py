"""A matrix product of few rows: a fully connected layer on one image, or on a few.

Every weight is used a few times only, so that the time is that of reading the weights from memory:

    w  (in, out)                          x  (N, in)
    +--------------+  part 0: rows 0..      each part p sums over its rows of w, which lie side by side
    |              |  -----------------         y_p[n, o] = sum over k in part p of  x[n, k] * w[k, o]
    |              |  part 1                and the parts are added up in their order,
    +--------------+  ...                       y = y_0 + y_1 + ... + b

The parts follow from the shape alone: the result does not depend on the number of threads. A BLAS would do
the same, but its threads wait for the next product in a loop, and occupy the cores that the next layers need.
Products of more rows are left to BLAS, ``x @ w + b``, which is also the readable twin.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.jit import jit, plain

MOST_ROWS = 4
# Fewer weights than these 4 MB stay in the cache, and BLAS reads them from there in less time.
LEAST_WEIGHTS = 2**20
PARTS = 8


def applies(rows: int, weights: int) -> bool:
    """Whether this kernel is the faster one for a product of so many rows and weights."""
    return rows <= MOST_ROWS and weights >= LEAST_WEIGHTS


@jit
def add_products(x, w, first, last, y):  # type: ignore[no-untyped-def]
    """y (N, out) = the sum over first <= k < last of x[n, k] * w[k], four rows of w at a time."""
    for n in range(len(x)):
        target, numbers = y[n], x[n]
        target[:] = 0
        fours = first + (last - first) // 4 * 4
        for k in range(first, fours, 4):
            a, b, c, d = numbers[k], numbers[k + 1], numbers[k + 2], numbers[k + 3]
            wa, wb, wc, wd = w[k], w[k + 1], w[k + 2], w[k + 3]
            for o in range(len(target)):
                target[o] += (a * wa[o] + b * wb[o]) + (c * wc[o] + d * wd[o])
        for k in range(fours, last):
            a, wa = numbers[k], w[k]
            for o in range(len(target)):
                target[o] += a * wa[o]


def forward(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """y (N, out) of x (N, in), w (in, out) and b (out,) or None."""
    x, w = plain(x), plain(w)
    parts = min(PARTS, len(w))
    partial = np.empty((parts, len(x), w.shape[1]), x.dtype)

    def part(p: int) -> None:
        add_products(x, w, p * len(w) // parts, (p + 1) * len(w) // parts, partial[p])

    thread_pool.run(part, parts)
    y: np.ndarray = partial.sum(axis=0)
    return y if b is None else y + b
