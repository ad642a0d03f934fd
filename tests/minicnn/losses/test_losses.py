"""Losses against PyTorch, SciPy and formulas written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from minicnn.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from tests.minicnn.losses.loss_examples import (
    BINARY,
    CLASSES,
    LABELS,
    LOGITS,
    PROBABILITIES,
    SOFT,
    check_against_torch,
)


@pytest.mark.oracle
def test_binary_cross_entropy_is_that_of_pytorch() -> None:
    check_against_torch(
        BinaryCrossEntropy(),
        PROBABILITIES,
        LABELS,
        lambda torch, p: torch.nn.functional.binary_cross_entropy(p, torch.from_numpy(LABELS.astype(float))),
    )


@pytest.mark.oracle
@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.sampled_from([0.1, 1.0, 30.0]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_binary_cross_entropy_with_logits_is_that_of_pytorch(
    shape: list[int], scale: float, weighted: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, t = rng.standard_normal(shape) * scale, rng.uniform(0, 1, shape)
    weight = rng.uniform(0.2, 5, shape[-1]) if weighted else None
    check_against_torch(
        BinaryCrossEntropyWithLogits(weight),
        x,
        t,
        lambda torch, p: torch.nn.functional.binary_cross_entropy_with_logits(
            p, torch.from_numpy(t), pos_weight=None if weight is None else torch.from_numpy(weight)
        ),
    )


@pytest.mark.oracle
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_softmax_cross_entropy_is_that_of_pytorch(smoothing: float) -> None:
    def with_target(target: np.ndarray) -> Any:
        return lambda torch, p: torch.nn.functional.cross_entropy(
            p, torch.from_numpy(target), label_smoothing=smoothing
        )

    soft = SOFT / SOFT.sum(axis=1, keepdims=True)
    for target in (CLASSES, soft):
        check_against_torch(SoftmaxCrossEntropy(smoothing), LOGITS, target, with_target(target))


@pytest.mark.oracle
def test_softmax_cross_entropy_of_images_is_that_of_pytorch() -> None:
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 5, (2, 3, 4))
    check_against_torch(
        SoftmaxCrossEntropy(),
        x,
        t,
        lambda torch, p: torch.nn.functional.cross_entropy(p.permute(0, 3, 1, 2), torch.from_numpy(t)),
    )


@pytest.mark.oracle
def test_mean_squared_error_is_that_of_pytorch() -> None:
    check_against_torch(
        MeanSquaredError(),
        LOGITS,
        SOFT,
        lambda torch, p: torch.nn.functional.mse_loss(p, torch.from_numpy(SOFT)),
    )


def asymmetric_as_in_the_paper(torch: Any, x: Any, t: Any, positive: float, negative: float, m: float) -> Any:
    """Equations 4 to 7 of Ridnik et al. 2021, differentiated by PyTorch."""
    p = torch.sigmoid(x)
    shifted = torch.clamp(p - m, min=0)
    l_positive = -((1 - p) ** positive) * torch.log(p)
    l_negative = -(shifted**negative) * torch.log(1 - shifted)
    return (t * l_positive + (1 - t) * l_negative).mean()


@pytest.mark.oracle
@pytest.mark.parametrize("settings", [(0, 4, 0.05), (1, 4, 0.05), (2, 2, 0), (0, 0, 0), (1.5, 2.5, 0.2)])
def test_asymmetric_loss_and_gradient_follow_the_paper(settings: tuple[float, float, float]) -> None:
    check_against_torch(
        AsymmetricLoss(*settings),
        LOGITS,
        LABELS,
        lambda torch, x: asymmetric_as_in_the_paper(torch, x, torch.from_numpy(LABELS), *settings),
    )


def test_asymmetric_loss_without_gammas_and_margin_is_binary_cross_entropy() -> None:
    ours, plain = AsymmetricLoss(0, 0, 0), BinaryCrossEntropyWithLogits()
    assert ours(LOGITS, LABELS) == pytest.approx(plain(LOGITS, LABELS), rel=1e-14)
    np.testing.assert_allclose(ours.backward(), plain.backward(), rtol=1e-12)


def test_asymmetric_loss_ignores_negatives_below_the_margin() -> None:
    x, t = special.logit(np.array([[0.01, 0.04, 0.3]])), np.zeros((1, 3))
    loss = AsymmetricLoss(0, 1, margin=0.05)
    loss(x, t)
    np.testing.assert_array_equal(loss.backward()[0] != 0, [False, False, True])


def test_the_gradient_of_a_negative_exactly_at_the_margin_is_zero() -> None:
    loss = AsymmetricLoss(0, 0, margin=0.5)
    loss(np.zeros(1), np.zeros(1))
    assert loss.backward()[0] == 0


def test_binary_cross_entropy_is_the_textbook_sum() -> None:
    expected = -np.mean(
        [math.log(p) if t else math.log(1 - p) for p, t in zip(PROBABILITIES.flat, LABELS.flat, strict=True)]
    )
    assert BinaryCrossEntropy()(PROBABILITIES, LABELS) == pytest.approx(expected, rel=1e-14)


@BINARY
def test_label_smoothing_replaces_the_target_by_a_mix_with_one_half(kind: type) -> None:
    """These losses are linear in the target, so the smoothed loss is a mix of two plain ones."""
    prediction = PROBABILITIES if kind is BinaryCrossEntropy else LOGITS
    both = [kind()(prediction, target) for target in (LABELS, 1 - LABELS)]
    expected = 0.9 * both[0] + 0.1 * both[1]
    assert kind(label_smoothing=0.2)(prediction, LABELS) == pytest.approx(expected, rel=1e-12)


def test_a_positive_weight_of_two_counts_positives_twice() -> None:
    twice = BinaryCrossEntropyWithLogits(2.0)(LOGITS, LABELS)
    plain = np.logaddexp(0, np.where(LABELS == 1, -LOGITS, LOGITS))
    assert twice == pytest.approx(float((plain * (1 + LABELS)).mean()), rel=1e-12)


def test_one_hot_targets_and_class_numbers_are_the_same() -> None:
    loss = SoftmaxCrossEntropy(0.1)
    assert loss(LOGITS, np.eye(4)[CLASSES]) == loss(LOGITS, CLASSES)


def test_predictions_become_probabilities() -> None:
    np.testing.assert_allclose(BinaryCrossEntropyWithLogits().probabilities(LOGITS), special.expit(LOGITS))
    np.testing.assert_allclose(AsymmetricLoss().probabilities(LOGITS), special.expit(LOGITS))
    np.testing.assert_allclose(SoftmaxCrossEntropy().probabilities(LOGITS), special.softmax(LOGITS, axis=-1))
    np.testing.assert_array_equal(BinaryCrossEntropy().probabilities(PROBABILITIES), PROBABILITIES)


def test_mean_squared_error_stands_for_no_probabilities() -> None:
    with pytest.raises(TypeError, match="do not stand for probabilities"):
        MeanSquaredError().probabilities(LOGITS)
