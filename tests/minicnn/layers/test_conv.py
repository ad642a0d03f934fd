"""Conv2D against PyTorch, against a convolution done by hand, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.layers.conv import Conv2D
from tests.minicnn.geometry import BACKENDS, DTYPES, convolutions, numbers
from tests.minicnn.oracles import (
    assert_close,
    from_torch_image,
    to_hwio,
    to_nchw,
    to_oihw,
    torch_image,
    torch_leaf,
)

every_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.mark.oracle
@every_backend
@settings(deadline=None, max_examples=30)
@given(convolutions(symmetric=True), st.sampled_from(DTYPES), st.booleans())
def test_forward_and_gradients_are_pytorchs(backend, case, dtype, bias):
    torch = pytest.importorskip("torch")
    g = case.geometry
    layer = Conv2D(
        g.in_channels,
        g.out_channels,
        g.kernel,
        stride=g.stride,
        padding=g.padding,
        dilation=g.dilation,
        groups=g.groups,
        bias=bias,
        rng=0,
        dtype=dtype,
        backend=backend,
    )
    if bias:
        layer.bias.data[...] = numbers(layer.bias.data.shape, dtype, 1)
    x = numbers(case.x_shape, dtype)
    y = layer.forward(x, training=True)
    tx, tw = torch_image(x), torch_leaf(to_oihw(layer.weight.data))
    tb = torch_leaf(layer.bias.data) if bias else None
    padding = tuple(before for before, _ in g.padding)
    ty = torch.nn.functional.conv2d(tx, tw, tb, g.stride, padding, g.dilation, g.groups)
    terms = layer.weight.data[..., 0].size
    assert_close(y, from_torch_image(ty), terms)
    dy = numbers(y.shape, dtype, 2)
    ty.backward(torch.tensor(to_nchw(dy)))
    assert_close(layer.backward(dy), from_torch_image(tx.grad), layer.weight.data[:, :, 0].size)
    assert_close(layer.weight.grad, to_hwio(tw.grad.numpy()), dy[..., 0].size)
    if bias:
        assert_close(layer.bias.grad, tb.grad.numpy(), dy[..., 0].size)


@every_backend
def test_a_convolution_done_by_hand(backend):
    layer = Conv2D(1, 1, 2, rng=0, dtype=np.float64, backend=backend)
    layer.weight.data[..., 0, 0] = [[1, 2], [3, 4]]
    layer.bias.data[0] = 10
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    y = layer.forward(x, training=True)
    assert y[0, :, :, 0].tolist() == [[37, 47], [67, 77]]
    dx = layer.backward(np.array([[1.0, 0], [0, -1]]).reshape(1, 2, 2, 1))
    assert dx[0, :, :, 0].tolist() == [[1, 2, 0], [3, 3, -2], [0, -3, -4]]
    assert layer.weight.grad[..., 0, 0].tolist() == [[-4, -4], [-4, -4]]
    assert layer.bias.grad.tolist() == [0]


@every_backend
@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(6, 3, 2), (7, 3, 2), (5, 2, 1), (4, 1, 3), (7, 4, 3)]
)
def test_same_padding_puts_the_odd_pixel_at_the_bottom_right(backend, size, kernel, stride):
    layer = Conv2D(2, 3, kernel, stride=stride, padding="same", rng=0, dtype=np.float64, backend=backend)
    x = numbers((1, size, size, 2), np.float64)
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    before, after = total // 2, total - total // 2
    padded = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    valid = Conv2D(2, 3, kernel, stride=stride, rng=0, dtype=np.float64, backend=backend)
    assert layer(x).shape == (1, out, out, 3)
    np.testing.assert_allclose(layer(x), valid(padded)[:, :out, :out], rtol=1e-12)


def test_gradients_add_up_until_they_are_zeroed():
    layer = Conv2D(2, 3, 3, rng=0)
    x = numbers((1, 5, 5, 2), np.float32)
    dy = numbers((1, 3, 3, 3), np.float32, 1)
    layer.forward(x, training=True)
    layer.backward(dy)
    once = layer.weight.grad.copy()
    layer.forward(x, training=True)
    layer.backward(dy)
    np.testing.assert_allclose(layer.weight.grad, 2 * once, rtol=1e-6)


def test_a_frozen_layer_still_passes_the_gradient_on():
    layer = Conv2D(2, 3, 3, rng=0)
    x, dy = numbers((1, 5, 5, 2), np.float32), numbers((1, 3, 3, 3), np.float32, 1)
    layer.forward(x, training=True)
    expected = layer.backward(dy)
    layer.zero_grad()
    layer.freeze()
    layer.forward(x, training=True)
    np.testing.assert_array_equal(layer.backward(dy), expected)
    assert not layer.weight.grad.any()
    assert not layer.bias.grad.any()


def test_output_shape_is_that_of_the_output():
    layer = Conv2D(3, 4, (3, 2), stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(2, 1), rng=0)
    x = numbers((2, 9, 8, 3), np.float32)
    assert layer.output_shape(x.shape) == layer(x).shape


def test_inference_leaves_nothing_behind():
    layer = Conv2D(2, 3, 3, rng=0)
    layer(numbers((1, 5, 5, 2), np.float32))
    with pytest.raises(RuntimeError, match="needs a recorded forward pass"):
        layer.backward(numbers((1, 3, 3, 3), np.float32))


def test_weights_are_a_function_of_the_seed():
    np.testing.assert_array_equal(Conv2D(2, 3, 3, rng=7).weight.data, Conv2D(2, 3, 3, rng=7).weight.data)
    assert (Conv2D(2, 3, 3, rng=7).weight.data != Conv2D(2, 3, 3, rng=8).weight.data).all()


def test_the_bias_and_not_the_weight_is_spared_from_weight_decay():
    layer = Conv2D(2, 3, 3, rng=0)
    assert layer.weight.decay
    assert not layer.bias.decay


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"kernel_size": 0}, ValueError, "kernel_size must be at least 1, got 0"),
        ({"kernel_size": 2.5}, TypeError, "kernel_size must be an integer or a pair"),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ({"dilation": (1, 0)}, ValueError, "dilation must be at least 1"),
        ({"padding": "full"}, ValueError, 'padding must be "same", "valid"'),
        ({"padding": -1}, ValueError, "padding must be at least 0"),
        ({"groups": 3}, ValueError, "groups must divide both channel counts"),
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1"),
        ({"dtype": np.int32}, TypeError, "expected dtype float32 or float64"),
        ({"backend": "cuda"}, ValueError, "backend must be"),
        ({"rng": None}, TypeError, "rng must be"),
    ],
)
def test_impossible_settings_are_refused_in_one_sentence(changes, error, message):
    arguments = {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "rng": 0, **changes}
    with pytest.raises(error, match=message):
        Conv2D(**arguments)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((1, 5, 5, 3), np.float32), ValueError, r"Conv2D: expected shape \(N, H, W, 2\)"),
        (np.zeros((5, 5, 2), np.float32), ValueError, r"expected shape \(N, H, W, 2\)"),
        (np.zeros((1, 5, 5, 2)), TypeError, "Conv2D: expected float32, got float64"),
        (np.zeros((1, 5, 5, 2), np.uint8), TypeError, "got uint8"),
        (np.zeros((0, 5, 5, 2), np.float32), ValueError, "empty array"),
        (np.zeros((1, 2, 5, 2), np.float32), ValueError, "kernel spans 3x3 pixels but the padded image"),
        ([[1.0]], TypeError, "expected a NumPy array, got list"),
    ],
)
def test_impossible_inputs_are_refused_in_one_sentence(x, error, message):
    with pytest.raises(error, match=message):
        Conv2D(2, 3, 3, rng=0)(x)


def test_an_upstream_gradient_of_another_shape_or_dtype_is_refused():
    layer = Conv2D(2, 3, 3, rng=0)
    x = numbers((1, 5, 5, 2), np.float32)
    layer.forward(x, training=True)
    with pytest.raises(ValueError, match=r"Conv2D.backward: expected shape \(1, 3, 3, 3\)"):
        layer.backward(np.zeros((1, 5, 5, 3), np.float32))
    layer.forward(x, training=True)
    with pytest.raises(TypeError, match=r"Conv2D.backward: expected float32, got float64"):
        layer.backward(np.zeros((1, 3, 3, 3)))


@every_backend
def test_nan_and_infinity_reach_the_pixels_that_see_them_and_no_other(backend):
    layer = Conv2D(1, 2, 3, padding="same", rng=0, backend=backend)
    x = numbers((2, 6, 6, 1), np.float32)
    x[0, 0, 0, 0] = np.nan
    with np.errstate(invalid="ignore"):
        y = layer(x)
    assert np.isnan(y[0, :2, :2]).all()
    y[0, :2, :2] = 0
    assert np.isfinite(y).all()


def test_repr_names_what_differs_from_the_default():
    layer = Conv2D(3, 8, 3, stride=2, padding="same", bias=False, rng=0)
    assert repr(layer) == "Conv2D(3 -> 8, 3x3, stride=(2, 2), padding='same', bias=False)"
