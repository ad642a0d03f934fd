"""Chapter 12: the right answers against scikit-learn, and every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter12
from tests.tutorials.attempts import attempt

NAMES = ["average_precision", "macro_mean", "cross_fitted_decisions", "paired_interval"]


def wrong(name, *changes):
    return getattr(chapter12, name).diagnose(attempt(12, name, *changes)).keys


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name):
    assert getattr(chapter12, name).diagnose(attempt(12, name)).passed


def test_average_precision_and_its_curve_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    for y, score in chapter12.average_precision.cases():
        precision, recall, ap = chapter12.average_precision.answer(y, score)
        p, r, _ = sklearn.precision_recall_curve(y, score)
        np.testing.assert_allclose(precision, p[:-1][::-1])
        np.testing.assert_allclose(recall, r[:-1][::-1])
        assert ap == pytest.approx(sklearn.average_precision_score(y, score))


def test_the_macro_mean_is_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    for y, score, least in chapter12.macro_mean.cases():
        counted = y.sum(axis=0) >= least
        right = sklearn.average_precision_score(y[:, counted], score[:, counted], average="macro")
        assert chapter12.macro_mean.answer(y, score, least) == pytest.approx(right)


def test_a_threshold_has_the_best_f1_of_all_on_the_other_folds():
    sklearn = pytest.importorskip("sklearn.metrics")
    for y, p, fold in chapter12.cross_fitted_decisions.cases():
        thresholds, decisions = chapter12.cross_fitted_decisions.answer(y, p, fold)
        for k, threshold in enumerate(thresholds):
            others = fold != k
            reached = sklearn.f1_score(y[others], p[others] >= threshold)
            assert reached == max(sklearn.f1_score(y[others], p[others] >= t) for t in p[others])
            np.testing.assert_array_equal(decisions[fold == k], p[fold == k] >= threshold)


def test_the_paired_interval_is_that_of_scipy_with_the_same_draws():
    stats = pytest.importorskip("scipy.stats")
    sklearn = pytest.importorskip("sklearn.metrics")
    y, first, second, draws = chapter12.paired_interval.cases()[0]
    score = sklearn.average_precision_score
    differences = [score(y[d], second[d]) - score(y[d], first[d]) for d in draws]
    low, high = chapter12.paired_interval.answer(y, first, second, draws)
    assert low == pytest.approx(stats.scoreatpercentile(differences, 2.5))
    assert high == pytest.approx(stats.scoreatpercentile(differences, 97.5))


ALL_ROWS = ("last = np.append(ranked[1:] != ranked[:-1], True)", "last = slice(None)")


@pytest.mark.filterwarnings("ignore:.*divide:RuntimeWarning")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            [ALL_ROWS, ("np.argsort(-score)", "np.argsort(-score, kind='stable')")],
            {"precision": "ties", "recall": "ties", "ap": "ties"},
        ),
        (
            [("np.argsort(-score)", "np.argsort(score)")],
            {"precision": "ascending", "recall": "ascending", "ap": "ascending"},
        ),
        (
            [
                ("np.arange(1, len(y) + 1))[last]", "np.arange(len(y)))[last]"),
                ("* precision)", "* (hits/np.arange(1, len(y) + 1))[last])"),
            ],
            {"precision": "counted from 0"},
        ),
        ([("return precision, recall", "return recall, recall")], {"precision": "recall"}),
        ([("return precision, recall", "return precision, precision")], {"recall": "precision"}),
        ([("return precision, recall", "return precision, recall * y.mean()")], {"recall": "all posters"}),
        (
            [("(np.diff(recall, prepend=0) * precision).sum()", "precision.mean()")],
            {"ap": "mean of precisions"},
        ),
        ([("np.diff(recall, prepend=0)", "recall")], {"ap": "recall, not its steps"}),
        (
            [("(np.diff(recall, prepend=0) * precision)", "(np.diff(recall) * precision[1:])")],
            {"ap": "first step left out"},
        ),
        (
            [("(np.diff(recall, prepend=0) * precision).sum()", "np.trapezoid(precision, recall)")],
            {"ap": "trapezoid"},
        ),
        (
            [
                (
                    "(np.diff(recall, prepend=0) * precision).sum()",
                    "np.trapezoid(np.append(1, precision), np.append(0, recall))",
                )
            ],
            {"ap": "trapezoid"},
        ),
        ([("(np.diff(recall, prepend=0) * precision).sum()", "metrics.roc_auc(y, score)")], {"ap": "AUC"}),
        (
            [
                (
                    "(np.diff(recall, prepend=0) * precision).sum()",
                    "(lambda h: (h / np.arange(1, len(y) + 1) * np.diff(h, prepend=0)).sum() / y.sum())"
                    "(np.cumsum(y[np.lexsort((-y, -score))]))",
                )
            ],
            {"ap": "ties in favour"},
        ),
    ],
)
def test_a_wrong_average_precision_is_named(changes, found):
    assert (
        wrong("average_precision", *changes)
        == {"precision": "right", "recall": "right", "ap": "right"} | found
    )


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("np.mean(each)", "metrics.micro_average_precision(y, score)")], "micro"),
        ([("y.sum(axis=0) >= min_positives", "y.sum(axis=0) >= 0")], "undefined"),
        (
            [
                ("y.sum(axis=0) >= min_positives", "y.sum(axis=0) >= 0"),
                ("np.mean(each)", "np.nan_to_num(each).mean()"),
            ],
            "undefined as 0",
        ),
        ([("np.mean(each)", "np.sum(each) / y.shape[1]")], "too few as 0"),
        (
            [("y.sum(axis=0) >= min_positives", "y.sum(axis=0) >= 0"), ("np.mean(each)", "np.nanmean(each)")],
            "rare genres too",
        ),
        ([(">= min_positives", "> min_positives")], "limit left out"),
        ([("np.mean(each)", "np.average(each, weights=y.sum(axis=0)[counted])")], "weighted"),
        (
            [("np.mean(each)", "np.nanmean([metrics.average_precision(a, b) for a, b in zip(y, score)])")],
            "posters",
        ),
    ],
)
def test_a_wrong_macro_mean_is_named(changes, found):
    assert wrong("macro_mean", *changes) == {"macro": found}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            [("y[~here], p[~here]", "y[here], p[here]")],
            {"thresholds": "scored posters", "decisions": "scored posters"},
        ),
        ([("y[~here], p[~here]", "y, p")], {"thresholds": "all posters", "decisions": "all posters"}),
        (
            [("best_f1_threshold(y[~here], p[~here])", "0.5")],
            {"thresholds": "one half", "decisions": "one half"},
        ),
        (
            [("decisions[here] = p[here]", "decisions[~here] = p[~here]")],
            {"decisions": "applied to the others"},
        ),
        ([("p[here] >=", "p[here] <")], {"decisions": "below"}),
    ],
)
def test_a_wrong_cross_fitting_is_named(changes, found):
    assert wrong("cross_fitted_decisions", *changes) == {"thresholds": "right", "decisions": "right"} | found


SUBTRACT = "differences.append(ap_second - ap_first)"
BOTH = "differences.append((ap_first, ap_second))"
QUANTILES = "low, high = np.quantile(differences, [0.025, 0.975])"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            [
                (SUBTRACT, BOTH),
                (QUANTILES, "low, high = np.diff(np.quantile(differences, [0.025, 0.975], axis=0))[:, 0]"),
            ],
            "ends subtracted",
        ),
        (
            [
                (SUBTRACT, BOTH),
                (
                    QUANTILES,
                    "q = np.quantile(differences, [0.025, 0.975], axis=0); "
                    "low, high = q[0, 1] - q[1, 0], q[1, 1] - q[0, 0]",
                ),
            ],
            "widest",
        ),
        ([("y[rows]", "y")], "labels"),
        ([("ap_second - ap_first", "ap_first - ap_second")], "order"),
        ([("[0.025, 0.975]", "[0.05, 0.95]")], "90 %"),
        (
            [
                (
                    QUANTILES,
                    "m, s = np.mean(differences), 1.96 * np.std(differences, ddof=1) / len(draws) ** 0.5; "
                    "low, high = m - s, m + s",
                )
            ],
            "of the mean",
        ),
        ([("y[rows], second[rows]", "y, second")], "second fixed"),
        ([("y[rows], first[rows]", "y, first")], "first fixed"),
    ],
)
def test_a_wrong_interval_is_named(changes, found):
    assert wrong("paired_interval", *changes) == {"low": found, "high": found}


AP_AND_RIGHT = {"precision": "right", "recall": "right", "ap": "right"}
LAST = "np.append(ranked[1:] != ranked[:-1], True)"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            [(LAST, "np.append(True, ranked[1:] != ranked[:-1])")],
            dict.fromkeys(("precision", "recall", "ap"), "first of ties"),
        ),
        (
            [(LAST, "np.append(ranked[1:] != ranked[:-1], False)")],
            {"precision": "last left out", "recall": "last left out"},
        ),
        ([("np.arange(1, len(y) + 1)", "len(y)")], {"precision": "all posters", "ap": "other"}),
        (
            [
                (
                    "return precision, recall, ap",
                    "return precision, np.cumsum(1 - y[order])[last] / (1 - y).sum(), ap",
                )
            ],
            {"recall": "false positives"},
        ),
        (
            [
                (
                    "np.diff(recall, prepend=0) * precision).sum()",
                    "precision[np.diff(recall, prepend=0) > 0]).mean()",
                )
            ],
            {"ap": "each rise alike"},
        ),
        (
            [("* precision).sum()", "* np.maximum.accumulate(precision[::-1])[::-1]).sum()")],
            {"ap": "interpolated"},
        ),
        (
            [
                (
                    "np.diff(recall, prepend=0) * precision",
                    "np.diff(recall[::-1], prepend=0) * precision[::-1]",
                )
            ],
            {"ap": "ascending"},
        ),
    ],
)
def test_another_wrong_average_precision_is_named(changes, found):
    assert wrong("average_precision", *changes) == AP_AND_RIGHT | found


def test_scores_equal_to_the_threshold_that_are_not_named_are_found():
    def strictly_above(y, score):
        _, _, ap = chapter12.average_precision.answer(y, score)
        above = score > np.unique(score)[::-1, None]
        named, hits = above.sum(axis=1), (y * above).sum(axis=1)
        return hits / np.maximum(named, 1), hits / y.sum(), ap

    found = chapter12.average_precision.diagnose(strictly_above).keys
    assert found == {"precision": "above only", "recall": "above only", "ap": "right"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("np.mean(each)", "np.median(each)")], "median"),
        ([("np.mean(each)", "np.sum(each)")], "sum"),
        ([("metrics.average_precision(", "metrics.roc_auc(")], "AUC"),
        (
            [("np.mean(each)", "metrics.micro_average_precision(y[:, counted], score[:, counted])")],
            "micro",
        ),
        (
            [
                (">= min_positives", "> 0"),
                ("np.mean(each)", "np.average(each, weights=y.sum(axis=0)[counted])"),
            ],
            "weighted",
        ),
    ],
)
def test_another_wrong_macro_mean_is_named(changes, found):
    assert wrong("macro_mean", *changes) == {"macro": found}


FITTED = "best_f1_threshold(y[~here], p[~here])"
RETURN = "return thresholds, decisions"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(FITTED, "y[~here].mean()")], {"thresholds": "share of positives", "decisions": "other"}),
        (
            [(FITTED, "best_f1_threshold(p[~here], y[~here])")],
            {"thresholds": "arguments exchanged", "decisions": "other"},
        ),
        ([(RETURN, "return thresholds[fold], decisions")], {"thresholds": "one a poster"}),
        ([(RETURN, "return thresholds, p >= thresholds.mean()")], {"decisions": "mean threshold"}),
        ([(RETURN, "return thresholds, p")], {"decisions": "probabilities"}),
        ([(RETURN, "return thresholds, decisions == y")], {"decisions": "right or wrong"}),
    ],
)
def test_another_wrong_cross_fitting_is_named(changes, found):
    assert wrong("cross_fitted_decisions", *changes) == {"thresholds": "right", "decisions": "right"} | found


MEAN = "m, s = np.mean(differences), 1.96 * np.std(differences); low, high = m - s, m + s"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(SUBTRACT, "differences.append(ap_second)")], "second alone"),
        ([(SUBTRACT, "differences.append(ap_first)")], "first alone"),
        (
            [(SUBTRACT, "differences.append(metrics.average_precision(y[rows], (second - first)[rows]))")],
            "scores subtracted",
        ),
        ([("np.quantile", "np.percentile")], "percents"),
        ([(QUANTILES, MEAN)], "standard deviations"),
        ([(QUANTILES, MEAN.replace("ences);", "ences, ddof=1);"))], "standard deviations"),
        ([(QUANTILES, "low, high = min(differences), max(differences)")], "extremes"),
        (
            [
                ("for rows in draws", "for rows, others in zip(draws, draws[::-1])"),
                ("y[rows], first[rows]", "y[others], first[others]"),
            ],
            "unpaired",
        ),
    ],
)
def test_another_wrong_interval_is_named(changes, found):
    assert wrong("paired_interval", *changes) == {"low": found, "high": found}


def test_differences_without_their_sign_are_named():
    keys = wrong(
        "paired_interval", (SUBTRACT, SUBTRACT.replace("ap_second - ap_first", "abs(ap_second - ap_first)"))
    )
    assert keys["low"] == "absolute"
