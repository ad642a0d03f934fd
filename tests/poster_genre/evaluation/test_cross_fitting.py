"""Cross-fitting: no poster calibrates itself or chooses the thresholds that decide about it."""

from __future__ import annotations

import numpy as np

from minicnn import metrics
from poster_genre.evaluation.evaluate import cross_fitted, evaluate_model
from poster_genre.evaluation.tables import table
from poster_genre.model.calibration import calibrate, fit_maps, folds
from poster_genre.model.thresholds import fit_thresholds
from tests.poster_genre.model.answers import drawn


def test_every_row_is_in_one_fold_and_never_among_the_rows_its_fold_is_fitted_on():
    applied = np.concatenate([apply for _, apply in folds(53)])
    assert sorted(applied) == list(range(53))
    for fit, apply in folds(53):
        assert not set(fit) & set(apply)
        assert len(fit) + len(apply) == 53


def test_a_posters_labels_do_not_change_its_own_cross_fitted_answer():
    labels, truth = drawn(60, seed=9)
    before = cross_fitted(labels, truth)
    labels[17] = 1 - labels[17]
    after = cross_fitted(labels, truth)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[17], other[17])
    assert (before[0] != after[0]).any()


def test_cross_fitting_agrees_with_one_fold_computed_by_hand():
    labels, truth = drawn(100, seed=10)
    fit, apply = next(folds(100))
    slope, offset = fit_maps(labels[fit], truth[fit])
    probabilities, decisions = cross_fitted(labels, truth)
    by_hand = calibrate(truth[apply], slope, offset)
    np.testing.assert_array_equal(probabilities[apply], by_hand)
    limits = fit_thresholds(labels[fit], calibrate(truth[fit], slope, offset))
    np.testing.assert_array_equal(decisions[apply], by_hand >= limits)


def test_posters_that_calibrated_the_classifier_are_scored_by_cross_fitting(fitted, coloured_posters):
    pixels, labels = coloured_posters
    own, probabilities = evaluate_model(fitted.trained_, pixels[64:], labels[64:], split="val")
    other, _ = evaluate_model(fitted.trained_, pixels[:64], labels[:64], split="train")
    assert (own["cross_fitted_folds"], other["cross_fitted_folds"]) == (5, 0)
    raw = fitted.predict_proba(pixels[64:], calibrated=False)
    np.testing.assert_array_equal(probabilities, cross_fitted(labels[64:], raw)[0])
    assert own["macro_auc"] == metrics.macro_roc_auc(labels[64:], raw)
    assert "5-fold cross-fitted" in table(own, calibrated=True)


def test_val_is_scored_by_cross_fitting_even_if_some_of_its_posters_are_missing(fitted, coloured_posters):
    pixels, labels = coloured_posters
    fewer, _ = evaluate_model(fitted.trained_, pixels[65:], labels[65:], split="val")
    assert fewer["cross_fitted_folds"] == 5
    three, _ = evaluate_model(fitted.trained_, pixels[65:68], labels[65:68], split="val")
    assert three["cross_fitted_folds"] == 3
    one, p = evaluate_model(fitted.trained_, pixels[65:66], labels[65:66], split="val")
    assert one["cross_fitted_folds"] == 0
    np.testing.assert_array_equal(p, fitted.predict_proba(pixels[65:66]))
