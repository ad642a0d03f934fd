"""Initialisers: the spread that the papers ask for, and reproducibility."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.init import (
    check_generator,
    constant,
    fans,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    normal,
    ones,
    uniform,
    zeros,
)
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense

DENSE, CONV = (400, 300), (3, 3, 40, 60)
RANDOM = [he_normal, he_uniform, glorot_normal, glorot_uniform, normal(0.3), uniform(0.3)]


@pytest.mark.parametrize(
    ("shape", "expected"), [((4, 5), (4, 5)), ((3, 2, 4, 5), (24, 30)), ((3, 3, 1, 8), (9, 72))]
)
def test_fans_count_the_numbers_summed_forward_and_backward(
    shape: tuple[int, ...], expected: tuple[int, int]
) -> None:
    assert fans(shape) == expected


def test_fans_of_a_vector_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="2 or more dimensions"):
        fans((5,))


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [DENSE, CONV])
def test_fans_are_those_of_pytorch(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    weight = torch.empty(*reversed(shape))  # (out, in, kw, kh)
    assert fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(weight)


@pytest.mark.parametrize("shape", [DENSE, CONV])
@pytest.mark.parametrize(
    ("init", "variance"),
    [
        (he_normal, lambda fan_in, fan_out: 2 / fan_in),
        (he_uniform, lambda fan_in, fan_out: 2 / fan_in),
        (glorot_normal, lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        (glorot_uniform, lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        (normal(0.3), lambda fan_in, fan_out: 0.09),
        (uniform(0.3), lambda fan_in, fan_out: 0.03),
    ],
)
def test_the_variance_is_the_one_of_the_definition(shape: tuple[int, ...], init: Any, variance: Any) -> None:
    weight = init(shape, np.random.default_rng(0), np.float64)
    assert weight.var() == pytest.approx(variance(*fans(shape)), rel=0.05)
    assert abs(weight.mean()) < 5 * np.sqrt(weight.var() / weight.size)


@pytest.mark.parametrize(
    ("init", "limit"),
    [(he_uniform, np.sqrt(6 / 400)), (glorot_uniform, np.sqrt(6 / 700)), (uniform(0.3), 0.3)],
)
def test_uniform_weights_fill_their_interval_and_stay_inside(init: Any, limit: float) -> None:
    largest = np.abs(init(DENSE, np.random.default_rng(0), np.float64)).max()
    assert 0.99 * limit < largest <= limit


@pytest.mark.parametrize("init", RANDOM)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(init: Any) -> None:
    one, same, other = (init((4, 5), np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


@pytest.mark.parametrize("init", [*RANDOM, constant(2.5), zeros, ones])
def test_weights_have_the_asked_shape_and_dtype(init: Any) -> None:
    for dtype in (np.float32, np.float64):
        weight = init((3, 4), np.random.default_rng(0), dtype)
        assert weight.shape == (3, 4)
        assert weight.dtype == dtype
    assert init((3, 4), np.random.default_rng(0)).dtype == np.float32


def test_float32_weights_are_the_float64_ones_rounded() -> None:
    single, double = (
        he_normal((4, 5), np.random.default_rng(0), dtype) for dtype in (np.float32, np.float64)
    )
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_constants_are_constant() -> None:
    rng = np.random.default_rng(0)
    assert (constant(2.5)((2, 3), rng) == 2.5).all()
    assert (zeros((2, 3)) == 0).all()
    assert (ones((2, 3)) == 1).all()


def test_a_generator_is_taken_as_it_is_and_a_seed_made_into_one() -> None:
    rng = np.random.default_rng(0)
    assert check_generator("Dense", rng) is rng
    assert check_generator("Dense", 5).random() == np.random.default_rng(5).random()
    assert check_generator("Dense", np.int64(5)).random() == np.random.default_rng(5).random()


@pytest.mark.parametrize("rng", [None, -1, 1.5, "0", True, np.random.RandomState(0)])
def test_anything_else_is_a_type_error_that_names_the_layer(rng: Any) -> None:
    with pytest.raises(TypeError, match=r"Dense: rng must be a numpy\.random\.Generator or a seed"):
        check_generator("Dense", rng)


@pytest.mark.parametrize("make", [normal, uniform, constant])
@pytest.mark.parametrize("size", [np.nan, np.inf])
def test_a_spread_that_is_not_finite_is_a_value_error(make: Any, size: float) -> None:
    with pytest.raises(ValueError, match=rf"{make.__name__}: \w+ must be a finite number"):
        make(size)


@pytest.mark.parametrize("make", [normal, uniform])
def test_a_negative_spread_is_a_value_error(make: Any) -> None:
    with pytest.raises(ValueError, match=f"{make.__name__}: .* at least 0, got -1"):
        make(-1)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Dense", lambda init: Dense(3, 2, rng=0, init=init)),
        ("Conv2D", lambda init: Conv2D(3, 2, 3, rng=0, init=init)),
    ],
)
@pytest.mark.parametrize(
    ("init", "error", "words"),
    [
        ("he_normal", TypeError, "must be a function of .* got 'he_normal'"),
        (lambda shape, rng, dtype: [0.0], TypeError, "an array of float32, .* got list"),
        (lambda shape, rng, dtype: np.zeros(shape), TypeError, "an array of float32, .* got float64"),
        (lambda shape, rng, dtype: np.zeros((1, *shape), dtype), ValueError, r"of shape .* got \(1, "),
        (lambda shape, rng, dtype: np.full(shape, np.nan, dtype), ValueError, "NaN or infinite"),
    ],
)
def test_an_initialiser_that_cannot_be_used_is_refused_in_the_layers_name(
    name: str, make: Any, init: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"{name}: init .*{words}"):
        make(init)
