"""Chapter 10: the right answers against formulas, every known mistake and every fault by its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter10
from tests.tutorials.attempts import attempt


@pytest.mark.parametrize("name", ["prior_bias", "update_ratio", "name_faults"])
def test_the_solution_is_right(name):
    check = chapter10.faults if name == "name_faults" else getattr(chapter10, name)
    assert check.diagnose(attempt(10, name)).passed


def test_the_right_bias_is_that_of_scipy():
    special = pytest.importorskip("scipy.special")
    for (targets,) in chapter10.prior_bias.cases():
        shares = (targets.sum(axis=0) + 1) / (len(targets) + 2)
        bias, loss = chapter10.prior_bias.answer(targets)
        np.testing.assert_allclose(bias, special.logit(shares), rtol=1e-12)
        probabilities = np.where(targets == 1, special.expit(bias), special.expit(-bias))
        np.testing.assert_allclose(loss, -np.log(probabilities).mean(), rtol=1e-12)


def test_the_right_ratio_is_that_of_sums_of_squares():
    for before, after in chapter10.update_ratio.cases():
        squares = sum((a - b) ** 2 for a, b in zip(after.flat, before.flat, strict=True))
        ratio = (squares / sum(b**2 for b in before.flat)) ** 0.5
        np.testing.assert_allclose(chapter10.update_ratio.answer(before, after), ratio, rtol=1e-12)


SHARES = "(targets.sum(axis=0) + 1) / (len(targets) + 2)"
BIAS = "bias = np.log(shares / (1 - shares))"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(BIAS, "bias = shares")], {"bias": "probability"}),
        ([(BIAS, "bias = np.log(shares)")], {"bias": "log p"}),
        ([(BIAS, "bias = shares / (1 - shares)")], {"bias": "odds"}),
        ([(BIAS, "bias = np.log((1 - shares) / shares)")], {"bias": "sign"}),
        ([(BIAS, "m = shares.mean(); bias = np.log(m / (1 - m))")], {"bias": "one for all"}),
        (
            [(BIAS, "m = (targets.sum() + 1) / (targets.size + 2); bias = np.log(m / (1 - m))")],
            {"bias": "one for all"},
        ),
        (
            [(BIAS, "m = (targets.sum(axis=1) + 1) / (len(targets) + 2); bias = np.log(m / (1 - m))")],
            {"bias": "axis"},
        ),
        (
            [(BIAS, "m = (targets.sum(axis=1) + 1) / (targets.shape[1] + 2); bias = np.log(m / (1 - m))")],
            {"bias": "axis"},
        ),
        (
            [
                (
                    BIAS,
                    "m = targets.mean(0)\n    with np.errstate(all='ignore'): bias = np.log(m / (1 - m))",
                )
            ],
            {"bias": "plain shares"},
        ),
        (
            [(BIAS, "m = (targets.sum(axis=0) + 1) / (len(targets) + 1); bias = np.log(m / (1 - m))")],
            {"bias": "one of two"},
        ),
        (
            [
                (
                    BIAS,
                    "m = targets.sum(0) / (len(targets) + 2)\n"
                    "    with np.errstate(all='ignore'): bias = np.log(m / (1 - m))",
                )
            ],
            {"bias": "one of two"},
        ),
        ([(BIAS, "bias = np.log10(shares / (1 - shares))")], {"bias": "log10"}),
        (
            [
                (
                    "loss = ",
                    "p = targets.mean(axis=0).clip(1e-9, 1 - 1e-9)\n"
                    "    loss = (-p * np.log(p) - (1 - p) * np.log(1 - p)).mean() #",
                )
            ],
            {"loss": "base rate"},
        ),
        (
            [
                ("loss = ", "p = 1 / (1 + np.exp(-shares)); loss = "),
                ("(shares)", "(p)"),
                ("1 - shares)).", "1 - p))."),
            ],
            {"loss": "share as logit"},
        ),
        ([(".mean()", ".sum(axis=1).mean()")], {"loss": "sum"}),
        ([(".mean()", ".sum()")], {"loss": "sum"}),
        ([("return bias, loss", "return bias, np.log(2)")], {"loss": "zero logits"}),
        ([(" + (1 - targets) * np.log(1 - shares)", "")], {"loss": "ones only"}),
        (
            [("(targets * np.log(shares) + (1 - targets)", "(shares * np.log(shares) + (1 - shares)")],
            {"loss": "entropy"},
        ),
    ],
)
def test_a_wrong_bias_is_named(changes, found):
    keys = chapter10.prior_bias.diagnose(attempt(10, "prior_bias", *changes)).keys
    assert keys == {"bias": "right", "loss": "right"} | found


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("np.abs((after - before) / before).mean()", "mean of ratios"),
        ("np.sqrt((((after - before) / before) ** 2).sum())", "norm of ratios"),
        ("np.sqrt(((after - before) ** 2).sum()) / np.sqrt((after**2).sum())", "new weights"),
        ("np.sqrt((after**2).sum()) / np.sqrt((before**2).sum())", "no difference"),
        ("np.sqrt((after**2).sum()) / np.sqrt((before**2).sum()) - 1", "difference of sizes"),
        ("abs(np.sqrt((after**2).sum()) / np.sqrt((before**2).sum()) - 1)", "difference of sizes"),
        ("((after - before) ** 2).sum() / (before**2).sum()", "squared"),
        ("np.sqrt((before**2).sum()) / np.sqrt(((after - before) ** 2).sum())", "upside down"),
        ("np.sqrt(((after - before) ** 2).sum())", "not divided"),
        ("np.abs(after - before).mean() / np.abs(before).mean()", "sizes by absolute values"),
        ("np.sqrt((((after - before) / before) ** 2).mean())", "norm of ratios"),
        ("((after - before) / before).mean()", "mean of ratios"),
        ("(after - before).std() / before.std()", "deviations"),
        ("np.abs(after - before).max() / np.abs(before).max()", "largest"),
        ("(after - before).sum() / before.sum()", "signs cancel"),
        ("np.sqrt(((after - before) ** 2).sum()) / (before**2).sum()", "one root"),
        ("100 * np.linalg.norm(after - before) / np.linalg.norm(before)", "percent"),
    ],
)
def test_a_wrong_ratio_is_named(body, key):
    right = "np.sqrt(((after - before) ** 2).sum()) / np.sqrt((before**2).sum())"
    found = chapter10.update_ratio.diagnose(attempt(10, "update_ratio", (right, body)))
    assert found.keys == {"ratio": key}


@pytest.mark.parametrize("answer", chapter10.faults.choices)
@pytest.mark.parametrize("name", chapter10.RUNS)
def test_every_wrong_fault_is_answered(name, answer):
    report = chapter10.faults.diagnose(lambda: chapter10.faults.right | {name: answer})
    if answer == chapter10.faults.right[name]:
        assert report.passed
    else:
        assert report.keys == dict.fromkeys(chapter10.RUNS, "right") | {name: answer}
        assert (name, answer) in chapter10.faults.wrong


def test_each_fault_has_its_sign_and_the_healthy_run_none():
    healthy, a, b, c, d, e = map(chapter10.run, ("healthy", *chapter10.RUNS))
    assert healthy.losses[0] == pytest.approx(np.log(2), abs=0.01)
    assert healthy.losses[-1] < 0.02
    assert max(healthy.ratios["conv1"][0], healthy.ratios["conv2"][0]) < 0.05
    assert healthy.gradient_norms[-1] < healthy.gradient_norms[0] / 10
    assert (healthy.dead_before, healthy.dead_after) == (0, 0)
    assert a.ratios["conv1"][0] > 0.5
    assert (a.dead_before, a.dead_after) == (0, 1)
    assert b.losses[-1] == pytest.approx(b.base, rel=0.1)
    assert b.losses[0] == pytest.approx(np.log(2), abs=0.01)
    assert c.losses[0] == pytest.approx(0.92, abs=0.01)
    assert 0 < c.loss_inputs[0] < c.loss_inputs[1] < 1
    assert c.losses[-1] > 2 * c.base
    assert d.gradient_norms[-1] > 5 * d.gradient_norms[0]
    assert d.ratios["conv1"][0] == healthy.ratios["conv1"][0]
    assert e.dead_before == 1
    assert max(e.ratios["conv1"].max(), e.ratios["genres"].max()) < 1e-4
    for run in (healthy, a, b, c, d, e):
        assert -1 <= run.inputs[0] < run.inputs[1] <= 1


def test_a_run_of_another_name_is_refused():
    with pytest.raises(ValueError, match="one of healthy, A, B, C, D, E"):
        chapter10.run("F")
