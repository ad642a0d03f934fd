"""Points of the report's curves: precision and recall, reliability, and the history of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

RELIABILITY_BINS = 10
CURVE_POINTS = 80


def precision_recall_points(y: np.ndarray, p: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) at falling thresholds, at most ``CURVE_POINTS`` of them.

    y (N,) are the labels, 0 or 1, and p (N,) the scores. Equal scores have one threshold.
    """
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    true_positives = np.cumsum(y[order], dtype=np.int64)[ends]
    recall, precision = true_positives / max(int(y.sum()), 1), true_positives / (ends + 1)
    chosen = np.unique(np.linspace(0, len(ends) - 1, CURVE_POINTS).astype(int))
    return [(float(recall[i]), float(precision[i])) for i in chosen]


def reliability_bins(labels: np.ndarray, probabilities: np.ndarray) -> list[tuple[float, float, int]]:
    """(mean probability, observed frequency, count) of the cells in each of 10 bins of equal width.

    labels and probabilities are (N, genres); a cell is one poster and one genre. Empty bins are left out.
    """
    numbers = np.minimum((probabilities * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1).ravel()
    p, y = probabilities.ravel(), labels.ravel()
    bins = []
    for number in range(RELIABILITY_BINS):
        inside = numbers == number
        if inside.any():
            bins.append((float(p[inside].mean()), float(y[inside].mean()), int(inside.sum())))
    return bins


def history_points(history: Sequence[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    """(epoch, value) of one measure of the training history; epochs without a number are left out."""
    return [
        (row["epoch"], row[name]) for row in history if _is_number(row, "epoch") and _is_number(row, name)
    ]


def _is_number(row: dict[str, Any], name: str) -> bool:
    value = row.get(name)
    return isinstance(value, (int, float)) and math.isfinite(value)
