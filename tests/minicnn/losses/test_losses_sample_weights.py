"""Weighted samples: what a weight means for loss and gradient."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.losses import Loss, MeanSquaredError
from tests.minicnn.losses.loss_examples import EVERY, LOGITS, SOFT


@EVERY
def test_a_sample_of_weight_two_counts_as_two_copies(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    copies = [0, 1, 1, 3, 4, 4, 4]
    weight = np.array([1, 2, 0, 1, 3, 0])
    assert loss(prediction, target, weight) == pytest.approx(
        loss(prediction[copies], target[copies]), rel=1e-12
    )


@EVERY
def test_equal_sample_weights_change_nothing(loss: Loss, prediction: np.ndarray, target: np.ndarray) -> None:
    plain = loss(prediction, target)
    gradient = loss.backward()
    assert loss(prediction, target, np.full(6, 7.0)) == pytest.approx(plain, rel=1e-12)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-12)


@EVERY
def test_a_sample_of_weight_zero_has_no_gradient(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    loss(prediction, target, np.array([1, 1, 0, 1, 1, 1.0]))
    gradient = loss.backward()
    assert not gradient[2].any()
    assert gradient[1].any()


@pytest.mark.parametrize("weight", [[1, 1, 1, 1, 1, -1], [0] * 6, [1, 1, 1, 1, 1, np.nan], [np.inf] * 6])
def test_weights_that_make_no_mean_are_value_errors(weight: list[float]) -> None:
    with pytest.raises(ValueError, match="MeanSquaredError: sample_weight must be"):
        MeanSquaredError()(LOGITS, SOFT, np.array(weight, float))


def test_sample_weights_of_the_wrong_shape_are_value_errors() -> None:
    with pytest.raises(ValueError, match=r"MeanSquaredError, sample_weight: expected shape \(6,\)"):
        MeanSquaredError()(LOGITS, SOFT, np.ones(4))


def test_sample_weights_too_large_to_add_up_still_share_out() -> None:
    prediction, target = np.array([[1.0], [3.0]]), np.zeros((2, 1))
    loss = MeanSquaredError()
    assert loss(prediction, target, np.array([1e308, 1e308])) == pytest.approx(5)
    np.testing.assert_allclose(loss.backward(), prediction)
