"""Calibrated probabilities: the maps of the genres, and how they are fitted."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import metrics
from poster_genre.errors import PosterGenreError
from poster_genre.evaluation import measures
from poster_genre.model import calibration
from poster_genre.model.calibration import calibrate, fit_calibration, fit_maps, log_odds
from tests.poster_genre.model.answers import PRIORS, distorted, drawn


@pytest.mark.parametrize(("stretch", "shift"), [(2.0, 0.0), (0.5, 0.3), (1.0, -1.0)])
def test_probabilities_that_are_off_come_back_to_what_they_were(stretch, shift):
    labels, truth = drawn(4000)
    off = distorted(truth, stretch, shift)
    calibrated = calibrate(off, *fit_maps(labels, off))
    assert np.abs(calibrated - truth).mean() < 0.012
    assert np.abs(off - truth).mean() > 0.04


def test_calibration_brings_the_error_down_to_that_of_the_true_probabilities():
    labels, truth = drawn(3000, seed=1)
    off = distorted(truth, 2.0, 0.5)
    unseen, unseen_truth = drawn(3000, seed=2)
    unseen_off = distorted(unseen_truth, 2.0, 0.5)
    error = metrics.macro_expected_calibration_error
    calibrated = calibrate(unseen_off, *fit_maps(labels, off))
    assert error(unseen, calibrated) < 1.25 * error(unseen, unseen_truth)
    assert error(unseen, unseen_off) > 3 * error(unseen, unseen_truth)


def test_one_distortion_of_all_genres_makes_no_difference():
    labels, truth = drawn(600)
    plain = calibrate(truth, *fit_maps(labels, truth))
    off = distorted(truth, 1.7, 0.4)
    np.testing.assert_allclose(calibrate(off, *fit_maps(labels, off)), plain, atol=5e-3)


def test_a_genre_of_many_posters_gets_its_own_map_and_one_of_few_keeps_the_common_one():
    labels, truth = drawn(1500)
    labels[:, 4] = 0
    labels[:3, 4] = 1
    off = truth.copy()
    off[:, [0, 4]] = distorted(truth[:, [0, 4]], 0.3, 0.0)
    slope, _ = fit_maps(labels, off)
    common = slope[1:4].mean()
    assert slope[0] > 1.7 * common
    assert slope[4] < 1.4 * common


def test_the_order_of_the_posters_stays_as_it_was():
    labels, truth = drawn(500)
    slope, offset = fit_maps(labels, 1 - truth)  # a network that has everything upside down
    assert (slope > 0).all()
    np.testing.assert_array_equal(
        np.argsort(calibrate(truth, slope, offset), axis=0, kind="stable"),
        np.argsort(truth, axis=0, kind="stable"),
    )


def test_the_fit_is_the_minimum_that_scipy_finds():
    minimize = pytest.importorskip("scipy.optimize").minimize
    labels, truth = drawn(300, seed=3)
    z = log_odds(distorted(truth, 0.6, -0.4))[:, 2]
    towards, sd = np.array([0.2, 0.0]), np.array([0.25, 0.5])

    def cost(theta):
        eta = z.mean() + theta[1] + np.exp(theta[0]) * (z - z.mean())
        entropy = (np.logaddexp(0, eta) - labels[:, 2] * eta).sum()
        return entropy + (((theta - towards) / sd) ** 2).sum() / 2

    fitted = calibration._penalised_fit(z.mean(), z - z.mean(), labels[:, 2], towards, sd)
    np.testing.assert_allclose(fitted, minimize(cost, towards, tol=1e-10).x, atol=1e-4)


def test_perfect_separation_gives_no_certainty():
    labels = np.tile([[1, 0], [0, 1]], (20, 1)).astype(np.uint8)
    p = np.where(labels == 1, 0.6, 0.4)
    calibrated = calibrate(p, *fit_maps(labels, p))
    assert (np.abs(calibrated - labels) < 0.4).all()
    assert calibrated.min() > 0.01
    assert calibrated.max() < 0.99


@pytest.mark.parametrize("p", [np.zeros((4, 3)), np.ones((4, 3))])
def test_certain_probabilities_give_finite_ones(p):
    labels = np.eye(4, 3, dtype=np.uint8)
    assert np.isfinite(calibrate(p, *fit_maps(labels, p))).all()


@pytest.mark.parametrize("shape", [(0, 3), (4, 2), (3,)])
def test_arrays_that_do_not_fit_are_refused(shape):
    with pytest.raises(PosterGenreError, match="one shape"):
        fit_maps(np.zeros(shape, np.uint8), np.full((4, 3), 0.5))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_handful_of_posters_can_be_calibrated_on(n):
    labels, truth = drawn(n)
    known = fit_calibration(labels, truth, PRIORS)
    assert np.isfinite(known.apply(truth)).all()
    assert known.posters == n


def test_the_classifier_calibrates_on_its_validation_posters(fitted, coloured_posters):
    pixels, labels = coloured_posters
    raw = fitted.predict_proba(pixels, calibrated=False)
    np.testing.assert_array_equal(fitted.predict_proba(pixels), fitted.trained_.calibration.apply(raw))
    loss = measures.cross_entropy
    assert loss(labels[64:], fitted.predict_proba(pixels[64:])) < loss(labels[64:], raw[64:])
    assert fitted.trained_.calibration.posters == 32


def test_without_validation_posters_nothing_is_calibrated_and_doubt_is_unknown(small_spec, coloured_posters):
    from poster_genre.classifier import PosterGenreClassifier

    pixels, labels = coloured_posters
    classifier = PosterGenreClassifier(small_spec, epochs=1).fit(pixels, labels)
    assert classifier.trained_.calibration is None
    raw = classifier.predict_proba(pixels, calibrated=False)
    np.testing.assert_array_equal(classifier.predict_proba(pixels), raw)
    assert classifier.sure(raw) is None
