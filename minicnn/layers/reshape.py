"""Layers that change the shape alone, or nothing."""

from __future__ import annotations

import math

import numpy as np

from minicnn.argument_checks import check_array, check_batch
from minicnn.layer import Layer


class Identity(Layer):
    """``y = x``: the shortcut of a residual block, or the image beside a squeeze-and-excitation gate.

    Shapes: x and y (N, ...). Backward: dx = dy.
    """

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("Identity", x)
        self.remember(x.shape, x.dtype, when=training if record is None else record)
        return x

    def backward(self, dy: np.ndarray) -> np.ndarray:
        shape, dtype = self.recall()
        check_array("Identity.backward", dy, shape, dtype)
        return dy

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape


class Flatten(Layer):
    """All of a sample's numbers in one row.

    Shapes: x (N, ...), y (N, D) with D the product of the other sizes, row by row (h, then w, then c).

    Backward: dx = dy in the shape of x.
    """

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("Flatten", x, minimum_rank=2)
        self.remember(x.shape, x.dtype, when=training if record is None else record)
        return x.reshape(len(x), -1)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        shape, dtype = self.recall()
        check_array("Flatten.backward", dy, (shape[0], math.prod(shape[1:])), dtype)
        return dy.reshape(shape)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(input_shape) < 2:
            raise ValueError(f"Flatten: expected a batch of 2 or more dimensions, got shape {input_shape}")
        return input_shape[0], math.prod(input_shape[1:])
