"""Measures of predictions, and the two baselines that cost nothing: no genre at all, and the genre priors.

Conventions:

* Macro means (``macro_map, macro_auc, macro_f1``) run over the genres with at least 10 positives in the
  split; ``n_genres_macro`` is the number of those.
* ``top1, hit_at_3, precision_at_3, recall_at_3`` look at the ranking of the genres of one poster.
* ``micro_f1, macro_f1, hamming_loss`` are about yes-or-no decisions: a genre is named where its probability
  reaches its threshold.
* ``binary_accuracy`` is the share of right cells with every threshold at 0.5, the figure usually reported.
* ``calibration_error`` is the mean over those genres of the expected calibration error, in 15 bins of equal
  mass.
* ``bce`` is the mean binary cross-entropy, probabilities clipped to [1e-7, 1 - 1e-7].
* A number that is not defined (no genre has 10 positives, a genre without positives) is None, null in JSON.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minicnn import metrics
from poster_genre.genres import GENRES
from poster_genre.model.thresholds import MIN_POSITIVES

CLIP = 1e-7
Scores = dict[str, Any]

TITLES = {
    "macro_map": "macro mAP",
    "macro_auc": "macro AUC",
    "micro_ap": "micro AP",
    "top1": "top-1",
    "hit_at_3": "hit@3",
    "precision_at_3": "P@3",
    "recall_at_3": "R@3",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "hamming_loss": "Hamming loss",
    "binary_accuracy": "binary accuracy",
    "bce": "cross-entropy",
    "calibration_error": "calibration error",
}


def scores(
    labels: np.ndarray, probabilities: np.ndarray, decisions: np.ndarray, ranking: np.ndarray | None = None
) -> Scores:
    """The measures of ``TITLES`` and ``n_genres_macro``. Arrays are (N, genres); labels and decisions 0/1.

    ``ranking`` replaces the probabilities in the measures of a genre's order of the posters, AP and AUC.
    """
    ranking = probabilities if ranking is None else ranking
    measured = {
        "macro_map": metrics.macro_average_precision(labels, ranking, min_positives=MIN_POSITIVES),
        "macro_auc": metrics.macro_roc_auc(labels, ranking, min_positives=MIN_POSITIVES),
        "micro_ap": metrics.micro_average_precision(labels, probabilities),
        "top1": metrics.top1(labels, probabilities),
        "hit_at_3": metrics.hit_at_k(labels, probabilities, 3),
        "precision_at_3": metrics.precision_at_k(labels, probabilities, 3),
        "recall_at_3": metrics.recall_at_k(labels, probabilities, 3),
        "micro_f1": metrics.micro_f1(labels, decisions),
        "macro_f1": metrics.macro_f1(labels, decisions, min_positives=MIN_POSITIVES),
        "hamming_loss": metrics.hamming_loss(labels, decisions),
        "binary_accuracy": metrics.binary_accuracy(labels, probabilities >= 0.5),
        "bce": cross_entropy(labels, probabilities),
        "calibration_error": metrics.macro_expected_calibration_error(
            labels, probabilities, min_positives=MIN_POSITIVES
        ),
    }
    counted = int(metrics.enough_positives(labels, MIN_POSITIVES).sum())
    return {key: defined(value) for key, value in measured.items()} | {"n_genres_macro": counted}


def all_zeros_scores(labels: np.ndarray) -> Scores:
    """The scores of naming no genre for any poster. It ranks nothing, so its top-k measures are 0."""
    zeros = np.zeros_like(labels)
    return scores(labels, zeros, zeros) | dict.fromkeys(
        ("top1", "hit_at_3", "precision_at_3", "recall_at_3"), 0.0
    )


def prior_scores(labels: np.ndarray, priors: np.ndarray) -> Scores:
    """The scores of the train split's genre frequencies for every poster, decided by ``prior_decisions``."""
    constant, named = (np.broadcast_to(row, labels.shape) for row in (priors, prior_decisions(priors)))
    return scores(labels, constant, named)


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -(y log p + (1 - y) log(1 - p)) over posters and genres."""
    p = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    return float(-np.mean(np.where(labels == 1, np.log(p), np.log1p(-p))))


def prior_decisions(priors: np.ndarray) -> np.ndarray:
    """The best set of genres, 0/1 (25,), to name for every poster where only the priors are known.

    Of the sets of the k most frequent genres the one with the highest expected micro F1,
    2 * sum of the named priors / (k + sum of all priors). With every threshold at 0.5 the baseline would name
    almost no genre, and be too easy to beat.
    """
    order = np.argsort(-priors, kind="stable")
    expected = 2 * np.cumsum(priors[order]) / (np.arange(1, len(priors) + 1) + priors.sum())
    named = np.zeros(len(priors), np.uint8)
    named[order[: int(np.argmax(expected)) + 1]] = 1
    return named


def per_genre(
    labels: np.ndarray,
    ranking: np.ndarray,
    decisions: np.ndarray,
    thresholds: np.ndarray,
    priors: np.ndarray,
) -> dict[str, Scores]:
    """For each genre: its frequency, the quality of its ranking, and of the decisions by its threshold."""
    rows = {}
    for i, genre in enumerate(GENRES):
        y, p, decided = labels[:, i], ranking[:, i], decisions[:, i]
        positives, named = int(y.sum()), int(decided.sum())
        hits = int((y & decided).sum())
        rows[genre] = {
            "positives": positives,
            "ap": defined(metrics.average_precision(y, p)),
            "auc": defined(metrics.roc_auc(y, p)),
            "prior": float(priors[i]),
            "threshold": float(thresholds[i]),
            "precision": hits / named if named else None,
            "recall": hits / positives if positives else None,
            "f1": 2 * hits / (named + positives) if named + positives else None,
        }
    return rows


def defined(value: Any) -> float | None:
    """A plain float, or None in place of NaN: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else float(value)
