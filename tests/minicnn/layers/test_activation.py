"""Activations against SciPy, textbook formulas and PyTorch, at ordinary and at extreme inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from minicnn.kernels import dispatch
from minicnn.kernels.dispatch import relu_backward, relu_forward
from minicnn.layer import Layer
from minicnn.layers.activation import (
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)

FORMULAS: dict[str, tuple[Layer, Callable[[np.ndarray], np.ndarray]]] = {
    "ReLU": (ReLU(), lambda x: np.where(x > 0, x, 0)),
    "LeakyReLU": (LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "SiLU": (SiLU(), lambda x: x * special.expit(x)),
    "Sigmoid": (Sigmoid(), special.expit),
    "Tanh": (Tanh(), lambda x: (1 - np.exp(-2 * x)) / (1 + np.exp(-2 * x))),
    "Softmax": (Softmax(), lambda x: special.softmax(x, axis=-1)),
}
ALL = pytest.mark.parametrize("name", FORMULAS)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@ALL
def test_forward_follows_the_formula(name: str) -> None:
    layer, formula = FORMULAS[name]
    x = np.random.default_rng(0).standard_normal((3, 4, 5)) * 3
    np.testing.assert_allclose(layer(x), formula(x), rtol=1e-12, atol=1e-15)


@pytest.mark.oracle
@ALL
@settings(max_examples=15, deadline=None)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    scale=st.sampled_from([0.1, 1.0, 10.0, 100.0]),
    seed=st.integers(0, 1000),
)
def test_forward_and_backward_are_those_of_pytorch(
    name: str, shape: list[int], scale: float, seed: int
) -> None:
    torch = pytest.importorskip("torch")
    functions = {
        "ReLU": torch.nn.ReLU(),
        "LeakyReLU": torch.nn.LeakyReLU(0.2),
        "SiLU": torch.nn.SiLU(),
        "Sigmoid": torch.nn.Sigmoid(),
        "Tanh": torch.nn.Tanh(),
        "Softmax": torch.nn.Softmax(dim=-1),
    }
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal(shape) * scale, rng.standard_normal(shape)
    x_theirs = torch.from_numpy(x).requires_grad_()
    y_theirs = functions[name](x_theirs)
    y_theirs.backward(torch.from_numpy(dy))
    layer, _ = FORMULAS[name]
    np.testing.assert_allclose(layer(x, training=True), y_theirs.detach().numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(layer.backward(dy), x_theirs.grad.numpy(), rtol=1e-11, atol=1e-12)


EXTREME = [-1e30, -1000.0, -100.0, 0.0, 100.0, 1000.0, 1e30]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ReLU", [0, 0, 0, 0, 100, 1000, 1e30]),
        ("LeakyReLU", [-2e29, -200, -20, 0, 100, 1000, 1e30]),
        ("SiLU", [0, 0, 0, 0, 100, 1000, 1e30]),
        ("Sigmoid", [0, 0, 0, 0.5, 1, 1, 1]),
        ("Tanh", [-1, -1, -1, 0, 1, 1, 1]),
        ("Softmax", [0, 0, 0, 0, 0, 0, 1]),
    ],
)
@DTYPES
def test_extreme_inputs_give_the_limit_without_a_warning(
    name: str, expected: list[float], dtype: Any
) -> None:
    y = FORMULAS[name][0](np.array([EXTREME], dtype))
    np.testing.assert_allclose(y, np.array([expected], dtype), rtol=1e-6, atol=1e-40)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ReLU", [0, 0, 0, 0, 1, 1, 1]),
        ("LeakyReLU", [0.2, 0.2, 0.2, 0.2, 1, 1, 1]),
        ("SiLU", [0, 0, 0, 0.5, 1, 1, 1]),
        ("Sigmoid", [0, 0, 0, 0.25, 0, 0, 0]),
        ("Tanh", [0, 0, 0, 1, 0, 0, 0]),
        ("Softmax", [0, 0, 0, 0, 0, 0, 0]),
    ],
)
@DTYPES
def test_extreme_inputs_give_the_limit_of_the_gradient_without_a_warning(
    name: str, expected: list[float], dtype: Any
) -> None:
    layer, _ = FORMULAS[name]
    y = layer(np.array([EXTREME], dtype), training=True)
    np.testing.assert_allclose(layer.backward(np.ones_like(y)), np.array([expected], dtype), atol=1e-30)


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "Sigmoid", "Tanh"])
def test_infinity_gives_the_limit_without_a_warning(name: str) -> None:
    layer, _ = FORMULAS[name]
    limits = {"ReLU": [0, np.inf], "LeakyReLU": [-np.inf, np.inf], "Sigmoid": [0, 1], "Tanh": [-1, 1]}
    np.testing.assert_array_equal(layer(np.array([-np.inf, np.inf])), limits[name])


@ALL
def test_nan_stays_nan(name: str) -> None:
    assert np.isnan(FORMULAS[name][0](np.array([[np.nan, 1.0]]))[0, 0])


def test_the_gradient_of_relu_at_zero_is_zero() -> None:
    layer = ReLU()
    layer(np.array([0.0, -0.0]), training=True)
    np.testing.assert_array_equal(layer.backward(np.ones(2)), [0.0, 0.0])


def test_the_gradient_of_leaky_relu_at_zero_is_the_slope() -> None:
    layer = LeakyReLU(0.3)
    layer(np.array([0.0, -0.0]), training=True)
    np.testing.assert_array_equal(layer.backward(np.ones(2)), [0.3, 0.3])


def test_small_sigmoids_keep_their_digits() -> None:
    np.testing.assert_allclose(Sigmoid()(np.array([-40.0], np.float32)), special.expit(-40.0), rtol=1e-6)


@given(st.lists(st.floats(-500, 500, width=32), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_softmax_sums_to_one(values: list[float]) -> None:
    y = Softmax()(np.array([values], np.float32))
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-5)
    assert (y >= 0).all()


def test_softmax_does_not_change_when_a_number_is_added_to_all() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5))
    np.testing.assert_allclose(Softmax()(x + 300), Softmax()(x), rtol=1e-12)


def test_softmax_is_taken_over_the_last_axis() -> None:
    y = Softmax()(np.random.default_rng(0).standard_normal((2, 3, 4, 5)))
    np.testing.assert_allclose(y.sum(axis=-1), np.ones((2, 3, 4)), rtol=1e-12)


@pytest.mark.parametrize("slope", [-0.1, np.nan, np.inf])
def test_a_negative_or_infinite_slope_is_a_value_error(slope: float) -> None:
    with pytest.raises(ValueError, match="LeakyReLU: negative_slope"):
        LeakyReLU(slope)


def test_leaky_relu_with_slope_zero_is_relu() -> None:
    x = np.random.default_rng(0).standard_normal((4, 5))
    np.testing.assert_array_equal(LeakyReLU(0)(x), ReLU()(x))


@pytest.mark.parametrize("backend", ["naive", "numpy", "numba"])
def test_relu_runs_the_kernels_of_its_backend(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    for name, kernel in (("relu_forward", relu_forward), ("relu_backward", relu_backward)):

        def watched(*arguments: Any, kernel: Any = kernel) -> np.ndarray:
            asked.append(arguments[-1])
            return kernel(*arguments)

        monkeypatch.setattr(dispatch, name, watched)
    layer = ReLU(backend=backend)
    np.testing.assert_array_equal(layer.forward(np.array([[-1.0, 2.0]]), record=True), [[0, 2]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2))), [[0, 1]])
    assert asked == [backend, backend]


def test_relu_refuses_an_unknown_backend() -> None:
    with pytest.raises(ValueError, match="backend must be"):
        ReLU(backend="cuda")
