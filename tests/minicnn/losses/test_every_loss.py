"""What every loss does, whatever its formula."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.losses import Loss
from tests.minicnn.losses.loss_examples import EVERY, WEIGHT


@EVERY
def test_backward_without_forward_is_an_error(loss: Loss, prediction: np.ndarray, target: np.ndarray) -> None:
    loss(prediction, target)
    loss.backward()
    with pytest.raises(RuntimeError, match="recorded forward"):
        loss.backward()


@EVERY
def test_a_pass_that_does_not_record_leaves_the_recorded_one_alone(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    loss(prediction, target)
    expected = loss.backward()
    loss(prediction, target)
    loss(np.clip(prediction + 0.01, 0.01, 0.99), target, record=False)
    np.testing.assert_array_equal(loss.backward(), expected)


@EVERY
def test_the_gradient_has_the_dtype_and_shape_of_the_prediction(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    for dtype in (np.float32, np.float64):
        value = loss(prediction.astype(dtype), target, WEIGHT)
        gradient = loss.backward()
        assert type(value) is float
        assert gradient.dtype == dtype
        assert gradient.shape == prediction.shape


@EVERY
def test_prediction_target_and_weight_are_not_written_to(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    given = [array.copy() for array in (prediction, target, WEIGHT)]
    for array in given:
        array.flags.writeable = False
    loss(*given)
    loss.backward()
    for array, original in zip(given, (prediction, target, WEIGHT), strict=True):
        np.testing.assert_array_equal(array, original)


@EVERY
def test_float32_follows_float64(loss: Loss, prediction: np.ndarray, target: np.ndarray) -> None:
    expected = loss(prediction, target)
    gradient = loss.backward()
    assert loss(prediction.astype(np.float32), target) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-4, atol=1e-6)


@EVERY
def test_an_empty_batch_is_a_value_error(loss: Loss, prediction: np.ndarray, target: np.ndarray) -> None:
    with pytest.raises(ValueError, match=f"{type(loss).__name__}: got an empty array"):
        loss(prediction[:0], target[:0])


@EVERY
def test_targets_of_another_shape_are_value_errors(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=type(loss).__name__):
        loss(prediction, target[:-1])


@EVERY
def test_targets_that_are_no_array_of_numbers_are_type_errors(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    for bad in (target.tolist(), target.astype(str)):
        with pytest.raises(TypeError, match="targets as an array of numbers"):
            loss(prediction, bad)


@EVERY
def test_predictions_that_are_no_floats_are_type_errors(
    loss: Loss, prediction: np.ndarray, target: np.ndarray
) -> None:
    with pytest.raises(TypeError, match="expected float32 or float64"):
        loss(np.ones(prediction.shape, np.int64), target)
