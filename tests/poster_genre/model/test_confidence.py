"""The information of an answer beyond the priors, and the limit above which an answer is sure."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poster_genre.model.calibration import fit_calibration
from poster_genre.model.confidence import fit_sure, gain, information
from tests.poster_genre.model.answers import PRIORS, drawn


def test_information_is_the_expected_gain_in_log_likelihood_over_the_priors():
    p, q = np.array([0.7, 0.2, 0.04]), np.array([0.5, 0.3, 0.1])
    expected, gained = 0.0, 0.0
    for outcome in product((0, 1), repeat=3):
        y = np.array(outcome)
        likelihood, prior = (np.where(y == 1, s, 1 - s).prod() for s in (p, q))
        expected += likelihood * np.log2(likelihood / prior)
        gained += likelihood * gain(y[None], p[None], q)[0]
    assert information(p[None], q)[0] == pytest.approx(expected)
    assert gained == pytest.approx(expected)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_information_is_never_negative_and_nothing_for_the_priors(row):
    assert information(np.array([row]), PRIORS)[0] >= 0
    assert information(PRIORS[None], PRIORS)[0] == 0


def test_a_network_without_skill_is_never_sure():
    labels, _ = drawn(800, seed=4)
    _, unrelated = drawn(800, seed=5, skill=0.3)
    limit = fit_sure(labels, unrelated, PRIORS)
    assert (information(unrelated, PRIORS) <= limit).mean() > 0.9


def test_a_skilled_network_is_mostly_sure_and_never_where_it_repeats_the_priors():
    labels, truth = drawn(1500, seed=6, skill=1.5)
    truth[:150] = PRIORS + 0.001
    labels[:150] = np.random.default_rng(7).random((150, 5)) < PRIORS
    calibration = fit_calibration(labels, truth, PRIORS)
    sure = calibration.sure(calibration.apply(truth), PRIORS)
    assert not sure[:150].any()
    assert sure[150:].mean() > 0.7


def test_the_tenth_with_the_least_information_is_never_sure():
    labels, truth = drawn(1500, seed=8, skill=2.0)
    unsure = information(truth, PRIORS) <= fit_sure(labels, truth, PRIORS)
    assert unsure.sum() == 150


def test_answers_without_a_significant_gain_are_not_sure():
    labels, truth = drawn(1500, seed=9)
    labels[:600] = drawn(600, seed=10)[0]  # the least informative 600 answers are about other posters
    order = np.argsort(information(truth, PRIORS), kind="stable")
    truth = np.concatenate([truth[order[:600]], truth[order[600:]]])
    labels[600:] = np.random.default_rng(11).random((900, 5)) < truth[600:]
    limit = fit_sure(labels, truth, PRIORS)
    gains = gain(labels, truth, PRIORS)[information(truth, PRIORS) <= limit]
    assert len(gains) > 300
    assert gains.mean() <= 1.645 * gains.std(ddof=1) / np.sqrt(len(gains))
