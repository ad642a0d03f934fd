"""What ``python -m minicnn.gradcheck`` checks in float32: the compiled kernels that train a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from minicnn.containers import Sequential
from minicnn.fusion.rewrite import fuse
from minicnn.gradcheck.catalogue import F64, algorithm_of, conv, norm, with_backend
from minicnn.gradcheck.checks import Result, check_float32
from minicnn.gradcheck.planted_bugs import PlantedBug
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU
from minicnn.layers.pooling import AveragePool2D, MaxPool2D


@dataclass(frozen=True)
class Float32Case:
    """A layer as it trains, float32 with compiled kernels, compared with a float64 twin of NumPy kernels.

    ``build`` takes a dtype and a backend; the twin's own gradients are a ``LayerCase``'s. With ``fused`` the
    layer is what ``fuse`` makes of it.
    """

    subject: str
    setting: str
    build: Callable[[Any, str], Layer]
    shape: tuple[int, ...]
    training: bool = True
    fused: bool = False
    dtype = "float32"

    def layer(self) -> Layer:
        """The layer as it trains."""
        layer = self.build(np.float32, "numba")
        return fuse(layer) if self.fused else layer

    def tensors(self) -> list[str]:
        """Names of the gradients to check."""
        return ["x", *self.layer().parameters()]

    def algorithm(self, backend: str | None, tensor: str) -> str:
        """The kernel that computes ``tensor``, or "-"."""
        return algorithm_of(self.layer(), self.shape, tensor)

    def run(self, backend: str | None, bug: str | None = None) -> list[Result]:
        """Check the output "y" and every gradient; with ``bug`` only that one, disturbed."""
        layer = self.layer()
        results = check_float32(
            layer if bug is None else PlantedBug(layer, bug),
            self.build(F64, "numpy"),
            self.shape,
            rng=1,
            training=self.training,
            name=self.subject,
        )
        return [result for result in results if bug is None or result.tensor == bug]


def float32_cases() -> list[Float32Case]:
    """All cases in the order of the table; without fused blocks where Numba is disabled."""
    # Fused blocks are made of machine instructions, which Python cannot run in the place of Numba.
    compiled = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
    return [*_layers(), *(_fused_blocks() if compiled else ())]


def _layers() -> Iterator[Float32Case]:
    """Shapes and settings for which each algorithm of ``kernels/algorithms.py`` is chosen."""
    wide = (2, 9, 7, 8)
    settings: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
        "3x3, 8 -> 9 channels": (wide, {"filters": 9}),
        "3x3, same, 8 -> 17": (wide, {"filters": 17, "padding": "same"}),
        "3x3, same, 3 -> 8": ((2, 9, 7, 3), {"filters": 8, "padding": "same"}),
        "5x5, 8 -> 9": (wide, {"filters": 9, "size": 5, "padding": 2}),
        "3x3, same, stride 2": (wide, {"filters": 9, "padding": "same", "stride": 2}),
        "1x1, 8 -> 9": (wide, {"filters": 9, "size": 1}),
        "3x3, 2 groups": (wide, {"filters": 4, "groups": 2}),
        "3x3, dilation 2": (wide, {"filters": 9, "dilation": 2}),
        "3x3, same, depthwise": (wide, {"filters": 8, "groups": 8, "padding": "same"}),
    }
    for setting, (shape, options) in settings.items():
        build = partial(_convolution, shape[3], **{"size": 3, **options})
        yield Float32Case("Conv2D", setting, build, shape)
    for pool in (MaxPool2D, AveragePool2D):
        yield Float32Case(pool.__name__, "2", partial(_pool, pool, size=2), wide)
        overlapping = partial(_pool, pool, size=3, stride=2, padding="same")
        yield Float32Case(pool.__name__, "3, stride 2, same", overlapping, wide)
    yield Float32Case("ReLU", "", lambda d, b: ReLU(backend=b), wide)
    for training in (True, False):
        mode = "4-D, training" if training else "4-D, inference"
        # More rows than the kernel sums at a time.
        yield Float32Case("BatchNorm", mode, lambda d, b: norm(5, b, d), (3, 14, 14, 5), training)


def _convolution(channels: int, dtype: Any, backend: str, **settings: Any) -> Layer:
    return conv(channels, backend, dtype=dtype, **settings)


def _pool(kind: Callable[..., Layer], dtype: Any, backend: str, **settings: Any) -> Layer:
    return with_backend(kind, backend, **settings)  # a pool takes any dtype


def _block(channels: int, filters: int, order: str, dtype: Any, backend: str) -> list[Layer]:
    """Conv2D and, in the given order, N for batch norm, R for ReLU, P for the pool."""
    # A bias just before a batch norm has no gradient, and only rounding would be compared.
    bias = order[0] != "N"
    made: dict[str, Callable[[], Layer]] = {
        "N": lambda: norm(filters, backend, dtype),
        "R": lambda: ReLU(backend=backend),
        "P": lambda: MaxPool2D(2, backend=backend),
    }
    first = conv(channels, backend, filters=filters, size=3, padding="same", bias=bias, dtype=dtype)
    return [first, *(made[letter]() for letter in order)]


def _chain(blocks: tuple[tuple[int, str], ...], dtype: Any, backend: str) -> Layer:
    layers: list[Layer] = []
    channels = 3
    for filters, order in blocks:
        layers += _block(channels, filters, order, dtype, backend)
        channels = filters
    return Sequential(layers)


def _fused_blocks() -> Iterator[Float32Case]:
    """What ``fuse`` makes of convolution, batch norm, ReLU and max pooling in a row."""
    chains: dict[str, tuple[tuple[int, str], ...]] = {
        "conv, norm": ((16, "N"),),
        "conv, norm, ReLU": ((16, "NR"),),
        "conv, norm, ReLU, pool": ((16, "NRP"),),
        "the same, 19 channels": ((19, "NRP"),),
        "conv, ReLU, norm, pool": ((16, "RNP"),),
        "two blocks": ((16, "NRP"), (19, "NRP")),
    }
    for setting, blocks in chains.items():
        yield Float32Case("FusedSequential", setting, partial(_chain, blocks), (2, 6, 8, 3), fused=True)
