"""The fused passes against the layers' formulas one after the other, on any size and between walls of NaN."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels.fused import batchnorm_relu_pool, reference
from minicnn.kernels.fused.consumers import Moments, Normalizer
from minicnn.kernels.fused.records import Gradients, Normalization
from minicnn.kernels.fused.row_kernels import NO_CELL
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.simd.emitter import WIDTH
from tests.minicnn.geometry import numbers
from tests.minicnn.kernels.canaries import Walled


def normalization(z, seed=0):
    """The batch's own statistics, and gamma of both signs."""
    channels = z.shape[-1]
    mean, var = z.mean(axis=(0, 1, 2), dtype=np.float64), z.var(axis=(0, 1, 2), dtype=np.float64)
    gamma, beta = numbers((channels,), z.dtype, seed + 1), numbers((channels,), z.dtype, seed + 2)
    return Normalization(mean, 1 / np.sqrt(var + 1e-5), gamma, beta)


def statistics(z):
    """Mean and variance, gathered from pieces of unequal size."""
    moments, rows = Moments(z.shape[-1], z.dtype), z.reshape(-1, *z.shape[2:])
    cuts = sorted({0, 1, len(rows) // 2, len(rows)})
    moments.expect(len(cuts) - 1)
    for task, (first, last) in enumerate(pairwise(cuts)):
        moments(task, first, last, rows[first:last].reshape(-1))
    return moments.statistics()


def in_float64(n):
    return Normalization(*(a.astype(np.float64) for a in n))


@st.composite
def images(draw):
    channels = WIDTH + draw(st.integers(0, 2 * WIDTH))
    return draw(st.integers(1, 3)), draw(st.integers(2, 9)), draw(st.integers(2, 9)), channels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@settings(deadline=None, max_examples=12)
@given(shape=images(), relu_before=st.booleans())
def test_the_passes_are_the_layers_in_turn_and_stay_inside_their_arrays(
    dtype, pooled, relu, shape, relu_before
):
    walled = Walled()
    x = numbers(shape, dtype)
    z = walled(np.maximum(x, 0) if relu_before else x)
    n = normalization(z)
    y = walled(np.zeros(batchnorm_relu_pool.pooled_shape(shape) if pooled else shape, dtype))
    _, argmax = batchnorm_relu_pool.forward(z, n, relu, pooled, out=y)
    exact = reference.forward(z.astype(np.float64), in_float64(n), relu, pooled)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(y, exact, atol=tolerance, rtol=tolerance)
    dy, dz = walled(numbers(y.shape, dtype, 5)), walled(np.zeros(shape, dtype))
    actual = batchnorm_relu_pool.backward(dy, z, argmax, n, relu, relu_before, out=dz)
    expected = reference.backward(dy, z, n, relu, relu_before, pooled)
    for name, a, e in zip(Gradients._fields, actual, expected, strict=True):
        scale = max(1, np.abs(e).max())
        np.testing.assert_allclose(a, e, atol=10 * tolerance * scale, rtol=10 * tolerance, err_msg=name)
    assert walled.stand()


@settings(deadline=None, max_examples=20)
@given(shape=images(), centre=st.sampled_from([0.0, 3.0, 1000.0]))
def test_statistics_keep_their_digits_far_from_zero(shape, centre):
    z = numbers(shape, np.float32) + np.float32(centre)
    mean, var = statistics(z)
    wide = z.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(axis=(0, 1, 2)), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(var, wide.var(axis=(0, 1, 2)), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("pooled", [False, True])
def test_rows_normalised_one_piece_at_a_time_are_those_of_the_whole(pooled):
    z = numbers((2, 7, 5, WIDTH + 3), np.float32)
    n = normalization(z)
    expected, _ = batchnorm_relu_pool.forward(z, n, True, pooled)
    y = np.full_like(expected, np.nan)
    normalizer = Normalizer(z.shape, y, n, True, pooled)
    normalizer.expect(3)
    rows = z.reshape(14, -1)
    for task, (first, last) in enumerate(((0, 4), (4, 11), (11, 14))):
        normalizer(task, first, last, rows[first:last].reshape(-1))
    np.testing.assert_array_equal(y, expected)


def test_ties_go_to_the_first_cell_and_windows_below_zero_have_none():
    z = np.zeros((1, 2, 4, WIDTH), np.float32)
    z[:, :, 2:] = -1
    one, zero = np.ones(WIDTH), np.zeros(WIDTH)
    n = Normalization(zero - 0.5, one, one.astype(np.float32), zero.astype(np.float32))
    y, argmax = batchnorm_relu_pool.forward(z, n, relu=True, pooled=True)
    assert (y[0, 0, 0] == 0.5).all()
    assert (y[0, 0, 1] == 0).all()
    assert (argmax[0, 0, 0] == 0).all()
    assert (argmax[0, 0, 1] == NO_CELL).all()


@pytest.mark.parametrize("cell", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_nan_is_the_maximum_of_its_window(cell):
    z = numbers((1, 4, 4, WIDTH), np.float32)
    n = normalization(z)
    z[(0, *cell)] = np.nan
    y, _ = batchnorm_relu_pool.forward(z, n, relu=True, pooled=True)
    assert np.isnan(y[0, 0, 0]).all()
    assert not np.isnan(y[0, 1]).any()
    assert np.isnan(batchnorm_relu_pool.forward(z, n, relu=True, pooled=False)[0][(0, *cell)]).all()


def test_threads_change_no_bit():
    z, dy = numbers((3, 22, 14, 40), np.float32), numbers((3, 11, 7, 40), np.float32, 1)
    n, before, results = normalization(z), thread_pool.size(), []
    try:
        for threads in (1, 3):
            thread_pool.resize(threads)
            y, argmax = batchnorm_relu_pool.forward(z, n, True, True)
            results.append((y, *batchnorm_relu_pool.backward(dy, z, argmax, n, True, False)))
    finally:
        thread_pool.resize(before)
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
