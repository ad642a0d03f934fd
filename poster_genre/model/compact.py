"""The network ``compact``, the default: a small residual network that puts out logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.argument_checks import Pair
from minicnn.containers import Parallel, Residual, Sequential
from minicnn.init import he_normal, normal
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from poster_genre.errors import PosterGenreError
from poster_genre.model.spec import ModelSpec, Recipe

INITIAL_BIAS = -2.25  # the log-odds of 0.095: a poster has 2.3 of 25 genres

SPEC = ModelSpec(
    name="compact",
    input_size=(120, 80),
    logits=True,
    mean=(0.49, 0.44, 0.41),
    std=(0.34, 0.33, 0.33),
    flip_average=True,
    arguments={
        "stem": 32,
        "widths": [48, 96, 192],
        "blocks": [1, 1, 1],
        "last": 256,
        "stem_stride": 2,
        "dropout": 0.2,
    },
    recipe=Recipe(
        epochs=20,
        batch_size=32,
        learning_rate=3e-3,
        optimizer="adamw",
        weight_decay=0.05,
        clip_norm=5.0,
        ema_decay=0.998,
        label_smoothing=0.0,
        mixup_alpha=0.0,
        augmentation={
            "min_area": 0.85,
            "aspect": 1.1,
            "brightness": 0.3,
            "contrast": 0.3,
            "saturation": 0.3,
            "shift": 0.1,
        },
    ),
)


def build_compact(
    size: Pair,
    n_genres: int,
    rng: np.random.Generator,
    dtype: Any,
    *,
    widths: list[int],
    blocks: list[int],
    stem_stride: int,
    dropout: float,
    stem: int = 0,
    last: int = 0,
    members: int = 1,
) -> Sequential:
    """A backbone; the average and the maximum of every channel of its last image; and a dense layer.

    ``stem``         filters of the first convolution; 0: as many as the first stage has.
    ``stem_stride``  its stride.
    ``widths``       channels of each stage; ``blocks``: residual blocks of each stage.
    ``last``         filters of one more convolution after the stages; 0: none.
    ``dropout``      rate in front of the dense layer.
    ``members``      backbones with their pooling, side by side, that the one dense layer reads: an ensemble,
                     see ``poster_genre.model.ensemble``.
    """
    if not widths or len(widths) != len(blocks) or min(*widths, *blocks) < 1:
        raise PosterGenreError(
            f"compact: widths and blocks need one number of at least 1 per stage, got {widths} and {blocks}"
        )
    if min(stem, last) < 0 or min(members, stem_stride) < 1:
        raise PosterGenreError(
            "compact: stem and last must be at least 0, members and stem_stride at least 1; got "
            f"{stem}, {last}, {members} and {stem_stride}"
        )

    def member() -> dict[str, Layer]:
        layers = _backbone(size, rng, dtype, stem or widths[0], widths, blocks, last, stem_stride)
        head = {"average": GlobalAveragePool2D(), "maximum": GlobalMaxPool2D()}
        return {**layers, "head": Parallel(head, merge="concat")}

    layers = member()
    if members > 1:
        networks = [Sequential(layers), *(Sequential(member()) for _ in range(members - 1))]
        named = {f"member{number}": network for number, network in enumerate(networks, start=1)}
        layers = {"members": Parallel(named, merge="concat")}
    if dropout != 0:
        layers["dropout"] = Dropout(dropout, rng=rng)
    features = 2 * members * (last or widths[-1])
    genres = Dense(features, n_genres, rng=rng, init=normal(0.01), dtype=dtype)
    genres.parameters()["bias"].data[...] = INITIAL_BIAS
    layers["genres"] = genres
    return Sequential(layers)


def _backbone(
    size: Pair,
    rng: np.random.Generator,
    dtype: Any,
    stem: int,
    widths: list[int],
    blocks: list[int],
    last: int,
    stem_stride: int,
) -> dict[str, Layer]:
    """A stem, then stages of residual blocks, each at half the resolution and more channels; behind them,
    where ``last`` is not 0, one more convolution at half the resolution.

    The pyramid stops halving where a stage would have fewer than two pixels a side, so that small inputs
    work.
    """
    layers: dict[str, Layer] = {
        "stem": _conv(3, stem, rng, dtype, stride=stem_stride),
        "stem_norm": BatchNorm(stem, dtype=dtype),
        "stem_relu": ReLU(),
    }
    height, width = (-(-side // stem_stride) for side in size)
    channels = stem

    def halve(name: str) -> None:
        nonlocal height, width
        if min(height, width) >= 4:
            layers[name] = MaxPool2D(2)
            height, width = height // 2, width // 2

    for stage, (filters, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        if stage > 1:
            halve(f"pool{stage}")
        for block in range(1, count + 1):
            layers[f"block{stage}_{block}"] = _residual_block(channels, filters, rng, dtype)
            layers[f"relu{stage}_{block}"] = ReLU()
            channels = filters
    if last:
        halve("pool_last")
        layers["last"] = _conv(channels, last, rng, dtype)
        layers["last_norm"] = BatchNorm(last, dtype=dtype)
        layers["last_relu"] = ReLU()
    return layers


def _residual_block(channels: int, filters: int, rng: np.random.Generator, dtype: Any) -> Residual:
    """Two 3x3 convolutions and a shortcut. The last norm's weight is 0, so that training starts with the
    shortcut alone.
    """
    body = Sequential(
        {
            "conv1": _conv(channels, filters, rng, dtype),
            "norm1": BatchNorm(filters, dtype=dtype),
            "relu1": ReLU(),
            "conv2": _conv(filters, filters, rng, dtype),
            "norm2": BatchNorm(filters, dtype=dtype),
        }
    )
    body.parameters()["norm2.weight"].data[...] = 0
    if channels == filters:
        return Residual(body)
    projection = Sequential(
        {
            "conv": _conv(channels, filters, rng, dtype, kernel_size=1),
            "norm": BatchNorm(filters, dtype=dtype),
        }
    )
    return Residual(body, projection)


def _conv(
    channels: int,
    filters: int,
    rng: np.random.Generator,
    dtype: Any,
    *,
    kernel_size: int = 3,
    stride: int = 1,
) -> Conv2D:
    """He-initialised, padded, and without a bias: the norm behind it has one."""
    return Conv2D(
        channels,
        filters,
        kernel_size,
        stride=stride,
        padding="same",
        bias=False,
        rng=rng,
        init=he_normal,
        dtype=dtype,
    )
