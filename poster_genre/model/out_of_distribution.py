"""Whether a picture is unlike the posters that a model knows: out-of-distribution detection.

A picture is described by its embedding f (d,) and its ``picture_statistics`` s. The embedding is standardised
and projected on its first principal components; together with the standardised s that gives a vector v, which
is measured by the Mahalanobis distance (Mahalanobis 1936; for networks' features Lee et al. 2018, "A Simple
Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks"):

    distance^2 = (v - m)^T C^-1 (v - m)        m, C: mean and covariance of v over posters
               = || ([f, s] - mean) W ||^2     all of it is linear, so one matrix W does

Means, components and covariance are those of validation posters: a network's features are other ones on
posters that it was trained on. The limit is exceeded by 2 % of validation posters, each measured with means,
components and covariance of the other four fifths of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from poster_genre.model.calibration import folds
from poster_genre.model.picture_statistics import STATISTICS, picture_statistics

COMPONENTS = 24  # chosen from 8 to 96 by detections on ``poster_genre.evaluation.non_posters``
FALSE_ALARMS = 0.02
LEAST_POSTERS = 100
POSTERS_A_COMPONENT = 10
FLOOR = 1e-3  # of the mean deviation: a feature that hardly varies counts as varying this much


@dataclass(frozen=True, eq=False)
class PosterDistance:
    """The result of ``fit_poster_distance``. With d the size of the embedding, D = d + 14:

    ``mean``       (D,) float32.
    ``whitening``  W above, (D, k) float32.
    ``limit``      of the squared distance; a picture beyond it is unlike the posters.
    ``posters``    the number of posters it was fitted on.
    """

    mean: np.ndarray
    whitening: np.ndarray
    limit: float
    posters: int

    def squared(self, descriptions: np.ndarray) -> np.ndarray:
        """The squared distance of ``descriptions_of`` pictures (N, D): (N,) float64."""
        return (((descriptions - self.mean) @ self.whitening.astype(np.float64)) ** 2).sum(axis=1)

    def exceeded(self, descriptions: np.ndarray) -> np.ndarray:
        """(N,) bool: which of the pictures, described as (N, D), are unlike the posters."""
        return self.squared(descriptions) > self.limit


def descriptions_of(pixels: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """[f, s] of uint8 pixels (N, h, w, 3) and their embeddings (N, d): (N, d + 14) float64."""
    return np.concatenate([embeddings.astype(np.float64), picture_statistics(pixels)], axis=1)


def fit_poster_distance(descriptions: np.ndarray) -> PosterDistance | None:
    """Fit on ``descriptions_of`` posters (N, D) that the network was not trained on.

    None for fewer than ``LEAST_POSTERS`` posters, and for embeddings or statistics that do not vary.
    """
    if len(descriptions) < LEAST_POSTERS or not all(part.std(axis=0).any() for part in _parts(descriptions)):
        return None
    mean, whitening = _whiten(descriptions)
    limit = float(np.quantile(cross_fitted_distances(descriptions), 1 - FALSE_ALARMS))
    return PosterDistance(mean, whitening, limit, len(descriptions))


def cross_fitted_distances(descriptions: np.ndarray) -> np.ndarray:
    """Each poster's squared distance by means and covariance of the other folds, (N,) float64."""
    distances = np.zeros(len(descriptions))
    for fit, apply in folds(len(descriptions)):
        fold = PosterDistance(*_whiten(descriptions[fit]), limit=0.0, posters=len(fit))
        distances[apply] = fold.squared(descriptions[apply])
    return distances


def _parts(descriptions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The embeddings (N, d) and the statistics (N, 14) of descriptions."""
    return descriptions[:, : -len(STATISTICS)], descriptions[:, -len(STATISTICS) :]


def _whiten(descriptions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mean (D,) and W (D, k), float32; W in the 11 significant bits of float16 where its range allows."""
    embeddings, statistics = _parts(descriptions)
    first, second = _principal(embeddings), _principal(statistics)
    projection = np.zeros((descriptions.shape[1], first.shape[1] + second.shape[1]))
    projection[: len(first), : first.shape[1]] = first
    projection[len(first) :, first.shape[1] :] = second
    mean = descriptions.mean(axis=0)
    covariance = np.cov(((descriptions - mean) @ projection).T)
    values, vectors = np.linalg.eigh(covariance)
    whitening = projection @ (vectors / np.sqrt(np.maximum(values, 1e-9 * values.max())))
    with np.errstate(over="ignore"):
        half = whitening.astype(np.float16)
    rounded = half if np.isfinite(half).all() else whitening
    return mean.astype(np.float32), rounded.astype(np.float32)


def _principal(x: np.ndarray) -> np.ndarray:
    """The first principal components of standardised x (N, n) as a map of x - mean: (n, k), of variance 1."""
    deviation = x.std(axis=0)
    deviation = np.maximum(deviation, FLOOR * deviation.mean())
    _, singular, components = np.linalg.svd((x - x.mean(axis=0)) / deviation, full_matrices=False)
    variance = singular**2 / len(x)
    enough = int((variance > 1e-9 * variance[0]).sum())
    count = min(COMPONENTS, len(x) // POSTERS_A_COMPONENT, enough)
    return components[:count].T / np.sqrt(variance[:count]) / deviation[:, None]
