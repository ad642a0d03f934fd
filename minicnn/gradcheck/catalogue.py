"""What ``python -m minicnn.gradcheck`` checks in float64: every layer, container and loss in its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.fusion.block import Block
from minicnn.fusion.sequential import FusedSequential
from minicnn.gradcheck.checks import Result, check_layer, check_loss, check_model
from minicnn.gradcheck.numerical import spread_input
from minicnn.gradcheck.planted_bugs import PlantedBug, PlantedLossBug
from minicnn.layer import Layer
from minicnn.layers.activation import (
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity
from minicnn.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)

F64 = np.float64
Build = Callable[[str | None], Layer]
IMAGE = (2, 5, 4, 2)


@dataclass(frozen=True)
class LayerCase:
    """A layer in one setting. ``build`` takes a backend where the layer has several (``choices``)."""

    subject: str
    setting: str
    build: Build
    shape: tuple[int, ...] = IMAGE
    training: bool = True
    choices: bool = False

    dtype = "float64"

    def tensors(self) -> list[str]:
        """Names of the gradients to check."""
        return ["x", *self.build(None).parameters()]

    def algorithm(self, backend: str | None, tensor: str) -> str:
        """The kernel that computes ``tensor``, or "-"."""
        return algorithm_of(self.build(backend), self.shape, tensor)

    def run(self, backend: str | None, bug: str | None = None) -> list[Result]:
        """Check every tensor; with ``bug`` only that one, its gradient disturbed."""
        layer = self.build(backend)
        return check_layer(
            layer if bug is None else PlantedBug(layer, bug),
            self.shape,
            rng=1,
            training=self.training,
            tensors=None if bug is None else [bug],
            name=self.subject,
        )


@dataclass(frozen=True)
class LossCase:
    """A loss in one setting, at one prediction."""

    subject: str
    setting: str
    loss: Loss
    prediction: np.ndarray
    target: np.ndarray
    sample_weight: np.ndarray | None = None
    choices: bool = False
    dtype = "float64"

    def tensors(self) -> list[str]:
        """Names of the gradients to check."""
        return ["prediction"]

    def algorithm(self, backend: str | None, tensor: str) -> str:
        """The kernel that computes ``tensor``, or "-"."""
        return "-"

    def run(self, backend: str | None, bug: str | None = None) -> list[Result]:
        """Check the gradient; with ``bug`` a disturbed one."""
        loss = self.loss if bug is None else PlantedLossBug(self.loss)
        return check_loss(loss, self.prediction, self.target, self.sample_weight, name=self.subject)


@dataclass(frozen=True)
class ModelCase:
    """A whole network with its loss on top."""

    subject: str
    setting: str
    build: Build
    loss: Loss
    shape: tuple[int, ...]
    target: np.ndarray
    choices: bool = True
    dtype = "float64"

    def tensors(self) -> list[str]:
        """Names of the gradients to check."""
        return ["x", *self.build(None).parameters()]

    def algorithm(self, backend: str | None, tensor: str) -> str:
        """The kernel that computes ``tensor``, or "-"."""
        return "-"

    def run(self, backend: str | None, bug: str | None = None) -> list[Result]:
        """Check every tensor; with ``bug`` only that one, its gradient disturbed."""
        model = self.build(backend)
        return check_model(
            model if bug is None else PlantedBug(model, bug),
            self.loss,
            spread_input(self.shape, 1),
            self.target,
            tensors=None if bug is None else [bug],
            name=self.subject,
        )


Case = LayerCase | LossCase | ModelCase


def cases() -> list[Case]:
    """All cases in the order of the table."""
    return [*_convolutions(), *_pools(), *_plain_layers(), *_normalisations(), *_containers(), *_losses()]


def algorithm_of(layer: Layer, shape: tuple[int, ...], tensor: str) -> str:
    """Which of the compiled convolutions computes ``tensor``; "fused" for blocks, "-" for the rest."""
    if isinstance(layer, FusedSequential) and any(isinstance(step, Block) for step in layer.steps):
        return "fused"
    if not isinstance(layer, Conv2D) or layer.backend != "numba":
        return "-"
    from minicnn.kernels import algorithms

    geometry, dtype = layer.geometry(shape), layer.weight.data.dtype
    if tensor == "x":
        return algorithms.input_gradient_algorithm(geometry, dtype)
    return "-" if tensor == "bias" else algorithms.choose(geometry, dtype).name


def _randomized(layer: Layer) -> Layer:
    """The layer with random biases and statistics, in place of the ones and zeros of a new one."""
    rng = np.random.default_rng(5)
    for name, parameter in layer.parameters().items():
        if name.rpartition(".")[2] == "bias" or parameter.data.ndim == 1:
            parameter.data[...] = rng.uniform(0.5, 1.5, parameter.data.shape)
    for array in layer.state().values():
        array[...] = rng.uniform(0.5, 1.5, array.shape)
    return layer


def conv(
    channels: int, backend: str | None, *, filters: int, size: Any, dtype: Any = F64, **settings: Any
) -> Layer:
    """A convolution of ``channels`` inputs to ``filters`` outputs, float64 unless ``dtype`` is given, with
    random weights and biases; ``settings`` are those of Conv2D.
    """
    return _randomized(Conv2D(channels, filters, size, rng=2, dtype=dtype, backend=backend, **settings))


def _dense(inputs: int, outputs: int, rng: int = 2, **settings: Any) -> Layer:
    return _randomized(Dense(inputs, outputs, rng=rng, dtype=F64, **settings))


def norm(features: int, backend: str | None, dtype: Any = F64) -> Layer:
    """A batch normalisation of ``features`` channels with random parameters and running statistics."""
    return _randomized(BatchNorm(features, dtype=dtype, backend=backend))


def with_backend(kind: Callable[..., Layer], backend: str | None, **settings: Any) -> Layer:
    """A layer of the class ``kind``; ``partial(with_backend, kind, ...)`` is a function of the backend."""
    return kind(backend=backend, **settings)


def _made(kind: Callable[..., Layer], *arguments: Any, **settings: Any) -> Build:
    """How to build a layer that has no choice of backends."""
    return lambda backend: kind(*arguments, **settings)


def _convolutions() -> Iterator[Case]:
    settings: dict[str, dict[str, Any]] = {
        "3x3": {},
        "3x2, stride 2": {"size": (3, 2), "stride": 2},
        "3x3, same": {"padding": "same"},
        "3x3, same, stride 2x3": {"padding": "same", "stride": (2, 3)},
        "2x2, uneven padding": {"size": 2, "padding": ((1, 0), (2, 1))},
        "2x2, dilation 2x1": {"size": 2, "dilation": (2, 1)},
        "1x1, no bias": {"size": 1, "bias": False},
        "3x3, 2 groups": {"filters": 4, "groups": 2},
        "3x3, same, depthwise": {"filters": 2, "groups": 2, "padding": "same"},
    }
    for setting, options in settings.items():
        build = partial(conv, 2, **{"filters": 3, "size": 3, **options})
        yield LayerCase("Conv2D", setting, build, choices=True)


def _pools() -> Iterator[Case]:
    settings: dict[str, dict[str, Any]] = {
        "2": {},
        "3, stride 2, same": {"size": 3, "stride": 2, "padding": "same"},
        "3x2, stride 1, padding 1": {"size": (3, 2), "stride": 1, "padding": 1},
    }
    for pool in (MaxPool2D, AveragePool2D):
        for setting, options in settings.items():
            yield LayerCase(pool.__name__, setting, partial(with_backend, pool, **options), choices=True)
    for kind in (GlobalAveragePool2D, GlobalMaxPool2D):
        for keepdims in (False, True):
            yield LayerCase(kind.__name__, f"keepdims={keepdims}", _made(kind, keepdims=keepdims))


def _plain_layers() -> Iterator[Case]:
    yield LayerCase("Dense", "", lambda b: _dense(5, 4), (3, 5))
    yield LayerCase("Dense", "no bias", lambda b: _dense(5, 4, bias=False), (3, 5))
    yield LayerCase("ReLU", "", partial(with_backend, ReLU), choices=True)
    for activation in (LeakyReLU, SiLU, Sigmoid, Tanh, Softmax):
        yield LayerCase(activation.__name__, "", _made(activation))
    yield LayerCase("Dropout", "0.4, training", _made(Dropout, 0.4, rng=2))
    yield LayerCase("Dropout", "0.4, inference", _made(Dropout, 0.4, rng=2), training=False)
    yield LayerCase("Flatten", "", _made(Flatten))
    yield LayerCase("Identity", "", _made(Identity))


def _normalisations() -> Iterator[Case]:
    for training in (True, False):
        mode = "training" if training else "inference"
        for shape in ((6, 3), (2, 3, 2, 3)):
            setting = f"{len(shape)}-D, {mode}"
            yield LayerCase("BatchNorm", setting, partial(norm, 3), shape, training, choices=True)


def _gated(backend: str | None) -> Layer:
    """Squeeze and excitation: the image times a number from 0 to 1 for each channel."""
    gate = Sequential(
        [
            GlobalAveragePool2D(keepdims=True),
            conv(2, backend, filters=1, size=1),
            SiLU(),
            conv(1, backend, filters=2, size=1),
            Sigmoid(),
        ]
    )
    return Parallel({"image": Identity(), "gate": gate}, merge="multiply")


def _merged(merge: str) -> Build:
    return lambda backend: Parallel(
        [_dense(4, 3), Sequential([_dense(4, 3, rng=3), Tanh()]), _dense(4, 3, rng=4)], merge=merge
    )


def _projected(backend: str | None) -> Layer:
    body = conv(2, backend, filters=3, size=3, stride=2, padding="same")
    return Residual(body, conv(2, backend, filters=3, size=1, stride=2))


def _small_network(backend: str | None) -> Layer:
    """One of everything that a residual network is made of, in 4x4 pixels."""
    body = Sequential([conv(3, backend, filters=3, size=1, bias=False), norm(3, backend)])
    return Sequential(
        {
            "conv": conv(2, backend, filters=3, size=3, padding="same", bias=False),
            "norm": norm(3, backend),
            "act": ReLU(backend=backend),
            "pool": MaxPool2D(2, backend=backend),
            "block": Residual(body),
            "average": GlobalAveragePool2D(),
            "dropout": Dropout(0.3, rng=3),
            "dense": _dense(3, 2),
        }
    )


def _containers() -> Iterator[Case]:
    chain = LayerCase(
        "Sequential", "Dense, Tanh, Dense", lambda b: Sequential([_dense(4, 3), Tanh(), _dense(3, 2)]), (3, 4)
    )
    yield chain
    yield LayerCase("Residual", "identity", lambda b: Residual(_dense(4, 4)), (3, 4))
    yield LayerCase("Residual", "projection", _projected, choices=True)
    for merge in Parallel.MERGES:
        yield LayerCase("Parallel", merge, _merged(merge), (3, 4))
    yield LayerCase("Parallel", "squeeze and excitation", _gated, choices=True)
    target, loss = np.array([[1, 0], [0, 1], [1, 1]]), BinaryCrossEntropyWithLogits()
    yield ModelCase("Sequential", "small network + loss", _small_network, loss, (3, 4, 4, 2), target)


def _losses() -> Iterator[Case]:
    rng = np.random.default_rng(6)
    shape = (4, 3)
    logits = spread_input(shape, rng) * 2
    labels, soft = rng.integers(0, 2, shape), rng.uniform(0, 1, shape)
    weight = rng.uniform(0.5, 2, 4)
    probabilities = spread_input(shape, rng) * 0.2 + 0.5
    logit_loss, asymmetric, softmax = BinaryCrossEntropyWithLogits, AsymmetricLoss, SoftmaxCrossEntropy

    def case(loss: Loss, setting: str, p: np.ndarray, t: np.ndarray, w: np.ndarray | None = None) -> Case:
        return LossCase(type(loss).__name__, setting, loss, p, t, w)

    yield case(BinaryCrossEntropy(), "", probabilities, labels)
    yield case(BinaryCrossEntropy(0.1), "smoothing, weights", probabilities, labels, weight)
    yield case(logit_loss(), "", logits, labels)
    yield case(logit_loss(), "soft targets", logits, soft)
    yield case(logit_loss(np.array([1, 2, 5]), 0.1), "positive and sample weights", logits, labels, weight)
    yield case(asymmetric(), "gammas 0 and 4, margin", logits, labels)
    yield case(asymmetric(1, 3, 0.1, 0.1), "smoothing, weights", logits, labels, weight)
    yield case(asymmetric(2, 2, 0), "focal", logits, labels)
    yield case(softmax(), "class numbers", logits, rng.integers(0, 3, 4))
    yield case(softmax(0.1), "soft targets, weights", logits, soft / soft.sum(axis=1, keepdims=True), weight)
    yield case(softmax(), "4-D", spread_input(IMAGE, rng), rng.integers(0, 2, IMAGE[:-1]))
    yield case(MeanSquaredError(), "", logits, soft)
    yield case(MeanSquaredError(), "weights", logits, soft, weight)
