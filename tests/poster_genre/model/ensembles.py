"""Small ensembles for tests: backbones of two builds side by side, and one dense layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minicnn.containers import Parallel, Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.genres import N_GENRES
from poster_genre.model.networks import SPECS, build_model
from poster_genre.model.spec import ModelSpec
from poster_genre.model.trained_model import TrainedModel

SIZE = (32, 24)
COMPACT = (
    {"stem": 8, "widths": [8, 12, 16], "blocks": [2, 1, 1], "last": 0},
    {"stem": 8, "widths": [8, 10], "blocks": [1, 1], "last": 12},
)


def ensemble(seed: int = 0) -> Sequential:
    """Two compact backbones, one of a finer last image, and one of convolutions and a hidden layer."""
    rng = np.random.default_rng(seed)
    backbones = {}
    for index, arguments in enumerate(COMPACT):
        whole = build_model(
            "compact", rng=rng, input_size=SIZE, stem_stride=2 - index, dropout=0.1, **arguments
        )
        backbones[str(index)] = Sequential(
            {name: each for name, each in whole.children().items() if name != "genres"}
        )
    plain = [Conv2D(3, 8, 3, rng=rng), ReLU(), BatchNorm(8), MaxPool2D(2), Flatten()]
    features = Sequential(plain).output_shape((1, *SIZE, 3))[1]
    backbones["2"] = Sequential([*plain, Dense(features, 9, rng=rng), ReLU()])
    parallel = Parallel(backbones, merge="concat")
    width = parallel.output_shape((1, *SIZE, 3))[1]
    return Sequential({"networks": parallel, "genres": Dense(width, N_GENRES, rng=rng)})


def concatenated_images(seed: int = 0) -> Sequential:
    """Two compact backbones whose last images are concatenated; one head pools all their channels."""
    rng = np.random.default_rng(seed)
    arguments = {"stem": 8, "widths": [8, 12], "blocks": [1, 1], "last": 0, "stem_stride": 2, "dropout": 0.0}
    backbones = {}
    for member in ("member1", "member2"):
        whole = build_model("compact", rng=rng, input_size=SIZE, **arguments)
        below = {name: each for name, each in whole.children().items() if name not in ("head", "genres")}
        backbones[member] = Sequential(below)
    head = Parallel({"average": GlobalAveragePool2D(), "maximum": GlobalMaxPool2D()}, merge="concat")
    genres = Dense(48, N_GENRES, rng=rng)
    return Sequential({"members": Parallel(backbones, merge="concat"), "head": head, "genres": genres})


def drawn_at_random(network: Sequential, seed: int) -> None:
    """Statistics, scales and shifts such that no step of the network is trivial."""
    rng = np.random.default_rng(seed)
    for name, parameter in network.parameters().items():
        if parameter.data.ndim == 1:
            parameter.data[...] = rng.normal(0.5 if "norm" in name else 0, 0.5, parameter.data.shape)
    for name, array in network.state().items():
        array[...] = (
            rng.uniform(0.5, 2, array.shape) if name.endswith("var") else rng.normal(size=array.shape)
        )


def untrained(spec: ModelSpec, network: Sequential) -> PosterGenreClassifier:
    """A classifier around a network, as after ``load``, without a calibration."""
    return PosterGenreClassifier.of(TrainedModel.uncalibrated(spec, network, np.full(N_GENRES, 0.1), {}))


def ensemble_classifier(seed: int = 0) -> PosterGenreClassifier:
    network = ensemble(seed)
    drawn_at_random(network, seed)
    return untrained(replace(SPECS["compact"], input_size=SIZE), network)
