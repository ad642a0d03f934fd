"""Has an array changed since? A fingerprint of its bits, as fast as memory can be read.

Weights prepared for a kernel may be used again as long as the weights are the same. Nothing tells when
somebody writes into an array, so its numbers are asked: for each of 4 * WIDTH columns of the array,

    h = h * FACTOR + bits        modulo 2**32, number after number

FACTOR is odd, so that multiplying by it loses nothing: one changed number always changes h, and changes at
random go unnoticed once in 2**32 for each column they touch. It protects against oversight, not malice.
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
def stir_columns(e: Emitter, x: Any, at: Any, steps: Any, state: Any, to: Any) -> None:
    """Stir ``steps`` rows of COLUMNS numbers into ``state``."""
    slots = [e.variable(e.load_bits(state, e.sum(to, WIDTH * i))) for i in range(CHAINS)]
    with e.loop(steps) as step:
        row = e.sum(at, e.product(step.index, COLUMNS))
        for i, slot in enumerate(slots):
            e.set(slot, e.multiply_add_bits(e.get(slot), FACTOR, e.load_bits(x, e.sum(row, WIDTH * i))))
    for i, slot in enumerate(slots):
        e.store_bits(e.get(slot), state, e.sum(to, WIDTH * i))


@jit
def stir(x, first, last, states, to):  # type: ignore[no-untyped-def]
    stir_columns(x, first, (last - first) // COLUMNS, states, to)


def fingerprint(x: np.ndarray) -> tuple[Any, ...]:
    """Equal for equal float32 arrays; for others almost surely different."""
    flat = plain(x).reshape(-1)
    whole = flat.size // COLUMNS * COLUMNS
    parts = -(-whole // PART)
    states = np.zeros(parts * COLUMNS, np.float32)

    def part(p: int) -> None:
        stir(flat, p * PART, min(whole, p * PART + PART), states, p * COLUMNS)

    thread_pool.run(part, parts)
    return x.shape, states.tobytes(), flat[whole:].tobytes()


def reference(x: np.ndarray) -> tuple[Any, ...]:
    """The readable twin."""
    flat = np.ascontiguousarray(x).reshape(-1)
    whole = flat.size // COLUMNS * COLUMNS
    states = []
    for first in range(0, whole, PART):
        h = np.zeros(COLUMNS, np.uint32)
        for row in flat[first : min(whole, first + PART)].view(np.uint32).reshape(-1, COLUMNS):
            h = h * np.uint32(FACTOR) + row
        states.append(h.tobytes())
    return x.shape, b"".join(states), flat[whole:].tobytes()
