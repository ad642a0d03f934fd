"""Masking, global averages, depthwise convolution: the compiled loops against their twins in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.kernels import dispatch
from minicnn.kernels.compiled import depthwise
from minicnn.kernels.reference import im2col
from tests.minicnn.geometry import DTYPES, convolution, numbers


@pytest.mark.parametrize("dtype", DTYPES)
def test_masking_is_the_same_to_the_bit_on_both_backends(dtype):
    x = numbers((3, 50, 7, 5), dtype)
    x[0, 0, 0] = [np.nan, np.inf, -np.inf, -0.0, 0.0]
    mask = numbers(x.shape, np.float64, 1) > 0.2
    with np.errstate(invalid="ignore"):
        fast, plain = (dispatch.masked(x, mask, 1 / 0.7, name) for name in ("numba", "numpy"))
    assert fast.dtype == dtype
    np.testing.assert_array_equal(fast, plain)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 7), (33, 18, 12, 40)])
def test_global_averages_agree_on_both_backends(dtype, shape):
    x = numbers(shape, dtype)
    fast, plain = (dispatch.global_average(x, name) for name in ("numba", "numpy"))
    assert fast.dtype == dtype
    np.testing.assert_allclose(fast, plain, rtol=1e-6 if dtype == np.float32 else 1e-14, atol=1e-7)


def test_a_million_pixels_are_averaged_without_losing_digits():
    x = np.full((1, 1024, 1024, 2), 0.1, np.float32)
    np.testing.assert_array_equal(dispatch.global_average(x, "numba"), np.float32(0.1))


def test_a_channels_slice_is_averaged_as_it_is():
    x = numbers((2, 6, 5, 8), np.float32)[..., ::2]
    np.testing.assert_allclose(dispatch.global_average(x, "numba"), x.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
@pytest.mark.parametrize("pads", [((0, 0), (0, 0)), ((1, 2), (2, 0)), ((3, 0), (0, 3))])
def test_depthwise_3x3_agrees_with_im2col_inside_and_at_the_edges(stride, dilation, pads):
    x, w, b = (numbers(s, np.float64) for s in ((2, 9, 11, 5), (3, 3, 1, 5), (5,)))
    geometry = convolution(x.shape, w.shape, stride, pads, dilation, groups=5)
    y = depthwise.conv2d_forward(x, w, b, geometry)
    np.testing.assert_allclose(y, im2col.conv2d_forward(x, w, b, geometry), atol=1e-12)
    dy = numbers(y.shape, np.float64, 1)
    dx = depthwise.conv2d_backward_input(dy, w, geometry)
    np.testing.assert_allclose(dx, im2col.conv2d_backward_input(dy, w, geometry), atol=1e-12)
