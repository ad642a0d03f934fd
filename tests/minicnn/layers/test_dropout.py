"""Dropout: what is dropped, by how much the rest grows, and where the randomness comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.layer import reseed
from minicnn.layers.dropout import Dropout

X = np.random.default_rng(0).uniform(1, 2, (20, 50))


def test_at_inference_it_is_the_identity() -> None:
    np.testing.assert_array_equal(Dropout(0.5, rng=0)(X), X)


def test_numbers_are_zero_or_divided_by_one_minus_the_rate() -> None:
    y = Dropout(0.2, rng=0)(X, training=True)
    np.testing.assert_allclose(y[y != 0], X[y != 0] / 0.8, rtol=1e-15)
    assert (y == 0).any()
    assert (y != 0).any()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_of_zeros_is_the_rate(rate: float) -> None:
    count = 40_000
    dropped = int((Dropout(rate, rng=3)(np.ones(count), training=True) == 0).sum())
    assert abs(dropped - count * rate) < 5 * np.sqrt(count * rate * (1 - rate))


def test_the_mean_stays_the_same() -> None:
    y = Dropout(0.5, rng=1)(np.ones((200, 200), np.float32), training=True)
    assert y.mean() == pytest.approx(1, abs=0.03)


def test_backward_uses_the_mask_of_the_forward_pass() -> None:
    layer = Dropout(0.4, rng=0)
    y = layer(X, training=True)
    dy = np.random.default_rng(1).standard_normal(X.shape)
    np.testing.assert_allclose(layer.backward(dy), np.where(y != 0, dy / 0.6, 0), rtol=1e-14)


def test_backward_after_an_inference_pass_is_the_identity() -> None:
    layer = Dropout(0.4, rng=0)
    layer.forward(X, record=True)
    np.testing.assert_array_equal(layer.backward(X), X)


def test_each_training_pass_draws_a_new_mask() -> None:
    layer = Dropout(0.5, rng=0)
    assert (layer(X, training=True) != layer(X, training=True)).any()


def test_inference_draws_nothing() -> None:
    one, other = Dropout(0.5, rng=0), Dropout(0.5, rng=0)
    one(X)
    one.forward(X, record=True)
    np.testing.assert_array_equal(one(X, training=True), other(X, training=True))


def test_float32_and_float64_draw_the_same_mask() -> None:
    single = Dropout(0.5, rng=0)(X.astype(np.float32), training=True)
    np.testing.assert_array_equal(single == 0, Dropout(0.5, rng=0)(X, training=True) == 0)


def test_a_rate_of_zero_drops_nothing() -> None:
    np.testing.assert_array_equal(Dropout(0, rng=0)(X, training=True), X)


def test_reseeding_a_model_makes_a_step_repeatable_and_steps_different() -> None:
    model = Sequential([Dropout(0.5, rng=0), Dropout(0.5, rng=1)])
    outputs = []
    for step in (3, 4, 3):
        reseed(model, seed=9, step=step)
        outputs.append(model(X, training=True))
    np.testing.assert_array_equal(outputs[0], outputs[2])
    assert (outputs[0] != outputs[1]).any()


def test_reseeding_gives_two_dropouts_of_a_model_different_masks() -> None:
    model = Sequential([Dropout(0.5, rng=0), Dropout(0.5, rng=0)])
    reseed(model, seed=9, step=0)
    first = model[0](X, training=True)
    assert (first != model[1](X, training=True)).any()


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, np.nan])
def test_a_rate_outside_zero_to_one_is_a_value_error(rate: float) -> None:
    with pytest.raises(ValueError, match="Dropout: rate"):
        Dropout(rate, rng=0)


@pytest.mark.parametrize("rng", [None, -1, "seed", True])
def test_a_source_of_randomness_must_be_given(rng: Any) -> None:
    with pytest.raises(TypeError, match="Dropout: rng must be"):
        Dropout(0.5, rng=rng)
