"""Every fast kernel against the loops in naive.py, forward and backward, on random shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels import dispatch
from minicnn.shapes import ConvGeometry, PoolGeometry
from tests.minicnn.geometry import (
    BACKENDS,
    DTYPES,
    convolution,
    convolutions,
    numbers,
    pools,
    small_integers,
)
from tests.minicnn.oracles import assert_close

FAST = ("numpy", "numba")
dtypes = st.sampled_from(DTYPES)

pytestmark = pytest.mark.parametrize("backend", FAST)


@settings(deadline=None, max_examples=40)
@given(convolutions(), dtypes)
def test_convolution_is_that_of_the_loops(backend, case, dtype):
    x, w = numbers(case.x_shape, dtype), numbers(case.w_shape, dtype, 1)
    b = numbers(case.w_shape[3:], dtype, 2)
    expected = dispatch.conv2d_forward(x, w, b, case.geometry, "naive")
    assert_close(dispatch.conv2d_forward(x, w, b, case.geometry, backend), expected, w[..., 0].size)


@settings(deadline=None, max_examples=40)
@given(convolutions(), dtypes)
def test_convolution_gradients_are_those_of_the_loops(backend, case, dtype):
    x, w = numbers(case.x_shape, dtype), numbers(case.w_shape, dtype, 1)
    dy = numbers(case.y_shape, dtype, 3)
    expected = dispatch.conv2d_backward_input(dy, w, case.geometry, "naive")
    actual = dispatch.conv2d_backward_input(dy, w, case.geometry, backend)
    assert_close(actual, expected, w[:, :, 0].size)
    expected = dispatch.conv2d_backward_weight(dy, x, case.geometry, "naive")
    actual = dispatch.conv2d_backward_weight(dy, x, case.geometry, backend)
    assert_close(actual, expected, dy[..., 0].size)


@settings(deadline=None, max_examples=40)
@given(pools(), dtypes, st.booleans())
def test_max_pool_is_that_of_the_loops_ties_included(backend, case, dtype, ties):
    x, geometry = (small_integers if ties else numbers)(case.x_shape, dtype), case.geometry
    y, argmax = dispatch.maxpool2d_forward(x, geometry, backend)
    expected, expected_argmax = dispatch.maxpool2d_forward(x, geometry, "naive")
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(argmax, expected_argmax)
    assert argmax.dtype == np.uint8
    dy = numbers(y.shape, dtype, 1)
    actual = dispatch.maxpool2d_backward(dy, argmax, geometry, backend)
    assert_close(actual, dispatch.maxpool2d_backward(dy, argmax, geometry, "naive"), 16)


@settings(deadline=None, max_examples=40)
@given(pools(), dtypes)
def test_average_pool_is_that_of_the_loops(backend, case, dtype):
    x, geometry = numbers(case.x_shape, dtype), case.geometry
    y = dispatch.averagepool2d_forward(x, geometry, backend)
    assert_close(y, dispatch.averagepool2d_forward(x, geometry, "naive"), 16)
    dy = numbers(y.shape, dtype, 1)
    actual = dispatch.averagepool2d_backward(dy, geometry, backend)
    assert_close(actual, dispatch.averagepool2d_backward(dy, geometry, "naive"), 16)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 600), st.integers(1, 5), dtypes, st.sampled_from([0.0, 100.0]))
def test_batch_norm_passes_are_those_of_the_loops(backend, m, channels, dtype, offset):
    x = numbers((m, channels), dtype) + dtype(offset)
    dy, gamma, beta = (
        numbers(x.shape, dtype, 1),
        numbers((channels,), dtype, 2),
        numbers((channels,), dtype, 3),
    )
    mean, variance = dispatch.batchnorm_statistics(x, "naive")
    rounding = np.finfo(dtype).eps
    actual_mean, actual_variance = dispatch.batchnorm_statistics(x, backend)
    np.testing.assert_allclose(actual_mean, mean, rtol=8 * rounding, atol=8 * rounding)
    np.testing.assert_allclose(actual_variance, variance, rtol=200 * rounding)
    inv_std = 1 / np.sqrt(variance + 1e-5)
    # x - mean cannot be known better than x itself is.
    tolerance = rounding * (32 + 8 * offset) * max(1, inv_std.max() ** 2)
    arguments = (x, mean, inv_std, gamma, beta)
    np.testing.assert_allclose(
        dispatch.batchnorm_normalize(*arguments, backend),
        dispatch.batchnorm_normalize(*arguments, "naive"),
        rtol=tolerance,
        atol=tolerance,
    )
    expected = dispatch.batchnorm_sums(dy, x, mean, inv_std, "naive")
    for a, e in zip(dispatch.batchnorm_sums(dy, x, mean, inv_std, backend), expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=m * tolerance)
    np.testing.assert_allclose(
        dispatch.batchnorm_input_gradient(dy, x, mean, inv_std, gamma, *expected, backend),
        dispatch.batchnorm_input_gradient(dy, x, mean, inv_std, gamma, *expected, "naive"),
        rtol=tolerance,
        atol=tolerance * max(1, inv_std.max()),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_and_its_gradient_are_those_of_the_loops(backend, dtype):
    x = np.concatenate([numbers((50,), dtype), np.array([0, np.nan, np.inf, -np.inf], dtype)]).reshape(2, 27)
    y = dispatch.relu_forward(x, backend)
    np.testing.assert_array_equal(y, dispatch.relu_forward(x, "naive"))
    dy = numbers(x.shape, dtype, 1)
    dy[0, 0] = np.inf
    actual = dispatch.relu_backward(dy, y, backend)
    np.testing.assert_array_equal(actual, dispatch.relu_backward(dy, y, "naive"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_channel_sums_keep_the_digits_of_a_long_sum(backend, dtype):
    x = numbers((1, 300, 400, 2), dtype) + dtype(1)
    expected = [math.fsum(x[..., c].ravel()) for c in range(2)]
    tolerance = max(1e-13, 20 * np.finfo(dtype).eps)
    np.testing.assert_allclose(dispatch.channel_sums(x, backend), expected, rtol=tolerance)


def test_variance_survives_a_mean_ten_thousand_times_the_spread(backend):
    x = numbers((50_000, 3), np.float64) + 1e4
    x32 = x.astype(np.float32)
    _, variance = dispatch.batchnorm_statistics(x32, backend)
    np.testing.assert_allclose(variance, x32.astype(np.float64).var(axis=0), rtol=1e-5)


CONVOLUTION = ((2, 7, 6, 4), (3, 2, 2, 6), (1, 2), ((1, 0), (2, 1)), (2, 1), 2)
DEPTHWISE = ((2, 7, 6, 4), (3, 2, 1, 8), (1, 2), ((1, 0), (2, 1)), (2, 1), 4)


def everything(backend: str, prepare: Any = lambda x: x) -> list[np.ndarray]:
    """What every kernel puts out for one input, the arrays going through ``prepare`` first."""
    results = []
    for x_shape, w_shape, *windows in (CONVOLUTION, DEPTHWISE):
        geometry = convolution(x_shape, w_shape, *windows)
        x, w = prepare(numbers(x_shape, np.float32)), prepare(numbers(w_shape, np.float32, 1))
        b = prepare(numbers(w_shape[3:], np.float32, 2))
        y = dispatch.conv2d_forward(x, w, b, geometry, backend)
        dy = prepare(y)
        results += [
            y,
            dispatch.conv2d_backward_input(dy, w, geometry, backend),
            dispatch.conv2d_backward_weight(dy, x, geometry, backend),
        ]
    x = prepare(numbers((2, 7, 6, 4), np.float32))
    pool = PoolGeometry.of(x.shape, (3, 2), stride=(2, 1), padding=((1, 1), (0, 1)))
    y, argmax = dispatch.maxpool2d_forward(x, pool, backend)
    average = dispatch.averagepool2d_forward(x, pool, backend)
    results += [
        y,
        argmax,
        dispatch.maxpool2d_backward(prepare(y), prepare(argmax), pool, backend),
        average,
        dispatch.averagepool2d_backward(prepare(average), pool, backend),
    ]
    rows, upstream = prepare(numbers((300, 4), np.float32)), prepare(numbers((300, 4), np.float32, 1))
    gamma, beta = prepare(numbers((4,), np.float32, 2)), prepare(numbers((4,), np.float32, 3))
    mean, variance = dispatch.batchnorm_statistics(rows, backend)
    dgamma, dbeta = dispatch.batchnorm_sums(upstream, rows, mean, variance, backend)
    results += [
        mean,
        variance,
        dispatch.batchnorm_normalize(rows, mean, variance, gamma, beta, backend),
        dispatch.batchnorm_input_gradient(upstream, rows, mean, variance, gamma, dgamma, dbeta, backend),
        dispatch.channel_sums(rows, backend),
        dispatch.relu_forward(rows, backend),
        dispatch.relu_backward(upstream, rows, backend),
    ]
    return results


def locked(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def spread(x: np.ndarray) -> np.ndarray:
    """The same numbers at every second place of a larger array, in reverse."""
    wide = np.full(tuple(2 * size for size in x.shape), 99, x.dtype)
    view = wide[tuple(slice(None, None, -2) for _ in x.shape)]
    view[...] = x
    return view


@pytest.mark.parametrize("prepare", [locked, spread, np.asfortranarray])
def test_read_only_and_strided_inputs_give_the_same_results(backend, prepare):
    for actual, expected in zip(everything(backend, prepare), everything(backend), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_no_kernel_writes_to_its_inputs(backend):
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def watch(x: np.ndarray) -> np.ndarray:
        seen.append((x, x.copy()))
        return x

    everything(backend, watch)
    for x, before in seen:
        np.testing.assert_array_equal(x, before)


def test_results_are_owned_by_the_caller(backend):
    for result in everything(backend):
        assert result.flags.writeable


def test_the_same_input_gives_the_same_bits(backend):
    for first, second in zip(everything(backend), everything(backend), strict=True):
        np.testing.assert_array_equal(first, second)


def test_images_larger_than_one_block_of_patches(backend):
    x, w = numbers((3, 40, 200, 16), np.float32), numbers((3, 3, 16, 8), np.float32, 1)
    geometry = ConvGeometry.of(x.shape, w.shape, padding="same")
    y = dispatch.conv2d_forward(x, w, None, geometry, backend)
    cut = x[2:, -4:, -4:]
    corner = dispatch.conv2d_forward(cut, w, None, ConvGeometry.of(cut.shape, w.shape, padding=1), "naive")
    np.testing.assert_allclose(y[2:, -2:, -2:], corner[:, -2:, -2:], rtol=1e-4, atol=1e-4)
    # <conv(x, w), dy> is linear in x and in w, so that both gradients must give the same number back.
    dy = numbers(y.shape, np.float32, 2)
    product = float((y * dy).sum(dtype=np.float64))
    dx = dispatch.conv2d_backward_input(dy, w, geometry, backend)
    dw = dispatch.conv2d_backward_weight(dy, x, geometry, backend)
    assert float((dx * x).sum(dtype=np.float64)) == pytest.approx(product, rel=1e-3, abs=1)
    assert float((dw * w).sum(dtype=np.float64)) == pytest.approx(product, rel=1e-3, abs=1)


def test_backends_are_those_of_the_tests(backend):
    assert dispatch.BACKENDS == BACKENDS
