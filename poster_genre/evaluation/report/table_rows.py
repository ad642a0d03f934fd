"""The numbers of the report's tables, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minicnn.metrics import top_k
from poster_genre.evaluation.measures import TITLES, Scores
from poster_genre.evaluation.tables import number
from poster_genre.genres import GENRES
from poster_genre.model.thresholds import MIN_POSITIVES

HEADLINES = ("macro_auc", "macro_map", "micro_ap", "top1", "hit_at_3")
GENRE_COLUMNS = ("ap", "prior", "auc", "threshold", "precision", "recall", "f1")
CONFUSED_PAIRS = 8


class MeasureRow(NamedTuple):
    """One measure of the model and of both baselines."""

    title: str
    model: str
    priors: str
    zeros: str


class GenreRow(NamedTuple):
    """One genre; ``bar`` is its average precision and ``mark`` its prior, in percent of the table's bars."""

    genre: str
    positives: int
    bar: float
    mark: float
    cells: list[str]


class Confusion(NamedTuple):
    """How often ``predicted`` is among the first three of posters of ``genre``, and how often it is true."""

    genre: str
    predicted: str
    share: float
    true_share: float


def measure_rows(result: Scores, keys: Sequence[str] = tuple(TITLES)) -> list[MeasureRow]:
    """The measures ``keys``, in that order."""
    priors, zeros = result["baselines"]["genre_priors"], result["baselines"]["all_zeros"]
    return [
        MeasureRow(TITLES[key], number(result[key]), number(priors[key]), number(zeros[key])) for key in keys
    ]


def genre_rows(result: Scores) -> list[GenreRow]:
    """All genres, the most frequent first. The longest bar is that of the highest average precision."""
    per_genre = result["per_genre"]
    largest = max((row["ap"] or 0.0 for row in per_genre.values()), default=1.0) or 1.0
    return [
        GenreRow(
            genre,
            row["positives"],
            (row["ap"] or 0) / largest * 100,
            min(row["prior"] / largest, 1) * 100,
            [number(row[key]) for key in GENRE_COLUMNS],
        )
        for genre, row in sorted(per_genre.items(), key=lambda item: -item[1]["positives"])
    ]


def cooccurrence(labels: np.ndarray, probabilities: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """What is predicted beside each true genre, and what is true beside it.

    labels, 0 or 1, and probabilities are (N, 25). Returns the names of the G genres that occur, and two
    matrices (G, G) with a row for each: the share of the genre's posters that have the column's genre among
    their first three, and the share that have it as a true genre too, NaN on the diagonal.
    """
    present = [i for i in range(len(GENRES)) if labels[:, i].any()]
    among_first = np.zeros_like(labels)
    np.put_along_axis(among_first, top_k(probabilities, 3), 1, axis=1)
    true = labels[:, present].astype(np.float64)
    counts = true.sum(axis=0)[:, None]
    together = true.T @ true / counts
    predicted = true.T @ among_first[:, present] / counts
    np.fill_diagonal(together, np.nan)
    return [GENRES[i] for i in present], predicted, together


def frequent_confusions(
    names: Sequence[str], predicted: np.ndarray, together: np.ndarray, positives: Sequence[int]
) -> list[Confusion]:
    """The pairs of genres whose predicted share exceeds the true one most, at most ``CONFUSED_PAIRS``.

    The first three arguments are those of ``cooccurrence``; genres with fewer than 10 ``positives`` are left
    out.
    """
    excess = np.where(np.array(positives)[:, None] >= MIN_POSITIVES, predicted - together, -np.inf)
    np.fill_diagonal(excess, -np.inf)
    order = np.argsort(-excess, axis=None, kind="stable")[:CONFUSED_PAIRS]
    pairs = [divmod(int(flat), len(names)) for flat in order]
    return [
        Confusion(names[i], names[j], predicted[i, j], together[i, j]) for i, j in pairs if excess[i, j] > 0
    ]
