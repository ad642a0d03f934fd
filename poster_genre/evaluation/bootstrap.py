"""Confidence intervals over the posters of a split: percentile intervals of the bootstrap.

A resample draws as many posters as there are, with replacement (Efron 1979), which is the same as giving
every poster a whole-number weight, the number of times it was drawn. All measures below are functions of
those weights, so that the posters are sorted once for all resamples. With posters in the order of falling
scores, y their labels and w their weights,

    precision at i  =  sum of w y up to i / sum of w up to i
    AP              =  sum over i of w_i y_i * precision at i  /  sum of w y
    AUC             =  sum over i of w_i (1 - y_i) * (sum of w y up to i)  /  (sum of w y * sum of w (1 - y))

An interval covers the chance in which posters are in the split. It does not cover the seed of the training,
nor that the split was used while the network was designed.
"""

from __future__ import annotations

import numpy as np

from minicnn import metrics

RESAMPLES = 1000
CHUNK = 50  # resamples computed together, each posters x genres numbers: bounds the memory
COVERAGE = 0.95

Interval = tuple[float, float]


def weights_of(posters: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of ``posters`` is drawn in each of ``count`` resamples: (count, posters) float64."""
    draws = rng.integers(posters, size=(count, posters))
    return np.stack([np.bincount(row, minlength=posters) for row in draws]).astype(np.float64)


def weighted_average_precision(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AP under each row of weights. y (n,) 0/1, score (n,), weights (B, n); returns (B,)."""
    order = np.argsort(-score, kind="stable")
    w, positive = weights[:, order], weights[:, order] * y[order]
    hits, drawn = positive.cumsum(axis=1), w.cumsum(axis=1)
    precision = np.divide(hits, drawn, out=np.zeros_like(hits), where=drawn > 0)
    with np.errstate(invalid="ignore"):
        return (positive * precision).sum(axis=1) / hits[:, -1]


def weighted_roc_auc(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUC under each row of weights, as above."""
    order = np.argsort(-score, kind="stable")
    positive = weights[:, order] * y[order]
    negative = weights[:, order] * (1 - y[order])
    pairs = (negative * positive.cumsum(axis=1)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return pairs / (positive.sum(axis=1) * negative.sum(axis=1))


def intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    ranking: np.ndarray | None = None,
    *,
    min_positives: int = 10,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % intervals of the measures of ``poster_genre.evaluation.measures.scores`` that need no thresholds.

    labels (N, G) 0/1, probabilities (N, G); ``ranking`` (N, G) replaces them for the macro means, as there.
    The macro means run over the genres with ``min_positives`` in the split itself, whatever a resample holds;
    they are missing from the result where there is no such genre.
    """
    ranking = probabilities if ranking is None else ranking
    counted = np.flatnonzero(metrics.enough_positives(labels, min_positives))
    best = np.take_along_axis(labels, metrics.top_k(probabilities, 3), axis=1)
    by_poster = {"top1": best[:, 0], "hit_at_3": best.max(axis=1), "precision_at_3": best.mean(axis=1)}
    weights = weights_of(len(labels), resamples, np.random.default_rng(seed))
    resampled = {name: weights @ values / len(labels) for name, values in by_poster.items()}
    order = np.argsort(-probabilities.ravel(), kind="stable")
    y, score, posters = labels.ravel()[order], probabilities.ravel()[order], order // labels.shape[1]
    resampled["micro_ap"] = np.concatenate(
        [
            weighted_average_precision(y, score, weights[start : start + CHUNK, posters])
            for start in range(0, resamples, CHUNK)
        ]
    )
    for name, measure in (("macro_map", weighted_average_precision), ("macro_auc", weighted_roc_auc)):
        if len(counted):
            columns = [measure(labels[:, g], ranking[:, g], weights) for g in counted]
            resampled[name] = np.nanmean(columns, axis=0)
    tail = (1 - COVERAGE) / 2
    ends = {name: np.quantile(values, [tail, 1 - tail]) for name, values in resampled.items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}
