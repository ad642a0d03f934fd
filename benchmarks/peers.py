"""The two sides of a network's training step and inference: ours, and PyTorch in its several ways.

PyTorch is written as a seasoned user would write it: in-place ReLU, Adam's fused kernel, ``zero_grad`` that
drops the gradients, ``inference_mode``. Nothing in it is slowed down, nothing tuned by hand either.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import Settings, note
from benchmarks.networks import Network
from minicnn.containers import Sequential
from minicnn.fusion.rewrite import fuse
from minicnn.kernels import dispatch
from minicnn.kernels.runtime.threads import set_threads
from minicnn.layer import Layer
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.losses import BinaryCrossEntropy, BinaryCrossEntropyWithLogits
from minicnn.optim import Adam

RATE = 1e-3


@functools.cache
def missing(peer: str) -> str | None:
    """Why a peer cannot take part, or None if it can."""
    if peer == "numpy":
        return None
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed (pip install 'poster-genre[bench]')"
    if peer == "torch_compile" and not any(
        shutil.which(c) for c in (os.environ.get("CXX", ""), "g++", "clang++")
    ):
        return "torch.compile needs a C++ compiler, and neither g++ nor clang++ is on the path"
    return None


def present(peers: Sequence[str]) -> list[str]:
    """Those that can take part; the others are named, with the reason."""
    for peer in peers:
        reason = missing(peer)
        if reason is not None:
            note(f"  skipped {peer}: {reason}")
    return [peer for peer in peers if missing(peer) is None]


def use_threads(settings: Settings) -> None:
    """Equal threads for minicnn, NumPy's BLAS and, if it is there, PyTorch."""
    set_threads(settings.threads)
    if missing("torch_nchw") is None:
        import torch

        torch.set_num_threads(settings.threads)


@contextlib.contextmanager
def forced_backend(name: str | None) -> Iterator[None]:
    if name is None:
        yield
        return
    dispatch.set_backend(name)
    try:
        yield
    finally:
        dispatch.set_backend(None)


def lively(model: Layer, seed: int = 1) -> None:
    """Give every batch norm a scale, a shift and running statistics that are not those of a fresh one, so
    that a side which got them wrong would be noticed.
    """
    rng = np.random.default_rng(seed)
    for _, layer in model.layers():
        if isinstance(layer, BatchNorm):
            for array, low, high in (
                (layer.weight.data, 0.5, 1.5),
                (layer.bias.data, -0.2, 0.2),
                (layer.running_mean, -0.2, 0.2),
                (layer.running_var, 0.5, 2.0),
            ):
                array[...] = rng.uniform(low, high, array.shape)


@contextlib.contextmanager
def without_dropout(model: Layer) -> Iterator[None]:
    """Dropout draws from another generator on each side: for a comparison of outputs it is switched off."""
    layers = [layer for _, layer in model.layers() if isinstance(layer, Dropout)]
    rates = [layer.rate for layer in layers]
    try:
        for layer in layers:
            layer.rate = 0.0
        yield
    finally:
        for layer, rate in zip(layers, rates, strict=True):
            layer.rate = rate


class Ours:
    """minicnn: what the Trainer runs, ``fuse(model)``; or the plain layers on one ``backend``."""

    def __init__(
        self, network: Network, model: Sequential, x: np.ndarray, y: np.ndarray, backend: str | None = None
    ) -> None:
        self.model = model
        self.fast: Layer = model if backend else fuse(model)
        self.x, self.y, self.backend = x, y, backend
        self.loss = BinaryCrossEntropyWithLogits() if network.logits else BinaryCrossEntropy()
        self.optimizer = Adam(model.parameters(), RATE)

    def backpropagate(self) -> float:
        self.model.zero_grad()
        loss = self.loss.forward(self.fast.forward(self.x, training=True), self.y)
        self.fast.backward_parameters(self.loss.backward())
        return loss

    def step(self) -> float:
        with forced_backend(self.backend):
            loss = self.backpropagate()
            self.optimizer.step()
            return loss

    def infer(self) -> np.ndarray:
        with forced_backend(self.backend):
            return self.fast.forward(self.x)

    def gradients(self) -> dict[str, np.ndarray]:
        return {name: parameter.grad for name, parameter in self.model.parameters().items()}


class Torch:
    """The same network, weights and batch in PyTorch."""

    def __init__(
        self, network: Network, model: Sequential, x: np.ndarray, y: np.ndarray, peer: str = "torch_nchw"
    ) -> None:
        import torch

        from benchmarks.convert import Conversion

        self.torch = torch
        layout = torch.contiguous_format if peer == "torch_nchw" else torch.channels_last
        self.conversion = Conversion(model, x.shape)
        self.module: Any = self.conversion.module
        self.module.to(memory_format=layout)
        images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        self.x = images.contiguous(memory_format=layout)
        self.y = torch.from_numpy(y)
        bce = torch.nn.functional
        self.loss = bce.binary_cross_entropy_with_logits if network.logits else bce.binary_cross_entropy
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=RATE, fused=True)
        self.run: Any = self.module
        if peer == "torch_compile":
            _start_with_an_empty_cache()
            self.run = torch.compile(self.module)

    def backpropagate(self) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.run(self.x), self.y)
        loss.backward()
        return float(loss.detach())

    def step(self) -> float:
        loss = self.backpropagate()
        self.optimizer.step()
        return loss

    def infer(self) -> np.ndarray:
        with self.torch.inference_mode():
            result: np.ndarray = self.run(self.x).numpy()
            return result

    def gradients(self) -> dict[str, np.ndarray]:
        return self.conversion.gradients()


def _start_with_an_empty_cache() -> None:
    """So that the compile time is that of a first time, whatever was compiled on this machine before."""
    import torch

    torch._dynamo.reset()
    folder = tempfile.mkdtemp(prefix="inductor-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
