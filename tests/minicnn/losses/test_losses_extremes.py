"""Losses at numbers where naive formulas break."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

from minicnn.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from tests.minicnn.losses.loss_examples import EVERY, LABELS, LOGITS, check_against_torch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("loss", "expected", "gradient"),
    [
        (BinaryCrossEntropyWithLogits(), [0, 1000, 1000, 0], [0, -1, 1, 0]),
        (BinaryCrossEntropyWithLogits(3.0), [0, 3000, 1000, 0], [0, -3, 1, 0]),
        (AsymmetricLoss(0, 0, 0), [0, 1000, 1000, 0], [0, -1, 1, 0]),
        (AsymmetricLoss(2, 2, 0), [0, 1000, 1000, 0], [0, -1, 1, 0]),
        (AsymmetricLoss(0, 4, 0.5), [0, 1000, 0.5**4 * math.log(2), 0], [0, -1, 0, 0]),
    ],
)
def test_logits_of_a_thousand_give_exact_losses_without_a_warning(
    dtype: Any, loss: Loss, expected: list[float], gradient: list[float]
) -> None:
    x, t = np.array([1000, -1000, 1000, -1000], dtype), np.array([1, 1, 0, 0])
    for i in range(4):
        assert loss(x[i : i + 1], t[i : i + 1]) == pytest.approx(expected[i], rel=1e-6, abs=1e-30)
        assert loss.backward()[0] == pytest.approx(gradient[i], rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_of_logits_of_a_thousand_is_exact(dtype: Any) -> None:
    loss = SoftmaxCrossEntropy()
    assert loss(np.array([[1000, -1000, 0]], dtype), np.array([1])) == 2000
    np.testing.assert_array_equal(loss.backward(), np.array([[1, -1, 0]], dtype))


def test_the_small_loss_of_a_confident_logit_keeps_its_digits_in_float32() -> None:
    loss = BinaryCrossEntropyWithLogits()
    assert loss(np.array([30.0], np.float32), np.array([1])) == pytest.approx(math.exp(-30), rel=1e-5)
    assert loss.backward()[0] == pytest.approx(-math.exp(-30), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_of_zero_and_one_give_the_documented_loss_and_gradient(dtype: Any) -> None:
    loss = BinaryCrossEntropy()
    p, t = np.array([0, 1, 0, 1], dtype), np.array([1, 0, 0, 1])
    assert loss(p, t) == pytest.approx((100 + 100 + 0 + 0) / 4)
    np.testing.assert_allclose(loss.backward(), np.array([-1e12, 1e12, 0, 0]) / 4, rtol=1e-6)


@pytest.mark.oracle
def test_probabilities_of_zero_and_one_are_treated_as_in_pytorch() -> None:
    p, t = np.array([0.0, 1.0, 0.0, 1.0, 1e-20]), np.array([1, 0, 0, 1, 1])
    check_against_torch(
        BinaryCrossEntropy(),
        p,
        t,
        lambda torch, x: torch.nn.functional.binary_cross_entropy(x, torch.from_numpy(t.astype(float))),
        rtol=1e-8,  # PyTorch holds its 1e-12 in float32
    )


def test_sigmoid_then_binary_cross_entropy_has_the_gradient_of_the_loss_on_logits() -> None:
    chain, joint = BinaryCrossEntropy(), BinaryCrossEntropyWithLogits()
    p = special.expit(LOGITS)
    assert chain(p, LABELS) == pytest.approx(joint(LOGITS, LABELS), rel=1e-12)
    np.testing.assert_allclose(chain.backward() * p * (1 - p), joint.backward(), rtol=1e-9)


@EVERY
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_makes_the_loss_nan_without_a_warning(
    loss: Loss, prediction: np.ndarray, target: np.ndarray, bad: float
) -> None:
    broken = prediction.copy()
    broken[2, 1] = bad
    assert math.isnan(loss(broken, target))
    loss.backward()


def test_an_error_too_large_to_square_makes_the_loss_infinite_without_a_warning() -> None:
    assert MeanSquaredError()(np.array([1e30], np.float32), np.array([0.0])) == math.inf
