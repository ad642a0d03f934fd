"""Layers that only change the shape, or not even that."""

from __future__ import annotations

import math

import numpy as np

from minicnn.layer import Layer
from minicnn.shapes import check_array


class Identity(Layer):
    """``y = x``. The untouched branch of a residual block or of a squeeze-and-excitation gate."""

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        self.remember(x.shape, when=training if record is None else record)
        return x

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (shape,) = self.recall()
        check_array("Identity.backward", dy, shape)
        return dy

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape


class Flatten(Layer):
    """All of a sample's numbers in one row.

    Shapes: x (N, ...), y (N, D) with D the product of the other sizes, in row-major order (h, then w, then c).

    Backward: dx = dy in the shape of x.
    """

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        if x.ndim < 2:
            raise ValueError(f"Flatten: expected a batch of 2 or more dimensions, got shape {x.shape}")
        self.remember(x.shape, when=training if record is None else record)
        return x.reshape(len(x), -1)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (shape,) = self.recall()
        check_array("Flatten.backward", dy, (shape[0], math.prod(shape[1:])))
        return dy.reshape(shape)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape[0], math.prod(input_shape[1:])
