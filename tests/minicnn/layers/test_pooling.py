"""Pooling against PyTorch, ties, NaN, padding, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from tests.minicnn.geometry import BACKENDS, DTYPES, numbers, pools, small_integers
from tests.minicnn.oracles import assert_close, from_torch_image, to_nchw, torch_image

every_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.mark.oracle
@every_backend
@settings(deadline=None, max_examples=30)
@given(pools(torch_like=True), st.sampled_from(DTYPES), st.booleans())
def test_max_pool_and_its_gradient_are_pytorchs_ties_included(backend, case, dtype, ties):
    torch = pytest.importorskip("torch")
    g = case.geometry
    layer = MaxPool2D(g.kernel, stride=g.stride, padding=g.padding, backend=backend)
    x = (small_integers if ties else numbers)(case.x_shape, dtype)
    y = layer.forward(x, training=True)
    tx = torch_image(x)
    ty = torch.nn.functional.max_pool2d(tx, g.kernel, g.stride, tuple(p for p, _ in g.padding))
    np.testing.assert_array_equal(y, from_torch_image(ty))
    dy = numbers(y.shape, dtype, 1)
    ty.backward(torch.tensor(to_nchw(dy)))
    assert_close(layer.backward(dy), from_torch_image(tx.grad), 16)


@pytest.mark.oracle
@every_backend
@settings(deadline=None, max_examples=30)
@given(pools(torch_like=True), st.sampled_from(DTYPES))
def test_average_pool_and_its_gradient_are_pytorchs_without_the_padding(backend, case, dtype):
    torch = pytest.importorskip("torch")
    g = case.geometry
    layer = AveragePool2D(g.kernel, stride=g.stride, padding=g.padding, backend=backend)
    x = numbers(case.x_shape, dtype)
    y = layer.forward(x, training=True)
    tx = torch_image(x)
    ty = torch.nn.functional.avg_pool2d(
        tx, g.kernel, g.stride, tuple(p for p, _ in g.padding), count_include_pad=False
    )
    assert_close(y, from_torch_image(ty), 16)
    dy = numbers(y.shape, dtype, 1)
    ty.backward(torch.tensor(to_nchw(dy)))
    assert_close(layer.backward(dy), from_torch_image(tx.grad), 16)


@pytest.mark.oracle
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("kind", [GlobalAveragePool2D, GlobalMaxPool2D])
@settings(deadline=None, max_examples=20)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4)),
    st.sampled_from(DTYPES),
)
def test_global_pools_and_their_gradients_are_pytorchs(kind, keepdims, shape, dtype):
    torch = pytest.importorskip("torch")
    layer = kind(keepdims=keepdims)
    x = numbers(shape, dtype)
    y = layer.forward(x, training=True)
    tx = torch_image(x)
    functions = torch.nn.functional
    pool = functions.adaptive_avg_pool2d if kind is GlobalAveragePool2D else functions.adaptive_max_pool2d
    ty = pool(tx, 1)
    expected = from_torch_image(ty)
    assert y.shape == (expected.shape if keepdims else (shape[0], shape[3]))
    assert_close(y, expected.reshape(y.shape), 36)
    dy = numbers(y.shape, dtype, 1)
    ty.backward(torch.tensor(dy.reshape(shape[0], shape[3], 1, 1)))
    assert_close(layer.backward(dy), from_torch_image(tx.grad))


@every_backend
def test_a_tie_goes_to_the_first_maximum(backend):
    layer = MaxPool2D(2, backend=backend)
    x = np.array([[1.0, 3], [3, 3]]).reshape(1, 2, 2, 1)
    layer.forward(x, training=True)
    dx = layer.backward(np.full((1, 1, 1, 1), 5.0))
    assert dx[0, :, :, 0].tolist() == [[0, 5], [0, 0]]


@every_backend
@pytest.mark.parametrize("padding", ["valid", 1])
def test_nan_is_the_maximum_of_its_windows_alone(backend, padding):
    layer = MaxPool2D(2, padding=padding, backend=backend)
    x = numbers((1, 6, 6, 2), np.float32)
    x[0, 2, 3, 1] = np.nan
    y = layer.forward(x, training=True)
    assert np.isnan(y).sum() == 1
    dx = layer.backward(np.where(np.isnan(y), 1, 0).astype(np.float32))
    assert np.argwhere(dx).tolist() == [[0, 2, 3, 1]]


@every_backend
def test_minus_infinity_beats_the_padding(backend):
    layer = MaxPool2D(3, stride=1, padding="same", backend=backend)
    x = np.full((1, 3, 3, 1), -np.inf)
    assert (layer.forward(x, training=True) == -np.inf).all()
    assert layer.backward(np.ones((1, 3, 3, 1))).sum() == 9


@every_backend
@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
@pytest.mark.parametrize("size", [4, 5])
def test_same_padding_rounds_the_output_up_and_pads_at_the_bottom_right(backend, kind, size):
    layer = kind(2, padding="same", backend=backend)
    x = numbers((1, size, size, 1), np.float64)
    y = layer(x)
    assert y.shape == layer.output_shape(x.shape) == (1, -(-size // 2), -(-size // 2), 1)
    reduce = np.max if kind is MaxPool2D else np.mean
    assert y[0, -1, -1, 0] == pytest.approx(reduce(x[0, 2 * (y.shape[1] - 1) :, 2 * (y.shape[2] - 1) :]))


@every_backend
def test_a_window_of_more_than_256_cells_still_finds_its_maximum(backend):
    layer = MaxPool2D(17, backend=backend)
    x = np.zeros((1, 17, 17, 1))
    x[0, 16, 16, 0] = 1
    layer.forward(x, training=True)
    assert np.argwhere(layer.backward(np.ones((1, 1, 1, 1)))).tolist() == [[0, 16, 16, 0]]


def test_the_stride_is_the_size_unless_given():
    x = numbers((1, 9, 9, 1), np.float32)
    assert MaxPool2D(3)(x).shape == (1, 3, 3, 1)
    assert MaxPool2D(3, stride=1)(x).shape == (1, 7, 7, 1)


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
@pytest.mark.parametrize("padding", [2, ((0, 3), (0, 0)), ((0, 0), (2, 0))])
def test_padding_that_leaves_a_window_without_a_pixel_is_refused(kind, padding):
    with pytest.raises(ValueError, match=f"{kind.__name__}: with padding .* wholly outside"):
        kind(2, stride=1, padding=padding)(np.zeros((1, 4, 4, 1)))


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_impossible_settings_and_inputs_are_refused(kind):
    with pytest.raises(ValueError, match="stride must be at least 1"):
        kind(2, stride=0)
    with pytest.raises(TypeError, match="size must be an integer"):
        kind("2")
    with pytest.raises(ValueError, match="kernel spans 5x5 pixels"):
        kind(5)(np.zeros((1, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"expected shape \(N, H, W, C\)"):
        kind()(np.zeros((4, 4, 1)))
    with pytest.raises(TypeError, match="expected float32 or float64"):
        kind()(np.zeros((1, 4, 4, 1), int))
    layer = kind()
    layer.forward(np.zeros((1, 4, 4, 1)), training=True)
    with pytest.raises(ValueError, match=r"backward: expected shape \(1, 2, 2, 1\)"):
        layer.backward(np.zeros((1, 4, 4, 1)))


@pytest.mark.parametrize("kind", [GlobalAveragePool2D, GlobalMaxPool2D])
def test_global_pools_refuse_what_is_not_an_image(kind):
    with pytest.raises(ValueError, match=r"expected shape \(N, H, W, C\)"):
        kind()(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="empty array"):
        kind()(np.zeros((1, 0, 4, 2)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_infinite_gradient_reaches_the_winner_alone(backend):
    x = np.array([1, 4, 3, 2], np.float32).reshape(1, 2, 2, 1)
    pool = MaxPool2D(2, backend=backend)
    pool.forward(x, record=True)
    dx = pool.backward(np.full((1, 1, 1, 1), np.inf, np.float32))
    np.testing.assert_array_equal(dx.ravel(), [0, np.inf, 0, 0])


@pytest.mark.parametrize("keepdims", [False, True])
def test_the_global_mean_of_a_large_float32_image_is_right_to_seven_digits(keepdims):
    x = np.random.default_rng(0).uniform(0.9, 1.1, (2, 350, 350, 3)).astype(np.float32)
    y = GlobalAveragePool2D(keepdims).forward(x)
    assert y.dtype == np.float32
    expected = x.astype(np.float64).mean(axis=(1, 2), keepdims=keepdims)
    np.testing.assert_allclose(y, expected, rtol=1e-7)
