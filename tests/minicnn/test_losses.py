"""Losses against PyTorch, SciPy and formulas written out, and at inputs where naive formulas break."""

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
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((6, 4)) * 3
PROBABILITIES = RNG.uniform(0.02, 0.98, (6, 4))
LABELS = RNG.integers(0, 2, (6, 4))
SOFT = RNG.uniform(0, 1, (6, 4))
CLASSES = RNG.integers(0, 4, 6)
WEIGHT = RNG.uniform(0.5, 2, 6)

EVERY = pytest.mark.parametrize(
    ("loss", "prediction", "target"),
    [
        (BinaryCrossEntropy(), PROBABILITIES, LABELS),
        (BinaryCrossEntropyWithLogits(), LOGITS, LABELS),
        (AsymmetricLoss(), LOGITS, LABELS),
        (SoftmaxCrossEntropy(), LOGITS, CLASSES),
        (MeanSquaredError(), LOGITS, SOFT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Loss) else "",
)
BINARY = pytest.mark.parametrize("kind", [BinaryCrossEntropy, BinaryCrossEntropyWithLogits, AsymmetricLoss])


def torch_loss_and_gradient(function: Any, prediction: np.ndarray) -> tuple[float, np.ndarray]:
    torch = pytest.importorskip("torch")
    p = torch.from_numpy(prediction).requires_grad_()
    value = function(torch, p)
    value.backward()
    return value.item(), p.grad.numpy()


def check_against_torch(
    loss: Loss, prediction: np.ndarray, target: np.ndarray, function: Any, rtol: float = 1e-10
) -> None:
    value, gradient = torch_loss_and_gradient(function, prediction)
    assert loss(prediction, target) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=rtol, atol=1e-14)


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


# Numbers that break naive formulas.


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


# Sample weights.


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


# What every loss does.


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


def test_class_numbers_that_are_floats_are_type_errors() -> None:
    with pytest.raises(TypeError, match="class numbers as integers"):
        SoftmaxCrossEntropy()(LOGITS, CLASSES.astype(float))


@pytest.mark.parametrize("bad", [np.ones((6, 4)), np.zeros((6, 4)), np.full((6, 4), np.nan)])
def test_targets_that_are_no_distribution_are_value_errors(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        SoftmaxCrossEntropy()(LOGITS, bad)


def test_one_hot_targets_and_class_numbers_are_the_same() -> None:
    loss = SoftmaxCrossEntropy(0.1)
    assert loss(LOGITS, np.eye(4)[CLASSES]) == loss(LOGITS, CLASSES)


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


def test_predictions_become_probabilities() -> None:
    np.testing.assert_allclose(BinaryCrossEntropyWithLogits().probabilities(LOGITS), special.expit(LOGITS))
    np.testing.assert_allclose(AsymmetricLoss().probabilities(LOGITS), special.expit(LOGITS))
    np.testing.assert_allclose(SoftmaxCrossEntropy().probabilities(LOGITS), special.softmax(LOGITS, axis=-1))
    np.testing.assert_array_equal(BinaryCrossEntropy().probabilities(PROBABILITIES), PROBABILITIES)


def test_mean_squared_error_stands_for_no_probabilities() -> None:
    with pytest.raises(TypeError, match="do not stand for probabilities"):
        MeanSquaredError().probabilities(LOGITS)


def test_sample_weights_too_large_to_add_up_still_share_out() -> None:
    prediction, target = np.array([[1.0], [3.0]]), np.zeros((2, 1))
    loss = MeanSquaredError()
    assert loss(prediction, target, np.array([1e308, 1e308])) == pytest.approx(5)
    np.testing.assert_allclose(loss.backward(), prediction)


def test_a_positive_weight_that_is_no_number_is_a_type_error_that_names_the_loss() -> None:
    with pytest.raises(TypeError, match="BinaryCrossEntropyWithLogits: positive_weight must be a number"):
        BinaryCrossEntropyWithLogits("x")
