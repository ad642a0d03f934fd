"""Bootstrap intervals: the measures of a resample are scikit-learn's, and the coverage is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poster_genre.evaluation.bootstrap import (
    intervals,
    weighted_average_precision,
    weighted_roc_auc,
    weights_of,
)

sklearn_metrics = pytest.importorskip("sklearn.metrics")


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(3, 60))
def test_a_resamples_ap_and_auc_are_scikit_learns_on_the_drawn_posters(seed, n):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    score = rng.permutation(n) + 0.5
    weights = weights_of(n, 4, rng)
    weights[:, :2] += 1  # both classes in every resample
    ap, auc = weighted_average_precision(y, score, weights), weighted_roc_auc(y, score, weights)
    for row, weighted_ap, weighted_auc in zip(weights.astype(int), ap, auc, strict=True):
        drawn = np.repeat(np.arange(n), row)
        assert weighted_ap == pytest.approx(sklearn_metrics.average_precision_score(y[drawn], score[drawn]))
        assert weighted_auc == pytest.approx(sklearn_metrics.roc_auc_score(y[drawn], score[drawn]))


def test_every_resample_draws_as_many_posters_as_there_are():
    weights = weights_of(37, 5, np.random.default_rng(0))
    assert weights.shape == (5, 37)
    assert (weights.sum(axis=1) == 37).all()


def test_intervals_hold_the_figure_and_shrink_with_the_number_of_posters():
    rng = np.random.default_rng(1)
    widths = []
    for n in (200, 3200):
        labels = (rng.random((n, 4)) < 0.3).astype(np.uint8)
        score = 1 / (1 + np.exp(-(labels * 1.0 + rng.normal(size=labels.shape))))
        ends = intervals(labels, score, resamples=200)
        means = {
            "macro_map": sklearn_metrics.average_precision_score(labels, score, average="macro"),
            "macro_auc": sklearn_metrics.roc_auc_score(labels, score, average="macro"),
            "micro_ap": sklearn_metrics.average_precision_score(labels.ravel(), score.ravel()),
            "top1": labels[np.arange(n), score.argmax(axis=1)].mean(),
        }
        for name, value in means.items():
            low, high = ends[name]
            assert low < value < high, name
        widths.append({name: high - low for name, (low, high) in ends.items()})
    for name, width in widths[0].items():
        assert width == pytest.approx(
            4 * widths[1][name], rel=0.5
        )  # 16 times the posters, a quarter the width


def test_the_interval_of_a_share_is_the_binomials():
    labels = np.zeros((1000, 3), np.uint8)
    labels[:600, 0] = 1
    ends = intervals(labels, np.tile([0.9, 0.1, 0.2], (1000, 1)), resamples=2000)
    wide = 1.96 * np.sqrt(0.6 * 0.4 / 1000)
    assert ends["top1"] == pytest.approx((0.6 - wide, 0.6 + wide), abs=0.004)


def test_without_a_genre_to_count_there_is_no_macro_mean():
    labels = np.zeros((30, 3), np.uint8)
    labels[:3, 0] = 1
    assert set(intervals(labels, np.random.default_rng(0).random((30, 3)), resamples=20)) == {
        "top1",
        "hit_at_3",
        "precision_at_3",
        "micro_ap",
    }
