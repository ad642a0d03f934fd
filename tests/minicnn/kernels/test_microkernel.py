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
def run_tile(
    panels, accumulate, a, a_row, a_segment, a_step, segments, depth, b, b_step, b_panel, c, c_row, c_panel
):
    if panels == 1:
        if accumulate:
            add_one(
                a,
                0,
                a_row,
                a_segment,
                a_step,
                segments,
                depth,
                address_of(b, 0),
                b_step,
                b_panel,
                c,
                0,
                c_row,
                c_panel,
            )
        else:
            set_one(
                a,
                0,
                a_row,
                a_segment,
                a_step,
                segments,
                depth,
                address_of(b, 0),
                b_step,
                b_panel,
                c,
                0,
                c_row,
                c_panel,
            )
    elif accumulate:
        add_two(
            a,
            0,
            a_row,
            a_segment,
            a_step,
            segments,
            depth,
            address_of(b, 0),
            b_step,
            b_panel,
            c,
            0,
            c_row,
            c_panel,
        )
    else:
        set_two(
            a,
            0,
            a_row,
            a_segment,
            a_step,
            segments,
            depth,
            address_of(b, 0),
            b_step,
            b_panel,
            c,
            0,
            c_row,
            c_panel,
        )


@st.composite
def walks(draw):
    """Segments, depth and strides of A: rows may overlap, as in a convolution, and numbers may be apart."""
    segments, depth = draw(st.integers(1, 4)), draw(st.integers(1, 19))
    a_row, a_segment, a_step = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 20))
    return segments, depth, a_row, a_segment, a_step


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("panels", [1, 2])
@settings(deadline=None, max_examples=15)
@given(walk=walks(), packed=st.booleans())
def test_a_tile_is_the_sum_of_products_and_stays_inside_its_arrays(panels, accumulate, dtype, walk, packed):
    segments, depth, a_row, a_segment, a_step = walk
    walled = Walled()
    last = (ROWS - 1) * a_row + (segments - 1) * a_segment + (depth - 1) * a_step
    a = walled(numbers((last + 1,), dtype))
    b = walled(numbers((panels * segments * depth * WIDTH,), dtype, 1))
    c = walled(numbers((ROWS * panels * WIDTH,), dtype, 2))
    # Packed in panels, or side by side as in a plain matrix.
    b_step, b_panel = (WIDTH, segments * depth * WIDTH) if packed else (panels * WIDTH, WIDTH)
    c_row = panels * WIDTH
    expected = tile_reference(a, 0, a_row, a_segment, a_step, segments, depth, b, b_step, b_panel, panels)
    if accumulate:
        expected = expected + c.reshape(expected.shape)
    run_tile(
        panels, accumulate, a, a_row, a_segment, a_step, segments, depth, b, b_step, b_panel, c, c_row, WIDTH
    )
    assert_close(c.reshape(expected.shape), expected, segments * depth)
    assert walled.stand()


def test_the_reference_tile_is_a_matrix_product():
    a, b = numbers((ROWS, 7), np.float64), numbers((7, WIDTH), np.float64, 1)
    tile = tile_reference(a.ravel(), 0, 7, 0, 1, 1, 7, b.ravel(), WIDTH, 0, 1)
    np.testing.assert_allclose(tile[:, 0], a @ b, rtol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_come_through_and_stay_in_their_row(bad):
    a, b = np.ones((ROWS, 4), np.float32), np.ones((4, WIDTH), np.float32)
    a[2, 1] = bad
    c = np.zeros((ROWS, WIDTH), np.float32)
    run_tile(1, False, a.ravel(), 4, 0, 1, 1, 4, b.ravel(), WIDTH, 0, c.reshape(-1), WIDTH, 0)
    np.testing.assert_array_equal(c[2], np.full(WIDTH, bad, np.float32))
    np.testing.assert_array_equal(np.delete(c, 2, axis=0), 4)
