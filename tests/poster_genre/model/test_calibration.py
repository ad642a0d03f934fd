"""Calibrated probabilities, the rule for "not sure", and figures that no poster had a hand in itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn import metrics
from poster_genre.errors import PosterGenreError
from poster_genre.evaluation import evaluate, measures, tables
from poster_genre.model import calibration
from poster_genre.model.calibration import calibrate, fit_calibration, fit_maps, log_odds
from poster_genre.model.information import fit_sure, gain, information

PRIORS = np.array([0.5, 0.4, 0.2, 0.1, 0.05])


def drawn(n, seed=0, skill=1.0):
    """Posters whose genres are drawn from known probabilities: (labels, those probabilities)."""
    rng = np.random.default_rng(seed)
    z = log_odds(PRIORS) + skill * rng.normal(size=(n, len(PRIORS)))
    truth = 1 / (1 + np.exp(-z))
    return (rng.random(truth.shape) < truth).astype(np.uint8), truth


def distorted(p, stretch, shift):
    return 1 / (1 + np.exp(-(stretch * log_odds(p) + shift)))


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

    found = calibration._penalised_fit(z.mean(), z - z.mean(), labels[:, 2], towards, sd)
    np.testing.assert_allclose(found, minimize(cost, towards, tol=1e-10).x, atol=1e-4)


def test_posters_that_are_perfectly_told_apart_make_for_no_certainty():
    labels = np.tile([[1, 0], [0, 1]], (20, 1)).astype(np.uint8)
    p = np.where(labels == 1, 0.6, 0.4)
    calibrated = calibrate(p, *fit_maps(labels, p))
    assert (np.abs(calibrated - labels) < 0.4).all()
    assert calibrated.min() > 0.01
    assert calibrated.max() < 0.99


@pytest.mark.parametrize("p", [np.zeros((4, 3)), np.ones((4, 3))])
def test_certain_probabilities_are_survived(p):
    labels = np.eye(4, 3, dtype=np.uint8)
    assert np.isfinite(calibrate(p, *fit_maps(labels, p))).all()


@pytest.mark.parametrize("shape", [(0, 3), (4, 2), (3,)])
def test_arrays_that_do_not_fit_are_refused(shape):
    with pytest.raises(PosterGenreError, match="one shape"):
        fit_maps(np.zeros(shape, np.uint8), np.full((4, 3), 0.5))


# Not sure.


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


def test_a_network_that_knows_nothing_is_never_sure():
    labels, _ = drawn(800, seed=4)
    _, unrelated = drawn(800, seed=5, skill=0.3)
    limit = fit_sure(labels, unrelated, PRIORS)
    assert (information(unrelated, PRIORS) <= limit).mean() > 0.9


def test_a_network_that_knows_much_is_mostly_sure_and_not_where_it_repeats_the_priors():
    labels, truth = drawn(1500, seed=6, skill=1.5)
    truth[:150] = PRIORS + 0.001
    labels[:150] = np.random.default_rng(7).random((150, 5)) < PRIORS
    known = fit_calibration(labels, truth, PRIORS)
    sure = known.sure(known.apply(truth), PRIORS)
    assert not sure[:150].any()
    assert sure[150:].mean() > 0.7


def test_the_tenth_that_says_least_is_never_sure():
    labels, truth = drawn(1500, seed=8, skill=2.0)
    unsure = information(truth, PRIORS) <= fit_sure(labels, truth, PRIORS)
    assert unsure.sum() == 150


def test_answers_that_cannot_be_shown_to_gain_anything_are_not_sure():
    labels, truth = drawn(1500, seed=9)
    labels[:600] = drawn(600, seed=10)[0]  # the least informative 600 answers are about other posters
    order = np.argsort(information(truth, PRIORS), kind="stable")
    truth = np.concatenate([truth[order[:600]], truth[order[600:]]])
    labels[600:] = np.random.default_rng(11).random((900, 5)) < truth[600:]
    limit = fit_sure(labels, truth, PRIORS)
    gains = gain(labels, truth, PRIORS)[information(truth, PRIORS) <= limit]
    assert len(gains) > 300
    assert gains.mean() <= 1.645 * gains.std(ddof=1) / np.sqrt(len(gains))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_handful_of_posters_can_be_calibrated_on(n):
    labels, truth = drawn(n)
    known = fit_calibration(labels, truth, PRIORS)
    assert np.isfinite(known.apply(truth)).all()
    assert known.posters == n


# Folds.


def test_every_poster_is_judged_once_and_never_fitted_on_by_its_judge():
    judged = np.concatenate([judge for _, judge in calibration.folds(53)])
    assert sorted(judged) == list(range(53))
    for fit, judge in calibration.folds(53):
        assert not set(fit) & set(judge)
        assert len(fit) + len(judge) == 53


def test_a_poster_has_no_hand_in_its_own_cross_fitted_answer():
    labels, truth = drawn(60, seed=9)
    before = evaluate.cross_fitted(labels, truth)
    labels[17] = 1 - labels[17]
    after = evaluate.cross_fitted(labels, truth)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[17], other[17])
    assert (before[0] != after[0]).any()


def test_cross_fitting_agrees_with_one_fold_done_by_hand():
    labels, truth = drawn(100, seed=10)
    fit, judge = next(calibration.folds(100))
    slope, offset = fit_maps(labels[fit], truth[fit])
    probabilities, decisions = evaluate.cross_fitted(labels, truth)
    by_hand = calibrate(truth[judge], slope, offset)
    np.testing.assert_array_equal(probabilities[judge], by_hand)
    limits = evaluate.fit_thresholds(labels[fit], calibrate(truth[fit], slope, offset))
    np.testing.assert_array_equal(decisions[judge], by_hand >= limits)


# The classifier.


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


def test_posters_that_calibrated_the_classifier_are_scored_by_cross_fitting(fitted, coloured_posters):
    pixels, labels = coloured_posters
    own, probabilities = evaluate.evaluate_model(fitted.trained_, pixels[64:], labels[64:], split="val")
    other, _ = evaluate.evaluate_model(fitted.trained_, pixels[:64], labels[:64], split="train")
    assert (own["cross_fitted_folds"], other["cross_fitted_folds"]) == (5, 0)
    raw = fitted.predict_proba(pixels[64:], calibrated=False)
    np.testing.assert_array_equal(probabilities, evaluate.cross_fitted(labels[64:], raw)[0])
    assert own["macro_auc"] == metrics.macro_roc_auc(labels[64:], raw)
    assert "5-fold cross-fitted" in tables.table(own, calibrated=True)


def test_a_model_file_keeps_the_calibration(fitted, tmp_path):
    fitted.save(tmp_path / "model.npz")
    loaded = type(fitted).load(tmp_path / "model.npz").trained_.calibration
    for name, value in vars(fitted.trained_.calibration).items():
        np.testing.assert_array_equal(getattr(loaded, name), value)


def test_a_model_file_whose_calibration_makes_no_sense_is_refused(fitted, tmp_path):
    from minicnn.serialize import load, save

    path = tmp_path / "model.npz"
    fitted.save(path)
    arrays, metadata = load(path)
    for name, spoiled in (("slope", -1.0), ("slope", np.nan), ("offset", np.inf)):
        worse = {**arrays, f"calibration/{name}": np.full(25, spoiled)}
        save(path, worse, metadata)
        with pytest.raises(PosterGenreError, match="contradicts itself"):
            type(fitted).load(path)


def test_val_is_scored_by_cross_fitting_though_some_of_its_posters_are_gone(fitted, coloured_posters):
    pixels, labels = coloured_posters
    fewer, _ = evaluate.evaluate_model(fitted.trained_, pixels[65:], labels[65:], split="val")
    assert fewer["cross_fitted_folds"] == 5
    three, _ = evaluate.evaluate_model(fitted.trained_, pixels[65:68], labels[65:68], split="val")
    assert three["cross_fitted_folds"] == 3
    one, p = evaluate.evaluate_model(fitted.trained_, pixels[65:66], labels[65:66], split="val")
    assert one["cross_fitted_folds"] == 0
    np.testing.assert_array_equal(p, fitted.predict_proba(pixels[65:66]))
