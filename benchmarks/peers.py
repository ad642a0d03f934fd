"""The sides of a network's training step and inference: minicnn, and PyTorch in several layouts and modes.

PyTorch is written as an experienced user would write it: in-place ReLU, Adam's fused kernel, ``zero_grad``
that drops the gradients, ``inference_mode``, and no tuning by hand.
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
from minicnn.kernels.runtime.thread_count import set_threads
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


def available(peers: Sequence[str]) -> list[str]:
    """Those that can take part; for the others the reason is printed."""
    for peer in peers:
        reason = missing(peer)
        if reason is not None:
            note(f"  skipped {peer}: {reason}")
    return [peer for peer in peers if missing(peer) is None]


def use_threads(settings: Settings) -> None:
    """The same number of threads for minicnn, NumPy's BLAS and, if it is installed, PyTorch."""
    set_threads(settings.threads)
    if missing("torch_nchw") is None:
        import torch

        torch.set_num_threads(settings.threads)


@contextlib.contextmanager
def forced_backend(name: str | None) -> Iterator[None]:
    """Inside, minicnn uses this backend; None changes nothing."""
    if name is None:
        yield
        return
    dispatch.set_backend(name)
    try:
        yield
    finally:
        dispatch.set_backend(None)


def randomize_norms(model: Layer, seed: int = 1) -> None:
    """Give every batch norm a random scale, shift and running statistics.

    With the initial ones a side that ignores them would agree all the same.
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
    """Inside, dropout is off: each side has its own random masks, so outputs could not be compared."""
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
    """minicnn: ``fuse(model)``, which the Trainer runs; or the layers one by one with a ``backend``."""

    def __init__(
        self, network: Network, model: Sequential, x: np.ndarray, y: np.ndarray, backend: str | None = None
    ) -> None:
        self.model = model
        self.fast: Layer = model if backend else fuse(model)
        self.x, self.y, self.backend = x, y, backend
        self.loss = BinaryCrossEntropyWithLogits() if network.logits else BinaryCrossEntropy()
        self.optimizer = Adam(model.parameters(), RATE)

    def backpropagate(self) -> float:
        """Forward, loss and backward; the loss."""
        self.model.zero_grad()
        loss = self.loss.forward(self.fast.forward(self.x, training=True), self.y)
        self.fast.backward_parameters(self.loss.backward())
        return loss

    def step(self) -> float:
        """One training step; the loss."""
        with forced_backend(self.backend):
            loss = self.backpropagate()
            self.optimizer.step()
            return loss

    def infer(self) -> np.ndarray:
        """The outputs (N, 25) for the batch."""
        with forced_backend(self.backend):
            return self.fast.forward(self.x)

    def gradients(self) -> dict[str, np.ndarray]:
        """The parameters' gradients, with minicnn's names and shapes."""
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
        """Forward, loss and backward; the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.run(self.x), self.y)
        loss.backward()
        return float(loss.detach())

    def step(self) -> float:
        """One training step; the loss."""
        loss = self.backpropagate()
        self.optimizer.step()
        return loss

    def infer(self) -> np.ndarray:
        """The outputs (N, 25) for the batch."""
        with self.torch.inference_mode():
            result: np.ndarray = self.run(self.x).numpy()
            return result

    def gradients(self) -> dict[str, np.ndarray]:
        """The parameters' gradients, with minicnn's names and shapes."""
        return self.conversion.gradients()


def _start_with_an_empty_cache() -> None:
    """Make the compile time that of a first run, whatever was compiled on this machine before."""
    import torch

    torch._dynamo.reset()
    folder = tempfile.mkdtemp(prefix="inductor-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
