"""The frozen networks, and their translation to PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.networks import NETWORKS, Network, forward_flops, training_flops
from benchmarks.peers import Ours, randomize_norms, without_dropout
from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity

SMALL = {"blocks4": (32, 16), "original": (48, 46), "vgg11": (32, 32), "shipped": (32, 24)}


def test_the_original_has_the_published_number_of_parameters() -> None:
    parameters = NETWORKS["original"].model().parameters()
    assert sum(parameter.data.size for parameter in parameters.values()) == 6_671_897


def test_vgg11_has_the_convolutions_of_the_paper() -> None:
    layers = [layer for _, layer in NETWORKS["vgg11"].model().layers()]
    filters = [layer.out_channels for layer in layers if isinstance(layer, Conv2D)]
    assert filters == [64, 128, 256, 256, 512, 512, 512, 512]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_puts_out_25_numbers_an_image(name: str) -> None:
    network = NETWORKS[name]
    assert network.model().output_shape((2, *network.input_size, 3)) == (2, 25)


def test_flops_of_the_forward_pass_are_counted_as_the_textbook_does() -> None:
    expected = sum(
        2 * 9 * c * f * h * w
        for c, f, h, w in ((3, 32, 144, 96), (32, 64, 72, 48), (64, 128, 36, 24), (128, 256, 18, 12))
    )
    model = NETWORKS["blocks4"].model()
    assert forward_flops(model, (144, 96)) == expected + 2 * 256 * 25


def test_a_training_step_needs_three_times_the_flops_less_the_image_gradient() -> None:
    model, first = NETWORKS["blocks4"].model(), 2 * 9 * 3 * 32 * 144 * 96
    assert training_flops(model, (144, 96)) == 3 * forward_flops(model, (144, 96)) - first


def test_batches_repeat_and_differ_by_seed() -> None:
    network = NETWORKS["vgg11"]
    (x, y), (same, _), (other, _) = network.batch(2), network.batch(2), network.batch(2, seed=1)
    assert x.shape == (2, 96, 64, 3)
    assert x.dtype == y.dtype == np.float32
    assert np.array_equal(x, same)
    assert not np.array_equal(x, other)


def test_dropout_has_its_rate_again_after_a_comparison() -> None:
    model = Sequential([Dropout(0.25, rng=0), Dense(3, 2, rng=0)])
    with without_dropout(model):
        assert model[0].rate == 0  # type: ignore[attr-defined]
    assert model[0].rate == 0.25  # type: ignore[attr-defined]


def _mixture(size: tuple[int, int], rng: np.random.Generator) -> Sequential:
    """Every kind of layer that can be converted, in odd sizes."""
    gate = Sequential([GlobalAveragePool2D(keepdims=True), Conv2D(6, 6, 1, rng=rng), Sigmoid()])
    body = Sequential([Conv2D(6, 4, 3, padding="same", rng=rng), SiLU(), Conv2D(4, 6, 1, rng=rng)])
    layers: list[Layer] = [
        Conv2D(3, 6, 3, stride=2, padding="same", rng=rng),  # an even side: padded at the bottom only
        BatchNorm(6),
        LeakyReLU(0.1),
        Parallel([Identity(), gate], merge="multiply"),
        Residual(body),
        ReLU(),
        Conv2D(6, 12, (3, 5), padding=((2, 0), (1, 3)), groups=3, dilation=(1, 2), rng=rng),
        Tanh(),
        AveragePool2D(3, stride=2, padding=1),
        MaxPool2D(2, stride=1),
        Parallel(
            [GlobalMaxPool2D(), GlobalAveragePool2D(), Sequential([Flatten(), Dense(96, 5, rng=rng)])],
            "concat",
        ),
        Dropout(0.3, rng=rng),
        Dense(29, 25, rng=rng),
    ]
    return Sequential(layers)


MIXTURE = Network("mixture", (20, 18), _mixture)


@pytest.mark.oracle
@pytest.mark.parametrize("layout", ["torch_nchw", "torch_channels_last"])
@pytest.mark.parametrize("name", [*NETWORKS, "mixture"])
def test_loss_gradients_and_outputs_are_pytorchs(name: str, layout: str) -> None:
    pytest.importorskip("torch")
    from benchmarks.peers import Torch

    network = MIXTURE if name == "mixture" else NETWORKS[name]
    size = SMALL.get(name, network.input_size)
    model = network.model(input_size=size)
    randomize_norms(model)
    for parameter in model.parameters().values():
        parameter.data = parameter.data.astype(np.float64)
        parameter.grad = np.zeros_like(parameter.data)
    x, y = (array.astype(np.float64) for array in network.batch(3, input_size=size))
    with without_dropout(model):
        ours = Ours(network, model, x, y, backend="numpy")
        theirs = Torch(network, model, x, y, layout)
        theirs.module.double()
        theirs.module.eval()
        np.testing.assert_allclose(ours.infer(), theirs.infer(), rtol=1e-9, atol=1e-12)
        theirs.module.train()
        assert ours.backpropagate() == pytest.approx(theirs.backpropagate(), rel=1e-9)
        expected = theirs.gradients()
        assert expected.keys() == ours.gradients().keys()
        for key, gradient in ours.gradients().items():
            np.testing.assert_allclose(gradient, expected[key], rtol=1e-7, atol=1e-10, err_msg=key)
