"""Labels that are drawn from known probabilities: what a perfect network would answer."""

from __future__ import annotations

import numpy as np

from poster_genre.model.calibration import log_odds

PRIORS = np.array([0.5, 0.4, 0.2, 0.1, 0.05])


def drawn(n, seed=0, skill=1.0):
    """Posters whose genres are drawn from known probabilities: (labels, those probabilities)."""
    rng = np.random.default_rng(seed)
    z = log_odds(PRIORS) + skill * rng.normal(size=(n, len(PRIORS)))
    truth = 1 / (1 + np.exp(-z))
    return (rng.random(truth.shape) < truth).astype(np.uint8), truth


def distorted(p, stretch, shift):
    """The probabilities with their log-odds stretched and shifted."""
    return 1 / (1 + np.exp(-(stretch * log_odds(p) + shift)))
