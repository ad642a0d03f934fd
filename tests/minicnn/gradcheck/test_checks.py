"""The gradient checker: right gradients pass, and wrong ones do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn import gradcheck
from minicnn.containers import Sequential
from minicnn.gradcheck.checks import check_float32, check_layer, check_loss, check_model
from minicnn.gradcheck.numerical import numerical_gradient, relative_error, spread_input
from minicnn.gradcheck.planted_bugs import PlantedBug, PlantedLossBug
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.losses import MeanSquaredError
from tests.minicnn.gradcheck.wrong_layers import (
    ForgetfulDense,
    Grudging,
    OverwritingDense,
    UncentredBatchNorm,
    WrongTanh,
)

X = np.random.default_rng(0).standard_normal((3, 4))


def dense(fan_in: int = 4, fan_out: int = 2) -> Dense:
    return Dense(fan_in, fan_out, rng=1, dtype=np.float64)


def test_numerical_gradient_of_a_sum_of_sines_is_the_cosine() -> None:
    gradient = numerical_gradient(lambda x: float(np.sin(x).sum()), X)
    np.testing.assert_allclose(gradient, np.cos(X), rtol=1e-8)


def test_numerical_gradient_weighs_the_outputs_of_f_with_dy() -> None:
    dy = np.random.default_rng(1).standard_normal(X.shape)
    np.testing.assert_allclose(numerical_gradient(np.exp, X, dy=dy), dy * np.exp(X), rtol=1e-8)


def test_numerical_gradient_holds_where_f_returns_its_argument_itself() -> None:
    np.testing.assert_allclose(numerical_gradient(lambda x: x, X, dy=np.ones(X.shape)), 1, rtol=1e-9)


def test_numerical_gradient_does_not_change_x() -> None:
    x = X.copy()
    x.flags.writeable = False
    numerical_gradient(lambda values: float(values.sum()), x)
    np.testing.assert_array_equal(x, X)


def test_numerical_gradient_takes_float64_only() -> None:
    with pytest.raises(TypeError, match="float64"):
        numerical_gradient(lambda x: float(x.sum()), X.astype(np.float32))


@pytest.mark.parametrize("eps", [0, -1e-5, np.nan])
def test_numerical_gradient_needs_a_step(eps: float) -> None:
    with pytest.raises(ValueError, match="eps must be greater than 0"):
        numerical_gradient(lambda x: float(x.sum()), X, eps)


def test_relative_error_is_the_largest_difference_over_the_largest_gradient() -> None:
    assert relative_error(np.array([1.0, 4.0]), np.array([1.5, 3.0])) == pytest.approx(1 / 4)


def test_relative_error_of_tiny_gradients_is_taken_against_a_thousandth() -> None:
    assert relative_error(np.array([1e-9]), np.array([0.0])) == pytest.approx(1e-6)


def test_a_gradient_of_the_wrong_shape_has_an_infinite_error() -> None:
    assert relative_error(np.ones((2, 1)), np.ones((2, 3))) == np.inf


def test_a_gradient_that_is_nan_does_not_pass() -> None:
    assert not gradcheck.Result("Dense", "x", float("nan")).passed


@pytest.mark.parametrize("shape", [(1,), (3, 3), (2, 5, 4, 2), (7, 3)])
def test_the_spread_input_is_far_from_ties_and_from_zero(shape: tuple[int, ...]) -> None:
    x = spread_input(shape, 0)
    assert x.shape == shape
    gaps = np.diff(np.sort(np.append(x.ravel(), 0.0)))
    assert gaps.size == 0 or gaps.min() > 0.9 / x.size
    assert np.abs(x).max() < 3


def test_the_spread_input_depends_on_the_seed() -> None:
    assert (spread_input((4, 5), 0) != spread_input((4, 5), 1)).any()


def test_check_layer_names_every_parameter_and_the_input() -> None:
    results = check_layer(Sequential({"a": dense(), "b": Dense(2, 3, rng=0, dtype=np.float64)}), (3, 4))
    assert [result.tensor for result in results] == ["x", "a.weight", "a.bias", "b.weight", "b.bias"]
    assert all(result.passed and result.error < 1e-8 for result in results)


def test_check_layer_takes_an_input_or_a_shape() -> None:
    assert all(result.passed for result in check_layer(dense(), X))


def test_check_layer_passes_over_frozen_parameters() -> None:
    layer = dense()
    layer.weight.trainable = False
    assert [result.tensor for result in check_layer(layer, X)] == ["x", "bias"]


def test_check_layer_leaves_the_layer_as_it_was() -> None:
    layer = Sequential([BatchNorm(4, dtype=np.float64), Dropout(0.5, rng=3), dense()])
    layer.forward(X, training=True)
    layer.backward(np.ones(layer.forward(X, training=True).shape))
    before = [array.copy() for array in everything(layer)]
    check_layer(layer, X)
    for array, kept in zip(everything(layer), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def everything(layer: Sequential) -> list[np.ndarray]:
    rng: Any = layer[1]
    draws = np.array(list(rng.rng.bit_generator.state["state"].values()), object).astype(str)
    parameters = layer.parameters().values()
    return [*(p.data for p in parameters), *(p.grad for p in parameters), *layer.state().values(), draws]


def test_check_layer_refuses_float32() -> None:
    with pytest.raises(TypeError, match="check_float32"):
        check_layer(Dense(4, 2, rng=0), X)


def test_check_layer_refuses_an_unknown_tensor() -> None:
    with pytest.raises(ValueError, match="no tensor 'gamma'"):
        check_layer(dense(), X, tensors=["gamma"])


def test_a_kink_within_a_step_does_not_fail_a_right_gradient() -> None:
    assert all(result.passed for result in check_layer(ReLU(), np.array([[3e-6, 1.0, -1.0]])))


@pytest.mark.parametrize(
    ("layer", "wrong"),
    [
        (WrongTanh(), ["x"]),
        (UncentredBatchNorm(), ["x"]),
        (OverwritingDense(4, 2, rng=0, dtype=np.float64), ["bias"]),
    ],
)
def test_a_wrong_backward_fails_in_the_tensor_that_is_wrong(layer: Layer, wrong: list[str]) -> None:
    assert [result.tensor for result in check_layer(layer, X) if not result.passed] == wrong


@pytest.mark.parametrize(("kind", "wrong"), [(ForgetfulDense, "bias"), (Grudging, "x")])
def test_a_gradient_that_is_right_only_the_first_time_fails(kind: type[Dense], wrong: str) -> None:
    def failed(results: list[gradcheck.Result]) -> list[str]:
        return [result.tensor for result in results if not result.passed]

    assert failed(check_layer(kind(4, 2, rng=0, dtype=np.float64), X)) == [wrong]
    layer = kind(4, 2, rng=0, dtype=np.float64)
    assert failed(check_model(layer, MeanSquaredError(), X, np.zeros((3, 2)))) == [wrong]
    assert failed(check_float32(kind(4, 2, rng=0), dense(), (3, 4))) == [wrong]


@pytest.mark.parametrize("tensor", ["x", "weight", "bias"])
def test_a_planted_bug_fails_in_its_tensor_alone(tensor: str) -> None:
    results = check_layer(PlantedBug(dense(), tensor), X)
    assert [result.tensor for result in results if not result.passed] == [tensor]


def test_a_planted_bug_needs_a_tensor_of_the_layer() -> None:
    with pytest.raises(ValueError, match="no tensor 'gamma'"):
        PlantedBug(dense(), "gamma")


def test_check_loss_passes_a_right_and_fails_a_wrong_gradient() -> None:
    assert check_loss(MeanSquaredError(), X, X + 1)[0].passed
    assert not check_loss(PlantedLossBug(MeanSquaredError()), X, X + 1)[0].passed


def test_check_model_checks_the_loss_of_the_whole_network() -> None:
    model = Sequential([dense(4, 3), Tanh(), Dropout(0.3, rng=0), Dense(3, 2, rng=2, dtype=np.float64)])
    target = np.zeros((3, 2))
    results = check_model(model, MeanSquaredError(), X, target)
    assert len(results) == 5
    assert all(result.error < 1e-8 for result in results)
    failed = [r for r in check_model(model, PlantedLossBug(MeanSquaredError()), X, target) if not r.passed]
    assert len(failed) > 0


def test_check_float32_holds_a_float32_layer_against_its_float64_twin() -> None:
    results = check_float32(
        Conv2D(2, 3, 3, rng=0), Conv2D(2, 3, 3, rng=9, dtype=np.float64, backend="naive"), (2, 5, 4, 2)
    )
    assert [result.tensor for result in results] == ["y", "x", "weight", "bias"]
    assert all(0 < result.error < 1e-5 for result in results)


def test_check_float32_gives_random_layers_the_same_numbers() -> None:
    assert all(result.passed for result in check_float32(Dropout(0.5, rng=0), Dropout(0.5, rng=1), (9, 9)))


@pytest.mark.parametrize("tensor", ["x", "weight", "bias"])
def test_check_float32_notices_a_planted_bug(tensor: str) -> None:
    results = check_float32(PlantedBug(Dense(4, 2, rng=0), tensor), dense(), (3, 4))
    assert [result.tensor for result in results if not result.passed] == [tensor]


def test_check_float32_refuses_a_twin_with_other_parameters() -> None:
    with pytest.raises(ValueError, match="must have the same parameters"):
        check_float32(Dense(4, 2, rng=0), Dense(4, 2, bias=False, rng=0, dtype=np.float64), (3, 4))
