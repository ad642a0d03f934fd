"""The report: complete in itself, and right about what it shows."""

from __future__ import annotations

import re

import numpy as np
import pytest

from poster_genre.errors import PosterGenreError
from poster_genre.evaluation.evaluate import evaluate_probabilities
from poster_genre.evaluation.report import charts
from poster_genre.evaluation.report.report import (
    calibration,
    gallery,
    precision_recall_points,
    report_html,
    write_report,
)
from poster_genre.genres import GENRES
from poster_genre.model.model_file import load_model


@pytest.fixture(scope="module")
def ingredients(trained_run):
    model = load_model(trained_run / "model.npz")
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 25)) < 0.3).astype(np.uint8)
    labels[:, 5] = 0
    probabilities = rng.random((40, 25)).astype(np.float32)
    posters = rng.integers(0, 256, (40, *model.spec.input_size, 3), dtype=np.uint8)
    result = evaluate_probabilities(
        labels,
        probabilities,
        split="val",
        thresholds=model.thresholds,
        priors=model.priors,
    )
    return model, result, labels, probabilities, posters


def html(ingredients, ids=None):
    model, result, labels, probabilities, posters = ingredients
    return report_html(
        model, result, labels, probabilities, posters=posters, ids=ids or [f"tt{i}" for i in range(40)]
    )


def test_the_report_asks_nothing_of_the_network_and_runs_no_script(ingredients):
    text = html(ingredients)
    assert not re.search(r"https?:|<script|<link|@import|url\(", text)
    assert set(re.findall(r'src="([^"]{5})', text)) == {"data:"}


@pytest.mark.parametrize(
    "title",
    ["At a glance", "Training", "Genre by genre", "Precision and recall", "Calibration",
     "Confusions between genres", "Best and worst posters", "The first layer&#x27;s filters"],
)  # fmt: skip
def test_the_report_has_all_its_sections(ingredients, title):
    assert f"<h2>{title}</h2>" in html(ingredients)


def test_the_report_names_every_genre_and_knows_light_and_dark(ingredients):
    text = html(ingredients)
    assert all(genre in text for genre in GENRES)
    assert "prefers-color-scheme: dark" in text


def test_ids_are_escaped(ingredients):
    text = html(ingredients, ids=['<b>"&'] * 40)
    assert '<b>"&' not in text
    assert "&lt;b&gt;&quot;&amp;" in text


def test_a_report_of_few_posters_still_works(ingredients):
    model, _, labels, probabilities, posters = ingredients
    few = evaluate_probabilities(
        labels[:1],
        probabilities[:1],
        split="val",
        thresholds=model.thresholds,
        priors=model.priors,
    )
    text = report_html(model, few, labels[:1], probabilities[:1], posters=posters[:1], ids=["tt1"])
    assert "nan" not in text.lower().replace("finance", "")


def test_a_report_is_not_left_half_written(ingredients, tmp_path):
    model, result, labels, probabilities, posters = ingredients
    with pytest.raises(PosterGenreError, match="cannot write the report"):
        write_report(
            tmp_path / "nowhere" / "report.html",
            model,
            result,
            labels,
            probabilities,
            posters=posters,
            ids=["tt"] * 40,
        )
    assert list(tmp_path.iterdir()) == []


def test_precision_recall_points_lie_on_scikit_learns_curve():
    curve = pytest.importorskip("sklearn.metrics").precision_recall_curve
    rng = np.random.default_rng(3)
    y, p = rng.integers(0, 2, 60), rng.integers(0, 20, 60) / 20
    precision, recall, _ = curve(y, p)
    expected = {(round(r, 9), round(q, 9)) for q, r in zip(precision, recall, strict=True)}
    points = {(round(r, 9), round(q, 9)) for r, q in precision_recall_points(y, p)}
    assert points <= expected
    assert len(points) == len(expected) - 1  # theirs starts at recall 0 with a precision of 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.2, 0.31), (-3, 1200), (5, 5), (1e-6, 3e-6)])
def test_ticks_enclose_the_values_and_are_few(low, high):
    found = charts.ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert 2 <= len(found) <= 8


def test_a_chart_of_nothing_says_so():
    assert "nothing to draw" in charts.line_chart({"loss": [(1, float("nan"))]}, "epoch")


def test_the_report_says_where_the_thresholds_come_from(ingredients):
    from poster_genre.evaluation.tables import about_thresholds

    model, result, *rest = ingredients
    crossed = result | {"cross_fitted_folds": 5}
    assert "5-fold cross-fitted" in html((model, crossed, *rest))
    assert about_thresholds(result, calibrated=True) in html(ingredients).replace("&#x27;", "'")
    assert "cross-fitted" not in html(ingredients)


def test_the_report_shows_one_calibration_error(ingredients):
    _, result, labels, probabilities, _ = ingredients
    text = calibration(labels, probabilities, result)
    assert f"<b>{result['calibration_error']:.3f}</b>" in text


def test_the_best_posters_are_those_that_gain_most_over_the_priors():
    priors = np.full(25, 0.01)
    priors[:2] = 0.98
    labels = np.zeros((30, 25), np.uint8)
    labels[:, :2] = 1
    labels[7] = np.eye(25)[9]
    probabilities = np.tile(priors, (30, 1))
    probabilities[7] = (
        0.3 * np.eye(25)[9] + 0.1
    )  # a cross-entropy above all others, yet far below the priors'
    posters = np.zeros((30, 4, 4, 3), np.uint8)
    shown = gallery(labels, probabilities, priors, posters, [f"no{i}" for i in range(30)])
    assert re.findall(r'alt="poster (no\d+)"', shown)[0] == "no7"
