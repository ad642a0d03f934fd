"""Measures, baselines, and the table of them."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from poster_genre.errors import PosterGenreError
from poster_genre.evaluation.evaluate import evaluate_probabilities
from poster_genre.evaluation.measures import cross_entropy, prior_decisions
from poster_genre.evaluation.tables import table
from poster_genre.genres import GENRES

KEYS = {
    "macro_map", "macro_auc", "micro_ap", "top1", "hit_at_3", "precision_at_3", "recall_at_3", "micro_f1",
    "macro_f1", "hamming_loss", "binary_accuracy", "bce", "n_genres_macro", "calibration_error",
}  # fmt: skip


def example(n=80, seed=0):
    rng = np.random.default_rng(seed)
    priors = np.linspace(0.5, 0.01, 25)
    labels = (rng.random((n, 25)) < priors).astype(np.uint8)
    probabilities = np.clip(priors + 0.2 * labels + rng.normal(0, 0.1, (n, 25)), 0.001, 0.999)
    return labels, probabilities, priors


def evaluated(labels, probabilities, priors, thresholds=None):
    thresholds = np.full(25, 0.4) if thresholds is None else thresholds
    return evaluate_probabilities(labels, probabilities, split="val", thresholds=thresholds, priors=priors)


def test_an_evaluation_has_exactly_the_promised_keys():
    result = evaluated(*example())
    assert set(result) == KEYS | {"split", "n_posters", "cross_fitted_folds", "baselines", "per_genre"}
    assert {name: set(row) for name, row in result["baselines"].items()} == {
        "all_zeros": KEYS,
        "genre_priors": KEYS,
    }
    assert list(result["per_genre"]) == list(GENRES)


def test_measures_agree_with_scikit_learn():
    sk = pytest.importorskip("sklearn.metrics")
    labels, p, priors = example()
    result = evaluated(labels, p, priors)
    chosen = labels.sum(axis=0) >= 10
    decided = p >= 0.4
    expected = {
        "macro_map": sk.average_precision_score(labels[:, chosen], p[:, chosen], average="macro"),
        "macro_auc": sk.roc_auc_score(labels[:, chosen], p[:, chosen], average="macro"),
        "micro_ap": sk.average_precision_score(labels, p, average="micro"),
        "micro_f1": sk.f1_score(labels, decided, average="micro"),
        "macro_f1": sk.f1_score(labels[:, chosen], decided[:, chosen], average="macro"),
        "hamming_loss": sk.hamming_loss(labels, decided),
        "binary_accuracy": sk.accuracy_score(labels.ravel(), p.ravel() >= 0.5),
        "bce": sk.log_loss(labels.ravel(), p.ravel()),
    }
    assert {key: result[key] for key in expected} == pytest.approx(expected)
    assert result["n_genres_macro"] == chosen.sum()


def test_naming_no_genre_is_as_accurate_as_genres_are_rare_and_finds_nothing():
    labels, p, priors = example()
    zeros = evaluated(labels, p, priors)["baselines"]["all_zeros"]
    assert zeros["binary_accuracy"] == pytest.approx(1 - labels.mean())
    assert zeros["hamming_loss"] == pytest.approx(labels.mean())
    assert zeros["macro_auc"] == 0.5
    assert [zeros[key] for key in ("top1", "hit_at_3", "precision_at_3", "recall_at_3", "micro_f1")] == [
        0
    ] * 5


def test_genre_priors_rank_nothing_within_a_genre_but_the_genres_of_a_poster():
    labels, p, priors = example()
    baseline = evaluated(labels, p, priors)["baselines"]["genre_priors"]
    assert baseline["macro_auc"] == 0.5
    assert baseline["top1"] == pytest.approx(labels[:, 0].mean())
    assert baseline["hit_at_3"] == pytest.approx(labels[:, :3].any(axis=1).mean())


def test_no_other_set_of_genres_promises_a_better_f1_than_that_of_the_baseline():
    priors = np.array([0.5, 0.4, 0.2, 0.15, 0.1, 0.05, 0.01])

    def expected(named):
        return 2 * priors[list(named)].sum() / (len(named) + priors.sum())

    best = max((c for k in range(1, 8) for c in combinations(range(7), k)), key=expected)
    assert tuple(np.flatnonzero(prior_decisions(priors))) == best


def test_undefined_numbers_are_null_in_json():
    labels, p, priors = example(n=6)
    labels[:, 3] = 0
    result = evaluated(labels, p, priors, np.full(25, 0.999))
    assert result["macro_map"] is None
    assert result["macro_auc"] is None
    assert result["macro_f1"] is None
    assert result["n_genres_macro"] == 0
    row = result["per_genre"][GENRES[3]]
    assert (row["positives"], row["ap"], row["auc"], row["recall"]) == (0, None, None, None)
    json.loads(json.dumps(result, allow_nan=False))


def test_the_cross_entropy_of_certainty_is_finite():
    labels = np.array([[1, 0]], np.uint8)
    assert cross_entropy(labels, np.array([[0.0, 1.0]])) == pytest.approx(-np.log(1e-7), rel=1e-6)


def test_an_empty_split_is_refused():
    with pytest.raises(PosterGenreError, match="val"):
        evaluated(np.zeros((0, 25), np.uint8), np.zeros((0, 25)), np.zeros(25))


def test_the_table_says_what_the_macro_means_run_over():
    text = table(evaluated(*example()), calibrated=True)
    counted = evaluated(*example())["n_genres_macro"]
    assert f"the {counted} genres with at least 10 positives" in text
    assert "genre priors" in text
    assert "all zeros" in text
    assert all(genre in text for genre in GENRES)
