"""Networks of one's own: registered, trained, saved and loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import GlobalAveragePool2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.model import networks
from poster_genre.model.networks import build_network, register_model
from poster_genre.model.spec import ModelSpec, Recipe

MINE = ModelSpec(
    name="mine", input_size=(24, 16), logits=True, recipe=Recipe(epochs=1), arguments={"filters": 6}
)


def build_mine(size: Any, n_genres: int, rng: np.random.Generator, dtype: Any, *, filters: int) -> Sequential:
    convolution = Conv2D(3, filters, 3, rng=rng, dtype=dtype)
    return Sequential(
        [convolution, ReLU(), GlobalAveragePool2D(), Dense(filters, n_genres, rng=rng, dtype=dtype)]
    )


@pytest.fixture
def registered(monkeypatch):
    """``mine`` is registered until the test ends."""
    monkeypatch.setattr(networks, "SPECS", dict(networks.SPECS))
    monkeypatch.setattr(networks, "_BUILDERS", dict(networks._BUILDERS))
    monkeypatch.setattr("poster_genre.model.model_file.SPECS", networks.SPECS)
    register_model(MINE, build_mine)


def test_a_registered_network_is_trained_by_its_name_and_by_its_specification(registered, coloured_posters):
    by_name = PosterGenreClassifier("mine", seed=2).fit(*coloured_posters)
    by_spec = PosterGenreClassifier(MINE, seed=2).fit(*coloured_posters)
    pixels = coloured_posters[0][:4]
    np.testing.assert_array_equal(by_name.predict_proba(pixels), by_spec.predict_proba(pixels))


def test_a_registered_network_is_saved_and_loaded(registered, coloured_posters, tmp_path):
    wider = replace(MINE, arguments={"filters": 9})
    classifier = PosterGenreClassifier(wider).fit(*coloured_posters)
    classifier.save(tmp_path / "mine.npz")
    loaded = PosterGenreClassifier.load(tmp_path / "mine.npz")
    assert loaded.trained_.spec == wider
    pixels = coloured_posters[0][:4]
    np.testing.assert_array_equal(loaded.predict_proba(pixels), classifier.predict_proba(pixels))


def test_a_file_of_a_network_that_is_not_registered_is_refused_by_that_name(
    coloured_posters, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setitem(networks.SPECS, "mine", MINE)
        patch.setitem(networks._BUILDERS, "mine", build_mine)
        PosterGenreClassifier("mine").fit(*coloured_posters).save(tmp_path / "mine.npz")
    with pytest.raises(PosterGenreError, match="the network 'mine', which this program has not registered"):
        PosterGenreClassifier.load(tmp_path / "mine.npz")


def test_a_name_is_registered_once(registered):
    with pytest.raises(PosterGenreError, match="'compact' already"):
        register_model(replace(MINE, name="compact"), build_mine)


def test_only_a_specification_and_a_function_are_registered():
    with pytest.raises(TypeError, match="takes a ModelSpec and a function, got str and"):
        register_model("mine", build_mine)  # type: ignore[arg-type]


def test_a_specification_cannot_turn_a_networks_logits_into_probabilities(small_spec):
    with pytest.raises(PosterGenreError, match="puts out logits"):
        build_network(replace(small_spec, logits=False))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"input_size": (7, 20)}, "7x20"),
        ({"std": (1e-6, 1.0, 1.0)}, "std"),
        ({"mean": (float("nan"), 0.0, 0.0)}, "mean"),
        ({"mean": (1e6, 0.0, 0.0)}, "mean"),
    ],
)
def test_a_specification_that_no_model_file_could_hold_is_refused(changes, says):
    with pytest.raises(PosterGenreError, match=says):
        replace(MINE, **changes)


def test_a_builder_may_spawn_generators_and_draw_more_than_its_weights(
    registered, coloured_posters, tmp_path
):
    def build(size: Any, n_genres: int, rng: np.random.Generator, dtype: Any) -> Sequential:
        rng.standard_normal(100)
        child = rng.spawn(1)[0]
        return Sequential([GlobalAveragePool2D(), Dense(3, n_genres, rng=child, dtype=dtype)])

    register_model(replace(MINE, name="spawned", arguments={}), build)
    classifier = PosterGenreClassifier("spawned").fit(*coloured_posters)
    classifier.save(tmp_path / "spawned.npz")
    pixels = coloured_posters[0][:4]
    loaded = PosterGenreClassifier.load(tmp_path / "spawned.npz")
    np.testing.assert_array_equal(loaded.predict_proba(pixels), classifier.predict_proba(pixels))
