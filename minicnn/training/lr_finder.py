"""The learning-rate range test: raise the rate until training diverges, and see where it fell fastest."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from minicnn.argument_checks import positive_int, real
from minicnn.layer import Layer, Parameter, reseed
from minicnn.losses import Loss
from minicnn.optim import AdamW, Optimizer

MakeOptimizer = Callable[[dict[str, Parameter], float], Optimizer]


class LearningRateRange(NamedTuple):
    """``lrs`` and ``losses`` (as measured, not smoothed), float64 (steps,), and the suggested rate.

    The suggestion is NaN where the smoothed loss never fell.
    """

    lrs: np.ndarray
    losses: np.ndarray
    suggestion: float

    @property
    def smoothed(self) -> np.ndarray:
        """``smooth(losses)``, float64 (steps,)."""
        return smooth(self.losses)


def find_learning_rate(
    model: Layer,
    loss: Loss,
    loader: Any,
    *,
    optimizer: MakeOptimizer = AdamW,
    start_lr: float = 1e-6,
    end_lr: float = 1.0,
    steps: int = 100,
    divergence: float = 4.0,
    seed: int = 0,
) -> LearningRateRange:
    """Train for at most ``steps`` steps while the learning rate grows exponentially; then undo it all.

        lr_i = start_lr * (end_lr / start_lr) ** (i / (steps - 1))

    The test stops where the loss is no longer finite, or its smoothed curve exceeds ``divergence`` times its
    lowest point. The suggestion is the rate at which the smoothed curve falls most steeply (over log lr)
    before that point. Smith 2017, "Cyclical Learning Rates", section 3.3.

    ``loader``: a DataLoader, or an iterable of (x, y) batches that may be iterated over repeatedly.
    ``optimizer``: makes the optimiser from (parameters, lr); it should be the one of the training.
    ``seed``: the random draws of the layers derive from it.

    Parameters, gradients, buffers and generators of the model are afterwards bit for bit what they were.
    """
    name = "find_learning_rate"
    start_lr = real(name, "start_lr", start_lr, above=0)
    end_lr = real(name, "end_lr", end_lr, above=start_lr)
    divergence = real(name, "divergence", divergence, above=1)
    if positive_int(name, "steps", steps) < 2:
        raise ValueError(f"{name}: steps must be at least 2, got {steps}")
    lrs, losses = start_lr * (end_lr / start_lr) ** np.linspace(0, 1, steps), []
    # Overflow is expected at the divergence, and no reason for a warning.
    with _undone(model), closing(_endless(loader)) as batches, np.errstate(over="ignore", invalid="ignore"):
        stepper = optimizer(model.parameters(), start_lr)
        for step, (lr, (x, y)) in enumerate(zip(lrs, batches, strict=False)):
            stepper.lr = float(lr)
            reseed(model, seed, step)
            model.zero_grad()
            value = loss.forward(model.forward(x, training=True), y)
            model.backward(loss.backward())  # before any break: it empties the layers' recordings
            if not math.isfinite(value):
                break
            losses.append(value)
            smoothed = smooth(np.array(losses))
            if smoothed[-1] > divergence * smoothed.min():
                break
            stepper.step()
    if not losses:
        raise ValueError(f"{name}: the first loss was not finite, or the loader gave no batch")
    measured = np.array(losses)
    used = lrs[: len(measured)]
    return LearningRateRange(used, measured, steepest_descent(used, measured))


def smooth(losses: np.ndarray, beta: float = 0.9) -> np.ndarray:
    """Exponential moving average, ``a_i = beta * a_{i-1} + (1 - beta) * loss_i``, over ``1 - beta ** i``."""
    average, out = 0.0, np.empty(len(losses))
    for i, value in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * float(value)
        out[i - 1] = average / (1 - beta**i)
    return out


def steepest_descent(lrs: np.ndarray, losses: np.ndarray) -> float:
    """The rate at which the smoothed loss falls fastest over log lr, before its lowest point.

    The first tenth is left out: the average of so few losses is mostly noise. NaN where nothing falls.
    """
    curve = smooth(losses)
    first, lowest = len(curve) // 10, int(np.argmin(curve))
    if lowest <= first:
        return math.nan
    slopes = np.gradient(curve, np.log(lrs))[first : lowest + 1]
    return float(lrs[first + int(np.argmin(slopes))]) if slopes.min() < 0 else math.nan


def _endless(loader: Any) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
    """The loader's batches, epoch after epoch, for as long as it gives any."""
    for epoch in itertools.count():
        empty = True
        with closing(loader.epoch(epoch)) if hasattr(loader, "epoch") else nullcontext(loader) as batches:
            for batch in batches:
                empty = False
                yield batch
        if empty:
            return


@contextmanager
def _undone(model: Layer) -> Iterator[None]:
    """Put back every parameter, gradient, buffer and generator of the model, whatever happens inside."""
    parameters = model.parameters().values()
    arrays = [p.data for p in parameters] + [p.grad for p in parameters] + list(model.state().values())
    before = [array.copy() for array in arrays]
    drawing = [layer for _, layer in model.layers() if hasattr(layer, "rng")]
    generators = [layer.rng for layer in drawing]  # reseed replaces them and leaves these as they are
    try:
        yield
    finally:
        for array, values in zip(arrays, before, strict=True):
            array[...] = values
        for layer, generator in zip(drawing, generators, strict=True):
            layer.rng = generator
