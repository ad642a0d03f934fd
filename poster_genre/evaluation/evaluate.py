"""The evaluation of a trained model on the posters of a split.

Thresholds come from the model file; they were chosen on val, never on the split that is scored. A model that
was trained without val posters has 0.5 for every genre, and its probabilities are not calibrated.

On val, whose posters the calibration and the thresholds were fitted on, both are cross-fitted: fitted anew
for each of 5 folds, on the other four (``cross_fitted_folds`` is the number of folds, 0: not cross-fitted).
The split's name decides, not which of its posters are present. AP and AUC need no cross-fitting: a genre's
own ranking of the posters is the network's, whatever the calibration.

The measures are those of ``poster_genre.evaluation.measures``; with bootstrap resamples ``intervals`` are
added, the 95 % intervals over the posters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from poster_genre.errors import PosterGenreError
from poster_genre.evaluation.bootstrap import intervals
from poster_genre.evaluation.measures import Scores, all_zeros_scores, per_genre, prior_scores, scores
from poster_genre.model.calibration import calibrate, cross_fitted_maps, folds
from poster_genre.model.thresholds import MIN_POSITIVES, fit_thresholds
from poster_genre.model.trained_model import TrainedModel

CALIBRATION_SPLIT = "val"


class CrossFit(NamedTuple):
    """``ranking`` (N, genres): the network's own probabilities; ``decisions`` (N, genres) 0/1; the folds."""

    ranking: np.ndarray
    decisions: np.ndarray
    folds: int


def evaluate_model(
    model: TrainedModel,
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    split: str,
    resamples: int = 0,
) -> tuple[Scores, np.ndarray]:
    """The evaluation on pixels (N, h, w, 3) and labels (N, 25), and the probabilities (N, 25) it is about.

    With ``resamples`` also bootstrap intervals, see ``poster_genre.evaluation.bootstrap``.

    On the split val, and wherever these very posters calibrated the model, they are cross-fitted: no poster
    helped to calibrate itself. A single poster has no others, and gets the model's calibration.
    """
    raw = model.probabilities(pixels, calibrated=False)
    calibration = model.calibration
    n_folds = len(list(folds(len(labels))))
    cross = None
    if (
        n_folds
        and calibration is not None
        and (split == CALIBRATION_SPLIT or calibration.was_fitted_on(labels))
    ):
        probabilities, decisions = cross_fitted(labels, raw)
        cross = CrossFit(raw, decisions, n_folds)
    else:
        probabilities = raw if calibration is None else calibration.apply(raw)
    result = evaluate_probabilities(
        labels,
        probabilities,
        split=split,
        thresholds=model.thresholds,
        priors=model.priors,
        cross=cross,
    )
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
    for fit, apply, slope, offset in cross_fitted_maps(labels, p):
        thresholds = fit_thresholds(labels[fit], calibrate(p[fit], slope, offset))
        probabilities[apply] = calibrate(p[apply], slope, offset)
        decisions[apply] = probabilities[apply] >= thresholds
    return probabilities, decisions


def evaluate_probabilities(
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
