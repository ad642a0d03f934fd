"""A kernel of one's own beside its readable twin: the sum over all pixels of dy * x, channel by channel.

    python tutorials/how_to/channel_sums.py

NumPy writes ``dy * x`` to memory, an array as large as the image, and reads it again to add it up. The
kernel adds each product where it is computed:

    dy, x  (M, C), the pixels one below the other, in blocks of BLOCK rows
    +-------------+
    |  block 0    |  -> sums[0] (C,)      one task a block, on any thread
    +-------------+
    |  block 1    |  -> sums[1] (C,)
    +-------------+
         ...            sums.sum(axis=0)  added in the order of the blocks

The blocks follow from the shape alone, so that the result has the same bits on any number of threads.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.jit import jit, plain

BLOCK = 4096


def channel_sums_reference(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The readable twin: (C,) from dy and x (N, H, W, C)."""
    total: np.ndarray = (dy * x).sum(axis=(0, 1, 2))
    return total


@jit
def add_products(dy, x, first, last, total):  # type: ignore[no-untyped-def]
    """total (C,) = the sum over rows first..last-1 of dy * x, both (M, C)."""
    total[:] = 0
    for row in range(first, last):
        upstream, source = dy[row], x[row]
        for c in range(len(total)):
            total[c] += upstream[c] * source[c]


def channel_sums(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same, compiled: one pass over memory, on all threads."""
    channels = x.shape[-1]
    upstream, source = plain(dy).reshape(-1, channels), plain(x).reshape(-1, channels)
    blocks = -(-len(source) // BLOCK)
    sums = np.empty((blocks, channels), x.dtype)

    def block(b: int) -> None:
        add_products(upstream, source, b * BLOCK, min((b + 1) * BLOCK, len(source)), sums[b])

    thread_pool.run(block, blocks)
    total: np.ndarray = sums.sum(axis=0)
    return total


def main() -> None:
    """Compare the two on random shapes, then time both."""
    import timeit

    rng = np.random.default_rng(0)
    for _ in range(20):
        shape = tuple(rng.integers(1, 40, 4))
        dy, x = rng.standard_normal((2, *shape))
        assert np.allclose(channel_sums(dy, x), channel_sums_reference(dy, x), atol=1e-10), shape
    print("20 random shapes: equal")

    dy, x = rng.standard_normal((2, 32, 60, 40, 64), dtype=np.float32)
    channel_sums(dy, x)  # compiles for float32
    twin = min(timeit.repeat(lambda: channel_sums_reference(dy, x), number=1, repeat=10))
    kernel = min(timeit.repeat(lambda: channel_sums(dy, x), number=1, repeat=10))
    print(f"32 images of 60x40x64: NumPy {1000 * twin:.1f} ms, kernel {1000 * kernel:.1f} ms")


if __name__ == "__main__":
    main()
