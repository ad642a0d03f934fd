"""Parameter and Layer: what every layer has in common."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from minicnn.containers import Residual, Sequential
from minicnn.layer import Layer, Parameter, reseed
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm


def model() -> Sequential:
    block = Residual(Sequential([BatchNorm(3), ReLU()]))
    return Sequential({"dense": Dense(3, 3, rng=0), "block": block, "drop": Dropout(0.5, rng=0)})


def test_a_parameter_starts_with_a_gradient_of_zero_in_its_shape_and_dtype() -> None:
    parameter = Parameter(np.ones((2, 3), np.float32))
    assert parameter.grad.shape == (2, 3)
    assert parameter.grad.dtype == np.float32
    assert not parameter.grad.any()
    assert parameter.trainable
    assert parameter.decay


def test_gradients_add_up() -> None:
    parameter = Parameter(np.zeros(2))
    parameter.accumulate(np.array([1.0, 2.0]))
    parameter.accumulate(np.array([10.0, 20.0]))
    np.testing.assert_array_equal(parameter.grad, [11, 22])


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1), ()])
def test_a_gradient_that_would_need_broadcasting_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the gradient has shape"):
        Parameter(np.zeros(2)).accumulate(np.ones(shape))


def test_a_frozen_parameter_takes_no_gradient() -> None:
    parameter = Parameter(np.zeros(2))
    parameter.trainable = False
    parameter.accumulate(np.ones(2))
    assert not parameter.grad.any()


def test_repr_of_a_parameter_says_whether_it_is_frozen() -> None:
    parameter = Parameter(np.zeros((2, 3), np.float32))
    assert repr(parameter) == "Parameter(shape=(2, 3), dtype=float32)"
    parameter.trainable = False
    assert repr(parameter) == "Parameter(shape=(2, 3), dtype=float32, frozen)"


def test_parameters_have_dotted_names_in_forward_order() -> None:
    names = ["dense.weight", "dense.bias", "block.body.0.weight", "block.body.0.bias"]
    assert list(model().parameters()) == names


def test_parameters_are_the_live_ones() -> None:
    layer = Dense(2, 2, rng=0)
    assert layer.parameters()["weight"] is layer.weight


def test_state_holds_the_live_buffers_by_dotted_name() -> None:
    network = model()
    assert list(network.state()) == ["block.body.0.running_mean", "block.body.0.running_var"]
    network.forward(np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32), training=True)
    assert network.state()["block.body.0.running_mean"].any()


def test_layers_lists_the_leaves_in_forward_order() -> None:
    names = ["dense", "block.body.0", "block.body.1", "block.projection", "drop"]
    assert [name for name, _ in model().layers()] == names


def test_layers_of_a_layer_is_the_layer_itself() -> None:
    layer = ReLU()
    assert list(layer.layers()) == [("", layer)]


def test_freeze_and_unfreeze_reach_every_parameter() -> None:
    network = model()
    network.freeze()
    assert not any(parameter.trainable for parameter in network.parameters().values())
    network.unfreeze()
    assert all(parameter.trainable for parameter in network.parameters().values())


def test_zero_grad_reaches_every_parameter_and_keeps_the_arrays() -> None:
    network = model()
    gradients = [parameter.grad for parameter in network.parameters().values()]
    for grad in gradients:
        grad[...] = 1
    network.zero_grad()
    for parameter, grad in zip(network.parameters().values(), gradients, strict=True):
        assert parameter.grad is grad
        assert not grad.any()


def test_what_is_remembered_is_recalled_once() -> None:
    layer = Layer()
    layer.remember(1, "two", when=True)
    assert layer.recall() == (1, "two")
    with pytest.raises(RuntimeError, match=r"Layer\.backward needs a recorded forward pass"):
        layer.recall()


def test_nothing_is_remembered_unless_asked() -> None:
    layer = Layer()
    layer.remember(1, when=False)
    assert vars(layer) == {}


def test_only_the_last_recorded_pass_is_stored() -> None:
    layer = Layer()
    layer.remember(1, when=True)
    layer.remember(2, when=True)
    assert layer.recall() == (2,)


@pytest.mark.parametrize("method", ["forward", "backward", "output_shape"])
def test_a_layer_without_a_method_says_which_one_it_lacks(method: str) -> None:
    class Unfinished(Layer):
        pass

    with pytest.raises(TypeError, match=f"Unfinished does not define {method}"):
        getattr(Unfinished(), method)(np.ones(2))


def test_calling_a_layer_is_its_forward_pass() -> None:
    layer, x = ReLU(), np.array([-1.0, 2.0])
    np.testing.assert_array_equal(layer(x, training=True), [0, 2])
    np.testing.assert_array_equal(layer.backward(x), [0, 2])


class Scale(Layer):
    """The smallest layer a reader might write."""

    buffers: ClassVar[tuple[str, ...]] = ("calls",)

    def __init__(self) -> None:
        self.factor = Parameter(np.array([3.0]))
        self.calls = np.zeros(1)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        self.remember(x, when=training if record is None else record)
        return x * self.factor.data

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (x,) = self.recall()
        self.factor.accumulate(np.array([(dy * x).sum()]))
        return dy * self.factor.data


def test_a_layer_of_ones_own_joins_a_model() -> None:
    network = Sequential({"scale": Scale(), "act": ReLU()})
    network.forward(np.array([1.0, -2.0]), training=True)
    np.testing.assert_array_equal(network.backward(np.array([1.0, 1.0])), [3.0, 0.0])
    assert network.parameters()["scale.factor"].grad == 1.0
    assert list(network.state()) == ["scale.calls"]


def test_reseeding_depends_on_seed_step_and_position() -> None:
    def first_numbers(seed: int, step: int) -> tuple[float, float]:
        network = Sequential([Dropout(0.5, rng=0), Dropout(0.5, rng=0)])
        reseed(network, seed, step)
        return tuple(layer.rng.random() for _, layer in network.layers())

    drawn = [*first_numbers(0, 0), *first_numbers(0, 1), *first_numbers(1, 0)]
    assert len(set(drawn)) == 6
    assert first_numbers(0, 0) == first_numbers(0, 0)
