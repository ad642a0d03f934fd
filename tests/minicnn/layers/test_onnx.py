"""The layers against onnx's own test cases: inputs and the outputs that every onnx runtime must produce."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minicnn.layer import Layer
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity
from tests.minicnn.geometry import BACKENDS
from tests.minicnn.layers.onnx_cases import Case, load_cases
from tests.minicnn.oracles import to_hwio, to_nchw, to_nhwc

CASES = {
    "Conv": (
        "test_basic_conv_with_padding",
        "test_basic_conv_without_padding",
        "test_conv_with_autopad_same",
        "test_conv_with_strides_and_asymmetric_padding",
        "test_conv_with_strides_no_padding",
        "test_conv_with_strides_padding",
        "test_Conv2d",
        "test_Conv2d_depthwise",
        "test_Conv2d_depthwise_padded",
        "test_Conv2d_depthwise_strided",
        "test_Conv2d_depthwise_with_multiplier",
        "test_Conv2d_dilated",
        "test_Conv2d_groups",
        "test_Conv2d_groups_thnn",
        "test_Conv2d_no_bias",
        "test_Conv2d_padding",
        "test_Conv2d_strided",
    ),
    "MaxPool": (
        "test_maxpool_2d_default",
        "test_maxpool_2d_pads",
        "test_maxpool_2d_precomputed_pads",
        "test_maxpool_2d_precomputed_same_upper",
        "test_maxpool_2d_precomputed_strides",
        "test_maxpool_2d_same_lower",
        "test_maxpool_2d_same_upper",
        "test_maxpool_2d_strides",
        "test_MaxPool2d",
    ),
    "AveragePool": (
        "test_averagepool_2d_default",
        "test_averagepool_2d_pads",
        "test_averagepool_2d_precomputed_pads",
        "test_averagepool_2d_precomputed_same_upper",
        "test_averagepool_2d_precomputed_strides",
        "test_averagepool_2d_same_lower",
        "test_averagepool_2d_same_upper",
        "test_averagepool_2d_strides",
        "test_AvgPool2d",
        "test_AvgPool2d_stride",
    ),
    "GlobalAveragePool": ("test_globalaveragepool", "test_globalaveragepool_precomputed"),
    "GlobalMaxPool": ("test_globalmaxpool", "test_globalmaxpool_precomputed"),
    "BatchNormalization": (
        "test_batchnorm_example",
        "test_batchnorm_epsilon",
        "test_batchnorm_example_training_mode",
        "test_batchnorm_epsilon_training_mode",
        "test_BatchNorm2d_eval",
        "test_BatchNorm2d_momentum_eval",
    ),
    "Gemm": (
        "test_gemm_all_attributes",
        "test_gemm_alpha",
        "test_gemm_beta",
        "test_gemm_default_no_bias",
        "test_gemm_default_scalar_bias",
        "test_gemm_default_single_elem_vector_bias",
        "test_gemm_default_vector_bias",
        "test_gemm_default_zero_bias",
        "test_gemm_transposeA",
        "test_gemm_transposeB",
        "test_Linear",
    ),
    "Relu": ("test_relu", "test_ReLU"),
    "LeakyRelu": (
        "test_leakyrelu",
        "test_leakyrelu_default",
        "test_leakyrelu_example",
        "test_LeakyReLU",
        "test_LeakyReLU_with_negval",
    ),
    "Swish": ("test_swish",),
    "Sigmoid": ("test_sigmoid", "test_sigmoid_example", "test_Sigmoid"),
    "Tanh": ("test_tanh", "test_tanh_example", "test_Tanh"),
    "Softmax": (
        "test_softmax_axis_0",
        "test_softmax_axis_1",
        "test_softmax_axis_2",
        "test_softmax_default_axis",
        "test_softmax_example",
        "test_softmax_large_number",
        "test_softmax_negative_axis",
        "test_Softmax",
        "test_softmax_functional_dim3",
        "test_softmax_lastdim",
    ),
    "Dropout": (
        "test_dropout_default",
        "test_dropout_default_mask",
        "test_dropout_default_mask_ratio",
        "test_dropout_default_old",
        "test_dropout_default_ratio",
        "test_dropout_random_old",
        "test_training_dropout",
        "test_training_dropout_default",
        "test_training_dropout_default_mask",
        "test_training_dropout_mask",
        "test_training_dropout_zero_ratio",
        "test_training_dropout_zero_ratio_mask",
    ),
    "Flatten": (
        "test_flatten_axis1",
        "test_flatten_default_axis",
        "test_flatten_negative_axis3",
    ),
    "Identity": ("test_identity",),
}
BEYOND = {
    "Conv": ("1d", "3d"),
    "MaxPool": ("1d", "3d", "ceil", "dilation", "uint8", "argmax"),
    "AveragePool": ("1d", "3d", "ceil", "dilations", "count_include_pad"),
    "BatchNormalization": ("1d", "3d"),
    "Gemm": ("matrix_bias",),
    "Flatten": (
        "flatten_axis0",
        "flatten_axis2",
        "flatten_axis3",
        "negative_axis1",
        "negative_axis2",
        "negative_axis4",
    ),
    "Identity": ("sequence", "opt", "expanded"),
}
"""Words in the names of cases that these layers cannot express: other dimensions, outputs rounded up, counted
padding, dilated pools, integers, the index as an output, a bias for each sample, other axes.
"""
IMAGE_OPERATIONS = tuple(CASES)[:6]
SEVERAL_BACKENDS = ("Conv", "MaxPool", "AveragePool", "BatchNormalization", "Relu")

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return load_cases()


def padding(attributes: dict[str, Any], size: tuple[int, int], kernel: tuple[int, int]) -> Any:
    """onnx's padding in this library's order; SAME_LOWER puts the odd pixel at the top and left."""
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto == "SAME_UPPER":
        return "same"
    if auto == "SAME_LOWER":
        strides = attributes.get("strides", (1, 1))
        totals = [
            max((math.ceil(n / s) - 1) * s + k - n, 0) for n, s, k in zip(size, strides, kernel, strict=True)
        ]
        return tuple((total - total // 2, total // 2) for total in totals)
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return (top, bottom), (left, right)


def convolution(case: Case, backend: str) -> Layer:
    x, weight = case.inputs[0], to_hwio(case.inputs[1])
    layer = Conv2D(
        x.shape[1],
        weight.shape[3],
        weight.shape[:2],
        stride=tuple(case.attributes.get("strides", (1, 1))),
        padding=padding(case.attributes, x.shape[2:], weight.shape[:2]),
        dilation=tuple(case.attributes.get("dilations", (1, 1))),
        groups=case.attributes.get("group", 1),
        bias=len(case.inputs) > 2,
        rng=0,
        backend=backend,
    )
    layer.weight.data[...] = weight
    if layer.bias is not None:
        layer.bias.data[...] = case.inputs[2]
    return layer


def pool(case: Case, backend: str) -> Layer:
    size = tuple(case.attributes["kernel_shape"])
    return {"MaxPool": MaxPool2D, "AveragePool": AveragePool2D}[case.operation](
        size,
        stride=tuple(case.attributes.get("strides", (1, 1))),
        padding=padding(case.attributes, case.inputs[0].shape[2:], size),
        backend=backend,
    )


def batch_norm(case: Case, backend: str) -> Layer:
    x, *arrays = case.inputs
    layer = BatchNorm(
        x.shape[1],
        momentum=1 - case.attributes.get("momentum", 0.9),
        eps=case.attributes.get("epsilon", 1e-5),
        unbiased_running_variance=False,
        backend=backend,
    )
    layer.weight.data[...], layer.bias.data[...], layer.running_mean[...], layer.running_var[...] = arrays
    return layer


def dense(case: Case, backend: str) -> Layer:
    """``alpha * x @ B + beta * C`` with alpha and beta multiplied into the weights."""
    weight = case.inputs[1].T if case.attributes.get("transB") else case.inputs[1]
    layer = Dense(*weight.shape, bias=len(case.inputs) > 2, rng=0)
    layer.weight.data[...] = case.attributes.get("alpha", 1.0) * weight
    if layer.bias is not None:
        layer.bias.data[...] = case.attributes.get("beta", 1.0) * case.inputs[2]
    return layer


class DrawnMask:
    """In place of a generator: draws the mask that onnx drew, 1 where a number is passed on."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask

    def random(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        assert shape == self.mask.shape
        return self.mask.astype(dtype)


def dropout(case: Case, backend: str) -> Layer:
    rate = float(case.inputs[1]) if len(case.inputs) > 1 else case.attributes.get("ratio", 0.5)
    layer = Dropout(rate, rng=0)
    layer.rng = DrawnMask(case.outputs[0] != 0)
    return layer


BUILDERS: dict[str, Callable[[Case, str], Layer]] = {
    "Conv": convolution,
    "MaxPool": pool,
    "AveragePool": pool,
    "GlobalAveragePool": lambda case, backend: GlobalAveragePool2D(keepdims=True),
    "GlobalMaxPool": lambda case, backend: GlobalMaxPool2D(keepdims=True),
    "BatchNormalization": batch_norm,
    "Gemm": dense,
    "Relu": lambda case, backend: ReLU(backend=backend),
    "LeakyRelu": lambda case, backend: LeakyReLU(case.attributes.get("alpha", 0.01)),
    "Swish": lambda case, backend: SiLU(),
    "Sigmoid": lambda case, backend: Sigmoid(),
    "Tanh": lambda case, backend: Tanh(),
    "Softmax": lambda case, backend: Softmax(),
    "Dropout": dropout,
    "Flatten": lambda case, backend: Flatten(),
    "Identity": lambda case, backend: Identity(),
}


def run(layer: Layer, case: Case) -> np.ndarray:
    """The layer's output for the case's input, both in onnx's layout."""
    x = case.inputs[0]
    if case.operation in IMAGE_OPERATIONS:
        return to_nchw(layer(to_nhwc(x), training=bool(case.attributes.get("training_mode", 0))))
    if case.operation == "Softmax":
        axis = case.attributes.get("axis", -1)
        return np.moveaxis(layer(np.moveaxis(x, axis, -1)), -1, axis)
    if case.operation == "Gemm" and case.attributes.get("transA"):
        x = np.ascontiguousarray(x.T)
    training = case.operation == "Dropout" and len(case.inputs) > 2 and bool(case.inputs[2])
    return layer(x, training=training)


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        (name, backend)
        for operation, names in CASES.items()
        for name in names
        for backend in (BACKENDS if operation in SEVERAL_BACKENDS else BACKENDS[-1:])
    ],
)
def test_the_layers_output_is_the_one_that_onnx_expects(cases, name, backend):
    case = cases[name]
    layer = BUILDERS[case.operation](case, backend)
    np.testing.assert_allclose(run(layer, case), case.outputs[0], rtol=1e-4, atol=1e-5)
    if case.attributes.get("training_mode"):
        np.testing.assert_allclose(layer.running_mean, case.outputs[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.running_var, case.outputs[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("operation", CASES)
def test_every_case_that_the_layers_can_express_is_listed(cases, operation):
    expressible = {
        name
        for name, case in cases.items()
        if case.operation == operation and not any(word in name for word in BEYOND.get(operation, ()))
    }
    assert expressible == set(CASES[operation])
