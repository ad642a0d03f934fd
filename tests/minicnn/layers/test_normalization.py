"""BatchNorm against PyTorch and Keras's rule, its running statistics, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.layers.normalization import BatchNorm
from tests.minicnn.geometry import BACKENDS, DTYPES, numbers

every_backend = pytest.mark.parametrize("backend", BACKENDS)
shapes = st.one_of(
    st.tuples(st.integers(2, 20), st.integers(1, 5)),
    st.tuples(st.integers(2, 4), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)


def built(features, dtype, **settings):
    layer = BatchNorm(features, dtype=dtype, **settings)
    layer.weight.data[...] = numbers((features,), dtype, 11)
    layer.bias.data[...] = numbers((features,), dtype, 12)
    return layer


@pytest.mark.oracle
@every_backend
@settings(deadline=None, max_examples=25)
@given(shapes, st.sampled_from(DTYPES), st.booleans())
def test_outputs_gradients_and_running_statistics_are_pytorchs(backend, shape, dtype, training):
    torch = pytest.importorskip("torch")
    features = shape[-1]
    layer = built(features, dtype, momentum=0.3, backend=backend)
    kind = torch.nn.BatchNorm1d
    peer = kind(features, momentum=0.3, dtype=torch.float32 if dtype is np.float32 else torch.float64)
    with torch.no_grad():
        peer.weight[:] = torch.tensor(layer.weight.data)
        peer.bias[:] = torch.tensor(layer.bias.data)
    peer.train(training)
    x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
    tx = torch.tensor(x.reshape(-1, features)).requires_grad_()
    ty = peer(tx)
    ty.backward(torch.tensor(dy.reshape(-1, features)))
    y = layer.forward(x, training=training, record=True)
    dx = layer.backward(dy)
    # Two or three numbers may lie close together: 1 / std is large then, and rounding with it.
    spread = x.reshape(-1, features).std(axis=0).min() if training else 1
    tolerance = 100 * np.finfo(dtype).eps * max(1, 1 / (spread + 1e-3)) ** 3
    for actual, expected in (
        (y, ty.detach().reshape(shape)),
        (dx, tx.grad.reshape(shape)),
        (layer.weight.grad, peer.weight.grad),
        (layer.bias.grad, peer.bias.grad),
        (layer.running_mean, peer.running_mean),
        (layer.running_var, peer.running_var),
    ):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected.numpy(), rtol=tolerance, atol=tolerance)


@every_backend
def test_a_batch_comes_out_with_mean_bias_and_deviation_weight(backend):
    layer = built(3, np.float64, eps=1e-12, backend=backend)
    y = layer(numbers((8, 4, 5, 3), np.float64) * 7 + 40, training=True)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), layer.bias.data, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), np.abs(layer.weight.data), rtol=1e-9)


@every_backend
def test_keras_rule_keeps_the_biased_variance(backend):
    x = numbers((4, 2), np.float64)
    layer = BatchNorm(
        2, momentum=0.01, eps=1e-3, unbiased_running_variance=False, dtype=np.float64, backend=backend
    )
    layer(x, training=True)
    np.testing.assert_allclose(layer.running_mean, 0.01 * x.mean(axis=0))
    np.testing.assert_allclose(layer.running_var, 0.99 + 0.01 * x.var(axis=0))


def test_inference_uses_and_leaves_the_running_statistics():
    layer = BatchNorm(2, dtype=np.float64)
    layer.running_mean[...] = [1, 2]
    layer.running_var[...] = [4, 9]
    x = numbers((5, 2), np.float64)
    np.testing.assert_allclose(layer(x), (x - [1, 2]) / np.sqrt(np.array([4, 9]) + 1e-5))
    assert layer.running_mean.tolist() == [1, 2]
    assert layer.running_var.tolist() == [4, 9]


def test_the_state_is_the_live_running_statistics():
    layer = BatchNorm(2)
    state = layer.state()
    layer(numbers((5, 2), np.float32) + 3, training=True)
    assert list(state) == ["running_mean", "running_var"]
    assert (state["running_mean"] > 0.1).all()


def test_scale_and_shift_are_spared_from_weight_decay():
    assert [p.decay for p in BatchNorm(2).parameters().values()] == [False, False]


@every_backend
def test_a_constant_channel_gives_the_shift_and_no_infinity(backend):
    layer = built(2, np.float32, backend=backend)
    y = layer.forward(np.full((4, 3, 3, 2), 5, np.float32), training=True)
    np.testing.assert_allclose(y, np.broadcast_to(layer.bias.data, y.shape), rtol=1e-5)
    assert np.isfinite(layer.backward(numbers(y.shape, np.float32))).all()


@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3)])
def test_training_on_one_number_a_channel_is_refused(shape):
    with pytest.raises(ValueError, match="training needs more than one number a channel"):
        BatchNorm(3)(np.zeros(shape, np.float32), training=True)
    assert BatchNorm(3)(np.zeros(shape, np.float32)).shape == shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": 0}, "features must be at least 1"),
        ({"momentum": 1.5}, "momentum must be"),
        ({"eps": 0}, "eps must be"),
        ({"backend": "gpu"}, "backend must be"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        BatchNorm(**{"features": 3, **changes})


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((4, 2), np.float32), ValueError, r"BatchNorm: expected shape \(N, 3\), got \(4, 2\)"),
        (np.zeros((4, 5, 5, 2), np.float32), ValueError, r"expected shape \(N, H, W, 3\)"),
        (np.zeros((4, 5, 3), np.float32), ValueError, r"expected shape \(N, 3\)"),
        (np.zeros((4, 3)), TypeError, "expected float32, got float64"),
    ],
)
def test_impossible_inputs_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        BatchNorm(3)(x)
