"""A fused model is the same function, with the same gradients, as the layers it was made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.containers import Residual, Sequential
from minicnn.fusion.arena import Arena
from minicnn.fusion.block import Block
from minicnn.fusion.rewrite import SWITCH, fuse
from minicnn.fusion.sequential import FusedSequential
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.layer import Layer, reseed
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from tests.minicnn.geometry import numbers


def block(c, o, *, relu="after", pool=True, padding="same", stride=1, kernel=3, bias=True, seed=0, **norm):
    layers: list[Layer] = [Conv2D(c, o, kernel, stride=stride, padding=padding, bias=bias, rng=seed)]
    layers += [ReLU()] * (relu == "before")
    layers += [BatchNorm(o, **norm)]
    layers += [ReLU()] * (relu == "after")
    return layers + [MaxPool2D(2)] * pool


def shake(model, seed=0):
    """Weights, gammas and statistics that are not their plain initial values."""
    rng = np.random.default_rng(seed)
    for parameter in model.parameters().values():
        parameter.data += rng.standard_normal(parameter.data.shape).astype(np.float32) / 10
    for name, array in model.state().items():
        array += rng.random(array.shape).astype(np.float32) if "var" in name else 0.1


def one_step(model, run, x, dy):
    """What one training step of ``run`` leaves behind, with ``model``'s gradients."""
    model.zero_grad()
    reseed(model, 3, 0)
    y = run.forward(x, training=True)
    dx = run.backward(dy(y.shape))
    return y, dx, {name: p.grad.copy() for name, p in model.parameters().items()}


def compare(make, shape, exact=1e-4):
    plain, other = make(), make()
    shake(plain)
    shake(other)
    fused = fuse(other)
    assert fused is not other
    x = numbers(shape, np.float32)
    y, dx, gradients = one_step(plain, plain, x, lambda s: numbers(s, np.float32, 1))
    fy, fdx, fgradients = one_step(other, fused, x, lambda s: numbers(s, np.float32, 1))
    np.testing.assert_allclose(fy, y, rtol=exact, atol=exact)
    scale = max(1, np.abs(dx).max())
    np.testing.assert_allclose(fdx, dx, rtol=exact, atol=exact * scale)
    assert fgradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        scale = max(1, np.abs(gradient).max())
        np.testing.assert_allclose(fgradients[name], gradient, rtol=exact, atol=exact * scale, err_msg=name)
    for name, array in plain.state().items():
        np.testing.assert_allclose(other.state()[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(fused.forward(x), plain.forward(x), rtol=exact, atol=exact)


@settings(deadline=None, max_examples=25)
@given(
    relu=st.sampled_from(["before", "after", "none"]),
    pool=st.booleans(),
    padding=st.sampled_from(["same", "valid"]),
    stride=st.sampled_from([1, 1, 2]),
    kernel=st.sampled_from([1, 3, 3, 5]),
    bias=st.booleans(),
    unbiased=st.booleans(),
    height=st.integers(9, 17),
    width=st.integers(9, 17),
    channels=st.sampled_from([3, 16, 19]),
    filters=st.sampled_from([WIDTH, WIDTH + 3, 2 * WIDTH]),
    n=st.integers(1, 3),
)
def test_any_block_equals_its_layers(
    relu, pool, padding, stride, kernel, bias, unbiased, height, width, channels, filters, n
):
    def make():
        return Sequential(
            block(
                channels,
                filters,
                relu=relu,
                pool=pool,
                padding=padding,
                stride=stride,
                kernel=kernel,
                bias=bias,
                unbiased_running_variance=unbiased,
            )
        )

    compare(make, (n, height, width, channels))


def chain():
    return Sequential(
        [
            *block(3, 16, relu="before", padding="valid", seed=1),
            Dropout(0.3, rng=1),
            *block(16, 32, seed=2),
            *block(32, 32, pool=False, seed=3),
            *block(32, 20, seed=4),
            Flatten(),
            Dense(20 * 3 * 2, 5, rng=5),
        ]
    )


def test_a_chain_of_blocks_equals_its_layers():
    compare(chain, (2, 28, 22, 3))


def test_blocks_inside_other_containers_are_found():
    def make():
        body = Sequential(
            [*block(16, 16, pool=False, seed=1), *block(16, 16, pool=False, relu="none", seed=2)]
        )
        head = [GlobalAveragePool2D(), Dense(16, 4, rng=3)]
        return Sequential([*block(3, 16, seed=4), Residual(body), ReLU(), *head])

    compare(make, (2, 20, 12, 3))
    found = fuse(make())
    assert isinstance(found, FusedSequential)
    assert isinstance(found["4"].children()["body"], FusedSequential)


def test_steps_after_the_first_reuse_their_arrays_and_agree_with_the_first():
    model, fused = chain(), fuse(chain())
    shake(model)
    shake(fused)
    for batch in (2, 2, 3, 2):
        x = numbers((batch, 28, 22, 3), np.float32, batch)
        _, _, expected = one_step(model, model, x, lambda s: numbers(s, np.float32, 1))
        y, dx, found = one_step(fused, fused, x, lambda s: numbers(s, np.float32, 1))
        kept = y.copy(), dx.copy()
        for name, gradient in expected.items():
            scale = max(1, np.abs(gradient).max())
            np.testing.assert_allclose(found[name], gradient, atol=1e-4 * scale, err_msg=name)
        one_step(fused, fused, -x, lambda s: numbers(s, np.float32, 2))
        one_step(model, model, -x, lambda s: numbers(s, np.float32, 2))
        np.testing.assert_array_equal(y, kept[0])
        np.testing.assert_array_equal(dx, kept[1])


def test_layers_and_names_are_those_of_the_model():
    model = chain()
    fused = fuse(model)
    assert [name for name, _ in fused.layers()] == [name for name, _ in model.layers()]
    assert all(a is b for (_, a), (_, b) in zip(fused.layers(), model.layers(), strict=True))
    assert all(fused.parameters()[name] is p for name, p in model.parameters().items())
    assert all(fused.state()[name] is a for name, a in model.state().items())
    assert fused.output_shape((2, 28, 22, 3)) == model.output_shape((2, 28, 22, 3)) == (2, 5)


def test_changed_weights_count_at_once():
    model = chain()
    fused, x = fuse(model), numbers((2, 28, 22, 3), np.float32)
    before = fused.forward(x)
    shake(model)
    after = fused.forward(x)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, model.forward(x), rtol=1e-4, atol=1e-4)


def test_a_recorded_inference_pass_goes_backward_with_fixed_statistics():
    model = chain()
    shake(model)
    fused, x = fuse(model), numbers((2, 28, 22, 3), np.float32)
    gradients = []
    for run in (model, fused):
        model.zero_grad()
        y = run.forward(x, record=True)
        gradients.append(run.backward(numbers(y.shape, np.float32, 1)))
    np.testing.assert_array_equal(*gradients)


def test_training_without_a_record_moves_the_statistics_and_keeps_nothing():
    model, other = chain(), chain()
    fused, x = fuse(other), numbers((2, 28, 22, 3), np.float32)
    for run in (model, fused):
        reseed(run, 3, 0)
    expected = model.forward(x, training=True, record=False)
    np.testing.assert_allclose(fused.forward(x, training=True, record=False), expected, rtol=1e-4, atol=1e-4)
    for name, array in model.state().items():
        np.testing.assert_allclose(other.state()[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    with pytest.raises(RuntimeError, match="needs a recorded forward pass"):
        fused.backward(expected)


def test_backward_without_the_input_gradient_leaves_the_same_gradients():
    for run in (model := chain(), fuse(model)):
        x = numbers((2, 28, 22, 3), np.float32)
        _, _, expected = one_step(model, run, x, lambda s: numbers(s, np.float32, 1))
        model.zero_grad()
        reseed(model, 3, 0)
        y = run.forward(x, training=True)
        assert run.backward_parameters(numbers(y.shape, np.float32, 1)) is None
        for name, parameter in model.parameters().items():
            np.testing.assert_array_equal(parameter.grad, expected[name], err_msg=name)


def test_frozen_parameters_get_no_gradient():
    model = chain()
    model.freeze()
    one_step(model, fuse(model), numbers((2, 28, 22, 3), np.float32), lambda s: numbers(s, np.float32, 1))
    assert all(not p.grad.any() for p in model.parameters().values())


@pytest.mark.parametrize("backend", ["naive", "numpy"])
def test_another_backend_computes_layer_by_layer(backend, monkeypatch):
    monkeypatch.setenv("MINICNN_BACKEND", backend)
    model = Sequential(block(3, WIDTH))
    x = numbers((2, 6, 6, 3), np.float32)
    y = fuse(model).forward(x, training=True)
    np.testing.assert_array_equal(y, Sequential(block(3, WIDTH)).forward(x, training=True))


def test_float64_and_few_channels_compute_layer_by_layer():
    wide = Sequential([Conv2D(3, WIDTH, 3, rng=0, dtype=np.float64), BatchNorm(WIDTH, dtype=np.float64)])
    x = numbers((2, 6, 6, 3), np.float64)
    np.testing.assert_array_equal(fuse(wide).forward(x, training=True), wide.forward(x, training=True))
    narrow = Sequential(block(3, 2))
    x = x.astype(np.float32)
    np.testing.assert_array_equal(fuse(narrow).forward(x, training=True), narrow.forward(x, training=True))


def test_errors_are_those_of_the_layers():
    fused = fuse(Sequential(block(3, WIDTH)))
    with pytest.raises(ValueError, match=r"Conv2D: expected shape \(N, H, W, 3\)"):
        fused.forward(numbers((2, 6, 6, 4), np.float32))
    with pytest.raises(TypeError, match="Conv2D: expected float32, got float64"):
        fused.forward(numbers((2, 6, 6, 3), np.float64))
    with pytest.raises(RuntimeError, match="needs a recorded forward pass"):
        fused.backward(numbers((2, 3, 3, WIDTH), np.float32))
    fused.forward(numbers((2, 6, 6, 3), np.float32), training=True)
    with pytest.raises(ValueError, match=r"MaxPool2D\.backward"):
        fused.backward(numbers((2, 4, 3, WIDTH), np.float32))
    single = fuse(Sequential(block(3, WIDTH, padding="valid", pool=False)))
    with pytest.raises(ValueError, match="BatchNorm: training needs more than one number a channel"):
        single.forward(numbers((1, 3, 3, 3), np.float32), training=True)


def test_fusion_can_be_switched_off(monkeypatch):
    model = chain()
    monkeypatch.setenv(SWITCH, "off")
    assert fuse(model) is model
    monkeypatch.setenv(SWITCH, "perhaps")
    with pytest.raises(ValueError, match=r"MINICNN_FUSION.*perhaps"):
        fuse(model)


def test_a_model_without_blocks_comes_back_as_it_is():
    model = Sequential([Flatten(), Dense(4, 2, rng=0)])
    assert fuse(model) is model


def test_fusing_twice_is_fusing_once():
    fused = fuse(chain())
    assert fuse(fused) is fused


def test_a_block_needs_a_convolution_and_a_normalisation():
    with pytest.raises(TypeError, match="Block: expected a Conv2D first"):
        Block([ReLU(), BatchNorm(3)])


def test_the_arena_keeps_only_what_came_from_it():
    arena = Arena()
    mine, its = np.empty((2, 3), np.float32), arena.acquire((2, 3), np.dtype(np.float32))
    arena.release(mine)
    arena.release(its)
    arena.release(its)
    assert arena.acquire((2, 3), np.dtype(np.float32)) is its
    assert arena.acquire((2, 3), np.dtype(np.float32)) is not mine
