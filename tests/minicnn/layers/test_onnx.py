"""onnx's own node tests: the inputs and expected outputs that every onnx runtime must reproduce."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from minicnn.layer import Layer
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.shapes import Pair, resolve_padding
from tests.minicnn.geometry import BACKENDS
from tests.minicnn.oracles import to_hwio, to_nchw, to_nhwc

CASES = (
    "test_basic_conv_with_padding",
    "test_basic_conv_without_padding",
    "test_conv_with_autopad_same",
    "test_conv_with_strides_and_asymmetric_padding",
    "test_conv_with_strides_no_padding",
    "test_conv_with_strides_padding",
    "test_maxpool_2d_default",
    "test_maxpool_2d_pads",
    "test_maxpool_2d_precomputed_pads",
    "test_maxpool_2d_precomputed_same_upper",
    "test_maxpool_2d_precomputed_strides",
    "test_maxpool_2d_same_lower",
    "test_maxpool_2d_same_upper",
    "test_maxpool_2d_strides",
    "test_averagepool_2d_default",
    "test_averagepool_2d_pads",
    "test_averagepool_2d_precomputed_pads",
    "test_averagepool_2d_precomputed_same_upper",
    "test_averagepool_2d_precomputed_strides",
    "test_averagepool_2d_same_lower",
    "test_averagepool_2d_same_upper",
    "test_averagepool_2d_strides",
    "test_globalaveragepool",
    "test_globalaveragepool_precomputed",
    "test_globalmaxpool",
    "test_globalmaxpool_precomputed",
    "test_batchnorm_example",
    "test_batchnorm_epsilon",
    "test_batchnorm_example_training_mode",
    "test_batchnorm_epsilon_training_mode",
)

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def node_cases() -> dict[str, Any]:
    pytest.importorskip("onnx")
    from onnx.backend.test.loader import load_model_tests

    # onnx computes its cases while loading them, those of overflowing casts too.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for case in load_model_tests(kind="node")}


def read(case: Any) -> tuple[Any, dict[str, Any], list[np.ndarray], list[np.ndarray]]:
    """A case's node, its attributes, inputs and expected outputs."""
    from onnx import helper

    (node,) = case.model.graph.node
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    inputs, outputs = case.data_sets[0]
    return node, attributes, list(inputs), list(outputs)


def padding(attributes: dict[str, Any], x: np.ndarray, kernel: Pair, stride: Pair) -> Any:
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto == "SAME_UPPER":
        return "same"
    if auto == "SAME_LOWER":
        # The odd pixel at the top and left: no name for it here, but numbers.
        upper = resolve_padding("same", (x.shape[2], x.shape[3]), kernel, stride)
        return tuple((before, after) for after, before in upper)
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return (top, bottom), (left, right)


def built(op: str, attributes: dict[str, Any], inputs: list[np.ndarray], backend: str) -> Layer:
    """This library's layer for an onnx node."""
    x, stride = inputs[0], tuple(attributes.get("strides", (1, 1)))
    if op == "Conv":
        w = to_hwio(inputs[1])
        layer = Conv2D(
            x.shape[1],
            w.shape[3],
            w.shape[:2],
            stride=stride,
            padding=padding(attributes, x, w.shape[:2], stride),
            dilation=tuple(attributes.get("dilations", (1, 1))),
            groups=attributes.get("group", 1),
            bias=False,
            rng=0,
            backend=backend,
        )
        layer.weight.data[...] = w
        return layer
    if op == "BatchNormalization":
        norm = BatchNorm(
            x.shape[1],
            momentum=1 - attributes.get("momentum", 0.9),
            eps=attributes.get("epsilon", 1e-5),
            unbiased_running_variance=False,
            backend=backend,
        )
        _, norm.weight.data[...], norm.bias.data[...], norm.running_mean[...], norm.running_var[...] = inputs
        return norm
    if op.startswith("Global"):
        return (GlobalMaxPool2D if "Max" in op else GlobalAveragePool2D)(keepdims=True)
    kind = MaxPool2D if op == "MaxPool" else AveragePool2D
    size = tuple(attributes["kernel_shape"])
    return kind(size, stride=stride, padding=padding(attributes, x, size, stride), backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_the_layer_puts_out_what_onnx_expects(node_cases, name, backend):
    node, attributes, inputs, outputs = read(node_cases[name])
    layer = built(node.op_type, attributes, inputs, backend)
    x = to_nhwc(inputs[0])
    training = bool(attributes.get("training_mode", 0))
    y = layer(x, training=training)
    if training:
        np.testing.assert_allclose(layer.running_mean, outputs[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.running_var, outputs[2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(to_nchw(y), outputs[0], rtol=1e-4, atol=1e-5)


def test_every_two_dimensional_case_that_the_layers_can_express_is_listed(node_cases):
    operations = {
        "Conv",
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "BatchNormalization",
    }
    # Not in these layers: 1-D and 3-D, rounding the output up, counting the padding, dilated pools, integers,
    # and the index as a second output.
    beyond = ("_1d_", "_3d_", "ceil", "count_include_pad", "dilations", "uint8", "argmax")
    found = {
        name
        for name, case in node_cases.items()
        if len(case.model.graph.node) == 1
        and case.model.graph.node[0].op_type in operations
        and not any(word in name for word in beyond)
    }
    assert found == set(CASES)
