"""Checks of chapter 12: average precision, macro means, held-out thresholds, the paired bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn import metrics
from poster_genre.model.thresholds import best_f1_threshold

Array = np.ndarray


def _counts(y: Array, score: Array) -> tuple[Array, Array]:
    """Posters named and right ones among them, at each distinct score in falling order."""
    distinct = np.unique(score)[::-1]
    named = (score >= distinct[:, None]).sum(axis=1)
    hits = (y * (score >= distinct[:, None])).sum(axis=1)
    return named, hits


def _curve(y: Array, score: Array) -> tuple[Array, Array, float]:
    named, hits = _counts(y, score)
    return hits / named, hits / y.sum(), metrics.average_precision(y, score)


def _row_by_row(y: Array, score: Array) -> tuple[Array, Array, float]:
    """With a threshold of its own for every row, tied or not."""
    hits = np.cumsum(y[np.argsort(-score, kind="stable")])
    precision, recall = hits / np.arange(1, len(y) + 1), hits / y.sum()
    return precision, recall, float((np.diff(recall, prepend=0) * precision).sum())


def _from_zero(y: Array, score: Array) -> Array:
    named, hits = _counts(y, score)
    return hits / (named - 1)


def _positives_first(y: Array, score: Array) -> float:
    order = np.lexsort((-y, -score))
    hits = np.cumsum(y[order])
    precision = hits / np.arange(1, len(y) + 1)
    return float((precision * y[order]).sum() / y.sum())


def _ranked_posters() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(120)
    cases: list[tuple[Any, ...]] = []
    for size, positives in ((9, 4), (14, 5), (11, 3)):
        y = np.zeros(size)
        y[rng.permutation(size)[:positives]] = 1
        cases.append((y, (rng.integers(1, 6, size) + y) / 8))
    return cases


TIES = (
    "Every row has a threshold of its own, so that the result depends on the order of rows with equal "
    "scores. No threshold divides equal scores: keep the last row of each group of ties."
)
ASCENDING = "The lowest score comes first. Sort by falling scores."
FROM_ZERO = "The posters named are counted from 0. At the first rank one poster is named: add 1."

average_precision = Exercise(
    "average_precision",
    cases=_ranked_posters,
    answer=_curve,
    outputs=("precision", "recall", "ap"),
    mistakes=(
        Mistake("ties", "precision", TIES, lambda y, s: _row_by_row(y, s)[0]),
        Mistake("ascending", "precision", ASCENDING, lambda y, s: _curve(y, -s)[0]),
        Mistake("counted from 0", "precision", FROM_ZERO, _from_zero),
        Mistake(
            "recall",
            "precision",
            "This is the recall. Precision divides by the number of posters that are named, not by "
            "that of positives.",
            lambda y, s: _curve(y, s)[1],
        ),
        Mistake("ties", "recall", TIES, lambda y, s: _row_by_row(y, s)[1]),
        Mistake("ascending", "recall", ASCENDING, lambda y, s: _curve(y, -s)[1]),
        Mistake(
            "precision",
            "recall",
            "This is the precision. Recall divides by the number of positives, which is the same at "
            "every threshold.",
            lambda y, s: _curve(y, s)[0],
        ),
        Mistake(
            "all posters",
            "recall",
            "It is divided by the number of all posters. Recall is the share of the positives.",
            lambda y, s: _curve(y, s)[1] * y.mean(),
        ),
        Mistake("ties", "ap", TIES, lambda y, s: _row_by_row(y, s)[2]),
        Mistake(
            "ties in favour",
            "ap",
            "Among equal scores the positives stand first, as the network does not say. Equal scores "
            "are named together.",
            _positives_first,
        ),
        Mistake("ascending", "ap", ASCENDING, lambda y, s: metrics.average_precision(y, -s)),
        Mistake(
            "mean of precisions",
            "ap",
            "This is the mean of the precision over the thresholds. A threshold counts by what it "
            "adds to the recall.",
            lambda y, s: _curve(y, s)[0].mean(),
        ),
        Mistake(
            "recall, not its steps",
            "ap",
            "Each precision is weighted by the recall. Weight it by the recall that its threshold "
            "adds: np.diff.",
            lambda y, s: (_curve(y, s)[0] * _curve(y, s)[1]).sum(),
        ),
        Mistake(
            "first step left out",
            "ap",
            "The first threshold adds nothing. Its recall rises from 0: np.diff(recall, prepend=0).",
            lambda y, s: (np.diff(_curve(y, s)[1]) * _curve(y, s)[0][1:]).sum(),
        ),
        Mistake(
            "trapezoid",
            "ap",
            "The points are joined by straight lines. Between two thresholds there is nothing to "
            "choose, and the line promises too much (Davis and Goadrich 2006): use steps.",
            lambda y, s: np.trapezoid(_curve(y, s)[0], _curve(y, s)[1]),
        ),
        Mistake(
            "trapezoid",
            "ap",
            "The points are joined by straight lines, from a made-up precision of 1 at recall 0. Use steps.",
            lambda y, s: np.trapezoid(np.append(1, _curve(y, s)[0]), np.append(0, _curve(y, s)[1])),
        ),
        Mistake(
            "AUC",
            "ap",
            "This is the ROC AUC, a share of pairs. Average precision sums precisions.",
            metrics.roc_auc,
        ),
    ),
)


def _posters_and_genres() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(121)
    cases: list[tuple[Any, ...]] = []
    for posters, positives, least in ((18, (9, 4, 3, 0), 4), (23, (0, 12, 5, 6, 2), 5)):
        y = np.zeros((posters, len(positives)))
        for g, count in enumerate(positives):
            y[rng.permutation(posters)[:count], g] = 1
        cases.append((y, rng.random(y.shape) + 0.4 * y, least))
    return cases


def _columns(y: Array, score: Array) -> Array:
    return metrics.average_precision_by_column(y, score)


macro_mean = Exercise(
    "macro_mean",
    cases=_posters_and_genres,
    answer=metrics.macro_average_precision,
    outputs=("macro",),
    mistakes=(
        Mistake(
            "micro",
            "macro",
            "This is the micro average: all decisions in one list, which the frequent genres decide. "
            "Take the AP of each genre first, then the mean.",
            lambda y, s, least: metrics.micro_average_precision(y, s),
        ),
        Mistake(
            "undefined",
            "macro",
            "It is NaN. A genre without a positive has no average precision: leave it out before the mean.",
            lambda y, s, least: np.nan,
        ),
        Mistake(
            "undefined as 0",
            "macro",
            "A genre without a positive counts as 0. It is undefined and must be left out.",
            lambda y, s, least: np.nan_to_num(_columns(y, s)).mean(),
        ),
        Mistake(
            "too few as 0",
            "macro",
            "Genres below the limit count as 0. They must be left out of the number of genres, too.",
            lambda y, s, least: np.where(y.sum(axis=0) >= least, _columns(y, s), 0).mean(),
        ),
        Mistake(
            "rare genres too",
            "macro",
            "Genres with fewer than min_positives are in the mean.",
            lambda y, s, least: np.nanmean(_columns(y, s)),
        ),
        Mistake(
            "limit left out",
            "macro",
            "A genre with exactly min_positives is missing. The limit itself is enough: use >= .",
            lambda y, s, least: metrics.macro_average_precision(y, s, least + 1),
        ),
        Mistake(
            "weighted",
            "macro",
            "The genres are weighted by their positives. In a macro mean every genre has the same weight.",
            lambda y, s, least: np.average(
                _columns(y, s)[y.sum(axis=0) >= least], weights=y.sum(axis=0)[y.sum(axis=0) >= least]
            ),
        ),
        Mistake(
            "posters",
            "macro",
            "This is the mean over the posters, each with its genres ranked. Go through the columns, "
            "not the rows.",
            lambda y, s, least: np.nanmean(_columns(y.T, s.T)),
        ),
    ),
)


def _folded_posters() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(122)
    cases: list[tuple[Any, ...]] = []
    for posters, folds in ((24, 3), (35, 4)):
        y = np.zeros(posters)
        y[rng.permutation(posters)[: posters // 3]] = 1
        p = np.clip(0.3 + 0.25 * y + 0.25 * rng.standard_normal(posters), 0.01, 0.99)
        cases.append((y, p, rng.permutation(posters) % folds))
    return cases


def _cross_fitted(y: Array, p: Array, fold: Array, *, fitted_on: str = "others") -> tuple[Array, Array]:
    """Thresholds and decisions; each fold's threshold fitted on the "others", the "same" or "all"."""
    chosen = {"others": lambda k: fold != k, "same": lambda k: fold == k, "all": lambda k: fold >= 0}[
        fitted_on
    ]
    rows = [chosen(k) for k in range(fold.max() + 1)]
    thresholds = np.array([best_f1_threshold(y[row], p[row]) for row in rows])
    return thresholds, (p >= thresholds[fold]).astype(float)


def _overwritten(y: Array, p: Array, fold: Array) -> Array:
    """Each threshold applied to the posters that it was fitted on; later folds overwrite."""
    thresholds, decided = _cross_fitted(y, p, fold)[0], np.zeros(len(y))
    for k, threshold in enumerate(thresholds):
        decided[fold != k] = p[fold != k] >= threshold
    return decided


SCORED = (
    "Each fold's threshold was chosen on that fold, the very posters that are then scored with it. "
    "Choose it on the others: fold != k."
)
ALL = (
    "One threshold was chosen on all posters, among them those that are then scored with it. Choose "
    "it on the other folds: fold != k."
)

cross_fitted_decisions = Exercise(
    "cross_fitted_decisions",
    cases=_folded_posters,
    answer=_cross_fitted,
    outputs=("thresholds", "decisions"),
    mistakes=(
        Mistake("scored posters", "thresholds", SCORED, lambda *c: _cross_fitted(*c, fitted_on="same")[0]),
        Mistake("all posters", "thresholds", ALL, lambda *c: _cross_fitted(*c, fitted_on="all")[0]),
        Mistake(
            "one half",
            "thresholds",
            "They are 0.5. A genre that is rare hardly ever reaches 0.5: choose the threshold with "
            "best_f1_threshold.",
            lambda y, p, fold: np.full(fold.max() + 1, 0.5),
        ),
        Mistake("scored posters", "decisions", SCORED, lambda *c: _cross_fitted(*c, fitted_on="same")[1]),
        Mistake("all posters", "decisions", ALL, lambda *c: _cross_fitted(*c, fitted_on="all")[1]),
        Mistake(
            "one half",
            "decisions",
            "They are those of a threshold of 0.5.",
            lambda y, p, fold: (p >= 0.5).astype(float),
        ),
        Mistake(
            "applied to the others",
            "decisions",
            "A threshold is applied to the posters that it was chosen on. It is for the posters of "
            "fold k: fold == k.",
            _overwritten,
        ),
        Mistake(
            "below",
            "decisions",
            "A genre is named where the probability is below its threshold. Name it from the "
            "threshold on: >= .",
            lambda *c: 1 - _cross_fitted(*c)[1],
        ),
    ),
)


def _two_models() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(123)
    cases: list[tuple[Any, ...]] = []
    for posters, resamples in ((26, 40), (31, 60)):
        y = np.zeros(posters)
        y[rng.permutation(posters)[: posters // 2]] = 1
        first = y + rng.standard_normal(posters)
        second = first + 0.5 * y + 0.3 * rng.standard_normal(posters)
        cases.append((y, first, second, rng.integers(posters, size=(resamples, posters))))
    return cases


def _resampled(y: Array, score: Array, draws: Array) -> Array:
    return np.array([metrics.average_precision(y[rows], score[rows]) for rows in draws])


def _ends(differences: Array, tail: float = 0.025) -> tuple[float, float]:
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)


def _paired(y: Array, first: Array, second: Array, draws: Array, tail: float = 0.025) -> tuple[float, float]:
    return _ends(_resampled(y, second, draws) - _resampled(y, first, draws), tail)


def _own_ends(y: Array, first: Array, second: Array, draws: Array) -> tuple[Any, Any]:
    return _ends(_resampled(y, first, draws)), _ends(_resampled(y, second, draws))


def _fixed_labels(y: Array, first: Array, second: Array, draws: Array) -> tuple[float, float]:
    measure = metrics.average_precision
    return _ends(np.array([measure(y, second[rows]) - measure(y, first[rows]) for rows in draws]))


def _of_the_mean(y: Array, first: Array, second: Array, draws: Array) -> tuple[float, float]:
    differences = _resampled(y, second, draws) - _resampled(y, first, draws)
    reach = 1.96 * differences.std(ddof=1) / np.sqrt(len(draws))
    return differences.mean() - reach, differences.mean() + reach


def _half_paired(y: Array, first: Array, second: Array, draws: Array, *, fixed: str) -> tuple[float, float]:
    """The interval where one model keeps its value on all posters."""
    if fixed == "first":
        return _ends(_resampled(y, second, draws) - metrics.average_precision(y, first))
    return _ends(metrics.average_precision(y, second) - _resampled(y, first, draws))


def _interval_mistakes() -> list[Mistake]:
    """The mistakes of both ends: each is a way to compute the pair of them."""
    ways = {
        "ends subtracted": (
            "The ends of two separate intervals were subtracted. That is not how their difference "
            "varies: subtract within each resample, then take the quantiles.",
            lambda *case: tuple(b - a for a, b in zip(*_own_ends(*case), strict=True)),
        ),
        "widest": (
            "The ends of two separate intervals were subtracted crosswise, as if the two models had "
            "been tried on different posters. Subtract within each resample, then take the quantiles.",
            lambda *case: (
                _own_ends(*case)[1][0] - _own_ends(*case)[0][1],
                _own_ends(*case)[1][1] - _own_ends(*case)[0][0],
            ),
        ),
        "labels": (
            "The labels were not drawn with the scores: y[rows], too. A poster is drawn whole.",
            _fixed_labels,
        ),
        "order": (
            "This is first - second. The difference asked for is second - first.",
            lambda y, first, second, draws: _paired(y, second, first, draws),
        ),
        "90 %": (
            "These are the 5 % and 95 % quantiles, which hold 90 %. An interval of 95 % leaves 2.5 % "
            "on each side.",
            lambda y, first, second, draws: _paired(y, first, second, draws, 0.05),
        ),
        "of the mean": (
            "The spread was divided by the root of the number of resamples. That is the error of the "
            "resamples' mean, which more computing makes as small as you like. The spread of the "
            "resamples is already the standard error.",
            _of_the_mean,
        ),
        "second fixed": (
            "Only the first model was resampled. Both must be measured on the same drawn posters.",
            lambda *case: _half_paired(*case, fixed="second"),
        ),
        "first fixed": (
            "Only the second model was resampled. Both must be measured on the same drawn posters.",
            lambda *case: _half_paired(*case, fixed="first"),
        ),
    }
    return [
        Mistake(key, end, says, lambda *case, way=way, i=i: way(*case)[i])
        for key, (says, way) in ways.items()
        for i, end in enumerate(("low", "high"))
    ]


paired_interval = Exercise(
    "paired_interval",
    cases=_two_models,
    answer=_paired,
    outputs=("low", "high"),
    mistakes=_interval_mistakes(),
)
