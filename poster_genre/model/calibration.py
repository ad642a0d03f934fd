"""Calibration: the network's log-odds, stretched and shifted, so that probabilities match frequencies.

After Platt 1999, with the genres sharing strength. A genre's log-odds z are stretched and shifted, so that of
the posters given 30 % about 30 % have the genre. The map rises, so a genre's ranking of the posters, its
average precision and its AUC stay as they were. First one map is fitted to all cells together,
``exp(a) z + b``. Around it each genre gets its own,

    log-odds' = exp(a) m + b + shift + stretch * (z - m)        m: the genre's mean z

whose ``shift`` departs from 0 and whose ``log stretch`` departs from a as far as its own posters support it
against Gaussian penalties: a genre with three positives keeps nearly the common map, one with three hundred
has its own. As with Platt the targets are not quite 0 and 1, but ``1 / (N0 + 2)`` and ``(N1 + 1) / (N1 + 2)``
with the counts of all cells, so that no finite number of posters gives certainty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minicnn.layers.activation import sigmoid
from poster_genre.errors import PosterGenreError
from poster_genre.model.confidence import fit_sure, information

CLIP = 1e-7  # float32 has too few digits for probabilities nearer to 0 or 1
STRETCH_SD, SHIFT_SD = 0.25, 0.5  # of the penalties on a genre's own map
COMMON_SD = 1.0  # of the penalty on the common map
FOLDS = 5
NEWTON_STEPS = 60


@dataclass(frozen=True, eq=False)
class Calibration:
    """The result of ``fit_calibration`` on validation posters.

    ``slope, offset``  (genres,) float64: the calibrated log-odds are ``slope * z + offset``, slope > 0.
    ``sure_above``     bits of information that an answer must exceed to be called sure.
    ``posters``        the number of posters it was fitted on.
    ``labels_digest``  SHA-256 of their labels: an evaluation on these very posters, of whatever split, must
                       be cross-fitted.
    """

    slope: np.ndarray
    offset: np.ndarray
    sure_above: float
    posters: int
    labels_digest: str

    def apply(self, p: np.ndarray) -> np.ndarray:
        """Calibrated probabilities for the network's, (N, genres), in their dtype."""
        return calibrate(p, self.slope, self.offset).astype(p.dtype)

    def sure(self, p: np.ndarray, priors: np.ndarray) -> np.ndarray:
        """(N,) bool: whether calibrated answers p (N, genres) say more than ``sure_above`` beyond priors."""
        return information(p, priors) > self.sure_above

    def was_fitted_on(self, labels: np.ndarray) -> bool:
        """Whether these are the labels (N, genres) of the posters it was fitted on."""
        return self.labels_digest == digest_of(labels)


def digest_of(labels: np.ndarray) -> str:
    """SHA-256 of labels (N, genres), in hex."""
    return hashlib.sha256(np.ascontiguousarray(labels, np.uint8).data).hexdigest()


def calibrate(p: np.ndarray, slope: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The network's probabilities p (N, genres), each genre's mapped by its slope and offset; float64."""
    return sigmoid(slope * log_odds(p) + offset)


def log_odds(p: np.ndarray) -> np.ndarray:
    """``log(p / (1 - p))`` in float64, p clipped to [1e-7, 1 - 1e-7]."""
    clipped = np.clip(np.asarray(p, np.float64), CLIP, 1 - CLIP)
    return np.log(clipped) - np.log1p(-clipped)


def fit_calibration(labels: np.ndarray, p: np.ndarray, priors: np.ndarray) -> Calibration:
    """Fit on posters that the network was not trained on.

    labels (N, genres) 0/1, p (N, genres) the network's probabilities, priors (genres,) of the training
    posters. The rule for "sure" is fitted on cross-fitted probabilities: no poster calibrates its own.
    """
    slope, offset = fit_maps(labels, p)
    sure_above = fit_sure(labels, cross_fitted_probabilities(labels, p), priors)
    return Calibration(slope, offset, sure_above, len(labels), digest_of(labels))


def fit_maps(labels: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset (genres,) of every genre's map."""
    if labels.shape != p.shape or labels.ndim != 2 or len(labels) == 0:
        raise PosterGenreError(
            f"calibration needs labels and probabilities of one shape (N, genres), got {labels.shape} and "
            f"{p.shape}"
        )
    z, targets = log_odds(p), np.where(labels == 1, *_targets(labels))
    common = _penalised_fit(np.zeros_like(z), z, targets, np.zeros(2), np.array([COMMON_SD, COMMON_SD]))
    mean = z.mean(axis=0)
    start = np.exp(common[0]) * mean + common[1]
    towards, sd = np.array([common[0], 0.0]), np.array([STRETCH_SD, SHIFT_SD])
    own = np.array(
        [
            _penalised_fit(start[g], z[:, g] - mean[g], targets[:, g], towards, sd)
            for g in range(labels.shape[1])
        ]
    )
    stretch = np.exp(own[:, 0])
    return stretch, start + own[:, 1] - stretch * mean


def _targets(labels: np.ndarray) -> tuple[float, float]:
    ones = int(labels.sum())
    return (ones + 1) / (ones + 2), 1 / (labels.size - ones + 2)


def _penalised_fit(
    centre: Any, spread: np.ndarray, y: np.ndarray, towards: np.ndarray, sd: np.ndarray
) -> np.ndarray:
    """(log stretch, shift) with the least cross-entropy plus penalty, by Newton's method.

        eta  = centre + shift + exp(log stretch) * spread
        cost = sum of [log(1 + exp(eta)) - y * eta] + sum of ((theta - towards) / sd)^2 / 2

    The Hessian is Fisher's, which is always positive; a step that does not help is halved.
    """

    def predictor(theta: np.ndarray) -> np.ndarray:
        return centre + theta[1] + np.exp(theta[0]) * spread

    def cost(theta: np.ndarray) -> float:
        eta = predictor(theta)
        return float((np.logaddexp(0, eta) - y * eta).sum() + (((theta - towards) / sd) ** 2).sum() / 2)

    theta, reached = towards.copy(), cost(towards)
    for _ in range(NEWTON_STEPS):
        q = sigmoid(predictor(theta))
        along = np.exp(theta[0]) * spread
        gradient = np.array([((q - y) * along).sum(), (q - y).sum()]) + (theta - towards) / sd**2
        weight = q * (1 - q)
        mixed = (weight * along).sum()
        hessian = np.array([[(weight * along**2).sum(), mixed], [mixed, weight.sum()]]) + np.diag(1 / sd**2)
        step = np.linalg.solve(hessian, gradient)
        while (lower := cost(theta - step)) > reached and np.abs(step).max() > 1e-10:
            step /= 2
        if lower > reached or np.abs(step).max() < 1e-10:
            break
        theta, reached = theta - step, lower
    return theta


def folds(n: int, count: int = FOLDS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows to fit on, rows to apply it to) of each fold: a fixed shuffle of n rows, ``count`` folds of them.

    There are fewer folds where n is smaller than ``count``, and none for a single row.
    """
    fold_of_row = np.random.default_rng(0).permutation(n) % count
    for fold in range(count):
        inside = fold_of_row == fold
        if inside.any() and not inside.all():
            yield np.flatnonzero(~inside), np.flatnonzero(inside)


def cross_fitted_maps(
    labels: np.ndarray, p: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """(rows fitted on, rows to apply it to, slope, offset) of each fold: ``fit_maps`` on the other folds."""
    for fit, apply in folds(len(labels)):
        yield fit, apply, *fit_maps(labels[fit], p[fit])


def cross_fitted_probabilities(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Every poster's probabilities, calibrated on the other folds; float64 (N, genres).

    A single poster keeps the network's: there are no others.
    """
    calibrated = np.array(p, np.float64)
    for _, apply, slope, offset in cross_fitted_maps(labels, p):
        calibrated[apply] = calibrate(p[apply], slope, offset)
    return calibrated
