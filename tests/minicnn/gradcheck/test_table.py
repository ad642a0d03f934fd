"""The gradient checker's table: every layer and loss, every algorithm, to the digits promised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.gradcheck.catalogue import cases
from minicnn.gradcheck.float32 import float32_cases
from minicnn.kernels.compiled import activation, normalization, patches, pooling
from minicnn.kernels.fused import batchnorm_relu_pool
from minicnn.kernels.fused.records import Gradients
from minicnn.kernels.simd import implicit_gemm
from minicnn.kernels.winograd import forward as winograd_forward
from minicnn.kernels.winograd import weight_gradient as winograd_weight_gradient
from minicnn.layer import Layer


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.subject}: {case.setting}")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_gradient_of_the_table_is_right_to_eight_digits(case: Any, backend: str) -> None:
    results = case.run(backend)
    assert {result.tensor for result in results} == set(case.tensors())
    assert max(result.error for result in results) <= 1e-8


@pytest.mark.parametrize("case", float32_cases(), ids=lambda case: f"{case.subject}: {case.setting}")
def test_every_float32_gradient_of_the_table_is_right_to_five_digits(case: Any) -> None:
    results = case.run("numba")
    assert {result.tensor for result in results} == {"y", *case.tensors()}
    assert max(result.error for result in results) <= 1e-5


def test_the_float32_rows_reach_every_algorithm_forward_and_backward() -> None:
    for tensor in ("y", "x", "weight"):
        reached = {case.algorithm("numba", tensor) for case in float32_cases()}
        assert {"winograd", "implicit", "patches", "depthwise", "fused"} <= reached


def halved(kernel: Any) -> Any:
    def wrong(*arguments: Any, **named: Any) -> Any:
        out = kernel(*arguments, **named)
        if isinstance(out, Gradients):
            return out._replace(dz=out.dz * np.float32(0.5))
        return out * np.float32(0.5)

    return wrong


@pytest.mark.parametrize(
    ("module", "kernel", "wrong"),
    [
        (winograd_forward, "forward", "y"),
        (winograd_forward, "backward_input", "x"),
        (winograd_weight_gradient, "backward_weight", "weight"),
        (implicit_gemm, "forward", "y"),
        (implicit_gemm, "backward_input", "x"),
        (implicit_gemm, "backward_weight", "weight"),
        (patches, "conv2d_backward_input", "x"),
        (patches, "conv2d_backward_weight", "weight"),
        (pooling, "maxpool2d_backward", "x"),
        (pooling, "averagepool2d_backward", "x"),
        (activation, "relu_backward", "x"),
        (normalization, "batchnorm_input_gradient", "x"),
        (batchnorm_relu_pool, "backward", "0.weight"),
    ],
)
def test_half_a_gradient_in_any_kernel_that_trains_fails_in_float32(
    monkeypatch: pytest.MonkeyPatch, module: Any, kernel: str, wrong: str
) -> None:
    monkeypatch.setattr(module, kernel, halved(getattr(module, kernel)))
    failed = {r.tensor for case in float32_cases() for r in case.run("numba") if not r.passed}
    assert wrong in failed


def test_the_table_covers_every_layer_and_loss_of_the_library() -> None:
    import minicnn.containers
    import minicnn.fusion.sequential
    import minicnn.layers.activation
    import minicnn.layers.conv
    import minicnn.layers.dense
    import minicnn.layers.dropout
    import minicnn.layers.normalization
    import minicnn.layers.pooling
    import minicnn.layers.reshape
    import minicnn.losses

    layers = minicnn.layers
    modules = [layers.activation, layers.conv, layers.dense, layers.dropout, layers.normalization]
    modules += [layers.pooling, layers.reshape, minicnn.containers, minicnn.losses]
    modules += [minicnn.fusion.sequential]
    bases = {"Activation", "Container", "BinaryLoss", "Block"}
    public = {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, (Layer, minicnn.losses.Loss))
        and value.__module__ == module.__name__
        and not name.startswith("_")
        and value is not minicnn.losses.Loss
    }
    assert public - bases == {case.subject for case in [*cases(), *float32_cases()]}
