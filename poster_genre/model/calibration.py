"""Probabilities that mean what they say, and answers that say when they are worth little.

**Calibration** (after Platt 1999, with the genres learning from each other). A genre's log-odds z are
stretched and shifted, so that of the posters given 30 % about 30 % have the genre. The map rises, so a
genre's ranking of the posters, its average precision and its AUC stay as they were. First one map is fitted
to all cells together, ``exp(a) z + b``. Around it each genre gets its own,

    log-odds' = exp(a) m + b + shift + stretch * (z - m)        m: the genre's mean z

whose ``shift`` departs from 0 and whose ``log stretch`` departs from a as far as its own posters demand
against Gaussian penalties: a genre with three positives keeps nearly the common map, one with three hundred
has its own. As with Platt the targets are not quite 0 and 1, but ``1 / (N0 + 2)`` and ``(N1 + 1) / (N1 + 2)``
with the counts of all cells, so that no finite number of posters makes for certainty.

**Not sure.** How much an answer p says beyond the genre priors q, which could be said of every poster unseen:

    information = sum over genres of  p log2(p / q) + (1 - p) log2((1 - p) / (1 - q))     [bits]

For calibrated and independent genres that is what the answer is expected to gain in log-likelihood over the
priors. An answer is sure unless it says no more than the tenth of the validation posters that say least, or
no more than those whose answers, taken together, cannot be shown to gain anything at all: a network that
learned nothing, or was calibrated on a handful of posters, is hardly ever sure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minicnn.layers.activation import sigmoid
from poster_genre.errors import PosterGenreError

CLIP = 1e-7  # probabilities nearer to 0 or 1 than float32 can tell
STRETCH_SD, SHIFT_SD = 0.25, 0.5
COMMON_SD = 1.0
FLOOR = 1e-3  # information and gain do not look closer at 0 and 1 than one in a thousand
LEAST = 0.1  # this share of validation posters tells too little, however good the network
ONE_SIDED_95 = 1.645
FOLDS = 5
NEWTON_STEPS = 60


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was fitted on validation posters.

    ``slope, offset``  (genres,) float64: the calibrated log-odds are ``slope * z + offset``, slope > 0.
    ``sure_above``     bits of information that an answer must exceed to be called sure.
    ``posters``        how many posters it was fitted on.
    ``labels_digest``  SHA-256 of their labels: on these posters, of whatever split, the
                       map must be cross-fitted.
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
        return self.labels_digest == digest_of(labels)


def digest_of(labels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(labels, np.uint8).data).hexdigest()


def calibrate(p: np.ndarray, slope: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The network's probabilities p (N, genres), each genre's mapped by its slope and offset; float64."""
    return sigmoid(slope * log_odds(p) + offset)


def log_odds(p: np.ndarray) -> np.ndarray:
    """``log(p / (1 - p))`` in float64, p clipped to [1e-7, 1 - 1e-7]."""
    clipped = np.clip(np.asarray(p, np.float64), CLIP, 1 - CLIP)
    return np.log(clipped) - np.log1p(-clipped)


def information(p: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Bits that answers p (N, genres) say beyond the priors (genres,); shape (N,), at least 0."""
    p, q = (np.clip(np.asarray(a, np.float64), FLOOR, 1 - FLOOR) for a in (p, priors))
    return np.maximum((p * np.log2(p / q) + (1 - p) * np.log2((1 - p) / (1 - q))).sum(axis=1), 0)


def gain(labels: np.ndarray, p: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Bits of log-likelihood that answers p give the truth beyond the priors; (N,), below 0 where worse."""
    p, q = (np.clip(np.asarray(a, np.float64), FLOOR, 1 - FLOOR) for a in (p, priors))
    return np.where(labels == 1, np.log2(p / q), np.log2((1 - p) / (1 - q))).sum(axis=1)


def fit_calibration(labels: np.ndarray, p: np.ndarray, priors: np.ndarray) -> Calibration:
    """Fit on posters that the network was not trained on.

    labels (N, genres) 0/1, p (N, genres) the network's probabilities, priors (genres,) of the training
    posters. The rule for "sure" looks at cross-fitted probabilities, which no poster had a hand in itself.
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


def fit_sure(labels: np.ndarray, p: np.ndarray, priors: np.ndarray) -> float:
    """The information that an answer must exceed to be called sure: the larger of two limits, in bits.

    The first is that of the ``LEAST`` tenth of posters. For the second the posters are put in order of
    information: over the first k of them, the mean gain less 1.645 of its standard errors (one-sided 95 %)
    must be above 0. The last k where it is not counts.
    """
    said = information(p, priors)
    order = np.argsort(said, kind="stable")
    gains = gain(labels, p, priors)[order]
    k = np.arange(1, len(gains) + 1)
    mean = np.cumsum(gains) / k
    variance = (np.cumsum(gains**2) / k - mean**2) * k / np.maximum(k - 1, 1)
    shown = (k > 1) & (mean > ONE_SIDED_95 * np.sqrt(np.maximum(variance, 0) / k))
    doubtful = np.flatnonzero(~shown)[-1]  # there is one, for a single poster shows nothing
    return float(said[order[max(doubtful, math.ceil(LEAST * len(said)) - 1)]])


def folds(n: int, count: int = FOLDS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows to fit on, rows to judge) of each fold: a fixed shuffle of n rows, dealt out in turn."""
    dealt = np.random.default_rng(0).permutation(n) % count
    for fold in range(count):
        judged = dealt == fold
        if judged.any() and not judged.all():
            yield np.flatnonzero(~judged), np.flatnonzero(judged)


def cross_fitted_probabilities(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Every poster's probabilities, calibrated on the other folds; float64 (N, genres).

    A single poster stays as the network had it: there are no others.
    """
    out = np.array(p, np.float64)
    for fit, judge in folds(len(labels)):
        slope, offset = fit_maps(labels[fit], p[fit])
        out[judge] = calibrate(p[judge], slope, offset)
    return out
