"""The HTML report: self-contained, escaped, and right about what it shows."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from poster_genre.errors import PosterGenreError
from poster_genre.evaluation.evaluate import evaluate_probabilities
from poster_genre.evaluation.report import charts
from poster_genre.evaluation.report.curves import precision_recall_points, reliability_bins
from poster_genre.evaluation.report.embedded_images import best_and_worst
from poster_genre.evaluation.report.report import report_html, write_report
from poster_genre.evaluation.report.table_rows import cooccurrence, frequent_confusions
from poster_genre.evaluation.tables import about_thresholds
from poster_genre.genres import GENRES
from poster_genre.model.model_file import load_model

IDS = [f"tt{i}" for i in range(40)]
HOSTILE = "<script>alert(1)</script> ' \" & {{ 7 * 7 }}"
NOT_UTF8 = b"/data/caf\xe9/x.jpg".decode(errors="surrogateescape")


@pytest.fixture(scope="module")
def ingredients(trained_run):
    """(model, evaluation, labels, probabilities, posters) of 40 posters with random answers."""
    model = load_model(trained_run / "model.npz")
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 25)) < 0.3).astype(np.uint8)
    labels[:, 5] = 0
    probabilities = rng.random((40, 25)).astype(np.float32)
    posters = rng.integers(0, 256, (40, *model.spec.input_size, 3), dtype=np.uint8)
    return model, evaluated(model, labels, probabilities), labels, probabilities, posters


def evaluated(model, labels, probabilities):
    return evaluate_probabilities(
        labels, probabilities, split="val", thresholds=model.thresholds, priors=model.priors
    )


def html(ingredients, ids=IDS, **provenance):
    """The report's text; ``provenance`` replaces entries of the model's."""
    model, result, labels, probabilities, posters = ingredients
    model = replace(model, provenance={**model.provenance, **provenance})
    return report_html(model, result, labels, probabilities, posters=posters, ids=ids)


class Page(HTMLParser):
    """The elements, the attributes' values and the text of a page, as a browser reads them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.values, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data):
        self.text += data


def test_the_report_loads_nothing_and_runs_no_script(ingredients):
    text = html(ingredients)
    assert not re.search(r"https?:|<script|<link|@import|url\(", text)
    assert set(re.findall(r'src="([^"]{5})', text)) == {"data:"}


@pytest.mark.parametrize(
    "title",
    ["At a glance", "Training", "Genre by genre", "Precision and recall", "Calibration",
     "Confusions between genres", "Best and worst posters", "The first layer's filters"],
)  # fmt: skip
def test_the_report_has_all_its_sections(ingredients, title):
    assert f"<h2>{title}</h2>" in html(ingredients)


def test_the_report_names_every_genre(ingredients):
    text = html(ingredients)
    assert all(genre in text for genre in GENRES)


def test_the_report_has_colours_for_light_and_dark_screens(ingredients):
    assert "prefers-color-scheme: dark" in html(ingredients)


# Hostile strings.


def test_markup_in_an_id_is_shown_as_text(ingredients):
    page = Page(html(ingredients, ids=[HOSTILE] * 40))
    assert "script" not in page.elements
    assert f"poster {HOSTILE}" in page.values


def test_markup_in_the_command_is_shown_as_text(ingredients):
    page = Page(html(ingredients, command=f"poster-genre train --out {HOSTILE}"))
    assert "script" not in page.elements
    assert f"poster-genre train --out {HOSTILE}" in page.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [(NOT_UTF8, r"/data/caf\xe9/x.jpg"), (chr(0xD800), r"\ud800"), ("a\x00\nb", r"a\x00\nb")],
    ids=["not UTF-8", "surrogate", "control characters"],
)
def test_text_that_cannot_be_printed_is_escaped_in_the_report(ingredients, tmp_path, text, shown):
    model, result, labels, probabilities, posters = ingredients
    model = replace(model, provenance={**model.provenance, "command": f"train --data {text}"})
    path = tmp_path / "report.html"
    write_report(path, model, result, labels, probabilities, posters=posters, ids=[text] * 40)
    page = Page(path.read_text("utf-8"))
    assert f"poster {shown}" in page.values
    assert f"train --data {shown}" in page.text


@pytest.mark.parametrize(
    "history",
    [[{}], [{"epoch": None, "loss": 1.0}], [{"epoch": 1, "loss": "high", "val_loss": float("nan")}]],
)
def test_a_history_without_numbers_gives_a_report_without_curves(ingredients, history):
    assert "There is nothing to draw" in html(ingredients, history=history)


def test_an_unknown_number_of_training_posters_is_left_out(ingredients):
    assert "trained on" not in html(ingredients, train_posters="many")


def test_a_long_id_is_cut(ingredients):
    page = Page(html(ingredients, ids=["x" * 99_999] * 40))
    assert f"poster {'x' * 80}... (99,999 characters)" in page.values


# What it shows.


def test_a_report_of_one_poster_has_no_nan(ingredients):
    model, _, labels, probabilities, posters = ingredients
    result = evaluated(model, labels[:1], probabilities[:1])
    text = report_html(model, result, labels[:1], probabilities[:1], posters=posters[:1], ids=["tt1"])
    assert "nan" not in text.lower()


def test_a_report_that_cannot_be_written_leaves_no_file(ingredients, tmp_path):
    model, result, labels, probabilities, posters = ingredients
    path = tmp_path / "nowhere" / "report.html"
    with pytest.raises(PosterGenreError, match="cannot write the report"):
        write_report(path, model, result, labels, probabilities, posters=posters, ids=IDS)
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


def test_the_reliability_bins_are_scikit_learns_calibration_curve():
    curve = pytest.importorskip("sklearn.calibration").calibration_curve
    rng = np.random.default_rng(4)
    y, p = rng.integers(0, 2, (50, 25)), rng.random((50, 25))
    frequency, predicted = curve(y.ravel(), p.ravel(), n_bins=10)
    bins = reliability_bins(y, p)
    np.testing.assert_allclose([each[:2] for each in bins], np.stack([predicted, frequency], axis=1))
    assert sum(count for *_, count in bins) == p.size


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.2, 0.31), (-3, 1200), (5, 5), (1e-6, 3e-6)])
def test_ticks_enclose_the_values_and_are_few(low, high):
    numbers = charts.ticks(low, high)
    assert numbers[0] <= low
    assert numbers[-1] >= high
    assert 2 <= len(numbers) <= 8


def test_a_chart_of_points_that_are_not_finite_is_none():
    assert charts.line_chart({"loss": [(1, float("nan"))]}, "epoch") is None


def test_a_line_chart_maps_its_range_to_the_plot_area():
    chart = charts.line_chart({"loss": [(0, 0.0), (10, 1.0)]}, "epoch", width=460, height=260)
    assert chart.lines[0].points == [(48, 226), (448, 12)]


def test_the_report_states_where_the_thresholds_come_from(ingredients):
    model, result, *rest = ingredients
    crossed = result | {"cross_fitted_folds": 5}
    assert "5-fold cross-fitted" in html((model, crossed, *rest))
    assert about_thresholds(result, calibrated=True) in Page(html(ingredients)).text
    assert "cross-fitted" not in html(ingredients)


def test_the_report_states_the_calibration_error(ingredients):
    _, result, *_ = ingredients
    assert f"<b>{result['calibration_error']:.3f}</b>" in html(ingredients)


def test_the_best_posters_are_those_that_gain_most_over_the_priors():
    priors = np.full(25, 0.01)
    priors[:2] = 0.98
    labels = np.zeros((30, 25), np.uint8)
    labels[:, :2] = 1
    labels[7] = np.eye(25)[9]
    probabilities = np.tile(priors, (30, 1))
    # a cross-entropy above all others, yet far below the priors'
    probabilities[7] = 0.3 * np.eye(25)[9] + 0.1
    posters = np.zeros((30, 4, 4, 3), np.uint8)
    best, worst = best_and_worst(labels, probabilities, priors, posters, [f"no{i}" for i in range(30)])
    assert best[0].id == "no7"
    assert (len(best), len(worst)) == (10, 10)
    assert not {card.id for card in best} & {card.id for card in worst}


def test_the_cooccurrence_shares_are_counted_poster_by_poster(ingredients):
    _, _, labels, probabilities, _ = ingredients
    names, predicted, together = cooccurrence(labels, probabilities)
    first = [set(np.argsort(-row, kind="stable")[:3]) for row in probabilities]
    assert names == [genre for genre in GENRES if genre != GENRES[5]]
    for i, row in enumerate(names):
        posters = np.flatnonzero(labels[:, GENRES.index(row)])
        for j, column in enumerate(names):
            g = GENRES.index(column)
            assert predicted[i, j] == pytest.approx(np.mean([g in first[n] for n in posters]))
            if i != j:
                assert together[i, j] == pytest.approx(np.mean([labels[n, g] for n in posters]))


def test_a_confusion_is_listed_only_where_it_is_predicted_more_often_than_true():
    predicted, together = np.array([[0.9, 0.8], [0.1, 0.7]]), np.array([[np.nan, 0.2], [0.3, np.nan]])
    [row] = frequent_confusions(["Drama", "Horror"], predicted, together, [10, 10])
    assert row == ("Drama", "Horror", 0.8, 0.2)


def test_a_confusion_of_a_genre_with_few_posters_is_not_listed():
    predicted, together = np.array([[0.9, 0.8], [0.1, 0.7]]), np.array([[np.nan, 0.2], [0.3, np.nan]])
    assert frequent_confusions(["Drama", "Horror"], predicted, together, [9, 10]) == []
