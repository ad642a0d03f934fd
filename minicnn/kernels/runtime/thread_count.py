"""How many threads minicnn works on: one number for its own kernels and for NumPy's matrix products."""

from __future__ import annotations

from minicnn.argument_checks import positive_int
from minicnn.kernels.runtime import blas, thread_pool


def get_threads() -> int:
    """The threads in use: at first the cores this process may run on, or ``OMP_NUM_THREADS`` if fewer."""
    return thread_pool.size()


def set_threads(n: int) -> None:
    """Run kernels and matrix products on ``n`` threads, the calling one included, in the whole process.

    Any thread may call this, and all threads compute the same. Compiled kernels cut their work by the shape
    of the data, so that their results do not depend on ``n``; those of a Dense layer, one large matrix
    product, may in the last digit, also where another thread is computing a convolution at the same time.
    Raises TypeError or ValueError unless n is an integer of at least 1.
    """
    n = positive_int("set_threads", "n", n)
    thread_pool.resize(n)
    blas.set_blas_threads(n)
