"""The tests that every layer and every container must pass."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import minicnn
from minicnn.layer import Layer
from tests.minicnn.layers.layer_cases import CASES, DTYPES, EVERY, Case, draw


def snapshot(layer: Layer) -> dict[str, Any]:
    """Copies of all attributes of a layer and of the layers inside it."""
    return copy.deepcopy({"self": vars(layer), **{name: vars(child) for name, child in layer.layers()}})


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b))
    if isinstance(a, np.random.Generator):
        return bool(a.bit_generator.state == b.bit_generator.state)
    return same(vars(a), vars(b)) if hasattr(a, "__dict__") else bool(a == b)


@EVERY
def test_an_inference_pass_writes_nothing_into_the_layer(case: Case) -> None:
    layer = case.build(np.float64)
    before = snapshot(layer)
    layer(draw(case))
    assert same(before, snapshot(layer))


@EVERY
def test_two_inference_passes_give_the_same_bits(case: Case) -> None:
    layer = case.build(np.float32)
    np.testing.assert_array_equal(layer(draw(case, np.float32)), layer(draw(case, np.float32)))


@EVERY
def test_backward_works_after_an_inference_pass_that_records(case: Case) -> None:
    layer = case.build(np.float64)
    x = draw(case)
    assert layer.backward(np.ones_like(layer.forward(x, record=True))).shape == x.shape


@EVERY
def test_recording_does_not_change_the_output_of_inference(case: Case) -> None:
    layer = case.build(np.float64)
    np.testing.assert_array_equal(layer.forward(draw(case), record=True), layer.forward(draw(case)))


@EVERY
def test_backward_without_a_recorded_forward_is_an_error(case: Case) -> None:
    layer = case.build(np.float64)
    y = layer(draw(case))
    with pytest.raises(RuntimeError, match="recorded forward"):
        layer.backward(np.ones_like(y))


@EVERY
def test_training_without_recording_stores_nothing_for_backward(case: Case) -> None:
    layer = case.build(np.float64)
    y = layer.forward(draw(case), training=True, record=False)
    with pytest.raises(RuntimeError, match="recorded forward"):
        layer.backward(np.ones_like(y))


@EVERY
def test_a_second_backward_is_an_error(case: Case) -> None:
    layer = case.build(np.float64)
    dy = np.ones_like(layer(draw(case), training=True))
    layer.backward(dy)
    with pytest.raises(RuntimeError, match="recorded forward"):
        layer.backward(dy)


def gradients(layer: Layer) -> dict[str, np.ndarray]:
    return {name: parameter.grad.copy() for name, parameter in layer.parameters().items()}


@EVERY
def test_parameter_gradients_accumulate_until_zero_grad(case: Case) -> None:
    layer = case.build(np.float64)
    x = draw(case)
    dy = np.random.default_rng(1).standard_normal(layer(x).shape)
    for _ in range(2):
        layer.forward(x, record=True)
        layer.backward(dy)
    twice = gradients(layer)
    layer.zero_grad()
    assert all((gradient == 0).all() for gradient in gradients(layer).values())
    layer.forward(x, record=True)
    layer.backward(dy)
    for name, gradient in gradients(layer).items():
        assert np.abs(gradient).max() > 0, name
        np.testing.assert_allclose(twice[name], 2 * gradient, rtol=1e-12)


@EVERY
def test_frozen_parameters_keep_a_gradient_of_zero(case: Case) -> None:
    layer = case.build(np.float64)
    layer.freeze()
    layer.backward(np.ones_like(layer(draw(case), training=True)))
    assert all((gradient == 0).all() for gradient in gradients(layer).values())


@EVERY
def test_freezing_does_not_change_the_input_gradient(case: Case) -> None:
    gradients = []
    for freeze in (False, True):
        layer = case.build(np.float64)
        if freeze:
            layer.freeze()
        y = layer(draw(case), training=True)
        gradients.append(layer.backward(np.random.default_rng(1).standard_normal(y.shape)))
    assert np.abs(gradients[0]).max() > 0
    np.testing.assert_array_equal(gradients[0], gradients[1])


@EVERY
def test_neither_input_nor_upstream_gradient_is_written_to(case: Case) -> None:
    layer = case.build(np.float64)
    x = draw(case)
    y = layer.forward(x, training=True)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    kept_dy, kept_y = dy.copy(), y.copy()
    layer.backward(dy)
    np.testing.assert_array_equal(x, draw(case))
    np.testing.assert_array_equal(dy, kept_dy)
    np.testing.assert_array_equal(y, kept_y)


@EVERY
@DTYPES
def test_output_and_gradient_have_the_dtype_of_the_input(case: Case, dtype: Any) -> None:
    layer = case.build(dtype)
    y = layer(draw(case, dtype), training=True)
    dx = layer.backward(np.ones_like(y))
    arrays = [y, dx, *gradients(layer).values(), *layer.state().values(), layer(draw(case, dtype))]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@EVERY
@DTYPES
def test_an_upstream_gradient_of_the_other_dtype_is_a_type_error(case: Case, dtype: Any) -> None:
    layer = case.build(dtype)
    y = layer(draw(case, dtype), training=True)
    other = np.float64 if dtype is np.float32 else np.float32
    with pytest.raises(TypeError, match=f"expected {np.dtype(dtype)}"):
        layer.backward(np.ones_like(y, dtype=other))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.build(np.float32).parameters()], ids=lambda case: case.name
)
@DTYPES
def test_an_input_of_another_dtype_than_the_weights_is_a_type_error(case: Case, dtype: Any) -> None:
    layer = case.build(dtype)
    other = np.float64 if dtype is np.float32 else np.float32
    with pytest.raises(TypeError, match=f"expected {np.dtype(dtype)}"):
        layer(draw(case, other))


@EVERY
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16])
def test_an_input_that_is_not_float32_or_float64_is_a_type_error(case: Case, dtype: Any) -> None:
    with pytest.raises(TypeError, match="expected float32"):
        case.build(np.float32)(np.ones(case.shape, dtype))


@EVERY
def test_an_input_that_is_no_array_is_a_type_error(case: Case) -> None:
    with pytest.raises(TypeError, match="NumPy array"):
        case.build(np.float64)(draw(case).tolist())


@EVERY
def test_a_masked_array_is_a_type_error_that_says_so(case: Case) -> None:
    x = np.ma.masked_greater(draw(case), 0.5)
    with pytest.raises(TypeError, match=r"got a masked array; .*x\.filled"):
        case.build(np.float64)(x)


@EVERY
def test_a_masked_upstream_gradient_is_a_type_error_that_says_so(case: Case) -> None:
    layer = case.build(np.float64)
    y = layer.forward(draw(case), record=True)
    with pytest.raises(TypeError, match="got a masked array"):
        layer.backward(np.ma.masked_array(np.ones_like(y)))


@pytest.mark.parametrize(
    "kind",
    [
        *(minicnn.MaxPool2D, minicnn.AveragePool2D, minicnn.GlobalAveragePool2D, minicnn.GlobalMaxPool2D),
        *(minicnn.Conv2D, minicnn.Dense, minicnn.BatchNorm, minicnn.Dropout, minicnn.ReLU, minicnn.LeakyReLU),
        *(minicnn.SiLU, minicnn.Sigmoid, minicnn.Tanh, minicnn.Softmax, minicnn.Flatten, minicnn.Identity),
        *(minicnn.Sequential, minicnn.Parallel, minicnn.Residual),
    ],
)
def test_an_unknown_argument_is_an_error_that_names_the_class(kind: type[Layer]) -> None:
    with pytest.raises(TypeError, match=rf"^{kind.__name__}(\.__init__)?\(\)"):
        kind(unknown=1)


@EVERY
def test_an_upstream_gradient_of_the_wrong_shape_is_a_value_error(case: Case) -> None:
    layer = case.build(np.float64)
    y = layer(draw(case), training=True)
    with pytest.raises(ValueError, match="expected shape"):
        layer.backward(np.ones((y.shape[0] + 1, *y.shape[1:])))


@EVERY
def test_inputs_of_the_wrong_rank_or_channels_are_value_errors_that_name_the_layer(case: Case) -> None:
    layer = case.build(np.float64)
    for shape in case.wrong:
        with pytest.raises(ValueError, match=case.names()):
            layer(np.ones(shape))


@EVERY
def test_output_shape_refuses_what_forward_refuses(case: Case) -> None:
    layer = case.build(np.float64)
    for shape in case.wrong:
        if shape:  # an array without dimensions is no batch; a shape without them is not checked
            with pytest.raises(ValueError, match=case.names()):
                layer.output_shape(shape)


@EVERY
def test_an_empty_batch_is_a_value_error(case: Case) -> None:
    with pytest.raises(ValueError, match="empty"):
        case.build(np.float64)(np.ones((0, *case.shape[1:])))


@EVERY
def test_output_shape_is_the_shape_that_forward_returns(case: Case) -> None:
    layer = case.build(np.float64)
    assert layer.output_shape(case.shape) == layer(draw(case)).shape
    assert layer.output_shape(case.shape) == layer(draw(case), training=True).shape


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same numbers in memory in other ways."""
    fortran = np.asfortranarray(x)
    strided = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, x.dtype)[..., ::2]
    strided[...] = x
    backwards = np.ascontiguousarray(x[::-1])[::-1]
    read_only = x.copy()
    read_only.flags.writeable = False
    return {"fortran": fortran, "strided": strided, "backwards": backwards, "read-only": read_only}


@EVERY
@pytest.mark.parametrize("layout", ["fortran", "strided", "backwards", "read-only"])
def test_the_memory_layout_of_input_and_upstream_gradient_does_not_matter(case: Case, layout: str) -> None:
    x = draw(case)
    expected_layer, layer = case.build(np.float64), case.build(np.float64)
    y = expected_layer(x, training=True)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx = expected_layer.backward(dy)
    np.testing.assert_allclose(layer(layouts(x)[layout], training=True), y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.backward(layouts(dy)[layout]), dx, rtol=1e-12, atol=1e-12)
    for name, gradient in gradients(expected_layer).items():
        np.testing.assert_allclose(gradients(layer)[name], gradient, rtol=1e-12, atol=1e-12)


@EVERY
@pytest.mark.parametrize("training", [False, True])
def test_the_results_of_two_passes_share_no_memory(case: Case, training: bool) -> None:
    layer = case.build(np.float64)
    first = layer(draw(case), training=training)
    copy_of_first = first.copy()
    second = layer(draw(case, seed=1), training=training)
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, copy_of_first)


@EVERY
def test_the_gradients_of_two_passes_share_no_memory(case: Case) -> None:
    layer = case.build(np.float64)
    gradients = []
    for seed in (0, 1):
        gradients.append(layer.backward(np.ones_like(layer(draw(case, seed=seed), training=True))))
    assert not np.shares_memory(gradients[0], gradients[1])


@EVERY
def test_a_batch_of_one_works_at_inference(case: Case) -> None:
    layer = case.build(np.float64)
    np.testing.assert_allclose(layer(draw(case)[:1]), layer(draw(case))[:1], rtol=1e-12, atol=1e-14)


@EVERY
def test_float32_follows_float64(case: Case) -> None:
    single, double = case.build(np.float32), case.build(np.float64)
    for name, parameter in single.parameters().items():
        double.parameters()[name].data[...] = parameter.data
    x = draw(case, np.float32)
    np.testing.assert_allclose(single(x), double(x.astype(np.float64)), rtol=1e-4, atol=1e-5)


@EVERY
def test_repr_names_the_layer(case: Case) -> None:
    layer = case.build(np.float32)
    assert repr(layer).startswith(type(layer).__name__ + "(")
