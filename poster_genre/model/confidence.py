"""How much an answer says beyond the genre priors, and when that is enough to call the answer sure.

The priors q could be given for every poster without looking at it. The information of an answer p is

    sum over genres of  p log2(p / q) + (1 - p) log2((1 - p) / (1 - q))     [bits]

For calibrated and independent genres this is the expected gain in log-likelihood of the answer over the
priors. An answer is sure if its information exceeds two limits, both measured on validation posters: that of
the tenth of them with the least information, and that of those whose answers, taken together, show no
significant gain. A network that learned nothing, or was calibrated on a handful of posters, is hardly ever
sure.
"""

from __future__ import annotations

import math

import numpy as np

CLIP = 1e-3  # probabilities nearer to 0 or 1 than one in a thousand count as one in a thousand
LEAST_SHARE = 0.1  # this share of validation posters is never sure, however good the network
ONE_SIDED_95 = 1.645  # standard errors


def information(p: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Bits that answers p (N, genres) say beyond the priors (genres,); shape (N,), at least 0."""
    p, q = (np.clip(np.asarray(a, np.float64), CLIP, 1 - CLIP) for a in (p, priors))
    return np.maximum((p * np.log2(p / q) + (1 - p) * np.log2((1 - p) / (1 - q))).sum(axis=1), 0)


def gain(labels: np.ndarray, p: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Bits of log-likelihood of the labels under p beyond the priors'; (N,), below 0 where worse."""
    p, q = (np.clip(np.asarray(a, np.float64), CLIP, 1 - CLIP) for a in (p, priors))
    return np.where(labels == 1, np.log2(p / q), np.log2((1 - p) / (1 - q))).sum(axis=1)


def fit_sure(labels: np.ndarray, p: np.ndarray, priors: np.ndarray) -> float:
    """The information that an answer must exceed to be called sure: the larger of two limits, in bits.

    The first is that of the ``LEAST_SHARE`` tenth of posters. For the second the posters are sorted by
    information: over the first k of them, the mean gain less 1.645 of its standard errors (one-sided 95 %)
    must be above 0. The last k where it is not counts.
    """
    bits = information(p, priors)
    order = np.argsort(bits, kind="stable")
    gains = gain(labels, p, priors)[order]
    k = np.arange(1, len(gains) + 1)
    mean = np.cumsum(gains) / k
    variance = (np.cumsum(gains**2) / k - mean**2) * k / np.maximum(k - 1, 1)
    significant = (k > 1) & (mean > ONE_SIDED_95 * np.sqrt(np.maximum(variance, 0) / k))
    last_doubtful = np.flatnonzero(~significant)[-1]  # k = 1 is never significant, so there is one
    return float(bits[order[max(last_doubtful, math.ceil(LEAST_SHARE * len(bits)) - 1)]])
