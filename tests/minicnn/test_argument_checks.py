"""The checks on plain numbers and on saved arrays."""

import math

import numpy as np
import pytest

from minicnn.argument_checks import real


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
