"""The network ``original``: that of the project that this one grew out of, Keras's defaults included."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.argument_checks import Pair
from minicnn.containers import Sequential
from minicnn.init import glorot_uniform
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU, Sigmoid
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import MaxPool2D
from minicnn.layers.reshape import Flatten
from poster_genre.model.spec import ModelSpec, Recipe

SPEC = ModelSpec(
    name="original",
    input_size=(350, 350),
    logits=False,
    recipe=Recipe(epochs=5, batch_size=32, learning_rate=1e-3, optimizer="adam", adam_eps=1e-7),
)


def build_original(size: Pair, n_genres: int, rng: np.random.Generator, dtype: Any) -> Sequential:
    """Four blocks of convolution, ReLU, norm, pool and dropout, then two hidden dense layers: 6.67 M
    parameters.

    Keras's defaults: Glorot-uniform weights; BatchNorm with momentum 0.99 (ours: 1 - 0.99), epsilon 1e-3 and
    the biased variance in the running average.
    """

    def norm(features: int) -> BatchNorm:
        return BatchNorm(features, momentum=0.01, eps=1e-3, dtype=dtype, unbiased_running_variance=False)

    layers: list[Layer] = []
    channels = 3
    for filters, rate in ((16, 0.3), (32, 0.3), (64, 0.4), (128, 0.5)):
        layers += [
            Conv2D(channels, filters, 3, rng=rng, init=glorot_uniform, dtype=dtype),
            ReLU(),
            norm(filters),
            MaxPool2D(2),
            Dropout(rate, rng=rng),
        ]
        channels = filters
    layers.append(Flatten())
    features = Sequential(layers).output_shape((1, *size, 3))[1]
    for hidden in (128, 128):
        layers += [
            Dense(features, hidden, rng=rng, init=glorot_uniform, dtype=dtype),
            ReLU(),
            norm(hidden),
            Dropout(0.5, rng=rng),
        ]
        features = hidden
    layers += [Dense(features, n_genres, rng=rng, init=glorot_uniform, dtype=dtype), Sigmoid()]
    return Sequential(layers)
