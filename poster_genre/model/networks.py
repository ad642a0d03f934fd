"""The networks, and the recipe that trains each: what an experiment would change stands here.

``original``  the network of the project that this one grew out of, to the letter, Keras's defaults included.
``compact``   the default: a small residual network that puts out logits and is light enough for a laptop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.init import check_generator, glorot_uniform, he_normal, normal
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU, Sigmoid
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from minicnn.shapes import Pair
from poster_genre.errors import PosterGenreError
from poster_genre.genres import N_GENRES

FIRST_GUESS = -2.25  # the log-odds of 0.095: a poster has 2.3 of 25 genres


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    ``optimizer``        "adam" with a constant rate, or "adamw" with a one-cycle schedule up to its rate.
    ``ema_decay``        decay of the weights' moving average, which is validated and kept; None: no average.
    ``label_smoothing``  pulls the targets towards 0.5 by this share.
    ``mixup_alpha``      Beta(alpha, alpha) of mixup; 0 switches it off.
    ``augmentation``     arguments of ``poster_genre.data.augment.Augmentation``; None: posters as they are.
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "adamw"
    adam_eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    ema_decay: float | None = None
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0
    augmentation: dict[str, float] | None = None


@dataclass(frozen=True)
class ModelSpec:
    """A network by name: what goes in, what comes out, how it is built and how it is trained.

    ``input_size``    (height, width) in pixels.
    ``mean, std``     per colour channel, in units of 0..1: the network sees ``(pixel / 255 - mean) / std``.
    ``logits``        True: puts out logits, trained with BinaryCrossEntropyWithLogits;
                      False: puts out probabilities, trained with BinaryCrossEntropy.
    ``flip_average``  prediction averages over the poster and its mirror image.
    ``arguments``     keyword arguments of the function that builds it; a model file keeps them.
    """

    name: str
    input_size: Pair
    logits: bool
    recipe: Recipe
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    flip_average: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    def with_recipe(self, **changes: Any) -> ModelSpec:
        """The same network with some numbers of its recipe replaced."""
        return replace(self, recipe=replace(self.recipe, **changes))


SPECS: dict[str, ModelSpec] = {
    "compact": ModelSpec(
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
    ),
    "original": ModelSpec(
        name="original",
        input_size=(350, 350),
        logits=False,
        recipe=Recipe(epochs=5, batch_size=32, learning_rate=1e-3, optimizer="adam", adam_eps=1e-7),
    ),
}


def model_spec(name: str) -> ModelSpec:
    """The specification of that name. Raises PosterGenreError for a name there is none of."""
    if name not in SPECS:
        raise PosterGenreError(f"there is no model called {name!r}; choose one of {', '.join(SPECS)}")
    return SPECS[name]


def build_model(
    name: str,
    *,
    rng: np.random.Generator | int = 0,
    n_genres: int = N_GENRES,
    dtype: Any = np.float32,
    input_size: Pair | None = None,
    **arguments: Any,
) -> Sequential:
    """A freshly initialised network, (N, height, width, 3) -> (N, n_genres).

    ``compact`` puts out logits, ``original`` probabilities. ``arguments`` override those of the
    specification.
    """
    spec = model_spec(name)
    wanted = replace(
        spec, input_size=input_size or spec.input_size, arguments={**spec.arguments, **arguments}
    )
    return build_network(wanted, rng=rng, n_genres=n_genres, dtype=dtype)


def build_network(
    spec: ModelSpec,
    *,
    rng: np.random.Generator | int = 0,
    n_genres: int = N_GENRES,
    dtype: Any = np.float32,
) -> Sequential:
    """The network of a specification, with no argument but those that stand in it."""
    build, given = (
        _BUILDERS[spec.name],
        (spec.input_size, n_genres, check_generator("build_model", rng), dtype),
    )
    try:
        inspect.signature(build).bind(*given, **spec.arguments)
    except TypeError as error:
        raise PosterGenreError(f"the model {spec.name!r} does not take these arguments: {error}") from None
    return build(*given, **spec.arguments)


def _original(size: Pair, n_genres: int, rng: np.random.Generator, dtype: Any) -> Sequential:
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


def _compact(
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
    """A trunk, and a head that looks at every channel of the trunk's last image: at its average (how much of
    it there is) and at its maximum (whether it is there at all).

    ``stem`` filters in the first convolution (0: as many as the first stage has). ``members`` trunks, each
    with its head, stand side by side and one dense layer reads them all: what ``ensemble.py`` makes
    of networks that were trained apart.
    """
    if not widths or len(widths) != len(blocks) or min(*widths, *blocks) < 1:
        raise PosterGenreError(
            f"compact: widths and blocks need one number of at least 1 per stage, got {widths} and {blocks}"
        )
    if min(stem, last) < 0 or members < 1:
        raise PosterGenreError(
            f"compact: stem and last must be at least 0, members at least 1; got {stem}, {last}, {members}"
        )

    def member() -> dict[str, Layer]:
        layers = _trunk(size, rng, dtype, stem or widths[0], widths, blocks, last, stem_stride)
        head = {"average": GlobalAveragePool2D(), "maximum": GlobalMaxPool2D()}
        return {**layers, "head": Parallel(head, merge="concat")}

    layers = member()
    if members > 1:
        apart = [Sequential(layers), *(Sequential(member()) for _ in range(members - 1))]
        named = {f"member{number}": network for number, network in enumerate(apart, start=1)}
        layers = {"members": Parallel(named, merge="concat")}
    if dropout > 0:
        layers["dropout"] = Dropout(dropout, rng=rng)
    features = 2 * members * (last or widths[-1])
    genres = Dense(features, n_genres, rng=rng, init=normal(0.01), dtype=dtype)
    genres.parameters()["bias"].data[...] = FIRST_GUESS
    layers["genres"] = genres
    return Sequential(layers)


def _trunk(
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
    """Two 3x3 convolutions with a way around them, which at the start (last norm: zero) is all there is."""
    last_norm = BatchNorm(filters, dtype=dtype)
    last_norm.weight.data[...] = 0
    body = Sequential(
        {
            "conv1": _conv(channels, filters, rng, dtype),
            "norm1": BatchNorm(filters, dtype=dtype),
            "relu1": ReLU(),
            "conv2": _conv(filters, filters, rng, dtype),
            "norm2": last_norm,
        }
    )
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


_BUILDERS: dict[str, Callable[..., Sequential]] = {"original": _original, "compact": _compact}
