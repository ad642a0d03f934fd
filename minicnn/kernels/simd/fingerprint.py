"""Checksums of arrays that show whether an array has changed, as fast as memory can be read.

Weights prepared for a kernel may be used again as long as the weights are the same. NumPy does not report
writes to an array, so the numbers themselves are compared, by a hash of each of 4 * WIDTH columns:

    h = h * FACTOR + bits        modulo 2**32, number after number

FACTOR is odd, so that multiplying by it loses nothing: one changed number always changes h, and changes at
random go unnoticed once in 2**32 for each column they touch. The hash is not cryptographic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import emitted

FACTOR = 0x9E3779B1
# Independent sums, so that the processor need not wait for one multiplication to finish.
CHAINS = 4
COLUMNS = CHAINS * WIDTH
PART = 2**18


@emitted
def hash_columns(e: Emitter, x: Any, start: Any, rows: Any, states: Any, offset: Any) -> None:
    """Hash ``rows`` rows of COLUMNS numbers, x[start:], into states[offset : offset + COLUMNS]."""
    slots = [e.variable(e.load_bits(states, e.sum(offset, WIDTH * i))) for i in range(CHAINS)]
    with e.loop(rows) as step:
        row = e.sum(start, e.product(step.index, COLUMNS))
        for i, slot in enumerate(slots):
            e.set(slot, e.multiply_add_bits(e.get(slot), FACTOR, e.load_bits(x, e.sum(row, WIDTH * i))))
    for i, slot in enumerate(slots):
        e.store_bits(e.get(slot), states, e.sum(offset, WIDTH * i))


@jit
def hash_part(x, first, last, states, offset):  # type: ignore[no-untyped-def]
    """Hash the numbers first..last-1 of x, whole rows of COLUMNS, into states[offset : offset + COLUMNS]."""
    hash_columns(x, first, (last - first) // COLUMNS, states, offset)


def fingerprint(x: np.ndarray) -> tuple[Any, ...]:
    """Shape and hashes of a float32 array: equal for equal arrays, almost surely different for others."""
    flat = plain(x).reshape(-1)
    whole = flat.size // COLUMNS * COLUMNS
    parts = -(-whole // PART)
    states = np.zeros(parts * COLUMNS, np.float32)

    def part(p: int) -> None:
        hash_part(flat, p * PART, min(whole, p * PART + PART), states, p * COLUMNS)

    thread_pool.run(part, parts)
    return x.shape, states.tobytes(), flat[whole:].tobytes()


def reference(x: np.ndarray) -> tuple[Any, ...]:
    """``fingerprint`` in NumPy."""
    flat = np.ascontiguousarray(x).reshape(-1)
    whole = flat.size // COLUMNS * COLUMNS
    states = []
    for first in range(0, whole, PART):
        h = np.zeros(COLUMNS, np.uint32)
        for row in flat[first : min(whole, first + PART)].view(np.uint32).reshape(-1, COLUMNS):
            h = h * np.uint32(FACTOR) + row
        states.append(h.tobytes())
    return x.shape, b"".join(states), flat[whole:].tobytes()
