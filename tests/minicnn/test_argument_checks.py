"""The checks on numbers, pairs, dtypes and arrays, and their messages."""

import math
from typing import Any

import numpy as np
import pytest

from minicnn.argument_checks import (
    check_array,
    check_batch,
    check_dtype,
    check_shape,
    non_negative_int,
    pair,
    positive_int,
    real,
)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(1)])
def test_numbers_within_bounds_come_back_as_floats(value):
    checked = real("Layer", "rate", value, above=0, at_most=1)
    assert type(checked) is float
    assert checked == value


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0, {"above": 0}),
        (-1e-9, {"at_least": 0}),
        (1.0, {"below": 1}),
        (1.1, {"at_most": 1}),
        (math.nan, {}),
        (math.inf, {"above": 0}),
    ],
)
def test_numbers_out_of_bounds_are_value_errors_that_say_where(value, bounds):
    with pytest.raises(ValueError, match="Layer: rate must be a finite number"):
        real("Layer", "rate", value, **bounds)


def test_the_bounds_are_spelled_out():
    with pytest.raises(ValueError, match="a finite number at least 0 and below 1, got 2"):
        real("SGD", "momentum", 2, at_least=0, below=1)


@pytest.mark.parametrize("value", ["1", None, True, 1j, [1.0]])
def test_what_is_not_a_number_is_a_type_error(value):
    with pytest.raises(TypeError, match="Layer: rate must be a number"):
        real("Layer", "rate", value)


def test_a_pair_is_one_number_for_both_axes_or_one_for_each() -> None:
    assert pair("Conv2D", "stride", 2) == (2, 2)
    assert pair("Conv2D", "stride", np.int64(2)) == (2, 2)
    assert pair("Conv2D", "stride", [2, 3]) == (2, 3)


@pytest.mark.parametrize("value", [0, -1, (1, 0)])
def test_a_pair_below_its_minimum_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match="Conv2D: stride must be at least 1"):
        pair("Conv2D", "stride", value)


@pytest.mark.parametrize("value", [1.0, "1", None, (1, 2, 3), (1, 2.0), True, (True, 1)])
def test_a_pair_of_the_wrong_kind_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="Conv2D: stride must be an integer or a pair"):
        pair("Conv2D", "stride", value)


def test_positive_integers_are_checked() -> None:
    assert positive_int("Dense", "in_features", np.int32(3)) == 3
    with pytest.raises(ValueError, match="at least 1, got 0"):
        positive_int("Dense", "in_features", 0)
    with pytest.raises(TypeError, match=r"must be an integer, got 1\.0"):
        positive_int("Dense", "in_features", 1.0)


def test_integers_of_at_least_0_are_checked() -> None:
    assert non_negative_int("DataLoader", "seed", np.int32(0)) == 0
    with pytest.raises(ValueError, match="DataLoader: seed must be an integer of at least 0, got -1"):
        non_negative_int("DataLoader", "seed", -1)
    for value in (1.0, True, None):
        with pytest.raises(TypeError, match="seed must be an integer of at least 0"):
            non_negative_int("DataLoader", "seed", value)


@pytest.mark.parametrize("dtype", [np.float32, "float64", np.dtype(np.float32), float])
def test_float32_and_float64_are_allowed_however_they_are_written(dtype: Any) -> None:
    assert check_dtype("Dense", dtype) == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, int, "nonsense", np.complex128, object(), None])
def test_other_dtypes_are_type_errors(dtype: Any) -> None:
    with pytest.raises(TypeError, match="Dense: expected dtype float32 or float64"):
        check_dtype("Dense", dtype)


def test_the_error_about_a_shape_shows_the_expected_and_the_actual_one() -> None:
    with pytest.raises(ValueError, match=r"Conv2D: expected shape \(N, H, W, 3\), got \(2, 5, 5, 4\)"):
        check_array("Conv2D", np.ones((2, 5, 5, 4)), ("N", "H", "W", 3))
    with pytest.raises(ValueError, match=r"weights: expected shape \(3,\), got \(\)"):
        check_shape("weights", (), (3,))


def test_a_fitting_shape_passes() -> None:
    check_shape("Conv2D", (2, 5, 5, 3), ("N", "H", "W", 3))
    check_array("Conv2D", np.ones((2, 5, 5, 3)), ("N", "H", "W", 3), np.float64)


def test_the_error_about_a_dtype_says_how_to_convert() -> None:
    with pytest.raises(TypeError, match=r"expected float32, got float64; convert .*x\.astype\(float32\)"):
        check_array("Dense", np.ones((1, 2)), ("N", 2), np.float32)


def test_a_batch_may_have_any_rank_above_the_minimum() -> None:
    check_batch("ReLU", np.ones(3))
    check_batch("ReLU", np.ones((1, 2, 3, 4, 5)))
    with pytest.raises(ValueError, match="Softmax: expected a batch of 2 or more dimensions"):
        check_batch("Softmax", np.ones(3), minimum_rank=2)


def test_the_error_about_integers_does_not_advise_a_layer_of_integers() -> None:
    with pytest.raises(TypeError, match=r"got uint8; convert the input with x\.astype\(float32\)$"):
        check_array("Dense", np.zeros((2, 3), np.uint8), ("N", 3), np.float32)
    with pytest.raises(TypeError, match=r"or build the layer with dtype=float64$"):
        check_array("Dense", np.zeros((2, 3)), ("N", 3), np.float32)
