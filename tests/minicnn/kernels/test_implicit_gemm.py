"""The product with overlapping rows against NumPy's patches: any kernel, stride and border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels.reference import im2col
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.simd import implicit_gemm
from minicnn.shapes import ConvGeometry
from tests.minicnn.geometry import DTYPES, Convolution, convolution, numbers, pairs
from tests.minicnn.kernels.canaries import Walled
from tests.minicnn.oracles import assert_close


@st.composite
def cases(draw):
    """A batch and its geometry: kernels of 1 to 11, channels around the vector width."""
    kernel, stride = draw(pairs(1, 11)), draw(pairs(1, 3))
    pads = (draw(pairs(0, 3)), draw(pairs(0, 3)))
    size = tuple(
        draw(st.integers(max(1, k - sum(p)), max(1, k - sum(p)) + 18))
        for k, p in zip(kernel, pads, strict=True)
    )
    x_shape = (draw(st.integers(1, 3)), *size, draw(st.sampled_from([1, 2, 3, 5, 16])))
    w_shape = (*kernel, x_shape[3], draw(st.sampled_from([1, 3, 16, 17, 25, 32, 48])))
    return Convolution(x_shape[0], convolution(x_shape, w_shape, stride, pads))


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=40)
@given(case=cases())
def test_kernels_are_convolution_and_stay_inside_their_arrays(dtype, case):
    geometry = case.geometry
    walled = Walled()
    x, w, b = (
        walled(numbers(case.x_shape, dtype)),
        walled(numbers(case.w_shape, dtype, 1)),
        numbers(case.w_shape[3:], dtype, 2),
    )
    expected = im2col.conv2d_forward(x, w, b, geometry)
    y = walled(np.zeros(expected.shape, dtype))
    implicit_gemm.forward(x, w, b, geometry, out=y)
    terms = w[..., 0].size
    assert_close(y, expected, terms)
    dy = walled(numbers(y.shape, dtype, 3))
    expected = im2col.conv2d_backward_weight(dy, x, geometry)
    assert_close(implicit_gemm.backward_weight(dy, x, geometry), expected, dy[..., 0].size)
    if implicit_gemm.has_input_gradient(geometry):
        dx = walled(np.zeros(case.x_shape, dtype))
        implicit_gemm.backward_input(dy, w, geometry, out=dx)
        assert_close(dx, im2col.conv2d_backward_input(dy, w, geometry), w[:, :, 0].size)
    assert walled.stand()


def test_relu_in_the_same_pass_equals_relu_afterwards():
    x, w, b = (numbers(s, np.float32) for s in ((2, 9, 10, 3), (3, 3, 3, 20), (20,)))
    geometry = ConvGeometry.of(x.shape, w.shape, padding="same")
    plain = implicit_gemm.forward(x, w, b, geometry)
    rectified = implicit_gemm.forward(x, w, b, geometry, relu=True)
    np.testing.assert_array_equal(rectified, np.maximum(plain, 0))


def test_threads_change_no_bit():
    x, w, dy = (numbers(s, np.float32) for s in ((3, 30, 22, 3), (3, 3, 3, 24), (3, 30, 22, 24)))
    geometry = ConvGeometry.of(x.shape, w.shape, padding="same")
    before = thread_pool.size()
    results = []
    try:
        for threads in (1, 3):
            thread_pool.resize(threads)
            results.append(
                (
                    implicit_gemm.forward(x, w, None, geometry),
                    implicit_gemm.backward_weight(dy, x, geometry),
                )
            )
    finally:
        thread_pool.resize(before)
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
