"""The moving average of the weights."""

from typing import ClassVar

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.layer import Layer, Parameter
from minicnn.training.ema import ExponentialMovingAverage


class Scale(Layer):
    """A weight, a running buffer and a counter: one array of each kind that an average has to treat."""

    buffers: ClassVar[tuple[str, ...]] = ("running", "count")

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.weight = Parameter(rng.standard_normal((3, 4)).astype(np.float32))
        self.running = rng.standard_normal(4)
        self.count = np.array(0, np.int64)

    def change(self, rng):
        self.weight.data += rng.standard_normal((3, 4)).astype(np.float32)
        self.running += rng.standard_normal(4)
        self.count += 1


def make_model():
    return Sequential({"first": Scale(0), "second": Scale(1)})


def change(model, rng):
    for _, layer in model.layers():
        layer.change(rng)


def contents(model):
    return {name: p.data.copy() for name, p in model.parameters().items()} | {
        name: array.copy() for name, array in model.state().items()
    }


@pytest.mark.parametrize("warm_up", [False, True])
def test_the_average_follows_its_formula(warm_up):
    model, rng = make_model(), np.random.default_rng(2)
    ema = ExponentialMovingAverage(model, 0.6, warm_up=warm_up)
    expected = {name: array.astype(np.float64) for name, array in contents(model).items()}
    for t in range(20):
        change(model, rng)
        ema.update()
        d = min(0.6, (1 + t) / (10 + t)) if warm_up else 0.6
        now = contents(model)
        expected = {name: d * expected[name] + (1 - d) * now[name] for name in expected}
        with ema.averaged():
            averaged = contents(model)
        for name in averaged:
            if not name.endswith("count"):
                np.testing.assert_allclose(averaged[name], expected[name], rtol=1e-5, atol=1e-6)


def test_integer_buffers_are_copied():
    model = make_model()
    ema = ExponentialMovingAverage(model, 0.9)
    change(model, np.random.default_rng(3))
    ema.update()
    with ema.averaged():
        assert model.state()["first.count"] == 1


def test_the_average_of_weights_that_stand_still_is_the_weights():
    model = make_model()
    before = contents(model)
    ema = ExponentialMovingAverage(model, 0.99)
    for _ in range(5):
        ema.update()
    with ema.averaged():
        for name, array in contents(model).items():
            assert np.array_equal(array, before[name])


def test_the_model_gets_its_own_weights_back_even_after_an_exception():
    model, rng = make_model(), np.random.default_rng(4)
    ema = ExponentialMovingAverage(model, 0.9)
    change(model, rng)
    ema.update()
    before, arrays = contents(model), [id(p.data) for p in model.parameters().values()]
    with pytest.raises(KeyError, match="planted"), ema.averaged():  # noqa: PT012
        assert not np.array_equal(contents(model)["first.weight"], before["first.weight"])
        model["first"].weight.data[...] = 0
        raise KeyError("planted")
    for name, array in contents(model).items():
        assert np.array_equal(array, before[name])
    assert [id(p.data) for p in model.parameters().values()] == arrays
    change(model, rng)
    ema.update()


def test_updating_or_nesting_inside_averaged_is_refused():
    ema = ExponentialMovingAverage(make_model(), 0.9)
    with ema.averaged():
        with pytest.raises(RuntimeError, match="average the average"):
            ema.update()
        with pytest.raises(RuntimeError, match="already"), ema.averaged():
            pass


def test_a_resumed_average_is_bit_identical():
    model, rng = make_model(), np.random.default_rng(5)
    ema = ExponentialMovingAverage(model, 0.9)
    for _ in range(3):
        change(model, rng)
        ema.update()
    resumed = ExponentialMovingAverage(model, 0.9)
    resumed.load_state(ema.state())
    for _ in range(3):
        change(model, rng)
        ema.update()
        resumed.update()
    assert ema.state().keys() == resumed.state().keys()
    for name, array in ema.state().items():
        assert np.array_equal(array, resumed.state()[name])


def test_load_state_is_strict():
    ema = ExponentialMovingAverage(make_model(), 0.9)
    good = ema.state()
    refused = [
        {name: array for name, array in good.items() if name != "parameter/first.weight"},
        good | {"parameter/third.weight": np.zeros(1)},
        good | {"parameter/first.weight": np.zeros((4, 3), np.float32)},
        good | {"parameter/first.weight": np.zeros((3, 4))},
    ]
    for arrays in refused:
        with pytest.raises(ValueError, match="ExponentialMovingAverage"):
            ema.load_state(arrays)


def test_state_is_a_copy():
    ema = ExponentialMovingAverage(make_model(), 0.9)
    ema.state()["parameter/first.weight"][...] = 7
    assert not np.array_equal(ema.state()["parameter/first.weight"], np.full((3, 4), 7))


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_bounds_is_refused(decay):
    with pytest.raises(ValueError, match="decay"):
        ExponentialMovingAverage(make_model(), decay)


def test_something_that_is_not_a_model_is_refused():
    with pytest.raises(TypeError, match="expected a model"):
        ExponentialMovingAverage({"w": np.zeros(3)}, 0.9)
