"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.argument_checks import check_array, check_dtype, check_shape, positive_int
from minicnn.init import Initializer, he_normal, initial_weights
from minicnn.kernels import dispatch
from minicnn.layer import Layer, Parameter


class Dense(Layer):
    """Fully connected layer, ``y = x @ weight + bias``.

    Shapes: x (N, in), weight (in, out), bias (out,), y (N, out).

    Backward, with dy = dL/dy of shape (N, out):
        dx      = dy @ weight.T
        dweight = x.T @ dy
        dbias   = dy summed over the batch
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        rng: np.random.Generator | int,
        init: Initializer = he_normal,
        dtype: Any = np.float32,
    ) -> None:
        shape = (
            positive_int("Dense", "in_features", in_features),
            positive_int("Dense", "out_features", out_features),
        )
        dtype = check_dtype("Dense", dtype)
        self.weight = Parameter(initial_weights("Dense", init, shape, rng, dtype))
        self.bias = Parameter(np.zeros(shape[1], dtype), decay=False) if bias else None

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("Dense", x, ("N", self.weight.data.shape[0]), self.weight.data.dtype)
        self.remember(x, when=training if record is None else record)
        return dispatch.dense_forward(x, self.weight.data, None if self.bias is None else self.bias.data)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (x,) = self.recall()
        check_array("Dense.backward", dy, (len(x), self.weight.data.shape[1]), x.dtype)
        self.weight.accumulate(x.T @ dy)
        if self.bias is not None:
            self.bias.accumulate(dy.sum(axis=0))
        return dy @ self.weight.data.T

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        check_shape("Dense", input_shape, ("N", self.weight.data.shape[0]))
        return input_shape[0], self.weight.data.shape[1]

    def describe(self) -> str:
        fan_in, fan_out = self.weight.data.shape
        return f"{fan_in}, {fan_out}" + ("" if self.bias is not None else ", bias=False")
