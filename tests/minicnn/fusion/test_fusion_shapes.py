"""Fused blocks and their layers against the textbook's loops, on random shapes and by every algorithm."""

from __future__ import annotations

import os
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minicnn.containers import Sequential
from minicnn.fusion.block import Block
from minicnn.fusion.rewrite import fuse
from minicnn.kernels import algorithms
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import MaxPool2D
from tests.minicnn.geometry import DTYPES, numbers, output, pairs

# Where two numbers are closer than this, rounding may decide which is the larger.
CLEAR = 2e-4


@dataclass(frozen=True)
class Case:
    x_shape: tuple[int, int, int, int]
    filters: int
    convolution: dict
    relu: str
    pool: bool
    unbiased: bool

    def model(self, dtype, backend):
        layers = [
            Conv2D(self.x_shape[3], self.filters, rng=0, dtype=dtype, backend=backend, **self.convolution),
            BatchNorm(self.filters, dtype=dtype, backend=backend, unbiased_running_variance=self.unbiased),
        ]
        if self.relu != "none":
            layers.insert(1 if self.relu == "before" else 2, ReLU())
        model = Sequential(layers + [MaxPool2D(2, backend=backend)] * self.pool)
        for name, parameter in model.parameters().items():
            parameter.data += numbers(parameter.data.shape, dtype, len(name)) / 10
        return model


@st.composite
def cases(draw):
    """Blocks of all kinds over images of all sizes, down to one; BatchNorm is left a dozen pixels."""
    kernel, stride, dilation = (
        draw(pairs(1, 5)),
        draw(pairs(1, 2)),
        draw(st.sampled_from([(1, 1), (1, 1), (2, 1)])),
    )
    pads = (draw(pairs(0, 2)), draw(pairs(0, 2)))
    if draw(st.booleans()):
        kernel, stride, dilation = (3, 3), (1, 1), (1, 1)
    n = draw(st.integers(1, 3))
    least = (max(1, (k - 1) * d + 1 - sum(p)) for k, d, p in zip(kernel, dilation, pads, strict=True))
    size = tuple(draw(st.integers(side, max(side, 7))) for side in least)
    out = output(size, kernel, stride, pads, dilation)
    assume(n * out[0] * out[1] >= 12)
    options = {"kernel_size": kernel, "stride": stride, "padding": pads, "dilation": dilation}
    return Case(
        (n, *size, draw(st.sampled_from([1, 3, 5, 8]))),
        draw(st.sampled_from([3, WIDTH, WIDTH, WIDTH + 1])),
        {**options, "bias": draw(st.booleans())},
        draw(st.sampled_from(["before", "after", "none"])),
        min(out) >= 2 and draw(st.booleans()),
        draw(st.booleans()),
    )


def decided(model, x, training):
    """Whether no ReLU and no pool has to choose between numbers that differ by rounding only."""
    for layer in model.children().values():
        if isinstance(layer, ReLU) and np.abs(x).min() < CLEAR:
            return False
        if isinstance(layer, MaxPool2D):
            height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
            cells = np.sort([x[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)], axis=0)
            gap = cells[3] - cells[2]
            if ((gap > 0) & (gap < CLEAR)).any():
                return False
        x = layer.forward(x, training=training, record=False)
    return True


def everything(model, run, x):
    """What a training step and a prediction after it leave: output, gradients, statistics, prediction."""
    y = run.forward(x, training=True)
    dx = run.backward(numbers(y.shape, x.dtype, 1))
    return {
        "y": y,
        "dx": dx,
        **{f"d{name}": p.grad for name, p in model.parameters().items()},
        **model.state(),
        "prediction": run.forward(x),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=30)
@given(case=cases(), algorithm=st.sampled_from(["", "patches", "implicit", "winograd"]))
def test_a_block_and_its_layers_compute_what_the_loops_do(dtype, case, algorithm):
    x = numbers(case.x_shape, dtype)
    assume(decided(case.model(dtype, "numpy"), x, training=True))
    reference = case.model(dtype, "naive")
    expected = everything(reference, reference, x)
    exact = 2e-3 if dtype == np.float32 else 1e-9
    with mock.patch.dict(os.environ, {algorithms.FORCED: algorithm}):
        for fused in (True, False):
            model = case.model(dtype, "numba")
            run = fuse(model) if fused else model
            found = everything(model, run, x)
            assert found.keys() == expected.keys()
            for name, array in expected.items():
                scale = max(1, np.abs(array).max())
                np.testing.assert_allclose(found[name], array, rtol=0, atol=exact * scale, err_msg=name)


def block(channels=16):
    layers = [Conv2D(channels, WIDTH, 3, padding="same", rng=0), BatchNorm(WIDTH), ReLU(), MaxPool2D(2)]
    return Sequential(layers)


def test_strided_and_read_only_arrays_are_taken_as_they_are_and_left_alone():
    x = numbers((2, 9, 16, 32), np.float32)[:, ::-1, ::2, ::2]
    dy = numbers((4, 4, 4, WIDTH), np.float32, 1)[::2]
    results = []
    for given_x, given_dy in ((x.copy(), dy.copy()), (x, dy)):
        given_x.flags.writeable = given_dy.flags.writeable = False
        before = given_x.copy(), given_dy.copy()
        model = block()
        run = fuse(model)
        run.forward(given_x, training=True)
        dx = run.backward(given_dy)
        results.append([dx, run.forward(given_x), *(p.grad for p in model.parameters().values())])
        np.testing.assert_array_equal(given_x, before[0])
        np.testing.assert_array_equal(given_dy, before[1])
    for plain, strided in zip(*results, strict=True):
        np.testing.assert_array_equal(strided, plain)


CHANGES = {
    "a weight in place": lambda conv, norm: conv.weight.data.__setitem__((1, 1, 0, 0), 5),
    "the last weight": lambda conv, norm: conv.weight.data.__setitem__((2, 2, -1, -1), 5),
    "the array": lambda conv, norm: setattr(conv.weight, "data", conv.weight.data * 2),
    "the bias": lambda conv, norm: conv.bias.data.__iadd__(1),
    "the running mean": lambda conv, norm: norm.running_mean.__iadd__(1),
    "the running variance": lambda conv, norm: norm.running_var.__imul__(3),
    "gamma": lambda conv, norm: norm.weight.data.__imul__(2),
    "beta": lambda conv, norm: norm.bias.data.__iadd__(1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_counts_at_the_next_prediction(change):
    model, x = block(), numbers((1, 8, 8, 16), np.float32)
    run = fuse(model)
    before = run.forward(x)
    np.testing.assert_array_equal(run.forward(x), before)
    CHANGES[change](model["0"], model["1"])
    after = run.forward(x)
    assert (after != before).any()
    np.testing.assert_allclose(after, model.forward(x), rtol=1e-4, atol=1e-4)


def test_weights_are_prepared_once_as_long_as_they_stay(monkeypatch):
    calls = []
    prepare = algorithms.prepare
    monkeypatch.setattr(algorithms, "prepare", lambda *a: calls.append(a) or prepare(*a))
    model, x = block(), numbers((1, 24, 24, 16), np.float32)
    run = fuse(model)
    for _ in range(3):
        run.forward(x)
    assert len(calls) == 1
    model["0"].weight.data[0, 0, 0, 0] += 1
    run.forward(x)
    assert len(calls) == 2


def test_a_block_says_which_inputs_it_computes_in_one_pass():
    [step] = fuse(block()).steps
    assert isinstance(step, Block)
    assert step.applies_to((2, 8, 8, 16))
    assert not step.applies_to((2, 1, 1, 16))
    with pytest.raises(ValueError, match=r"Conv2D: expected shape \(N, H, W, 16\)"):
        step.applies_to((2, 8, 8, 3))
