"""Checks of chapter 4: binary cross-entropy from logits, its gradient, and the baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.layers.activation import sigmoid, softmax
from minicnn.losses import BinaryCrossEntropyWithLogits, softplus

Array = np.ndarray
Losses = Callable[[Array, Array], Array]

EXTREME = np.array([[1000.0, -1000.0, 40.0, -3.0, 0.5], [-1000.0, 1000.0, -40.0, 2.0, -0.25]])
EXTREME_TARGETS = np.array([[0, 0, 0, 1, 0], [1, 1, 1, 0, 1]])


def _cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(40)
    x, t = 2 * rng.standard_normal((3, 4)), rng.integers(0, 2, (3, 4))
    return [(x, t), (EXTREME.copy(), EXTREME_TARGETS.copy())]


def _bce(x: Array, t: Array) -> tuple[Array, float]:
    """l and L; L by the library's loss."""
    return t * softplus(-x) + (1 - t) * softplus(x), BinaryCrossEntropyWithLogits().forward(x, t)


def _from(p: Array, t: Array) -> Array:
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def _cut_off(eps: float) -> Losses:
    return lambda x, t: _from(np.clip(sigmoid(x), eps, 1 - eps), t)


def _shifted(eps: float) -> Losses:
    return lambda x, t: -(t * np.log(sigmoid(x) + eps) + (1 - t) * np.log(1 - sigmoid(x) + eps))


def _cut_logits(at: float) -> Losses:
    return lambda x, t: _bce(np.clip(x, -at, at), t)[0]


def _with_tail(tail: Callable[[Array], Array]) -> Losses:
    return lambda x, t: np.maximum(x, 0) - t * x + tail(x)


def _with_two_tails(tail: Callable[[Array], Array]) -> Losses:
    """The same in numbers, but 0 times an infinite tail is nan."""
    return lambda x, t: t * (np.maximum(-x, 0) + tail(x)) + (1 - t) * (np.maximum(x, 0) + tail(x))


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


LOG_OF_0 = (
    "For large logits the probability is rounded to 0 or 1, its logarithm is infinite, and 0 times infinity "
    "is nan. Go from the logit to the loss with softplus, without a probability."
)
OVERFLOW = (
    "e to the power of a large logit overflows. Write softplus(x) as max(x, 0) + log1p(exp(-|x|)), whose "
    "exponential is at most 1."
)
CLIPPED = (
    "The probability is cut off before its logarithm. The loss is finite but stops growing where the answer "
    "is most wrong, so its gradient there is 0. Use softplus of the logit."
)
SOFTMAX = (
    "This is a softmax over the genres, which share a probability of 1. Genres do not exclude each other: "
    "each has a sigmoid of its own."
)
SWAPPED = "The targets are exchanged: t must pick softplus(-x), and 1 - t softplus(x)."
POSITIVE = "Only the answers with target 1 count. Add (1 - t) * softplus(x) for the others."
NOT_FINITE = "It is not a finite number, because one of l is not."
TWICE = "The sigmoid is applied twice: softplus takes the logit, not a probability."
CUT_LOGITS = (
    "The logits are cut off, so the loss stops growing where the answer is most wrong, and its gradient "
    "there is 0. softplus needs no cut-off."
)
EXPONENT = (
    "The exponent is not -|x|. log1p(exp(-|x|)) is the same for both signs of x, and the exponential in it "
    "is at most 1."
)
NO_TAIL = "log1p(exp(-|x|)) is missing: max(x, 0) alone is softplus only far from 0."
SQUARE = "This is the squared error of the probabilities. Take minus the logarithm of what is true."

_WRONG: tuple[tuple[str, str, Losses], ...] = (
    ("log of 0", LOG_OF_0, lambda x, t: _from(1 / (1 + np.exp(-x)), t)),
    ("log of 0", LOG_OF_0, lambda x, t: -np.log(np.where(t == 1, sigmoid(x), 1 - sigmoid(x)))),
    ("overflow", OVERFLOW, lambda x, t: t * np.log(1 + np.exp(-x)) + (1 - t) * np.log(1 + np.exp(x))),
    ("overflow", OVERFLOW, lambda x, t: np.log(1 + np.exp(x)) - t * x),
    ("overflow", OVERFLOW, lambda x, t: np.log(1 + np.exp(np.where(t == 1, -x, x)))),
    *(("clipped", CLIPPED, _cut_off(eps)) for eps in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)),
    ("softmax", SOFTMAX, lambda x, t: -t * _log_softmax(x)),
    ("softmax", SOFTMAX, lambda x, t: -t * np.log(softmax(x))),
    ("softmax", SOFTMAX, lambda x, t: _from(softmax(x), t)),
    ("swapped", SWAPPED, lambda x, t: _bce(x, 1 - t)[0]),
    ("positives only", POSITIVE, lambda x, t: t * softplus(-x)),
    ("sigmoid twice", TWICE, lambda x, t: _bce(sigmoid(x), t)[0]),
    *(("clipped", CLIPPED, _shifted(eps)) for eps in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)),
    *(("cut logits", CUT_LOGITS, _cut_logits(at)) for at in (10, 15, 20, 30, 50, 100, 500, 700)),
    *(
        ("exponent", EXPONENT, form(tail))
        for tail in (lambda x: np.log1p(np.exp(-x)), lambda x: np.log1p(np.exp(np.abs(x))))
        for form in (_with_tail, _with_two_tails)
    ),
    ("no tail", NO_TAIL, lambda x, t: np.maximum(x, 0) - t * x),
    ("squared error", SQUARE, lambda x, t: (sigmoid(x) - t) ** 2),
)


def _mean_of(wrong: Losses) -> Callable[..., Any]:
    return lambda x, t: wrong(x, t).mean()


stable_bce = Exercise(
    "stable_bce",
    cases=_cases,
    answer=_bce,
    outputs=("l", "L"),
    mistakes=(
        *(Mistake(key, "l", says, wrong) for key, says, wrong in _WRONG),
        Mistake(
            "sum",
            "L",
            "This is the sum over all answers. Take the mean, so that it does not grow with the batch.",
            lambda x, t: _bce(x, t)[0].sum(),
        ),
        Mistake(
            "sum over genres",
            "L",
            "It is summed over the genres and averaged over the posters. The mean is over both.",
            lambda x, t: _bce(x, t)[0].sum(axis=1).mean(),
        ),
        Mistake(
            "sum over posters",
            "L",
            "It is summed over the posters and averaged over the genres. The mean is over both.",
            lambda x, t: _bce(x, t)[0].sum(axis=0).mean(),
        ),
        Mistake(
            "softmax",
            "L",
            SOFTMAX,
            lambda x, t: -(t * _log_softmax(x)).sum(axis=1).mean(),
        ),
        *(
            Mistake("not finite", "L", NOT_FINITE, _mean_of(wrong))
            if key in ("log of 0", "overflow")
            else Mistake(key, "L", says, _mean_of(wrong))
            for key, says, wrong in _WRONG
        ),
    ),
)


def _gradient(x: Array, t: Array) -> Array:
    loss = BinaryCrossEntropyWithLogits()
    loss.forward(x, t)
    return loss.backward()


SQUARED = (
    "This is the gradient of the squared error: the slope of the sigmoid, p (1 - p), is still in it. In "
    "cross-entropy it cancels."
)
BY_P = "This is dl/dp. Multiply by the slope of the sigmoid, p (1 - p), which cancels the denominator."
ONE_SIGN = (
    "The sigmoid is right for one sign of x only. The numerator is 1 for a positive x and exp(-|x|) for a "
    "negative one."
)
FRACTION = "exp(x) / (1 + exp(x)) is infinity / infinity for large x. Use a form with exp(-|x|)."

bce_gradient = Exercise(
    "bce_gradient",
    cases=_cases,
    answer=_gradient,
    outputs=("dx",),
    mistakes=(
        Mistake(
            "not averaged",
            "dx",
            "This is sigmoid minus target, undivided. L is a mean over N K answers: divide by x.size.",
            lambda x, t: sigmoid(x) - t,
        ),
        Mistake(
            "batch only",
            "dx",
            "It is divided by the number of posters only. The mean is over posters and genres.",
            lambda x, t: (sigmoid(x) - t) / len(x),
        ),
        Mistake(
            "genres only",
            "dx",
            "It is divided by the number of genres only. The mean is over posters and genres.",
            lambda x, t: (sigmoid(x) - t) / x.shape[1],
        ),
        Mistake(
            "softmax",
            "dx",
            SOFTMAX,
            lambda x, t: (softmax(x) - t) / x.size,
        ),
        Mistake("softmax", "dx", SOFTMAX, lambda x, t: (softmax(x) - t) / len(x)),
        Mistake(
            "squared error", "dx", SQUARED, lambda x, t: 2 * (sigmoid(x) - t) * _slope(sigmoid(x)) / x.size
        ),
        Mistake("squared error", "dx", SQUARED, lambda x, t: (sigmoid(x) - t) * _slope(sigmoid(x)) / x.size),
        Mistake("by p", "dx", BY_P, lambda x, t: (sigmoid(x) - t) / _slope(sigmoid(x)) / x.size),
        Mistake("overflow", "dx", FRACTION, lambda x, t: (np.exp(x) / (1 + np.exp(x)) - t) / x.size),
        Mistake(
            "no sigmoid",
            "dx",
            "This is logit minus target. Turn the logit into a probability first.",
            lambda x, t: (x - t) / x.size,
        ),
        Mistake(
            "multiplied",
            "dx",
            "It is multiplied by the number of answers. L is a mean: divide by x.size.",
            lambda x, t: (sigmoid(x) - t) * x.size,
        ),
        Mistake("one sign", "dx", ONE_SIGN, lambda x, t: (sigmoid(-np.abs(x)) - t) / x.size),
        Mistake("one sign", "dx", ONE_SIGN, lambda x, t: (sigmoid(np.abs(x)) - t) / x.size),
        Mistake(
            "mirrored",
            "dx",
            "This is the sigmoid of -x, the probability of *not* having the genre. Use 1 / (1 + exp(-x)).",
            lambda x, t: (sigmoid(-x) - t) / x.size,
        ),
        Mistake(
            "positives only",
            "dx",
            "Only the answers with target 1 have a gradient. For target 0 it is p.",
            lambda x, t: t * (sigmoid(x) - t) / x.size,
        ),
    ),
)


def _slope(p: Array) -> Array:
    return p * (1 - p)


def _labels() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(41)
    frequencies = np.array([0.5, 0.3, 0.2, 0.1])
    made = [(rng.random((rows, 4)) < frequencies).astype(np.uint8) for rows in (60, 25, 40, 30)]
    return [(made[0], made[1]), (made[2], made[3])]


def _constant(f: Array | float, t: Array) -> float:
    return float(_from(np.broadcast_to(f, t.shape), t).mean())


baselines = Exercise(
    "baselines",
    cases=_labels,
    answer=lambda train, val: (1 - val.mean(), _constant(train.mean(axis=0), val)),
    outputs=("accuracy", "loss"),
    mistakes=(
        Mistake(
            "share of genres",
            "accuracy",
            "This is the share of the labels that are 1. Naming no genre is right where they are 0.",
            lambda train, val: val.mean(),
        ),
        Mistake(
            "on train",
            "accuracy",
            "This is measured on train, not on val.",
            lambda train, val: 1 - train.mean(),
        ),
        Mistake(
            "whole posters",
            "accuracy",
            "This counts the posters without any genre. Each of the M K answers counts on its own.",
            lambda train, val: (val == 0).all(axis=1).mean(),
        ),
        Mistake(
            "complement",
            "accuracy",
            "The labels are uint8, whose ~ turns 0 into 255 and 1 into 254. Use val == 0 or 1 - val.",
            lambda train, val: (~val).mean(),
        ),
        Mistake(
            "percent",
            "accuracy",
            "It is in percent. Return the share, from 0 to 1.",
            lambda train, val: 100 * (1 - val.mean()),
        ),
        Mistake(
            "leak",
            "loss",
            "The frequencies are those of val itself, which are to be predicted. Count on train.",
            lambda train, val: _constant(val.mean(axis=0), val),
        ),
        Mistake(
            "on train",
            "loss",
            "This is the loss on train. The frequencies come from train, and are scored on val.",
            lambda train, val: _constant(train.mean(axis=0), train),
        ),
        Mistake(
            "one frequency",
            "loss",
            "All genres have the same frequency here: a mean over everything. Each has its own, over axis 0.",
            lambda train, val: _constant(train.mean(), val),
        ),
        Mistake(
            "sum over genres",
            "loss",
            "It is summed over the genres. The loss is the mean over posters and genres.",
            lambda train, val: _constant(train.mean(axis=0), val) * val.shape[1],
        ),
        Mistake(
            "positives only",
            "loss",
            "Only the answers with label 1 count. Add (1 - t) * log(1 - f) for the others.",
            lambda train, val: -(val * np.log(train.mean(axis=0))).mean(),
        ),
        Mistake(
            "frequency as logit",
            "loss",
            "The frequency is taken for a logit. It is the probability already; its log-odds are the logit.",
            lambda train, val: _bce(np.broadcast_to(train.mean(axis=0), val.shape), val)[1],
        ),
        Mistake(
            "one half",
            "loss",
            "This is log 2, the loss of one half for every genre. Give each genre its frequency.",
            lambda train, val: np.log(2),
        ),
        Mistake(
            "smoothed",
            "loss",
            "The frequencies have one poster more of each kind, (count + 1) / (N + 2). Use plain means.",
            lambda train, val: _constant((train.sum(axis=0) + 1) / (len(train) + 2), val),
        ),
    ),
)
