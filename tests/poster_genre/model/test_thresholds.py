"""Decision thresholds: the highest F1, and one that rare genres share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poster_genre.model.thresholds import best_f1_threshold, fit_thresholds


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.8, 1.0])),
        min_size=1,
        max_size=12,
    )
)
def test_no_threshold_has_a_higher_f1_than_the_chosen_one(pairs):
    y = np.array([int(truth) for truth, _ in pairs], np.uint8)
    p = np.array([score for _, score in pairs])

    def f1(threshold):
        named = p >= threshold
        return 2 * (y & named).sum() / max(named.sum() + y.sum(), 1)

    chosen = best_f1_threshold(y, p)
    assert f1(chosen) == pytest.approx(max(f1(t) for t in np.linspace(0, 1.05, 43)))


def test_a_rare_genre_shares_the_threshold_of_all_cells():
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 25)) < np.linspace(0.5, 0.01, 25)).astype(np.uint8)
    p = np.clip(0.2 * labels + rng.normal(0.2, 0.1, labels.shape), 0.001, 0.999)
    labels[:, 20] = 0
    labels[:9, 20] = 1
    thresholds = fit_thresholds(labels, p)
    assert thresholds[20] == best_f1_threshold(labels.ravel(), p.ravel())
    assert thresholds[0] == best_f1_threshold(labels[:, 0], p[:, 0])
