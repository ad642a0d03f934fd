"""The learning-rate range test."""

import math

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.losses import BinaryCrossEntropyWithLogits, MeanSquaredError
from minicnn.optim import SGD
from minicnn.training.lr_finder import find_learning_rate, smooth, steepest_descent


def make_problem():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((96, 6)).astype(np.float32)
    y = (x[:, :2] > 0).astype(np.float32)
    return x, y


def make_model():
    return Sequential(
        [
            Dense(6, 16, rng=1),
            BatchNorm(16, backend="numpy"),
            ReLU(),
            Dropout(0.2, rng=2),
            Dense(16, 2, rng=3),
        ]
    )


def make_loader():
    return DataLoader(ArrayDataset(*make_problem()), 16, shuffle=True, seed=4)


def contents(model):
    arrays = {name: parameter.data.copy() for name, parameter in model.parameters().items()}
    arrays |= {f"{name} gradient": parameter.grad.copy() for name, parameter in model.parameters().items()}
    return arrays | {name: array.copy() for name, array in model.state().items()}


def assert_untouched(model, before, generator, position):
    for name, array in contents(model).items():
        assert np.array_equal(array, before[name]), name
    assert model[3].rng is generator
    assert generator.bit_generator.state == position


def test_the_model_is_left_bit_for_bit_as_it_was():
    model = make_model()
    model["0"].weight.grad[...] = 7
    before, generator = contents(model), model[3].rng
    position = generator.bit_generator.state
    find_learning_rate(model, BinaryCrossEntropyWithLogits(), make_loader(), end_lr=100.0, steps=40)
    assert_untouched(model, before, generator, position)
    with pytest.raises(RuntimeError, match="recorded forward"):
        model.backward(np.zeros((16, 2), np.float32))


def test_the_model_is_left_as_it_was_even_when_the_loader_fails():
    def failing():
        x, y = make_problem()
        yield x, y
        raise OSError("planted")

    model = make_model()
    before, generator = contents(model), model[3].rng
    position = generator.bit_generator.state
    with pytest.raises(OSError, match="planted"):
        find_learning_rate(model, BinaryCrossEntropyWithLogits(), failing())
    assert_untouched(model, before, generator, position)


def test_rates_grow_by_one_factor_and_losses_stand_beside_them():
    found = find_learning_rate(
        make_model(), BinaryCrossEntropyWithLogits(), make_loader(), start_lr=1e-5, end_lr=1e-2, steps=31
    )
    np.testing.assert_allclose(found.lrs, np.geomspace(1e-5, 1e-2, 31))
    assert found.losses.shape == (31,)
    assert np.isfinite(found.losses).all()


def test_the_same_search_twice_is_bit_identical():
    model = make_model()
    first, second = (
        find_learning_rate(model, BinaryCrossEntropyWithLogits(), make_loader(), steps=30) for _ in range(2)
    )
    assert np.array_equal(first.losses, second.losses)
    assert first.suggestion == second.suggestion


def test_the_suggestion_lies_between_standing_still_and_divergence():
    lrs, losses, suggestion = find_learning_rate(
        make_model(), BinaryCrossEntropyWithLogits(), make_loader(), start_lr=1e-6, end_lr=100.0, steps=120
    )
    lowest = lrs[np.argmin(smooth(losses))]
    assert 1e-5 < suggestion <= lowest


def test_the_search_stops_where_training_diverges():
    x, y = make_problem()
    model = Sequential([Dense(6, 2, rng=1)])
    found = find_learning_rate(
        model, MeanSquaredError(), [(x, y)], optimizer=SGD, start_lr=1e-4, end_lr=1e6, steps=200
    )
    assert len(found.lrs) == len(found.losses) < 200
    assert found.lrs[-1] < 1e3
    curve = smooth(found.losses)
    assert curve[-1] > 4 * curve.min()


def test_a_quadratic_diverges_just_above_two_over_its_curvature():
    # loss = mean((w x)^2) with x = 1: curvature 2, so plain gradient descent is stable below lr = 1.
    x, y = np.ones((4, 1)), np.zeros((4, 1))
    model = Sequential([Dense(1, 1, bias=False, rng=0, dtype=np.float64)])
    model[0].weight.data[...] = 1.0
    found = find_learning_rate(
        model, MeanSquaredError(), [(x, y)], optimizer=SGD, start_lr=1e-3, end_lr=1e3, steps=400
    )
    assert 1 < found.lrs[-1] < 10
    assert found.suggestion < 1


def test_batches_come_round_again_when_the_list_is_short():
    x, y = make_problem()
    found = find_learning_rate(
        make_model(),
        BinaryCrossEntropyWithLogits(),
        [(x[:32], y[:32]), (x[32:], y[32:])],
        steps=9,
        end_lr=1e-3,
    )
    assert len(found.losses) == 9


def test_frozen_parameters_stay_frozen():
    model = make_model()
    model[0].freeze()
    before = model["0"].weight.data.copy()
    find_learning_rate(model, BinaryCrossEntropyWithLogits(), make_loader(), steps=5)
    assert np.array_equal(model["0"].weight.data, before)
    assert not model["0"].weight.trainable


def test_smoothing_follows_its_formula():
    values = np.array([3.0, 1.0, 2.0])
    weights = [0.1 * 0.9**2, 0.1 * 0.9, 0.1]
    assert smooth(values)[2] == pytest.approx(np.average(values, weights=weights))
    np.testing.assert_allclose(smooth(np.full(10, 0.7)), 0.7)


def test_the_steepest_point_of_a_sigmoid_is_found_near_its_middle():
    lrs = np.geomspace(1e-6, 1, 400)
    losses = 1 - 0.8 / (1 + np.exp(-6 * (np.log10(lrs) + 3)))
    assert 1e-3 < steepest_descent(lrs, losses) < 2e-3


def test_a_loss_that_never_falls_gives_no_suggestion():
    lrs = np.geomspace(1e-6, 1, 50)
    assert math.isnan(steepest_descent(lrs, np.linspace(1, 2, 50)))
    assert math.isnan(steepest_descent(lrs[:1], np.ones(1)))


@pytest.mark.parametrize(
    "options",
    [
        {"start_lr": 0.0},
        {"start_lr": math.nan},
        {"start_lr": 1.0, "end_lr": 0.1},
        {"steps": 1},
        {"divergence": 1.0},
    ],
)
def test_settings_out_of_bounds_are_refused(options):
    with pytest.raises(ValueError, match="find_learning_rate: "):
        find_learning_rate(make_model(), BinaryCrossEntropyWithLogits(), make_loader(), **options)


def test_a_loader_without_batches_is_refused():
    with pytest.raises(ValueError, match="no batch"):
        find_learning_rate(make_model(), BinaryCrossEntropyWithLogits(), [])
