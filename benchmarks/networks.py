"""The networks that are measured. Three are frozen, so that results of different versions can be compared.

    blocks4   conv - batch norm - ReLU - pool, four times, on 144x96: a student's first good network
    original  the network this project grew out of, 350x350, sigmoid and loss on probabilities as published
    vgg11     the convolutions of VGG-11 with batch norm (Simonyan and Zisserman 2015, table 1, A) on 96x64
    shipped   the network that ``poster_genre.model.networks`` builds at present: not frozen

All are plain layers. An entry in ``NETWORKS`` adds a network to every work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minicnn.containers import Sequential
from minicnn.init import glorot_uniform
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU, Sigmoid
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from minicnn.summary import layer_rows

OUTPUTS = 25
Builder = Callable[[tuple[int, int], np.random.Generator], Sequential]


@dataclass(frozen=True)
class Network:
    """A network and the size of its colour images.

    ``build``   ``build((height, width), rng)`` returns the model.
    ``logits``  whether its outputs are logits or probabilities, which decides the loss.
    """

    name: str
    input_size: tuple[int, int]
    build: Builder
    logits: bool = True

    def model(self, seed: int = 0, input_size: tuple[int, int] | None = None) -> Sequential:
        """A new model with random weights."""
        return self.build(input_size or self.input_size, np.random.default_rng(seed))

    def batch(
        self, size: int, seed: int = 0, input_size: tuple[int, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (N, H, W, 3) float32, standard normal, and targets (N, 25), a tenth of which are 1."""
        rng = np.random.default_rng([seed, size])
        height, width = input_size or self.input_size
        x = rng.standard_normal((size, height, width, 3), dtype=np.float32)
        return x, (rng.random((size, OUTPUTS)) < 0.1).astype(np.float32)


def forward_flops(model: Layer, input_size: tuple[int, int]) -> int:
    """Floating-point operations of one image's forward pass in convolutions and dense layers.

    A multiplication and an addition for each weight at each position, whatever the algorithm.
    """
    return 2 * sum(row.multiply_adds for row in layer_rows(model, (*input_size, 3)))


def training_flops(model: Layer, input_size: tuple[int, int]) -> int:
    """The same for a training step: forward, weight gradient, input gradient except in the first layer."""
    counts = [row.multiply_adds for row in layer_rows(model, (*input_size, 3)) if row.multiply_adds]
    return 2 * (3 * sum(counts) - counts[0])


def _conv_norm_relu(channels: int, filters: int, rng: np.random.Generator, *, bias: bool) -> list[Layer]:
    conv = Conv2D(channels, filters, 3, padding="same", bias=bias, rng=rng)
    return [conv, BatchNorm(filters), ReLU()]


def _blocks4(size: tuple[int, int], rng: np.random.Generator) -> Sequential:
    layers: list[Layer] = []
    channels = 3
    for filters in (32, 64, 128, 256):
        layers += [*_conv_norm_relu(channels, filters, rng, bias=False), MaxPool2D(2)]
        channels = filters
    return Sequential([*layers, GlobalAveragePool2D(), Dense(channels, OUTPUTS, rng=rng)])


def _vgg11(size: tuple[int, int], rng: np.random.Generator) -> Sequential:
    layers: list[Layer] = []
    channels = 3
    for stage in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        for filters in stage:
            layers += _conv_norm_relu(channels, filters, rng, bias=True)
            channels = filters
        layers.append(MaxPool2D(2))
    features = channels * (size[0] // 32) * (size[1] // 32)
    return Sequential([*layers, Flatten(), Dense(features, OUTPUTS, rng=rng)])


def _original(size: tuple[int, int], rng: np.random.Generator) -> Sequential:
    def norm(features: int) -> BatchNorm:
        return BatchNorm(features, momentum=0.01, eps=1e-3, unbiased_running_variance=False)

    layers: list[Layer] = []
    channels = 3
    for filters, rate in ((16, 0.3), (32, 0.3), (64, 0.4), (128, 0.5)):
        conv = Conv2D(channels, filters, 3, rng=rng, init=glorot_uniform)
        layers += [conv, ReLU(), norm(filters), MaxPool2D(2), Dropout(rate, rng=rng)]
        channels = filters
    layers.append(Flatten())
    features = Sequential(layers).output_shape((1, *size, 3))[1]
    for hidden in (128, 128):
        dense = Dense(features, hidden, rng=rng, init=glorot_uniform)
        layers += [dense, ReLU(), norm(hidden), Dropout(0.5, rng=rng)]
        features = hidden
    return Sequential([*layers, Dense(features, OUTPUTS, rng=rng, init=glorot_uniform), Sigmoid()])


def _shipped(size: tuple[int, int], rng: np.random.Generator) -> Sequential:
    from poster_genre.model.networks import build_model

    return build_model("compact", rng=rng, input_size=size)


def _shipped_size() -> tuple[int, int]:
    from poster_genre.model.networks import SPECS

    return SPECS["compact"].input_size


NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network("blocks4", (144, 96), _blocks4),
        Network("original", (350, 350), _original, logits=False),
        Network("vgg11", (96, 64), _vgg11),
        Network("shipped", _shipped_size(), _shipped),
    )
}
