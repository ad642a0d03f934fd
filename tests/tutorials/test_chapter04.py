"""Chapter 4: the right answers against PyTorch and scikit-learn; every known mistake is named."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter04
from tests.tutorials.attempts import attempt


def diagnosed(name, *changes):
    """The keys of the solution with these changes; floating-point warnings are part of the mistakes."""
    with np.errstate(all="ignore"):
        return getattr(chapter04, name).diagnose(attempt(4, name, *changes)).keys


@pytest.mark.parametrize("name", ["stable_bce", "bce_gradient", "baselines"])
def test_the_solution_is_right_and_warns_of_nothing(name):
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert getattr(chapter04, name).diagnose(attempt(4, name)).passed


def test_the_right_loss_and_gradient_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for x, t in chapter04.stable_bce.cases():
        logits = torch.tensor(x, requires_grad=True)
        targets = torch.tensor(t, dtype=torch.float64)
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        each.mean().backward()
        losses, mean = chapter04.stable_bce.answer(x, t)
        np.testing.assert_allclose(losses, each.detach().numpy(), rtol=1e-12)
        np.testing.assert_allclose(mean, each.mean().item(), rtol=1e-12)
        np.testing.assert_allclose(chapter04.bce_gradient.answer(x, t), logits.grad.numpy(), atol=1e-15)


def test_the_right_baselines_are_those_of_scikit_learn():
    measures = pytest.importorskip("sklearn.metrics")
    for train, val in chapter04.baselines.cases():
        accuracy, loss = chapter04.baselines.answer(train, val)
        assert accuracy == pytest.approx(1 - measures.hamming_loss(val, np.zeros_like(val)))
        by_genre = [
            measures.log_loss(val[:, k], np.full(len(val), train[:, k].mean())) for k in range(val.shape[1])
        ]
        assert loss == pytest.approx(np.mean(by_genre))


PROBABILITY = "p = 1 / (1 + np.exp(-x)); l = "
BOTH = "l = t * (np.maximum(-x, 0) + tail) + (1 - t) * (np.maximum(x, 0) + tail)"
FROM_P = "-(t * np.log(p) + (1 - t) * np.log(1 - p))"
SOFTMAX = "s = x - x.max(axis=1, keepdims=True); s = s - np.log(np.exp(s).sum(axis=1, keepdims=True)); "


@pytest.mark.parametrize(
    ("changes", "each", "mean"),
    [
        ([(BOTH, PROBABILITY + FROM_P)], "log of 0", "not finite"),
        ([(BOTH, PROBABILITY + "-np.log(np.where(t == 1, p, 1 - p))")], "log of 0", "not finite"),
        (
            [(BOTH, "l = t * np.log(1 + np.exp(-x)) + (1 - t) * np.log(1 + np.exp(x))")],
            "overflow",
            "not finite",
        ),
        ([(BOTH, "l = np.log(1 + np.exp(x)) - t * x")], "overflow", "not finite"),
        ([(BOTH, "l = np.log1p(np.exp((1 - 2 * t) * x))")], "overflow", "not finite"),
        (
            [(BOTH, f"p = np.clip(1 / (1 + np.exp(-x)), 1e-7, 1 - 1e-7); l = {FROM_P}")],
            "clipped",
            "clipped",
        ),
        (
            [(BOTH, f"p = np.clip(1 / (1 + np.exp(-x)), 1e-12, 1 - 1e-12); l = {FROM_P}")],
            "clipped",
            "clipped",
        ),
        ([(BOTH, SOFTMAX + "l = -t * s")], "softmax", "softmax"),
        ([(BOTH, SOFTMAX + "l = -t * s"), ("l.mean()", "l.sum(axis=1).mean()")], "softmax", "softmax"),
        ([(BOTH, SOFTMAX + f"p = np.exp(s); l = {FROM_P}")], "softmax", "softmax"),
        ([("tail = ", "t = 1 - t; tail = ")], "swapped", "swapped"),
        ([("+ (1 - t) * (np.maximum(x, 0) + tail)", "")], "positives only", "positives only"),
        ([("tail = ", "x = 1 / (1 + np.exp(-x)); tail = ")], "sigmoid twice", "sigmoid twice"),
        (
            [
                (
                    BOTH,
                    "p = 1 / (1 + np.exp(-x)); l = -(t * np.log(p + 1e-7) + (1 - t) * np.log(1 - p + 1e-7))",
                )
            ],
            "clipped",
            "clipped",
        ),
        ([("tail = ", "x = np.clip(x, -30, 30); tail = ")], "cut logits", "cut logits"),
        ([("tail = ", "x = np.clip(x, -500, 500); tail = ")], "cut logits", "cut logits"),
        ([("-np.abs(x)", "-x")], "exponent", "exponent"),
        ([("-np.abs(x)", "np.abs(x)")], "exponent", "exponent"),
        ([(BOTH, "l = t * np.maximum(-x, 0) + (1 - t) * np.maximum(x, 0)")], "no tail", "no tail"),
        ([(BOTH, "l = (1 / (1 + np.exp(-x)) - t) ** 2")], "squared error", "squared error"),
        ([("l.mean()", "l.sum()")], "right", "sum"),
        ([("l.mean()", "l.sum(axis=1).mean()")], "right", "sum over genres"),
        ([("l.mean()", "l.sum(axis=0).mean()")], "right", "sum over posters"),
    ],
)
def test_a_wrong_loss_is_named(changes, each, mean):
    assert diagnosed("stable_bce", *changes) == {"l": each, "L": mean}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ([("(p - t) / x.size", "p - t")], "not averaged"),
        ([("x.size", "len(x)")], "batch only"),
        ([("x.size", "x.shape[1]")], "genres only"),
        ([("p - t", "t - p")], "sign"),
        ([("(p - t)", "2 * (p - t) * p * (1 - p)")], "squared error"),
        ([("(p - t)", "(p - t) * p * (1 - p)")], "squared error"),
        ([("(p - t)", "(p - t) / (p * (1 - p))")], "by p"),
        (
            [("np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))", "np.exp(x) / (1 + np.exp(x))")],
            "overflow",
        ),
        ([("(p - t)", "(x - t)")], "no sigmoid"),
        ([("/ x.size", "* x.size")], "multiplied"),
        ([("np.minimum(x, 0)", "-np.abs(x)")], "one sign"),
        ([("np.exp(np.minimum(x, 0))", "1")], "one sign"),
        ([("p = ", "x = -x; p = ")], "mirrored"),
        ([("(p - t)", "t * (p - 1)")], "positives only"),
        ([("return", SOFTMAX + "p = np.exp(s); return")], "softmax"),
        ([("return", SOFTMAX + "p = np.exp(s); return"), ("x.size", "len(x)")], "softmax"),
    ],
)
def test_a_wrong_gradient_is_named(changes, key):
    assert diagnosed("bce_gradient", *changes) == {"dx": key}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("val == 0", "val == 1")], {"accuracy": "share of genres"}),
        ([("val == 0", "train == 0")], {"accuracy": "on train"}),
        ([("(val == 0).mean()", "(val == 0).all(axis=1).mean()")], {"accuracy": "whole posters"}),
        ([("(val == 0)", "(~val)")], {"accuracy": "complement"}),
        ([("(val == 0)", "100 * (val == 0)")], {"accuracy": "percent"}),
        ([("train.mean(axis=0)", "1 / (1 + np.exp(-train.mean(axis=0)))")], {"loss": "frequency as logit"}),
        ([("train.mean(axis=0)", "0.5")], {"loss": "one half"}),
        ([("train.mean(axis=0)", "(train.sum(axis=0) + 1) / (len(train) + 2)")], {"loss": "smoothed"}),
        ([("train.mean(axis=0)", "val.mean(axis=0)")], {"loss": "leak"}),
        ([("val * np.log(f) + (1 - val)", "train * np.log(f) + (1 - train)")], {"loss": "on train"}),
        ([("train.mean(axis=0)", "train.mean()")], {"loss": "one frequency"}),
        ([("l.mean()", "l.sum(axis=1).mean()")], {"loss": "sum over genres"}),
        ([(" + (1 - val) * np.log(1 - f)", "")], {"loss": "positives only"}),
    ],
)
def test_a_wrong_baseline_is_named(changes, found):
    assert diagnosed("baselines", *changes) == {"accuracy": "right", "loss": "right"} | found
