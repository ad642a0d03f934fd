"""Decision thresholds: a genre is named where its probability reaches the threshold with the highest F1."""

from __future__ import annotations

import numpy as np

MIN_POSITIVES = 10  # a genre with fewer says too little for a threshold or a measure of its own


def fit_thresholds(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Thresholds (genres,) that maximise F1 on these posters, (N, genres) each.

    A genre with fewer than ``MIN_POSITIVES`` positives shares one that maximises the micro F1 over all cells.
    """
    shared = best_f1_threshold(labels.ravel(), probabilities.ravel())
    enough = labels.sum(axis=0) >= MIN_POSITIVES
    return np.array(
        [
            best_f1_threshold(labels[:, i], probabilities[:, i]) if enough[i] else shared
            for i in range(labels.shape[1])
        ]
    )


def best_f1_threshold(y: np.ndarray, p: np.ndarray) -> float:
    """The threshold with the highest F1 = 2 TP / (named + positives), midway between two neighbouring scores.

    y (n,) 0/1, p (n,). 0.5 where there is no positive. Ties go to the highest threshold, which names the
    least.
    """
    if not y.any():
        return 0.5
    order = np.argsort(-p, kind="stable")
    ranked = p[order].astype(np.float64)
    f1 = 2 * np.cumsum(y[order]) / (np.arange(1, len(y) + 1) + y.sum())
    separable = np.append(ranked[1:] < ranked[:-1], True)  # no threshold divides equal scores
    best = int(np.argmax(np.where(separable, f1, -1)))
    below = ranked[best + 1] if best + 1 < len(y) else 0.0
    return float((ranked[best] + below) / 2)
