"""Ensembles: networks trained apart, combined into one."""

from __future__ import annotations

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.model.ensemble import combine_networks, ensemble_spec, mean_history, round_weights
from poster_genre.model.networks import build_network


@pytest.mark.parametrize("count", [2, 3])
def test_the_ensembles_logits_are_the_mean_of_its_members(small_spec, count):
    rng = np.random.default_rng(count)
    networks = [build_network(small_spec, rng=i) for i in range(count)]
    for network in networks:
        for name, values in {**network.state(), "bias": network.parameters()["genres.bias"].data}.items():
            values[...] = (
                rng.uniform(0.5, 2, values.shape) if name.endswith("var") else rng.normal(size=values.shape)
            )
    combined = combine_networks(networks, ensemble_spec(small_spec, count))
    x = rng.normal(size=(5, 24, 16, 3)).astype(np.float32)
    expected = np.mean([network.forward(x).astype(np.float64) for network in networks], axis=0)
    np.testing.assert_allclose(combined.forward(x), expected, rtol=0, atol=3e-5)


def test_rounded_weights_are_what_float16_can_hold_and_nothing_else_changes(small_spec):
    network = build_network(small_spec, rng=1)
    before = {name: parameter.data.copy() for name, parameter in network.parameters().items()}
    round_weights(network)
    for name, parameter in network.parameters().items():
        expected = (
            before[name].astype(np.float16).astype(np.float32) if parameter.data.ndim > 1 else before[name]
        )
        np.testing.assert_array_equal(parameter.data, expected)


def test_members_that_trained_for_different_times_have_no_common_curve():
    row = {"epoch": 1, "loss": 0.5}
    assert mean_history([[row], [row | {"loss": 0.3}]]) == [{"epoch": 1.0, "loss": 0.4}]
    assert mean_history([[row], [row, row]]) == []


def test_a_file_of_rounded_weights_is_half_as_large_and_loses_nothing(fitted, coloured_posters, tmp_path):
    fitted.save(tmp_path / "whole.npz")
    rounded = PosterGenreClassifier.load(tmp_path / "whole.npz")
    round_weights(rounded.trained_.network)
    rounded.save(tmp_path / "half.npz")
    with np.load(tmp_path / "half.npz") as arrays:
        kinds = {name: arrays[name].dtype for name in arrays.files if name.startswith("parameter/")}
    assert all(
        kind == (np.float32 if "norm" in n or "bias" in n else np.float16) for n, kind in kinds.items()
    )
    again = PosterGenreClassifier.load(tmp_path / "half.npz")
    pixels = coloured_posters[0]
    np.testing.assert_array_equal(again.predict_proba(pixels), rounded.predict_proba(pixels))
    assert again.model_version == rounded.model_version
