"""``layers``: one layer at a time, forward and backward, with its share of the peak and its error.

Backward computes the input gradient too, as inside a network, except for the first layer, whose input is the
image. Forward stores what backward needs, as in training.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.harness import (
    Case,
    DisagreementError,
    Row,
    Settings,
    Side,
    comparison_row,
    rounded,
    sgemm_peak,
    take_turns,
    warm_up,
)
from benchmarks.peers import available, forced_backend, missing, use_threads
from minicnn.containers import Sequential
from minicnn.fusion.rewrite import fuse
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, MaxPool2D
from minicnn.summary import layer_rows

BATCH = 32
ERROR_BATCH = 8
LARGEST_ERROR = 1e-2
SECONDS = 2.5
PEERS = ["torch_nchw", "torch_channels_last"]

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Subject:
    """A layer or block, and the shape of one sample. ``first``: its input is the image."""

    name: str
    shape: tuple[int, ...]
    build: Callable[[], list[Layer]]
    first: bool = False
    quick: bool = False

    def model(self) -> Sequential:
        """A new model of these layers."""
        return Sequential(self.build())


def _conv(channels: int, filters: int, kernel: int = 3, **settings: Any) -> Callable[[], list[Layer]]:
    settings = {"padding": "same", **settings}
    return lambda: [Conv2D(channels, filters, kernel, rng=0, **settings)]


def _block() -> list[Layer]:
    return [Conv2D(32, 64, 3, padding="same", bias=False, rng=0), BatchNorm(64), ReLU(), MaxPool2D(2)]


SUBJECTS = (
    Subject("conv3x3_first_3_32", (144, 96, 3), _conv(3, 32), first=True, quick=True),
    Subject("conv3x3_32_32", (144, 96, 32), _conv(32, 32)),
    Subject("conv3x3_32_64", (72, 48, 32), _conv(32, 64), quick=True),
    Subject("conv3x3_64_128", (36, 24, 64), _conv(64, 128)),
    Subject("conv3x3_128_256", (18, 12, 128), _conv(128, 256), quick=True),
    Subject("conv3x3_256_256", (9, 6, 256), _conv(256, 256)),
    Subject("conv3x3_stride2_64_128", (72, 48, 64), _conv(64, 128, stride=2, padding=1)),
    Subject("conv5x5_32_32", (72, 48, 32), _conv(32, 32, 5)),
    Subject("conv1x1_128_128", (36, 24, 128), _conv(128, 128, 1)),
    Subject("depthwise3x3_128", (36, 24, 128), _conv(128, 128, groups=128)),
    Subject("maxpool_64", (72, 48, 64), lambda: [MaxPool2D(2)]),
    Subject("averagepool_64", (72, 48, 64), lambda: [AveragePool2D(2)]),
    Subject("globalaverage_256", (18, 12, 256), lambda: [GlobalAveragePool2D()]),
    Subject("batchnorm_64", (72, 48, 64), lambda: [BatchNorm(64)], quick=True),
    Subject("batchnorm_16_large", (348, 348, 16), lambda: [BatchNorm(16)]),
    Subject("relu_64", (72, 48, 64), lambda: [ReLU()]),
    Subject("dense_1024_1024", (1024,), lambda: [Dense(1024, 1024, rng=0)]),
    Subject("dense_51200_128", (51200,), lambda: [Dense(51200, 128, rng=0)]),
    Subject("block_conv_norm_relu_pool_32_64", (72, 48, 32), _block, quick=True),
)


def cases() -> list[Case]:
    """A case for each subject and direction."""
    result = []
    for subject in SUBJECTS:
        # Computed once for both directions.
        errors = functools.cache(functools.partial(_errors, subject))
        for direction in ("forward", "backward"):
            run = functools.partial(_measure, subject, direction, errors)
            result.append(Case(f"layers/{subject.name}/{direction}", run, subject.quick, 4.0))
    return result


def _measure(
    subject: Subject,
    direction: str,
    errors: Callable[[], Mapping[str, Mapping[str, float]]],
    settings: Settings,
) -> Row:
    use_threads(settings)
    name = f"layers/{subject.name}/{direction}"
    peers = available(PEERS)
    direction_errors = {side: parts[direction] for side, parts in errors().items()}
    if not direction_errors["ours"] <= LARGEST_ERROR:
        raise DisagreementError(f"{name}: minicnn's error against float64 is {direction_errors['ours']:.2g}")
    model = subject.model()
    x, dy = _arrays(subject, model, BATCH)
    sides = [_our_side(subject, model, x, dy, direction)]
    sides += [_torch_side(subject, peer, model, x, dy, direction) for peer in peers]
    started = warm_up(sides)
    seconds = take_turns(sides, settings.budget(SECONDS))
    operations, unit = _work(subject, model, direction, len(x))
    result = comparison_row(name, unit, seconds, work=operations * 1e-9, threads=settings.threads)
    if unit == "GFLOP/s":
        peak = sgemm_peak(settings.threads)
        result["sgemm_peak"] = rounded(peak)
        result["share_of_sgemm_peak"] = rounded(result["ours"] / peak)
    result["relative_error"] = {side: rounded(error, 2) for side, error in direction_errors.items()}
    result["warm_up_s"] = {side: rounded(value) for side, value in started.items()}
    return result


def _work(subject: Subject, model: Sequential, direction: str, batch: int) -> tuple[float, str]:
    """Operations of one repetition and their unit.

    A convolution has its multiplications and additions by the definition, whatever the algorithm. For a layer
    that multiplies by no weights the numbers of its input are counted.
    """
    products = sum(row.multiply_adds for row in layer_rows(model, subject.shape))
    if not products:
        return float(batch * np.prod(subject.shape)), "Gvalue/s"
    gradients = 1 if subject.first else 2
    return 2.0 * batch * products * (1 if direction == "forward" else gradients), "GFLOP/s"


def _arrays(subject: Subject, model: Sequential, batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *subject.shape), dtype=np.float32)
    return x, rng.standard_normal(model.output_shape(x.shape), dtype=np.float32)


def _our_side(subject: Subject, model: Sequential, x: np.ndarray, dy: np.ndarray, direction: str) -> Side:
    fast = fuse(model)

    def forward() -> np.ndarray:
        return fast.forward(x, training=True)

    def prepare() -> None:
        model.zero_grad()
        forward()

    if direction == "forward":
        return Side("ours", forward)
    backward = fast.backward_parameters if subject.first else fast.backward
    return Side("ours", lambda: backward(dy), prepare)


def _torch_side(
    subject: Subject, peer: str, model: Sequential, x: np.ndarray, dy: np.ndarray, direction: str
) -> Side:
    peer_layer = _TorchLayer(subject, peer, model, x, dy)
    if direction == "forward":
        return Side(peer, peer_layer.forward)
    return Side(peer, peer_layer.backward, peer_layer.prepare)


class _TorchLayer:
    """The subject in PyTorch, with the same weights, input and upstream gradient."""

    def __init__(self, subject: Subject, peer: str, model: Sequential, x: np.ndarray, dy: np.ndarray) -> None:
        import torch

        from benchmarks.convert import Conversion

        self.layout = torch.contiguous_format if peer == "torch_nchw" else torch.channels_last
        self.conversion = Conversion(model, x.shape)
        self.module: Any = self.conversion.module
        self.module.to(memory_format=self.layout)
        self.x = self._tensor(x)
        self.x.requires_grad_(not subject.first)
        self.dy = self._tensor(dy)

    def _tensor(self, array: np.ndarray) -> Any:
        import torch

        if array.ndim != 4:
            return torch.from_numpy(array)
        images = torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))
        return images.contiguous(memory_format=self.layout)

    def forward(self) -> Any:
        """The output, recorded for backward."""
        return self.module(self.x)

    def prepare(self) -> None:
        """A forward pass without old gradients, so that ``backward`` can run."""
        self.module.zero_grad(set_to_none=True)
        self.x.grad = None
        self.y = self.module(self.x)

    def backward(self) -> None:
        """The gradients of the last forward pass."""
        self.y.backward(self.dy)

    def results(self) -> Arrays:
        """Output and gradients, with minicnn's names and shapes."""
        self.prepare()
        self.backward()
        arrays = {"y": self._array(self.y), **self.conversion.gradients()}
        if self.x.grad is not None:
            arrays["dx"] = self._array(self.x.grad)
        return arrays

    @staticmethod
    def _array(tensor: Any) -> np.ndarray:
        array: np.ndarray = tensor.detach().numpy()
        return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def _errors(subject: Subject) -> dict[str, dict[str, float]]:
    """||a - exact|| / ||exact|| of each side in float32, where exact is minicnn's NumPy backend in float64.

    For backward the largest over the gradients of the input and the parameters. The batch is smaller than the
    timed one.
    """
    model = subject.model()
    x, dy = _arrays(subject, model, ERROR_BATCH)
    exact = _results(_in_float64(model), x.astype(np.float64), dy.astype(np.float64), "numpy")
    results = {"ours": _results(model, x, dy, None)}
    for peer in PEERS:
        if missing(peer) is None:
            results[peer] = _TorchLayer(subject, peer, model, x, dy).results()
    return {
        side: {
            "forward": _error(arrays["y"], exact["y"]),
            "backward": max(_error(arrays[key], exact[key]) for key in arrays if key != "y"),
        }
        for side, arrays in results.items()
    }


def _results(model: Sequential, x: np.ndarray, dy: np.ndarray, backend: str | None) -> Arrays:
    runs: Layer = model if backend else fuse(model)
    with forced_backend(backend):
        model.zero_grad()
        y = runs.forward(x, training=True)
        dx = runs.backward(dy)
    return {"y": y, "dx": dx, **{name: p.grad for name, p in model.parameters().items()}}


def _in_float64(model: Sequential) -> Sequential:
    """The same layers with the same numbers, in double precision."""
    double = copy.deepcopy(model)
    for parameter in double.parameters().values():
        parameter.data = parameter.data.astype(np.float64)
        parameter.grad = np.zeros_like(parameter.data)
    return double


def _error(array: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(array - exact) / np.linalg.norm(exact))
