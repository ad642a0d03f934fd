"""Dense: y = x @ weight + bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.init import constant, glorot_uniform
from minicnn.layers.dense import Dense


def test_forward_is_the_sum_of_products_written_as_loops() -> None:
    layer = Dense(3, 2, rng=0, dtype=np.float64)
    layer.bias.data[...] = [0.5, -1.0]
    x = np.random.default_rng(1).standard_normal((4, 3))
    expected = np.zeros((4, 2))
    for n in range(4):
        for o in range(2):
            expected[n, o] = sum(x[n, i] * layer.weight.data[i, o] for i in range(3)) + layer.bias.data[o]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-14)


def test_a_small_example_by_hand() -> None:
    layer = Dense(2, 1, rng=0, dtype=np.float64)
    layer.weight.data[...] = [[2.0], [-3.0]]
    layer.bias.data[...] = [10.0]
    np.testing.assert_array_equal(layer(np.array([[1.0, 4.0]]), training=True), [[0.0]])
    np.testing.assert_array_equal(layer.backward(np.array([[5.0]])), [[10.0, -15.0]])
    np.testing.assert_array_equal(layer.weight.grad, [[5.0], [20.0]])
    np.testing.assert_array_equal(layer.bias.grad, [5.0])


@pytest.mark.oracle
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 6), st.booleans(), st.integers(0, 1000))
def test_forward_and_backward_are_those_of_pytorch(
    n: int, fan_in: int, fan_out: int, bias: bool, seed: int
) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    ours = Dense(fan_in, fan_out, bias=bias, rng=rng, dtype=np.float64)
    theirs = torch.nn.Linear(fan_in, fan_out, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(ours.weight.data.T.copy()))
        if bias:
            ours.bias.data[...] = rng.standard_normal(fan_out)
            theirs.bias.copy_(torch.from_numpy(ours.bias.data))
    x, dy = rng.standard_normal((n, fan_in)), rng.standard_normal((n, fan_out))
    x_theirs = torch.from_numpy(x).requires_grad_()
    y_theirs = theirs(x_theirs)
    y_theirs.backward(torch.from_numpy(dy))
    np.testing.assert_allclose(ours(x, training=True), y_theirs.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(ours.backward(dy), x_theirs.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy().T, atol=1e-12)
    if bias:
        np.testing.assert_allclose(ours.bias.grad, theirs.bias.grad.numpy(), atol=1e-12)


def test_the_bias_starts_at_zero_and_does_not_decay() -> None:
    layer = Dense(3, 2, rng=0)
    assert not layer.bias.data.any()
    assert not layer.bias.decay
    assert layer.weight.decay


def test_without_bias_there_is_only_the_weight() -> None:
    assert list(Dense(3, 2, bias=False, rng=0).parameters()) == ["weight"]


def test_the_same_seed_gives_the_same_weights() -> None:
    np.testing.assert_array_equal(Dense(3, 2, rng=7).weight.data, Dense(3, 2, rng=7).weight.data)


def test_the_initialiser_is_the_one_passed() -> None:
    assert (Dense(3, 2, rng=0, init=constant(0.25)).weight.data == 0.25).all()
    limit = np.sqrt(6 / (300 + 200))
    assert np.abs(Dense(300, 200, rng=0, init=glorot_uniform).weight.data).max() <= limit


@pytest.mark.parametrize("sizes", [(0, 2), (3, 0), (-1, 2)])
def test_sizes_below_one_are_value_errors(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"Dense: (in|out)_features must be at least 1"):
        Dense(*sizes, rng=0)


@pytest.mark.parametrize("size", [2.0, "2", None, True])
def test_sizes_that_are_no_integers_are_type_errors(size: Any) -> None:
    with pytest.raises(TypeError, match="Dense: in_features must be an integer"):
        Dense(size, 2, rng=0)


def test_a_dtype_that_is_no_float_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="Dense: expected dtype float32 or float64"):
        Dense(3, 2, rng=0, dtype=np.int32)


def test_repr_gives_the_sizes() -> None:
    assert repr(Dense(3, 2, bias=False, rng=0)) == "Dense(3, 2, bias=False)"
