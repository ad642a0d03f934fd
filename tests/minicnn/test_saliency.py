"""Input gradients: computed on a copy that shares the weights, without a change to the network."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.gradcheck.numerical import numerical_gradient
from minicnn.layers.activation import Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D
from minicnn.saliency import input_gradient, shared_copy


@pytest.fixture
def network():
    rng = np.random.default_rng(3)
    body = Sequential([Conv2D(3, 3, 3, padding="same", rng=rng, dtype=np.float64), Tanh()])
    model = Sequential(
        {
            "block": Residual(body),
            "norm": BatchNorm(3, dtype=np.float64),
            "pool": Parallel([GlobalAveragePool2D(), GlobalMaxPool2D()], merge="concat"),
            "dropout": Dropout(0.5, rng=rng),
            "out": Dense(6, 4, rng=rng, dtype=np.float64),
        }
    )
    model["norm"].running_mean[...] = rng.normal(size=3)
    model["norm"].running_var[...] = rng.uniform(0.5, 2, size=3)
    return model


@pytest.fixture
def image():
    return np.random.default_rng(4).normal(size=(2, 5, 4, 3))


def snapshot(model):
    """Copies of all that a backward pass could write to."""
    arrays = {name: (p.data.copy(), p.grad.copy()) for name, p in model.parameters().items()}
    trainable = [p.trainable for p in model.parameters().values()]
    return arrays, {name: a.copy() for name, a in model.state().items()}, trainable


def test_a_shared_copy_has_the_same_weights_and_statistics_in_the_same_memory(network):
    shared = shared_copy(network)
    for name, parameter in network.parameters().items():
        assert np.shares_memory(parameter.data, shared.parameters()[name].data)
    for name, array in network.state().items():
        assert np.shares_memory(array, shared.state()[name])
    assert not {id(layer) for _, layer in network.layers()} & {id(layer) for _, layer in shared.layers()}


def test_a_shared_copy_has_the_originals_output(network, image):
    np.testing.assert_array_equal(shared_copy(network).forward(image), network.forward(image))


def test_a_backward_pass_through_the_copy_leaves_the_original_unchanged(network, image):
    before = snapshot(network)
    shared = shared_copy(network)
    shared.backward(np.ones_like(shared.forward(image, record=True)))
    np.testing.assert_equal(snapshot(network), before)


def test_a_recorded_pass_of_the_original_stays_recorded_and_is_not_in_the_copy(network, image):
    dy = np.ones_like(network.forward(image, record=True))
    shared = shared_copy(network)
    with pytest.raises(RuntimeError, match="recorded"):
        shared.backward(dy)
    assert network.backward(dy).shape == image.shape


def test_the_input_gradient_is_the_numerical_one(network, image):
    layers = list(network.children().values())
    dy = np.random.default_rng(5).normal(size=(2, 4))
    y, gradient = input_gradient(layers, image, dy)
    np.testing.assert_array_equal(y, network.forward(image))
    expected = numerical_gradient(network.forward, image, dy=dy)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_threads_may_compute_gradients_of_one_network_together(image):
    layers = [Dense(8, 16, rng=0, dtype=np.float64), Tanh(), Dense(16, 3, rng=1, dtype=np.float64)]
    inputs = np.random.default_rng(6).normal(size=(24, 1, 8))
    dy = np.array([[0.0, 1.0, 0.0]])
    expected = [input_gradient(layers, x, dy)[1] for x in inputs]
    gradients: list[np.ndarray | None] = [None] * len(inputs)
    start = threading.Barrier(8)

    def work(first: int) -> None:
        start.wait()
        for i in range(first, len(inputs), 8):
            gradients[i] = input_gradient(layers, inputs[i], dy)[1]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(gradients, expected)
