"""The register tile against NumPy, for every way of walking through A, and between walls of NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels.runtime.jit import jit
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.intrinsics import address_of
from minicnn.kernels.simd.microkernel import (
    ROWS,
    Depth,
    Destination,
    LeftOperand,
    RightOperand,
    add_one,
    add_two,
    set_one,
    set_two,
    tile_reference,
)
from tests.minicnn.geometry import DTYPES, numbers
from tests.minicnn.kernels.canaries import Walled
from tests.minicnn.oracles import assert_close


@jit
def run_tile(vectors, accumulate, a, left, depth, b, right, c, to):
    right = RightOperand(address_of(b, 0), right.row, right.panel)
    if vectors == 1:
        if accumulate:
            add_one(a, left, depth, right, c, to)
        else:
            set_one(a, left, depth, right, c, to)
    elif accumulate:
        add_two(a, left, depth, right, c, to)
    else:
        set_two(a, left, depth, right, c, to)


@st.composite
def operands(draw):
    """Depth and steps of A: rows may overlap, as in a convolution, and numbers may be apart."""
    depth = Depth(draw(st.integers(1, 4)), draw(st.integers(1, 19)))
    row, segment, step = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 20))
    return depth, LeftOperand(0, row, segment, step)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("vectors", [1, 2])
@settings(deadline=None, max_examples=15)
@given(operands=operands(), packed=st.booleans())
def test_a_tile_is_the_sum_of_products_and_stays_inside_its_arrays(
    vectors, accumulate, dtype, operands, packed
):
    depth, left = operands
    products, walled = depth.segments * depth.length, Walled()
    last = (ROWS - 1) * left.row + (depth.segments - 1) * left.segment + (depth.length - 1) * left.step
    a = walled(numbers((last + 1,), dtype))
    b = walled(numbers((vectors * products * WIDTH,), dtype, 1))
    c = walled(numbers((ROWS * vectors * WIDTH,), dtype, 2))
    # Packed in panels, or side by side as in a plain matrix.
    right = RightOperand(0, WIDTH, products * WIDTH) if packed else RightOperand(0, vectors * WIDTH, WIDTH)
    expected = tile_reference(a, left, depth, b, right, vectors)
    if accumulate:
        expected = expected + c.reshape(expected.shape)
    run_tile(vectors, accumulate, a, left, depth, b, right, c, Destination(0, vectors * WIDTH, WIDTH))
    assert_close(c.reshape(expected.shape), expected, products)
    assert walled.stand()


def test_the_reference_tile_is_a_matrix_product():
    a, b = numbers((ROWS, 7), np.float64), numbers((7, WIDTH), np.float64, 1)
    left, right = LeftOperand(0, row=7, segment=0, step=1), RightOperand(0, row=WIDTH, panel=0)
    tile = tile_reference(a.ravel(), left, Depth(1, 7), b.ravel(), right, 1)
    np.testing.assert_allclose(tile[:, 0], a @ b, rtol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_come_through_and_stay_in_their_row(bad):
    a, b = np.ones((ROWS, 4), np.float32), np.ones((4, WIDTH), np.float32)
    a[2, 1] = bad
    c = np.zeros((ROWS, WIDTH), np.float32)
    left, right = LeftOperand(0, row=4, segment=0, step=1), RightOperand(0, row=WIDTH, panel=0)
    run_tile(
        1, False, a.ravel(), left, Depth(1, 4), b.ravel(), right, c.reshape(-1), Destination(0, WIDTH, 0)
    )
    np.testing.assert_array_equal(c[2], np.full(WIDTH, bad, np.float32))
    np.testing.assert_array_equal(np.delete(c, 2, axis=0), 4)
