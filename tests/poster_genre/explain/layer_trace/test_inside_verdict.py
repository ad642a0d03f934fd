"""What pushed a genre, and the way from the network's output to the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.containers import Parallel, Sequential
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import GlobalAveragePool2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.trace import Trace, follow, lay_out
from poster_genre.explain.layer_trace.verdict import contributions, verdict
from poster_genre.genres import N_GENRES
from tests.poster_genre.explain.layer_trace.looking import STREAM, traced


def test_contributions_and_bias_add_up_to_the_genres_score(looked_at: Any) -> None:
    _, _, trace = looked_at
    for genre in range(0, N_GENRES, 6):
        found = contributions(trace, genre)
        layer, x = trace.steps[found["step"]].layer, trace.outputs[trace.steps[found["step"]].inputs[0]]
        assert isinstance(layer, Dense)
        by_hand = {i: float(x[i]) * float(layer.weight.data[i, genre]) for i in range(len(x))}
        assert {each["feature"]: each["product"] for each in found["features"]} == pytest.approx(by_hand)
        assert sum(by_hand.values()) + found["bias"] == pytest.approx(found["log_odds"], abs=1e-4)
        products = [each["product"] for each in found["features"]]
        assert products == sorted(products, reverse=True)


def test_a_feature_comes_from_the_map_that_it_pools(looked_at: Any) -> None:
    _, _, trace = looked_at
    for each in contributions(trace, 0)["features"]:
        origin = each["origin"]
        made = trace.steps[origin["step"]]
        joined = isinstance(made.layer, Parallel) and made.layer.merge == "concat"
        assert not joined, "it was made before"
        image = trace.image(made.index)[:, :, origin["channel"]]
        pooled = {"average": image.mean(), "maximum": image.max(), "unit": image[0, 0]}[origin["how"]]
        assert each["x"] == pytest.approx(float(pooled), rel=1e-5, abs=1e-6)
        assert (origin["how"] == "unit") == (len(made.shape) == 1)


def test_every_network_has_features_in_the_verdict(looked_at: Any) -> None:
    _, _, trace = looked_at
    features = contributions(trace, 0)["features"]
    whose = {trace.steps[each["origin"]["step"]].trunk for each in features}
    assert whose == ({step.trunk for step in trace.steps if step.trunk} or {""})


def views_of(classifier: PosterGenreClassifier, pixels: np.ndarray) -> list[Trace]:
    steps = lay_out(classifier.model_, classifier.spec_.input_size)
    both = [pixels, pixels[:, ::-1]] if classifier.spec_.flip_average else [pixels]
    return [follow(steps, classifier, view) for view in both]


def test_the_way_to_the_answer_ends_in_the_classifiers_answer(looked_at: Any) -> None:
    classifier, pixels, _ = looked_at
    expected = classifier.predict_proba(pixels[None])[0]
    answers = verdict(classifier, views_of(classifier, pixels), expected)
    np.testing.assert_allclose([each["probability"] for each in answers], expected, atol=1e-6)
    for each in answers:
        assert each["answer_difference"] == abs(each["probability"] - each["answer"]) < 1e-5
        assert each["p"] == pytest.approx(1 / (1 + np.exp(-each["log_odds"])), abs=1e-6)


def test_a_calibrated_answer_is_slope_and_offset_of_the_mean_log_odds(fitted: PosterGenreClassifier) -> None:
    pixels = STREAM.integers(0, 256, (*fitted.spec_.input_size, 3)).astype(np.uint8)
    said = fitted.predict_proba(pixels[None])[0]
    for each in verdict(fitted, views_of(fitted, pixels), said):
        assert each["mean"] == pytest.approx((each["p"] + each["mirrored_p"]) / 2, abs=1e-7)
        odds = each["slope"] * np.log(each["mean"] / (1 - each["mean"])) + each["offset"]
        assert each["probability"] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-6)


def test_a_network_without_a_dense_end_has_no_contributions() -> None:
    trace = traced(Sequential({"pool": GlobalAveragePool2D()}), np.ones((4, 4, 3)))
    with pytest.raises(PosterGenreError, match="does not end in a dense layer"):
        contributions(trace, 0)
