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


def _first_rows(y: Array, score: Array) -> tuple[Array, Array, float]:
    """At the first row of each group of ties instead of the last."""
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], np.cumsum(y[order])
    first = np.append(True, ranked[1:] != ranked[:-1])
    precision, recall = (hits / np.arange(1, len(y) + 1))[first], (hits / y.sum())[first]
    return precision, recall, float((np.diff(recall, prepend=0) * precision).sum())


def _above(y: Array, score: Array) -> tuple[Array, Array]:
    """Precision and recall of the scores above each distinct score, without those equal to it."""
    named, hits = _counts(y, score)
    named, hits = np.append(0, named[:-1]), np.append(0, hits[:-1])
    return hits / np.maximum(named, 1), hits / y.sum()


def _without_last(y: Array, score: Array) -> tuple[Array, Array]:
    precision, recall, _ = _curve(y, score)
    return precision[:-1], recall[:-1]


def _upwards(y: Array, score: Array) -> float:
    """With the distinct scores from the lowest on, so that the recall falls."""
    precision, recall, _ = _curve(y, score)
    return float((np.diff(recall[::-1], prepend=0) * precision[::-1]).sum())


def _at_rises(y: Array, score: Array) -> float:
    """The plain mean of the precisions at the thresholds where the recall rises."""
    precision, recall, _ = _curve(y, score)
    return float(precision[np.diff(recall, prepend=0) > 0].mean())


def _interpolated(y: Array, score: Array) -> float:
    """With the best precision at this recall or a higher one."""
    precision, recall, _ = _curve(y, score)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * best).sum())


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
FIRST_ROW = (
    "It is read at the first row of each group of equal scores. All of them are named together: read it at "
    "the last."
)
ABOVE = "The posters whose score equals the threshold are not named. Name them too: score >= threshold."
LAST_ROW = "The last threshold is missing, the one that names every poster. The last row always counts."
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
        Mistake("first of ties", "precision", FIRST_ROW, lambda y, s: _first_rows(y, s)[0]),
        Mistake("above only", "precision", ABOVE, lambda y, s: _above(y, s)[0]),
        Mistake("last left out", "precision", LAST_ROW, lambda y, s: _without_last(y, s)[0]),
        Mistake(
            "all posters",
            "precision",
            "The right ones are divided by the number of all posters. Divide by the number named so far.",
            lambda y, s: _counts(y, s)[1] / len(y),
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
        Mistake("first of ties", "recall", FIRST_ROW, lambda y, s: _first_rows(y, s)[1]),
        Mistake("above only", "recall", ABOVE, lambda y, s: _above(y, s)[1]),
        Mistake("last left out", "recall", LAST_ROW, lambda y, s: _without_last(y, s)[1]),
        Mistake(
            "false positives",
            "recall",
            "This is the share of the negatives that are named. Recall is the share of the positives.",
            lambda y, s: _curve(1 - y, s)[1],
        ),
        Mistake("ties", "ap", TIES, lambda y, s: _row_by_row(y, s)[2]),
        Mistake(
            "ties in favour",
            "ap",
            "Among equal scores the positives stand first, as the network does not say. Equal scores "
            "are named together.",
            _positives_first,
        ),
        Mistake("first of ties", "ap", FIRST_ROW, lambda y, s: _first_rows(y, s)[2]),
        Mistake("ascending", "ap", ASCENDING, lambda y, s: metrics.average_precision(y, -s)),
        Mistake("ascending", "ap", ASCENDING, _upwards),
        Mistake(
            "each rise alike",
            "ap",
            "The precisions where the recall rises count alike. A threshold that names two positives at once "
            "adds twice as much recall, and counts twice.",
            _at_rises,
        ),
        Mistake(
            "interpolated",
            "ap",
            "Each precision was replaced by the best one at a higher recall. That is the interpolated AP of "
            "older benchmarks; take the precision as it is.",
            _interpolated,
        ),
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
    for posters, positives, least in ((18, (9, 4, 3, 0, 6), 4), (23, (0, 12, 5, 6, 2, 7), 5)):
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
            "It is NaN. A genre without a positive, which has no average precision, is in the mean, or no "
            "genre is left in it. Count the positives of each genre: y.sum(axis=0).",
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
            "weighted",
            "macro",
            "The genres are weighted by their positives, and those below the limit are in the mean. Every "
            "genre that counts has the same weight.",
            lambda y, s, least: np.average(
                _columns(y, s)[y.sum(axis=0) > 0], weights=y.sum(axis=0)[y.sum(axis=0) > 0]
            ),
        ),
        Mistake(
            "micro",
            "macro",
            "This is the micro average over the genres that count. Take the AP of each genre first, then "
            "the mean.",
            lambda y, s, least: metrics.micro_average_precision(
                y[:, y.sum(axis=0) >= least], s[:, y.sum(axis=0) >= least]
            ),
        ),
        Mistake(
            "sum",
            "macro",
            "This is the sum of the genres' APs. Divide by the number of genres that count.",
            lambda y, s, least: _columns(y, s)[y.sum(axis=0) >= least].sum(),
        ),
        Mistake(
            "median",
            "macro",
            "This is the median. The macro mean is the mean.",
            lambda y, s, least: np.median(_columns(y, s)[y.sum(axis=0) >= least]),
        ),
        Mistake(
            "AUC",
            "macro",
            "This is the macro mean of the AUC. Use metrics.average_precision.",
            lambda y, s, least: metrics.macro_roc_auc(y, s, least),
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
        Mistake(
            "one a poster",
            "thresholds",
            "There is one for each poster. Return one for each fold, (folds,).",
            lambda y, p, fold: _cross_fitted(y, p, fold)[0][fold],
        ),
        Mistake(
            "share of positives",
            "thresholds",
            "These are the shares of positives among the other folds. Choose with best_f1_threshold.",
            lambda y, p, fold: np.array([y[fold != k].mean() for k in range(fold.max() + 1)]),
        ),
        Mistake(
            "arguments exchanged",
            "thresholds",
            "Labels and probabilities are exchanged: best_f1_threshold(y, p).",
            lambda y, p, fold: np.array(
                [best_f1_threshold(p[fold != k], y[fold != k]) for k in range(fold.max() + 1)]
            ),
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
            "mean threshold",
            "decisions",
            "All posters are decided by the mean of the thresholds, which was chosen on every poster. Each "
            "fold has its own.",
            lambda y, p, fold: (p >= _cross_fitted(y, p, fold)[0].mean()).astype(float),
        ),
        Mistake(
            "probabilities",
            "decisions",
            "These are the probabilities. A decision is 1 where the probability reaches the threshold, and "
            "0 elsewhere.",
            lambda y, p, fold: p,
        ),
        Mistake(
            "right or wrong",
            "decisions",
            "This says whether each decision is right. Return the decisions themselves.",
            lambda y, p, fold: (_cross_fitted(y, p, fold)[1] == y).astype(float),
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
    for posters, resamples, gain in ((26, 40, 0.5), (31, 60, 0.1)):
        y = np.zeros(posters)
        y[rng.permutation(posters)[: posters // 2]] = 1
        first = y + rng.standard_normal(posters)
        second = first + gain * y + 0.3 * rng.standard_normal(posters)
        cases.append((y, first, second, rng.integers(posters, size=(resamples, posters))))
    return cases


def _resampled(y: Array, score: Array, draws: Array) -> Array:
    return np.array([metrics.average_precision(y[rows], score[rows]) for rows in draws])


def _ends(differences: Array, tail: float = 0.025) -> tuple[float, float]:
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)


def _resampled_difference(y: Array, first: Array, second: Array, draws: Array) -> Array:
    return _resampled(y, second, draws) - _resampled(y, first, draws)


def _normal(values: Array, ddof: int = 0) -> tuple[float, float]:
    reach = 1.96 * values.std(ddof=ddof)
    return values.mean() - reach, values.mean() + reach


def _paired(y: Array, first: Array, second: Array, draws: Array, tail: float = 0.025) -> tuple[float, float]:
    return _ends(_resampled_difference(y, first, second, draws), tail)


def _own_ends(y: Array, first: Array, second: Array, draws: Array) -> tuple[Any, Any]:
    return _ends(_resampled(y, first, draws)), _ends(_resampled(y, second, draws))


def _fixed_labels(y: Array, first: Array, second: Array, draws: Array) -> tuple[float, float]:
    measure = metrics.average_precision
    return _ends(np.array([measure(y, second[rows]) - measure(y, first[rows]) for rows in draws]))


def _of_the_mean(y: Array, first: Array, second: Array, draws: Array) -> tuple[float, float]:
    differences = _resampled_difference(y, first, second, draws)
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
        "absolute": (
            "The sign of the differences is lost. In a resample where the first model is better, the "
            "difference is below 0.",
            lambda *case: _ends(np.abs(_resampled_difference(*case))),
        ),
        "unpaired": (
            "The two models are measured on resamples of their own. Index both with the same row of draws.",
            lambda y, first, second, draws: _ends(
                _resampled(y, second, draws) - _resampled(y, first, draws[::-1])
            ),
        ),
        "unpaired ": (
            "The two models are measured on resamples of their own. Index both with the same row of draws.",
            lambda y, first, second, draws: _ends(
                _resampled(y, second, draws[::-1]) - _resampled(y, first, draws)
            ),
        ),
        "second alone": (
            "This is the interval of the second model. Subtract the AP of the first in each resample.",
            lambda *case: _own_ends(*case)[1],
        ),
        "first alone": (
            "This is the interval of the first model. Subtract its AP from that of the second in each "
            "resample.",
            lambda *case: _own_ends(*case)[0],
        ),
        "scores subtracted": (
            "The scores were subtracted, and then the AP taken. Subtract the two APs.",
            lambda y, first, second, draws: _ends(_resampled(y, second - first, draws)),
        ),
        "percents": (
            "np.percentile takes percents, 2.5 and 97.5; np.quantile takes 0.025 and 0.975.",
            lambda *case: tuple(np.percentile(_resampled_difference(*case), [0.025, 0.975])),
        ),
        "standard deviations": (
            "This is the mean and 1.96 standard deviations, which assumes a normal distribution. Take the "
            "quantiles.",
            lambda *case: _normal(_resampled_difference(*case)),
        ),
        "standard deviations ": (
            "This is the mean and 1.96 standard deviations, which assumes a normal distribution. Take the "
            "quantiles.",
            lambda *case: _normal(_resampled_difference(*case), ddof=1),
        ),
        "extremes": (
            "These are the smallest and the largest difference, and more resamples would spread them. Take "
            "the 2.5 % and 97.5 % quantiles.",
            lambda *case: (_resampled_difference(*case).min(), _resampled_difference(*case).max()),
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
        Mistake(key.strip(), end, says, lambda *case, way=way, i=i: way(*case)[i])
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
