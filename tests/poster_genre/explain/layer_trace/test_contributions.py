"""The features' contributions to a genre, and the way from log-odds to the predicted probability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.containers import Parallel, Sequential
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import GlobalAveragePool2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.contributions import contributions, genre_predictions
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_poster
from poster_genre.genres import N_GENRES
from tests.poster_genre.explain.layer_trace.small_traces import RNG, trace_of


def test_contributions_and_bias_add_up_to_the_genres_score(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for genre in range(0, N_GENRES, 6):
        result = contributions(trace, genre)
        layer, x = trace.steps[result["step"]].layer, trace.outputs[trace.steps[result["step"]].inputs[0]]
        assert isinstance(layer, Dense)
        expected = {i: float(x[i]) * float(layer.weight.data[i, genre]) for i in range(len(x))}
        assert {each["feature"]: each["product"] for each in result["features"]} == pytest.approx(expected)
        assert sum(expected.values()) + result["bias"] == pytest.approx(result["log_odds"], abs=1e-4)
        products = [each["product"] for each in result["features"]]
        assert products == sorted(products, reverse=True)


def test_the_origin_of_a_feature_is_the_map_that_it_pools(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for each in contributions(trace, 0)["features"]:
        origin = each["origin"]
        step = trace.steps[origin["step"]]
        assert not (isinstance(step.layer, Parallel) and step.layer.merge == "concat")
        image = trace.image(step.index)[:, :, origin["channel"]]
        pooled = {"average": image.mean(), "maximum": image.max(), "unit": image[0, 0]}[origin["how"]]
        assert each["x"] == pytest.approx(float(pooled), rel=1e-5, abs=1e-6)
        assert (origin["how"] == "unit") == (len(step.shape) == 1)


def test_the_features_of_an_ensemble_come_from_all_members(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    features = contributions(trace, 0)["features"]
    members = {trace.steps[each["origin"]["step"]].member for each in features}
    assert members == ({step.member for step in trace.steps if step.member} or {""})


def views_of(classifier: PosterGenreClassifier, pixels: np.ndarray) -> list[Trace]:
    steps = network_steps(classifier.trained_.network, classifier.trained_.spec.input_size)
    both = [pixels, pixels[:, ::-1]] if classifier.trained_.spec.flip_average else [pixels]
    return [trace_poster(steps, classifier.trained_, view) for view in both]


def test_the_last_probability_is_the_classifiers_prediction(traced_poster: Any) -> None:
    classifier, pixels, _ = traced_poster
    expected = classifier.predict_proba(pixels[None])[0]
    answers = genre_predictions(classifier.trained_, views_of(classifier, pixels), expected)
    np.testing.assert_allclose([each["probability"] for each in answers], expected, atol=1e-6)
    for each in answers:
        assert each["difference"] == abs(each["probability"] - each["predicted"]) < 1e-5
        assert each["p"] == pytest.approx(1 / (1 + np.exp(-each["log_odds"])), abs=1e-6)


def test_a_calibrated_probability_is_slope_and_offset_of_log_odds(fitted: PosterGenreClassifier) -> None:
    pixels = RNG.integers(0, 256, (*fitted.trained_.spec.input_size, 3)).astype(np.uint8)
    predicted = fitted.predict_proba(pixels[None])[0]
    for each in genre_predictions(fitted.trained_, views_of(fitted, pixels), predicted):
        assert each["mean"] == pytest.approx((each["p"] + each["mirrored_p"]) / 2, abs=1e-7)
        odds = each["slope"] * np.log(each["mean"] / (1 - each["mean"])) + each["offset"]
        assert each["probability"] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-6)


def test_a_network_without_a_dense_end_has_no_contributions() -> None:
    trace = trace_of(Sequential({"pool": GlobalAveragePool2D()}), np.ones((4, 4, 3)))
    with pytest.raises(PosterGenreError, match="does not end in a dense layer"):
        contributions(trace, 0)
