"""Training with the fast kernels: the curve of the reference kernels, the same bits every time."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tests
from minicnn.containers import Residual, Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.fusion.rewrite import SWITCH, blocks_of
from minicnn.kernels import dispatch
from minicnn.kernels.runtime.thread_count import get_threads, set_threads
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, MaxPool2D
from minicnn.losses import BinaryCrossEntropyWithLogits
from minicnn.optim import SGD
from minicnn.training.callbacks import Callback
from minicnn.training.divergence import DivergedError
from minicnn.training.trainer import Trainer
from tests.minicnn.training.small_run import same_weights, weights


class Losses(Callback):
    """The loss of every step."""

    def __init__(self):
        self.all = []

    def on_batch_end(self, trainer, loss, samples):
        self.all.append(loss)


def make_model():
    """Every kind of block: pooled; without ReLU, in a residual; strided, with the ReLU before the norm."""
    body = [Conv2D(WIDTH, WIDTH, 3, padding="same", rng=2), BatchNorm(WIDTH)]
    return Sequential(
        [
            *(Conv2D(3, WIDTH, 3, padding="same", rng=1), BatchNorm(WIDTH), ReLU(), MaxPool2D(2)),
            *(Residual(Sequential(body)), ReLU()),
            *(Conv2D(WIDTH, WIDTH + 3, 3, stride=2, padding="same", rng=3), ReLU(), BatchNorm(WIDTH + 3)),
            *(GlobalAveragePool2D(), Dropout(0.2, rng=4), Dense(WIDTH + 3, 2, rng=5)),
        ]
    )


def train(size=(14, 11), samples=18, epochs=4, lr=0.05):
    """The losses of a run of 3 * ``epochs`` steps, and its trainer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, *size, 3)).astype(np.float32)
    y = np.stack([x.mean(axis=(1, 2, 3)) > 0, x[:, :4].std(axis=(1, 2, 3)) > 1], axis=1).astype(np.float32)
    model, losses = make_model(), Losses()
    optimizer = SGD(model.parameters(), lr, momentum=0.9)
    trainer = Trainer(model, BinaryCrossEntropyWithLogits(), optimizer, seed=3, callbacks=[losses])
    trainer.fit(DataLoader(ArrayDataset(x, y), math.ceil(samples / 3), shuffle=True), epochs)
    return np.array(losses.all), trainer


@pytest.fixture
def backend():
    yield dispatch.set_backend
    dispatch.set_backend(None)


def test_the_network_trained_here_has_blocks_of_every_kind():
    blocks = [[type(layer).__name__ for layer in block.members] for block in blocks_of(make_model())]
    assert blocks == [
        ["Conv2D", "BatchNorm", "ReLU", "MaxPool2D"],
        ["Conv2D", "BatchNorm"],
        ["Conv2D", "ReLU", "BatchNorm"],
    ]


def test_the_curve_and_the_weights_are_those_of_numpys_layers_one_by_one(backend, monkeypatch):
    fast, trainer = train()
    learnt = weights(trainer.model)
    assert fast[-3:].mean() < 0.8 * fast[:3].mean()
    monkeypatch.setenv(SWITCH, "off")
    backend("numpy")
    slow, trainer = train()
    np.testing.assert_allclose(fast, slow, rtol=1e-4)
    for name, array in weights(trainer.model).items():
        np.testing.assert_allclose(learnt[name], array, atol=1e-4 * max(1, np.abs(array).max()), err_msg=name)


def test_the_first_steps_are_those_of_the_textbooks_loops(backend, monkeypatch):
    fast, _ = train(size=(6, 5), samples=9, epochs=1)
    monkeypatch.setenv(SWITCH, "off")
    backend("naive")
    slow, _ = train(size=(6, 5), samples=9, epochs=1)
    np.testing.assert_allclose(fast, slow, rtol=1e-5)


def test_a_second_run_ends_with_the_same_bits():
    before = get_threads()
    try:
        for threads in (1, 3):
            set_threads(threads)
            first, second = train(), train()
            assert first[0].tobytes() == second[0].tobytes()
            assert same_weights(weights(first[1].model), weights(second[1].model))
    finally:
        set_threads(before)


def fingerprint():
    losses, trainer = train()
    digest = hashlib.sha256(losses.tobytes())
    for name, array in sorted(weights(trainer.model).items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def test_another_process_ends_with_the_same_bits():
    code = f"import {__name__} as test; print(test.fingerprint())"
    fingerprints = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": str(seed)},
            cwd=Path(tests.__file__).parent.parent,  # where the package `tests` is imported from
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(fingerprints) == 1


def test_a_fused_network_that_explodes_stops_the_run():
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match=r"became (nan|inf)"):
        train(lr=1e20)


@pytest.mark.parametrize("place", ["0.weight", "4.body.0.weight", "6.bias", "1.weight"])
def test_a_weight_that_is_not_finite_stops_the_run_of_a_fused_network(place):
    _, trainer = train(epochs=1)
    trainer.model.parameters()[place].data.flat[0] = np.nan
    x = np.ones((4, 14, 11, 3), np.float32)
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match="loss became nan"):
        trainer.fit(DataLoader(ArrayDataset(x, np.ones((4, 2), np.float32)), 4), 1)
