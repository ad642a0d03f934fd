"""A training run small enough to be made anew in every test, and a callback that records it."""

import numpy as np

from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.losses import BinaryCrossEntropyWithLogits
from minicnn.optim import SGD
from minicnn.serialize import model_arrays
from minicnn.training.callbacks import Callback
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.training.trainer import Trainer


def make_data(n=24, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    return x, (x[:, :2] > 0).astype(np.float32)


def make_loader(n=24, batch_size=8, seed=0, **options):
    return DataLoader(ArrayDataset(*make_data(n, seed)), batch_size, **options)


def make_model(dropout=0.0):
    return Sequential([Dense(3, 6, rng=0), ReLU(), Dropout(dropout, rng=1), Dense(6, 2, rng=2)])


def make_trainer(lr=0.1, model=None, loss=None, ema=False, **options):
    model = model or make_model()
    average = ExponentialMovingAverage(model, 0.5) if ema else None
    optimizer = SGD(model.parameters(), lr, momentum=0.9)
    return Trainer(model, loss or BinaryCrossEntropyWithLogits(), optimizer, ema=average, **options)


def weights(model):
    return {name: array.copy() for name, array in model_arrays(model).items()}


def same_weights(first, second):
    assert first.keys() == second.keys()
    return all(first[name].tobytes() == second[name].tobytes() for name in first)


class StopAfter(Callback):
    """Interrupts a run at the end of its ``epoch``-th epoch, before the checkpoint."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, trainer, row):
        if trainer.epoch == self.epoch:
            raise KeyboardInterrupt


class Recorder(Callback):
    """Records which methods were called, and runs a function at one of them."""

    def __init__(self, at=None, do=None):
        self.calls, self.at, self.do = [], at, do

    def _record(self, call, run=None):
        self.calls.append(call)
        if call == self.at:
            self.do(run)

    def on_train_begin(self, run):
        self._record("train begin", run)

    def on_epoch_begin(self, run):
        self._record("epoch begin", run)

    def on_batch_end(self, run, loss, samples):
        self._record("batch end", run)

    def columns(self, run):
        self._record("columns", run)
        return {"calls": len(self.calls)}

    def on_epoch_end(self, run, row):
        self._record("epoch end", run)

    def on_train_end(self, run):
        self._record("train end", run)

    def close(self):
        self._record("close")
