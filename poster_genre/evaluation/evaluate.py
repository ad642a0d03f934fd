"""How good predictions are, beside what costs nothing: no genre at all, and the same answer for every poster.

Conventions, all of them said in the output too:

* Macro means (``macro_map, macro_auc, macro_f1``) run over the genres with at least 10 positives in the
  split;
  ``n_genres_macro`` says how many those are.
* ``top1, hit_at_3, precision_at_3, recall_at_3`` look at the ranking of the genres of one poster.
* ``micro_f1, macro_f1, hamming_loss`` are about yes-or-no decisions: a genre is named where its probability
  reaches its threshold. Thresholds stand in the model file; they were chosen on val, never on the split that
  is scored. A model trained without val posters has 0.5 for every genre, and nothing is calibrated.
* ``binary_accuracy`` is the share of right cells with every threshold at 0.5, the figure usually reported.
* ``calibration_error`` is the mean over those genres of the expected calibration error, in 15 bins of equal
  mass.
* On val, whose posters the calibration and the thresholds were fitted on, both are fitted anew for each of 5
  folds, on the other four (``cross_fitted_folds`` says how many folds there were, 0: none). The split's name
  decides, not which of its posters happen to be there. AP and AUC need none of that: a genre's own ranking of
  the posters is the network's, whatever the calibration.
* ``bce`` is the mean binary cross-entropy, probabilities clipped to [1e-7, 1 - 1e-7].
* ``intervals`` (where asked for) are 95 % bootstrap intervals over the posters.
* A number that is not defined (no genre has 10 positives, a genre without positives) is None, null in JSON.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minicnn import metrics
from poster_genre.errors import PosterGenreError
from poster_genre.evaluation.bootstrap import intervals
from poster_genre.genres import GENRES
from poster_genre.model.calibration import calibrate, fit_maps, folds

if TYPE_CHECKING:
    from poster_genre.classifier import PosterGenreClassifier

MIN_POSITIVES = 10
CLIP = 1e-7
CALIBRATION_SPLIT = "val"
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

    ``ranking`` takes the place of the probabilities where a genre's order of the posters is all that counts.
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
    """Naming no genre for any poster. It ranks nothing, so what looks at its first genres finds no hit: 0."""
    nothing = np.zeros_like(labels)
    return scores(labels, nothing, nothing) | dict.fromkeys(
        ("top1", "hit_at_3", "precision_at_3", "recall_at_3"), 0.0
    )


def prior_scores(labels: np.ndarray, priors: np.ndarray) -> Scores:
    """Every poster gets the train split's genre frequencies, and the decisions of ``prior_decisions``."""
    same, named = (np.broadcast_to(row, labels.shape) for row in (priors, prior_decisions(priors)))
    return scores(labels, same, named)


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -(y log p + (1 - y) log(1 - p)) over posters and genres."""
    p = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    return float(-np.mean(np.where(labels == 1, np.log(p), np.log1p(-p))))


def evaluate_classifier(
    classifier: PosterGenreClassifier,
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    split: str,
    resamples: int = 0,
) -> tuple[Scores, np.ndarray]:
    """The evaluation of a classifier on posters, and the probabilities (N, 25) that it is about.

    With ``resamples`` also bootstrap intervals, see ``poster_genre.evaluation.bootstrap``.

    On the split val, and wherever these very posters calibrated the classifier, they are cross-fitted: no
    poster helped to calibrate itself. A single poster has no others, and gets the classifier's calibration.
    """
    raw = classifier.predict_proba(pixels, calibrated=False)
    calibration, thresholds, priors = classifier.calibration_, classifier.thresholds_, classifier.priors_
    parts = len(list(folds(len(labels))))
    cross = None
    if (
        parts
        and calibration is not None
        and (split == CALIBRATION_SPLIT or calibration.was_fitted_on(labels))
    ):
        probabilities, decisions = cross_fitted(labels, raw)
        cross = CrossFit(raw, decisions, parts)
    else:
        probabilities = raw if calibration is None else calibration.apply(raw)
    result = evaluation(labels, probabilities, split=split, thresholds=thresholds, priors=priors, cross=cross)
    if resamples:
        ranking = probabilities if cross is None else raw
        ends = intervals(labels, probabilities, ranking, min_positives=MIN_POSITIVES, resamples=resamples)
        result["intervals"] = {name: list(pair) for name, pair in ends.items()}
    return result, probabilities


def cross_fitted(labels: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and 0/1 decisions (N, genres), for each fold fitted on the others.

    p (N, genres) are the network's own probabilities.
    """
    probabilities, decisions = np.array(p, np.float64), np.zeros(labels.shape, np.uint8)
    for fit, judge in folds(len(labels)):
        slope, offset = fit_maps(labels[fit], p[fit])
        known, probabilities[judge] = calibrate(p[fit], slope, offset), calibrate(p[judge], slope, offset)
        decisions[judge] = probabilities[judge] >= fit_thresholds(labels[fit], known)
    return probabilities, decisions


class CrossFit(NamedTuple):
    """``ranking`` (N, genres): the network's own probabilities; ``decisions`` (N, genres) 0/1; the folds."""

    ranking: np.ndarray
    decisions: np.ndarray
    folds: int


def evaluation(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    split: str,
    thresholds: np.ndarray,
    priors: np.ndarray,
    cross: CrossFit | None = None,
) -> Scores:
    """Everything that ``poster-genre evaluate --json`` prints.

    labels (N, 25) 0/1, probabilities (N, 25); thresholds (25,) from val; priors (25,) from train.
    ``cross`` where probabilities and decisions are cross-fitted.
    """
    if len(labels) == 0:
        raise PosterGenreError(f"there is no usable poster in the split {split!r}: nothing to evaluate")
    if cross is None:
        cross = CrossFit(probabilities, (probabilities >= thresholds).astype(np.uint8), 0)
    return {
        "split": split,
        "n_posters": len(labels),
        "cross_fitted_folds": cross.folds,
        **scores(labels, probabilities, cross.decisions, cross.ranking),
        "baselines": {
            "all_zeros": all_zeros_scores(labels),
            "genre_priors": prior_scores(labels, priors),
        },
        "per_genre": per_genre(labels, cross.ranking, cross.decisions, thresholds, priors),
    }


def prior_decisions(priors: np.ndarray) -> np.ndarray:
    """The set of genres, 0/1 (25,), that is the best answer for every poster when only the priors are known.

    Of the sets of the k most frequent genres the one with the highest expected micro F1,
    2 * sum of the named priors / (k + sum of all priors). With every threshold at 0.5 the baseline would name
    almost nothing, and be too easy to beat.
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
    """For each genre: how often it occurs, how well it is ranked, and what its threshold makes of that."""
    found = {}
    for i, genre in enumerate(GENRES):
        y, p, decided = labels[:, i], ranking[:, i], decisions[:, i]
        positives, named = int(y.sum()), int(decided.sum())
        hits = int((y & decided).sum())
        found[genre] = {
            "positives": positives,
            "ap": defined(metrics.average_precision(y, p)),
            "auc": defined(metrics.roc_auc(y, p)),
            "prior": float(priors[i]),
            "threshold": float(thresholds[i]),
            "precision": hits / named if named else None,
            "recall": hits / positives if positives else None,
            "f1": 2 * hits / (named + positives) if named + positives else None,
        }
    return found


def fit_thresholds(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Thresholds (25,) that maximise F1 on these posters; naming a genre means ``probability >= threshold``.

    A genre with fewer than 10 positives says too little about its own threshold; it shares one that maximises
    the micro F1 over all cells.
    """
    shared = best_f1_threshold(labels.ravel(), probabilities.ravel())
    own = labels.sum(axis=0) >= MIN_POSITIVES
    return np.array(
        [
            best_f1_threshold(labels[:, i], probabilities[:, i]) if own[i] else shared
            for i in range(labels.shape[1])
        ]
    )


def best_f1_threshold(y: np.ndarray, p: np.ndarray) -> float:
    """The threshold with the highest F1 = 2 TP / (named + positives), midway between two neighbouring scores.

    0.5 where there is no positive. Ties go to the highest threshold, which names the least.
    """
    if not y.any():
        return 0.5
    order = np.argsort(-p, kind="stable")
    ranked = p[order].astype(np.float64)
    f1 = 2 * np.cumsum(y[order]) / (np.arange(1, len(y) + 1) + y.sum())
    cut_here = np.append(ranked[1:] < ranked[:-1], True)  # between equal scores there is no threshold
    best = int(np.argmax(np.where(cut_here, f1, -1)))
    below = ranked[best + 1] if best + 1 < len(y) else 0.0
    return float((ranked[best] + below) / 2)


def defined(value: Any) -> float | None:
    """A plain float, or None in place of NaN: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else float(value)


def comparison(result: Scores) -> str:
    """The measures as text for people, with both baselines beside them."""
    baselines = result["baselines"]
    ends = result.get("intervals", {})
    wide = 17 if ends else 0
    lines = [
        f"{result['n_posters']} posters of the split {result['split']!r}",
        "",
        f"{'':<17}{'model':>9}{'95 % interval' if ends else '':>{wide}}{'genre priors':>15}{'all zeros':>12}",
    ]
    for key, title in TITLES.items():
        row = (result[key], baselines["genre_priors"][key], baselines["all_zeros"][key])
        between = f"{ends[key][0]:.3f} to {ends[key][1]:.3f}" if key in ends else ""
        lines.append(
            f"{title:<17}{number(row[0]):>9}{between:>{wide}}{number(row[1]):>15}{number(row[2]):>12}"
        )
    return "\n".join(lines)


def table(result: Scores, *, calibrated: bool) -> str:
    """An evaluation as text for people: the comparison, how it is counted, then genre by genre.

    ``calibrated``: whether the model learned calibration and thresholds from val posters.
    """
    lines = [
        comparison(result),
        "",
        f"Macro means are over the {result['n_genres_macro']} genres with at least {MIN_POSITIVES} positives "
        "in this split.",
        about_thresholds(result, calibrated=calibrated),
        "Binary accuracy uses 0.5; naming no genre at all scores what stands under 'all zeros'.",
        "",
        f"{'genre':<13}{'posters':>8}{'AP':>8}{'prior':>8}{'AUC':>8}{'threshold':>11}{'precision':>11}"
        f"{'recall':>8}{'F1':>8}",
    ]
    rows = sorted(result["per_genre"].items(), key=lambda item: -item[1]["positives"])
    for genre, row in rows:
        lines.append(
            f"{genre:<13}{row['positives']:>8}{number(row['ap']):>8}{number(row['prior']):>8}"
            f"{number(row['auc']):>8}{number(row['threshold']):>11}{number(row['precision']):>11}"
            f"{number(row['recall']):>8}{number(row['f1']):>8}"
        )
    return "\n".join(lines)


def about_thresholds(result: Scores, *, calibrated: bool) -> str:
    """Where the thresholds behind F1, precision, recall and Hamming loss come from."""
    if not calibrated:
        return (
            "F1 and Hamming loss use a threshold of 0.5 for every genre, and no probability is calibrated: "
            "the model was trained without val posters."
        )
    chosen = "F1 and Hamming loss use the thresholds in the model file, which were chosen on val"
    if not result["cross_fitted_folds"]:
        return f"{chosen}."
    return (
        f"{chosen}; here they and the calibration are {result['cross_fitted_folds']}-fold cross-fitted: the "
        "file's thresholds are listed, and those of the folds decide precision, recall and F1."
    )


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
