"""Measures of a multi-label classifier, in NumPy.

``y`` holds the true labels, 0 or 1, one column a label; ``score`` any finite numbers, higher meaning more
likely; ``predicted`` decisions, 0 or 1. Everything is computed in float64. A measure that is undefined
(average precision without a positive) is NaN.

Ties. Average precision and ROC AUC depend on the scores alone: equal scores form one threshold, and the order
of the rows does not matter. Where a top k must be picked, equal scores go to the lower column first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def _binary(name: str, what: str, values: np.ndarray, ndim: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim not in ndim or array.size == 0:
        shapes = " or ".join("(n, labels)" if n == 2 else "(n,)" for n in ndim)
        raise ValueError(f"{name}: {what} must have shape {shapes} with n at least 1, got {array.shape}")
    if array.dtype == bool:
        return array
    if not np.issubdtype(array.dtype, np.number) or not ((array == 0) | (array == 1)).all():
        raise ValueError(
            f"{name}: {what} must hold only 0 and 1; compare probabilities with a threshold first"
        )
    return array == 1


def _truth_and_score(
    name: str, y: np.ndarray, score: np.ndarray, ndim: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    truth, scores = _binary(name, "y", y, ndim), np.asarray(score, dtype=np.float64)
    if truth.shape != scores.shape:
        raise ValueError(f"{name}: y has shape {truth.shape} but the scores have {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{name}: the scores must be finite, got NaN or infinity")
    return truth, scores


def average_precision(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the precision-recall steps, ``sum_i (R_i - R_{i-1}) * P_i`` over the distinct scores.

    Shapes: y and score (n,). P_i and R_i are precision and recall when every row that scores at least s_i is
    predicted positive, with s_i falling. NaN without a positive. A random order gives about the share of
    positives.
    """
    truth, scores = _truth_and_score("average_precision", y, score, (1,))
    positives = int(truth.sum())
    if not positives:
        return math.nan
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = np.cumsum(truth[order])[ends]
    return float(np.sum(np.diff(hits, prepend=0) * (hits / (ends + 1))) / positives)


def roc_auc(y: np.ndarray, score: np.ndarray) -> float:
    """Probability that a random positive scores above a random negative, ties counting one half.

    Shapes: y and score (n,). From the ranks r (tied scores share their mean rank), with P positives and N
    negatives: ``(sum of r over the positives - P (P + 1) / 2) / (P N)`` (Mann and Whitney 1947).
    NaN unless both classes occur.
    """
    truth, scores = _truth_and_score("roc_auc", y, score, (1,))
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return math.nan
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float((mean_rank[group][truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def enough_positives(y: np.ndarray, min_positives: int = 10) -> np.ndarray:
    """(labels,) bool: the columns of y (n, labels) in the macro means, those with ``min_positives`` ones."""
    return _binary("enough_positives", "y", y, (2,)).sum(axis=0) >= min_positives


def _by_column(
    measure: Callable[[np.ndarray, np.ndarray], float], y: np.ndarray, s: np.ndarray
) -> np.ndarray:
    truth, scores = _truth_and_score(measure.__name__, y, s, (2,))
    return np.array([measure(truth[:, k], scores[:, k]) for k in range(truth.shape[1])])


def _mean_of_defined(values: np.ndarray, counted: np.ndarray) -> float:
    values = values[counted & ~np.isnan(values)]
    return float(values.mean()) if values.size else math.nan


def average_precision_by_column(y: np.ndarray, score: np.ndarray) -> np.ndarray:
    """``average_precision`` of every column of (n, labels), NaN where undefined; shape (labels,)."""
    return _by_column(average_precision, y, score)


def roc_auc_by_column(y: np.ndarray, score: np.ndarray) -> np.ndarray:
    """``roc_auc`` of every column of (n, labels), NaN where undefined; shape (labels,)."""
    return _by_column(roc_auc, y, score)


def macro_average_precision(y: np.ndarray, score: np.ndarray, min_positives: int = 10) -> float:
    """Mean of ``average_precision`` over columns with ``min_positives`` or more positives; NaN if none."""
    return _mean_of_defined(average_precision_by_column(y, score), enough_positives(y, min_positives))


def macro_roc_auc(y: np.ndarray, score: np.ndarray, min_positives: int = 10) -> float:
    """Mean of ``roc_auc`` over the columns with ``min_positives`` or more positives; NaN if none."""
    return _mean_of_defined(roc_auc_by_column(y, score), enough_positives(y, min_positives))


def micro_average_precision(y: np.ndarray, score: np.ndarray) -> float:
    """``average_precision`` of all (row, label) decisions in one list."""
    truth, scores = _truth_and_score("micro_average_precision", y, score, (2,))
    return average_precision(truth.ravel(), scores.ravel())


def top_k(score: np.ndarray, k: int) -> np.ndarray:
    """The columns of the k highest scores of each row, best first, ties to the lower column; shape (n, k)."""
    scores = np.asarray(score, dtype=np.float64)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"top_k: the scores must have shape (n, labels), got {scores.shape}")
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"top_k: k must be between 1 and the {scores.shape[1]} labels, got {k}")
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def _hits(name: str, y: np.ndarray, score: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    truth, scores = _truth_and_score(name, y, score, (2,))
    return np.take_along_axis(truth, top_k(scores, k), axis=1).sum(axis=1), truth.sum(axis=1)


def hit_at_k(y: np.ndarray, score: np.ndarray, k: int = 3) -> float:
    """Share of rows for which at least one of the k best labels is right. A row without labels is a miss."""
    return float((_hits("hit_at_k", y, score, k)[0] > 0).mean())


def top1(y: np.ndarray, score: np.ndarray) -> float:
    """Share of rows whose best label is right: ``hit_at_k`` with k = 1."""
    return hit_at_k(y, score, 1)


def precision_at_k(y: np.ndarray, score: np.ndarray, k: int = 3) -> float:
    """Mean over the rows of (right labels among the k best) / k."""
    return float(_hits("precision_at_k", y, score, k)[0].mean() / k)


def recall_at_k(y: np.ndarray, score: np.ndarray, k: int = 3) -> float:
    """Mean over the rows that have a label of (right labels among the k best) / (labels); NaN if none has."""
    hits, labels = _hits("recall_at_k", y, score, k)
    labelled = labels > 0
    return float((hits[labelled] / labels[labelled]).mean()) if labelled.any() else math.nan


def _decisions(name: str, y: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth = _binary(name, "y", y, (1, 2))
    decided = _binary(name, "predicted", predicted, (1, 2))
    if truth.shape != decided.shape:
        raise ValueError(f"{name}: y has shape {truth.shape} but the predictions have {decided.shape}")
    return truth, decided


def f1_by_column(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """``2 TP / (2 TP + FP + FN)`` of every column; NaN where nothing is true and nothing predicted."""
    truth, decided = _decisions("f1_by_column", y, predicted)
    right, total = (truth & decided).sum(axis=0), truth.sum(axis=0) + decided.sum(axis=0)
    return np.divide(2.0 * right, total, out=np.full(np.shape(total), math.nan), where=total > 0)


def micro_f1(y: np.ndarray, predicted: np.ndarray) -> float:
    """F1 of all (row, label) decisions in one list; NaN where nothing is true and nothing predicted."""
    truth, decided = _decisions("micro_f1", y, predicted)
    return float(f1_by_column(truth.reshape(-1, 1), decided.reshape(-1, 1))[0])


def macro_f1(y: np.ndarray, predicted: np.ndarray, min_positives: int = 10) -> float:
    """Mean of ``f1_by_column`` over the columns with ``min_positives`` or more positives; NaN if none."""
    return _mean_of_defined(f1_by_column(y, predicted), enough_positives(y, min_positives))


def hamming_loss(y: np.ndarray, predicted: np.ndarray) -> float:
    """Share of wrong (row, label) decisions."""
    truth, decided = _decisions("hamming_loss", y, predicted)
    return float((truth != decided).mean())


def binary_accuracy(y: np.ndarray, predicted: np.ndarray) -> float:
    """Share of right (row, label) decisions, ``1 - hamming_loss``. High wherever labels are rare."""
    return 1.0 - hamming_loss(y, predicted)


def expected_calibration_error(y: np.ndarray, p: np.ndarray, bins: int = 15) -> float:
    """``sum_b n_b / n * |mean(y) - mean(p)|`` over bins of equal mass. Nguyen and O'Connor 2015.

    y and p have one shape; all (row, label) pairs are pooled. The borders are the probabilities that stand at
    i n / bins in sorted order; equal probabilities share a bin, so the bins are equal up to ties.
    """
    truth, probability = (
        values.ravel() for values in _truth_and_score("expected_calibration_error", y, p, (1, 2))
    )
    if probability.min() < 0 or probability.max() > 1:
        raise ValueError("expected_calibration_error: p must hold probabilities from 0 to 1")
    if bins < 1:
        raise ValueError(f"expected_calibration_error: bins must be at least 1, got {bins}")
    n = len(probability)
    borders = np.sort(probability)[[i * n // bins for i in range(1, bins)]]
    inside = np.searchsorted(borders, probability, side="right")
    excess = np.bincount(inside, weights=truth - probability, minlength=bins)
    return float(np.abs(excess).sum() / n)


def macro_expected_calibration_error(
    y: np.ndarray, p: np.ndarray, bins: int = 15, min_positives: int = 10
) -> float:
    """Mean of ``expected_calibration_error`` over the columns with ``min_positives`` or more; NaN if none.

    It does not reach 0: in n rows even perfect probabilities p differ from each bin's share by about
    ``sqrt(p (1 - p) bins / n)``.
    """
    truth, probability = _truth_and_score("macro_expected_calibration_error", y, p, (2,))
    errors = [expected_calibration_error(truth[:, k], probability[:, k], bins) for k in range(truth.shape[1])]
    return _mean_of_defined(np.array(errors), enough_positives(truth, min_positives))
