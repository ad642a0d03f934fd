"""Targets and settings that losses take, and those that they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from tests.minicnn.losses.loss_examples import BINARY, CLASSES, LABELS, LOGITS, PROBABILITIES, SOFT


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_labels_may_be_of_any_kind_of_number(dtype: Any) -> None:
    loss = BinaryCrossEntropyWithLogits()
    assert loss(LOGITS, LABELS.astype(dtype)) == loss(LOGITS, LABELS)


@BINARY
@pytest.mark.parametrize("bad", [-0.1, 1.1, 2, np.nan, np.inf])
def test_labels_outside_zero_to_one_are_value_errors(kind: type, bad: float) -> None:
    target = LABELS.astype(float)
    target[1, 1] = bad
    with pytest.raises(ValueError, match=f"{kind.__name__}: expected targets"):
        kind()(PROBABILITIES, target)


def test_binary_cross_entropy_on_probabilities_takes_hard_labels_only() -> None:
    with pytest.raises(ValueError, match="targets of 0 or 1"):
        BinaryCrossEntropy()(PROBABILITIES, SOFT)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_mean_squared_error_refuses_targets_that_are_not_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="finite targets"):
        MeanSquaredError()(LOGITS, np.full(LOGITS.shape, bad))


@pytest.mark.parametrize("bad", [-0.01, 1.01])
def test_probabilities_outside_zero_to_one_are_value_errors(bad: float) -> None:
    with pytest.raises(ValueError, match="expected probabilities from 0 to 1"):
        BinaryCrossEntropy()(np.full(LABELS.shape, bad), LABELS)


@pytest.mark.parametrize("bad", [-1, 4])
def test_class_numbers_out_of_range_are_value_errors(bad: int) -> None:
    with pytest.raises(ValueError, match="class numbers from 0 to 3"):
        SoftmaxCrossEntropy()(LOGITS, np.full(6, bad))


def test_masked_targets_are_a_type_error_that_names_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"got a masked array; .*sample_weight"):
        MeanSquaredError()(LOGITS, np.ma.masked_greater(np.ones(LOGITS.shape), 0.5))


def test_class_numbers_that_are_floats_are_type_errors() -> None:
    with pytest.raises(TypeError, match="class numbers as integers"):
        SoftmaxCrossEntropy()(LOGITS, CLASSES.astype(float))


@pytest.mark.parametrize("bad", [np.ones((6, 4)), np.zeros((6, 4)), np.full((6, 4), np.nan)])
def test_targets_that_are_no_distribution_are_value_errors(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        SoftmaxCrossEntropy()(LOGITS, bad)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.ones((2, 2))])
def test_positive_weights_that_make_no_sense_are_value_errors(weight: Any) -> None:
    with pytest.raises(ValueError, match="positive_weight"):
        BinaryCrossEntropyWithLogits(weight)


def test_positive_weights_must_be_one_for_each_label() -> None:
    with pytest.raises(ValueError, match="3 positive weights"):
        BinaryCrossEntropyWithLogits(np.ones(3))(LOGITS, LABELS)


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma_positive": -1},
        {"gamma_negative": np.nan},
        {"margin": 1},
        {"margin": -0.1},
        {"label_smoothing": 1},
    ],
)
def test_settings_out_of_range_are_value_errors(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        AsymmetricLoss(**settings)


def test_a_positive_weight_that_is_no_number_is_a_type_error_that_names_the_loss() -> None:
    with pytest.raises(TypeError, match="BinaryCrossEntropyWithLogits: positive_weight must be a number"):
        BinaryCrossEntropyWithLogits("x")
