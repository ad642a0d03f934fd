"""Every layer and every container, as the common tests build them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
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


@dataclass
class Case:
    name: str
    build: Callable[[Any], Layer]  # takes the dtype
    shape: tuple[int, ...]
    wrong: tuple[tuple[int, ...], ...]  # shapes that it must refuse
    kind: str = ""  # whose name the error must give, where it is not that of the layer itself

    def names(self) -> str:
        return self.kind or type(self.build(np.float64)).__name__


def squeeze_and_excitation(dtype: Any) -> Layer:
    gate = Sequential(
        [
            GlobalAveragePool2D(keepdims=True),
            Conv2D(4, 2, 1, rng=0, dtype=dtype),
            ReLU(),
            Conv2D(2, 4, 1, rng=1, dtype=dtype),
            Sigmoid(),
        ]
    )
    return Parallel([Identity(), gate], merge="multiply")


def small_network(dtype: Any) -> Layer:
    body = Sequential([Conv2D(4, 4, 3, padding="same", rng=1, dtype=dtype), BatchNorm(4, dtype=dtype)])
    return Sequential(
        {
            "conv": Conv2D(4, 4, 3, rng=0, dtype=dtype),
            "act": ReLU(),
            "block": Residual(body),
            "pool": MaxPool2D(2),
            "flat": Flatten(),
            "dense": Dense(8, 3, rng=2, dtype=dtype),
        }
    )


def conv(**settings: Any) -> Callable[[Any], Layer]:
    return lambda dtype: Conv2D(4, 6, 3, rng=0, dtype=dtype, **settings)


IMAGE = (3, 6, 5, 4)
FLAT = (5, 4)
NOT_IMAGES = ((3, 6, 4), (3, 4), (3, 6, 5, 4, 1))
NOT_FOUR_CHANNELS = (*NOT_IMAGES, (3, 6, 5, 3))
CASES = [
    Case("Conv2D", conv(), IMAGE, NOT_FOUR_CHANNELS),
    Case("Conv2D stride same", conv(stride=2, padding="same"), IMAGE, NOT_FOUR_CHANNELS),
    Case("Conv2D dilation groups", conv(dilation=2, groups=2, bias=False), IMAGE, NOT_FOUR_CHANNELS),
    Case(
        "Conv2D depthwise",
        lambda d: Conv2D(4, 4, 3, groups=4, padding=1, rng=0, dtype=d),
        IMAGE,
        NOT_FOUR_CHANNELS,
    ),
    Case("MaxPool2D", lambda d: MaxPool2D(2), IMAGE, NOT_IMAGES),
    Case("MaxPool2D same", lambda d: MaxPool2D(3, stride=2, padding="same"), IMAGE, NOT_IMAGES),
    Case("AveragePool2D", lambda d: AveragePool2D(2), IMAGE, NOT_IMAGES),
    Case("AveragePool2D padded", lambda d: AveragePool2D(3, stride=1, padding=1), IMAGE, NOT_IMAGES),
    Case("GlobalAveragePool2D", lambda d: GlobalAveragePool2D(), IMAGE, NOT_IMAGES),
    Case("GlobalAveragePool2D keepdims", lambda d: GlobalAveragePool2D(keepdims=True), IMAGE, NOT_IMAGES),
    Case("GlobalMaxPool2D", lambda d: GlobalMaxPool2D(), IMAGE, NOT_IMAGES),
    Case("Dense", lambda d: Dense(4, 3, rng=0, dtype=d), FLAT, ((5, 3), (5,), (5, 1, 4))),
    Case("Dense no bias", lambda d: Dense(4, 3, bias=False, rng=0, dtype=d), FLAT, ((5, 3), (5,), (5, 1, 4))),
    Case("BatchNorm 2-D", lambda d: BatchNorm(4, dtype=d), FLAT, ((5, 3), (5,), (5, 1, 4))),
    Case("BatchNorm 4-D", lambda d: BatchNorm(4, dtype=d), IMAGE, ((3, 6, 4), (3, 6, 5, 3))),
    Case("Dropout", lambda d: Dropout(0.4, rng=0), IMAGE, ((),)),
    Case("Flatten", lambda d: Flatten(), IMAGE, ((5,),)),
    Case("Identity", lambda d: Identity(), IMAGE, ((),)),
    Case("ReLU", lambda d: ReLU(), IMAGE, ((),)),
    Case("LeakyReLU", lambda d: LeakyReLU(0.2), IMAGE, ((),)),
    Case("SiLU", lambda d: SiLU(), IMAGE, ((),)),
    Case("Sigmoid", lambda d: Sigmoid(), IMAGE, ((),)),
    Case("Tanh", lambda d: Tanh(), IMAGE, ((),)),
    Case("Softmax", lambda d: Softmax(), FLAT, ((5,),)),
    Case("Sequential", small_network, IMAGE, NOT_FOUR_CHANNELS, "Conv2D"),
    Case("Residual", lambda d: Residual(Dense(4, 4, rng=0, dtype=d)), FLAT, ((5, 3), (5,)), "Dense"),
    Case(
        "Residual projection",
        lambda d: Residual(conv(stride=2, padding="same")(d), Conv2D(4, 6, 1, stride=2, rng=1, dtype=d)),
        IMAGE,
        NOT_FOUR_CHANNELS,
        "Conv2D",
    ),
    *(
        Case(
            f"Parallel {merge}",
            lambda d, merge=merge: Parallel(
                [Dense(4, 3, rng=0, dtype=d), Sequential([Dense(4, 3, rng=1, dtype=d), Tanh()])], merge
            ),
            FLAT,
            ((5, 3), (5,)),
            "Dense",
        )
        for merge in ("sum", "concat", "multiply")
    ),
    Case("Parallel of one", lambda d: Parallel([Dense(4, 3, rng=0, dtype=d)]), FLAT, ((5, 3),), "Dense"),
    Case("Parallel gate", squeeze_and_excitation, IMAGE, NOT_FOUR_CHANNELS, "2D"),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(case: Case, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(case.shape).astype(dtype)
