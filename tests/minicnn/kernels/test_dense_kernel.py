"""The product of few rows, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels import dispatch
from minicnn.kernels.compiled import dense
from minicnn.kernels.runtime import thread_pool
from tests.minicnn.geometry import DTYPES, numbers


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 70), st.integers(1, 70), st.booleans())
def test_few_rows_agree_with_the_matrix_product(rows, inputs, outputs, with_bias):
    x, w = numbers((rows, inputs), np.float64), numbers((inputs, outputs), np.float64, 1)
    b = numbers((outputs,), np.float64, 2) if with_bias else None
    np.testing.assert_allclose(dense.forward(x, w, b), x @ w + (0 if b is None else b), atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_change_no_bit_of_a_product_of_few_rows(dtype):
    x, w = numbers((2, 999), dtype), numbers((999, 33), dtype, 1)
    before = thread_pool.size()
    try:
        thread_pool.resize(1)
        alone = dense.forward(x, w, None)
        thread_pool.resize(3)
        together = dense.forward(x, w, None)
    finally:
        thread_pool.resize(before)
    assert alone.dtype == dtype
    np.testing.assert_array_equal(alone, together)


def test_a_read_only_or_strided_input_is_taken_as_it_is():
    x, w = numbers((2, 1000), np.float32)[:, ::2], numbers((500, 20), np.float32, 1)
    w.setflags(write=False)
    np.testing.assert_allclose(dispatch.dense_forward(x, w, None, "numba"), x @ w, rtol=1e-4, atol=1e-4)


def test_backends_agree_whether_the_kernel_applies_or_not():
    assert dense.applies(4, 2**20)
    assert not dense.applies(5, 2**20)
    assert not dense.applies(4, 2**20 - 1)
    for rows, outputs in ((4, 512), (5, 512), (4, 511)):
        x, w, b = (numbers(s, np.float64) for s in ((rows, 2048), (2048, outputs), (outputs,)))
        expected = dispatch.dense_forward(x, w, b, "numpy")
        np.testing.assert_allclose(dispatch.dense_forward(x, w, b, "numba"), expected, atol=1e-9)
