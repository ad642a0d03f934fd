"""The posters of both parts of the split, and the scores of probabilities for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minicnn import metrics
from poster_genre.data.cache import cached_posters
from poster_genre.data.dataset import load_dataset
from poster_genre.evaluation.measures import cross_entropy

Scores = dict[str, float]


@dataclass(frozen=True)
class Posters:
    """Both parts of the split at one size: uint8 images (n, h, w, 3) and labels (n, 25)."""

    train_x: np.ndarray
    train_y: np.ndarray
    val_x: np.ndarray
    val_y: np.ndarray


def read_posters(path: str, size: tuple[int, int]) -> Posters:
    """The train and val splits of the data set at ``path``, at ``size = (height, width)``."""
    dataset = load_dataset(path)
    parts = []
    for name in ("train", "val"):
        cached = cached_posters(dataset.split(name), size)
        parts += [np.asarray(cached.images), cached.dataset.labels]
    return Posters(*parts)


def score(labels: np.ndarray, p: np.ndarray) -> Scores:
    """The measures of the log for labels (n, 25) and probabilities (n, 25)."""
    return {
        "auc": metrics.macro_roc_auc(labels, p),
        "map": metrics.macro_average_precision(labels, p),
        "micro_ap": metrics.micro_average_precision(labels, p),
        "top1": metrics.top1(labels, p),
        "hit3": metrics.hit_at_k(labels, p, 3),
        "bce": cross_entropy(labels, p),
    }
