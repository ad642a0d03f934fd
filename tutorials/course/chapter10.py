"""Checks of chapter 10: a bias that holds the shares, the ratio of update to weight, five broken "
"runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake, Questions
from minicnn.containers import Sequential
from minicnn.init import normal
from minicnn.layers.activation import ReLU, Sigmoid
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.reshape import Flatten
from minicnn.losses import BinaryCrossEntropyWithLogits
from minicnn.optim import AdamW, clip_gradients
from minicnn.training.callbacks import fired_channels
from poster_genre.demo.drawn_posters import drawn_posters

Array = np.ndarray


def _shares(targets: Array) -> Array:
    """(count + 1) / (N + 2) of each genre."""
    return np.asarray((targets.sum(axis=0) + 1) / (len(targets) + 2))


def _log_odds(share: Any) -> Array:
    return np.asarray(np.log(share) - np.log1p(-np.asarray(share)))


def _prior(targets: Array) -> tuple[Array, float]:
    """The log-odds, and the loss of the library for them."""
    bias = _log_odds(_shares(targets))
    logits = np.ascontiguousarray(np.broadcast_to(bias, targets.shape))
    return bias, BinaryCrossEntropyWithLogits().forward(logits, targets)


def _prior_cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(100)
    cases: list[tuple[Any, ...]] = []
    for count, genres in ((12, 5), (9, 4)):
        targets = (rng.random((count, genres)) < np.linspace(0.1, 0.6, genres)).astype(np.float64)
        targets[:, 0], targets[0, 1] = 0, 1
        cases.append((targets,))
    return cases


def _entropy(share: Array) -> Array:
    return np.asarray(-share * np.log(share) - (1 - share) * np.log(1 - share))


ONE_FOR_ALL = "There is one share for all genres. Each genre has its own: sum over axis 0 only."
SHARES = "The shares are not those with one poster more of each kind: (count + 1) / (N + 2)."

prior_bias = Exercise(
    "prior_bias",
    cases=_prior_cases,
    answer=_prior,
    outputs=("bias", "loss"),
    mistakes=(
        Mistake(
            "probability",
            "bias",
            "These are the shares themselves. A bias is a logit: ln(p / (1 - p)).",
            _shares,
        ),
        Mistake(
            "log p",
            "bias",
            "This is ln p. The sigmoid of it is not p; the log-odds are ln(p / (1 - p)).",
            lambda targets: np.log(_shares(targets)),
        ),
        Mistake(
            "odds",
            "bias",
            "These are the odds, p / (1 - p). The bias is their logarithm.",
            lambda targets: np.exp(_prior(targets)[0]),
        ),
        Mistake(
            "one for all",
            "bias",
            ONE_FOR_ALL,
            lambda targets: _log_odds((targets.sum() + 1) / (targets.size + 2)),
        ),
        Mistake(
            "one for all",
            "bias",
            ONE_FOR_ALL,
            lambda targets: _log_odds((targets.sum() + 1) / (len(targets) + 2) / targets.shape[1]),
        ),
        Mistake("one for all", "bias", ONE_FOR_ALL, lambda targets: _log_odds(_shares(targets).mean())),
        Mistake(
            "axis",
            "bias",
            "There is a share for each poster. Sum over the posters, axis 0, for one for each genre.",
            lambda targets: _log_odds((targets.sum(axis=1) + 1) / (targets.shape[0] + 2)),
        ),
        Mistake(
            "axis",
            "bias",
            "There is a share for each poster. Sum over the posters, axis 0, for one for each genre.",
            lambda targets: _log_odds(_shares(targets.T)),
        ),
        Mistake(
            "plain shares",
            "bias",
            f"{SHARES} As it is, a genre without posters has minus infinity.",
            lambda targets: _log_odds(targets.mean(axis=0)),
        ),
        Mistake(
            "one of two",
            "bias",
            f"{SHARES} Here the denominator has N + 1.",
            lambda targets: _log_odds((targets.sum(axis=0) + 1) / (len(targets) + 1)),
        ),
        Mistake(
            "one of two",
            "bias",
            f"{SHARES} Here the numerator is the bare count, and a genre without posters has minus infinity.",
            lambda targets: _log_odds(targets.sum(axis=0) / (len(targets) + 2)),
        ),
        Mistake(
            "log10",
            "bias",
            "The logarithm has the base 10. The sigmoid is made with e: use np.log.",
            lambda targets: _prior(targets)[0] / np.log(10),
        ),
        Mistake(
            "sum",
            "loss",
            "The losses of the genres are summed. The mean is over posters and genres.",
            lambda targets: _prior(targets)[1] * targets.shape[1],
        ),
        Mistake(
            "sum",
            "loss",
            "The losses of all targets are summed. The mean is over posters and genres.",
            lambda targets: _prior(targets)[1] * targets.size,
        ),
        Mistake(
            "zero logits",
            "loss",
            "This is ln 2, the loss of logits of 0. Use the bias as the logits.",
            lambda targets: np.log(2),
        ),
        Mistake(
            "ones only",
            "loss",
            "Only the targets that are 1 are counted. A target of 0 costs -ln(1 - p).",
            lambda targets: -(targets * np.log(_shares(targets))).mean(),
        ),
        Mistake(
            "entropy",
            "loss",
            "This is the entropy of the shares (count + 1) / (N + 2). The targets have slightly other "
            "shares: average the loss over the targets.",
            lambda targets: _entropy(_shares(targets)).mean(),
        ),
        Mistake(
            "base rate",
            "loss",
            "This is the base rate loss, the entropy of the plain shares count / N. The bias holds "
            "other shares: "
            "average the loss of its logits over the targets.",
            lambda targets: _entropy(targets.mean(axis=0).clip(1e-15, 1 - 1e-15)).mean(),
        ),
        Mistake(
            "share as logit",
            "loss",
            "The shares are taken for logits. They are the probabilities: no sigmoid of them is needed.",
            lambda targets: BinaryCrossEntropyWithLogits().forward(
                np.ascontiguousarray(np.broadcast_to(_shares(targets), targets.shape)), targets
            ),
        ),
    ),
)


def _ratio_cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(101)
    cases: list[tuple[Any, ...]] = []
    for shape, step in (((3, 2, 4, 5), 0.3), ((6, 4), 0.1)):
        before = rng.standard_normal(shape)
        cases.append((before, before + step * rng.standard_normal(shape) - 0.2 * step * before))
    return cases


def _size(array: Array) -> float:
    return float(np.linalg.norm(array.reshape(-1)))


update_ratio = Exercise(
    "update_ratio",
    cases=_ratio_cases,
    answer=lambda before, after: _size(after - before) / _size(before),
    outputs=("ratio",),
    mistakes=(
        Mistake(
            "mean of ratios",
            "ratio",
            "This is the mean of the ratios of single weights, which the weights near 0 dominate. "
            "Divide one "
            "size by the other.",
            lambda before, after: np.abs((after - before) / before).mean(),
        ),
        Mistake(
            "norm of ratios",
            "ratio",
            "This is the size of the array of ratios, which the weights near 0 dominate. Divide "
            "one size by "
            "the other.",
            lambda before, after: _size((after - before) / before),
        ),
        Mistake(
            "new weights",
            "ratio",
            "The size of the update is divided by that of the weights after the step. Use before.",
            lambda before, after: _size(after - before) / _size(after),
        ),
        Mistake(
            "no difference",
            "ratio",
            "This compares the weights after and before. The update is their difference.",
            lambda before, after: _size(after) / _size(before),
        ),
        Mistake(
            "difference of sizes",
            "ratio",
            "This is the change of the size. Weights can change a lot and keep their size: take "
            "the size of "
            "the difference.",
            lambda before, after: (_size(after) - _size(before)) / _size(before),
        ),
        Mistake(
            "difference of sizes",
            "ratio",
            "This is the change of the size. Weights can change a lot and keep their size: take "
            "the size of "
            "the difference.",
            lambda before, after: abs(_size(after) - _size(before)) / _size(before),
        ),
        Mistake(
            "squared",
            "ratio",
            "This is the ratio squared: the roots are missing.",
            lambda before, after: (_size(after - before) / _size(before)) ** 2,
        ),
        Mistake(
            "upside down",
            "ratio",
            "This is weight / update.",
            lambda before, after: _size(before) / _size(after - before),
        ),
        Mistake(
            "not divided",
            "ratio",
            "This is the size of the update. Divide it by the size of the weights.",
            lambda before, after: _size(after - before),
        ),
        Mistake(
            "sizes by absolute values",
            "ratio",
            "The sizes are sums or means of absolute values. The size is the root of the sum of squares.",
            lambda before, after: np.abs(after - before).sum() / np.abs(before).sum(),
        ),
        Mistake(
            "norm of ratios",
            "ratio",
            "This is the root mean square of the ratios of single weights, which the weights near "
            "0 dominate. "
            "Divide one size by the other.",
            lambda before, after: np.sqrt((((after - before) / before) ** 2).mean()),
        ),
        Mistake(
            "mean of ratios",
            "ratio",
            "This is the mean of the ratios of single weights, in which updates of both signs "
            "cancel. Divide "
            "one size by the other.",
            lambda before, after: ((after - before) / before).mean(),
        ),
        Mistake(
            "deviations",
            "ratio",
            "The sizes are standard deviations, which leave out the mean. The size is the root of "
            "the sum of "
            "squares.",
            lambda before, after: (after - before).std() / before.std(),
        ),
        Mistake(
            "largest",
            "ratio",
            "The sizes are the largest absolute values. The size is the root of the sum of squares.",
            lambda before, after: np.abs(after - before).max() / np.abs(before).max(),
        ),
        Mistake(
            "signs cancel",
            "ratio",
            "The sizes are plain sums, in which both signs cancel. The size is the root of the sum "
            "of squares.",
            lambda before, after: (after - before).sum() / before.sum(),
        ),
        Mistake(
            "one root",
            "ratio",
            "One of the two roots is missing: it is the size of the update by the *square* of the "
            "weights' size.",
            lambda before, after: _size(after - before) / _size(before) ** 2,
        ),
        Mistake(
            "percent",
            "ratio",
            "It is in percent. Return the plain ratio.",
            lambda before, after: 100 * _size(after - before) / _size(before),
        ),
    ),
)


@dataclass(frozen=True)
class Fault:
    """What is done wrong in a run; the defaults are right."""

    lr: float = 3e-3
    zero: bool = True
    shuffled: bool = False
    twice: bool = False
    bias: float = 0.0


_FAULTS = {
    "healthy": Fault(),
    "A": Fault(lr=0.3),
    "B": Fault(shuffled=True),
    "C": Fault(twice=True),
    "D": Fault(zero=False),
    "E": Fault(bias=-10.0),
}
RUNS = tuple(name for name in _FAULTS if name != "healthy")
"""The names of the five broken runs."""

STEPS, POSTERS, LAYERS = 60, 16, ("conv1", "conv2", "genres")


@dataclass(frozen=True, eq=False)
class Record:
    """What was measured in a run of STEPS steps.

    ``losses``, ``gradient_norms``  (STEPS,), at each step; the norm is that of all gradients together.
    ``ratios``       by layer, |update| / |weight| (STEPS,).
    ``inputs``       the smallest and largest number that the network received.
    ``loss_inputs``  those that the loss received in the first step.
    ``dead_before``, ``dead_after``  the largest share of dead channels of a ReLU.
    ``base``         the base rate loss.
    """

    losses: Array
    gradient_norms: Array
    ratios: Mapping[str, Array]
    inputs: tuple[float, float]
    loss_inputs: tuple[float, float]
    dead_before: float
    dead_after: float
    base: float

    def __str__(self) -> str:
        at = [0, 1, 5, 10, 30, STEPS - 1]

        def row(name: str, values: Array) -> str:
            return f"  {name:16}" + "".join(f"{values[i]:9.2g}" for i in at)

        return "\n".join(
            [
                f"  {'step':16}" + "".join(f"{i:9}" for i in at),
                row("loss", self.losses),
                row("gradient norm", self.gradient_norms),
                *(row(f"ratio {layer}", self.ratios[layer]) for layer in LAYERS),
                f"  inputs {self.inputs[0]:.2f} to {self.inputs[1]:.2f}, the loss received "
                f"{self.loss_inputs[0]:.2f} to {self.loss_inputs[1]:.2f}",
                f"  dead channels: {self.dead_before:.0%} before, {self.dead_after:.0%} after; "
                f"base rate loss {self.base:.2f}",
            ]
        )


def _network(bias: float) -> Sequential:
    rng = np.random.default_rng(0)
    first = Conv2D(3, 8, 3, stride=2, padding="same", rng=rng)
    assert first.bias is not None
    first.bias.data[...] = bias
    second = Conv2D(8, 16, 3, stride=2, padding="same", rng=rng)
    last = Dense(384, 25, rng=rng, init=normal(0.01))
    return Sequential(
        {
            "conv1": first,
            "relu1": ReLU(),
            "conv2": second,
            "relu2": ReLU(),
            "flatten": Flatten(),
            "genres": last,
        }
    )


@cache
def _posters() -> tuple[Array, Array]:
    pixels, labels = drawn_posters(POSTERS, seed=0, size=(24, 16))
    return pixels.astype(np.float32) / np.float32(127.5) - 1, labels.astype(np.float32)


def _dead(model: Sequential, x: Array) -> float:
    return max(float(1 - fired.mean()) for fired in fired_channels(model, x).values())


@cache
def run(name: str) -> Record:
    """The record of a run: "healthy" or one of RUNS. Raises ValueError for another name."""
    if name not in _FAULTS:
        raise ValueError(f"run: name must be one of {', '.join(_FAULTS)}, got {name!r}")
    fault, (x, y) = _FAULTS[name], _posters()
    model, loss, sigmoid = _network(fault.bias), BinaryCrossEntropyWithLogits(), Sigmoid()
    parameters = model.parameters()
    optimizer, rng = AdamW(parameters, fault.lr), np.random.default_rng(3)
    losses, norms = [], []
    ratios: dict[str, list[float]] = {layer: [] for layer in LAYERS}
    dead_before, loss_inputs = _dead(model, x), (0.0, 0.0)
    for step in range(STEPS):
        if fault.zero:
            model.zero_grad()
        target = y[rng.permutation(POSTERS)] if fault.shuffled else y
        z = model.forward(x, training=True)
        if fault.twice:
            z = sigmoid.forward(z, training=True)
        if step == 0:
            loss_inputs = (float(z.min()), float(z.max()))
        losses.append(loss.forward(z, target))
        dz = loss.backward()
        model.backward(sigmoid.backward(dz) if fault.twice else dz)
        norms.append(clip_gradients(parameters, np.inf))
        before = {layer: parameters[f"{layer}.weight"].data.copy() for layer in LAYERS}
        optimizer.step()
        for layer, weight in before.items():
            ratios[layer].append(_size(parameters[f"{layer}.weight"].data - weight) / _size(weight))
    shares = y.mean(axis=0, dtype=np.float64).clip(1e-9, 1 - 1e-9)
    return Record(
        losses=np.array(losses),
        gradient_norms=np.array(norms),
        ratios={layer: np.array(values) for layer, values in ratios.items()},
        inputs=(float(x.min()), float(x.max())),
        loss_inputs=loss_inputs,
        dead_before=dead_before,
        dead_after=_dead(model, x),
        base=float(_entropy(shares).mean()),
    )


_RIGHT = {
    "A": "learning rate too high",
    "B": "labels shuffled",
    "C": "sigmoid twice",
    "D": "gradients not zeroed",
    "E": "dead ReLUs",
}
_SIGNS = {
    "learning rate too high": "That shows as `ratios` near or above 1 in the first steps.",
    "learning rate too low": "That shows as `ratios` below 1e-4 in all layers; `losses` stand still.",
    "labels shuffled": "That shows as `losses` that stop at `base`, while all other numbers are healthy.",
    "sigmoid twice": "That shows as `loss_inputs` between 0 and 1, and a first loss near 0.92.",
    "gradients not zeroed": "That shows as `gradient_norms` that grow from step to step.",
    "dead ReLUs": "That shows as `dead_before` of 100 %: nothing fires even before the first step.",
    "inputs not scaled": "That shows as `inputs` far outside of -1 to 1, and a large first loss.",
}
_CLOSE = {
    ("A", "dead ReLUs"): "They are dead afterwards, but `dead_before` is 0: something killed them. What was "
    "wrong in the first step?",
    (
        "A",
        "labels shuffled",
    ): "The loss does stop at `base`, but another number is wrong from the first step on: `ratios`.",
    ("C", "labels shuffled"): "The loss stops far above `base`, and the first loss is not ln 2 already.",
    ("C", "learning rate too low"): "The first loss is not ln 2: the fault is there before any step.",
    (
        "D",
        "learning rate too high",
    ): "The first `ratios` are those of the healthy run. Follow `gradient_norms`.",
    ("E", "learning rate too low"): "The small `ratios` of the convolutions are weight decay alone; the last "
    "layer's as well. Why do they get no gradient? See `dead_before`.",
    ("E", "labels shuffled"): "The output does not depend on the posters, but the labels are theirs: see "
    "`dead_before`.",
}

faults = Questions(
    "faults",
    right=_RIGHT,
    wrong={
        (name, answer): _CLOSE.get((name, answer), f"{sign} Compare it with the healthy run.")
        for name, right in _RIGHT.items()
        for answer, sign in _SIGNS.items()
        if answer != right
    },
)
