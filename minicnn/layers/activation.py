"""Activations: functions applied to each number on its own, and softmax over the channels.

All take arrays of any shape (N, ...) and return one of the same shape and dtype.
"""

from __future__ import annotations

import numpy as np

from minicnn.argument_checks import check_array, check_batch, real
from minicnn.kernels import dispatch
from minicnn.layer import Layer


def sigmoid(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x)) = exp(min(x, 0)) / (1 + exp(-|x|))``; the second form never overflows."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def softmax(x: np.ndarray) -> np.ndarray:
    """``exp(x_i) / sum_j exp(x_j)`` over the last axis; subtracting the maximum only prevents overflow."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class Activation(Layer):
    """What activations share: the output has the shape of the input."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def _check_upstream(self, dy: np.ndarray, like: np.ndarray, dtype: np.dtype | None = None) -> None:
        check_array(f"{type(self).__name__}.backward", dy, like.shape, dtype or like.dtype)


class ReLU(Activation):
    """``y = max(x, 0)``.

    Backward: dx = dy where y > 0, else 0. At x = 0, where there is no derivative, dx is 0.
    ``backend``: see ``minicnn.kernels.dispatch``.
    """

    def __init__(self, backend: str | None = None) -> None:
        self.backend = dispatch.check_backend(backend)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("ReLU", x)
        y = dispatch.relu_forward(x, self.backend)
        self.remember(y, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (y,) = self.recall()
        self._check_upstream(dy, y)
        return dispatch.relu_backward(dy, y, self.backend)


class LeakyReLU(Activation):
    """``y = x`` where x > 0, else ``negative_slope * x``. Maas et al. 2013.

    Backward: dx = dy where x > 0, else negative_slope * dy (at x = 0 too).
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = real("LeakyReLU", "negative_slope", negative_slope, at_least=0)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("LeakyReLU", x)
        positive = x > 0
        self.remember(positive, x.dtype, when=training if record is None else record)
        return np.where(positive, x, self.negative_slope * x)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        positive, dtype = self.recall()
        self._check_upstream(dy, positive, dtype)
        return np.where(positive, dy, self.negative_slope * dy)

    def describe(self) -> str:
        return f"negative_slope={self.negative_slope}"


class SiLU(Activation):
    """``y = x * s`` with s = sigmoid(x), also called swish. Elfwing et al. 2018.

    Backward: dy/dx = s + x * s * (1 - s) = s * (1 + x * (1 - s)), so dx = dy * s * (1 + x * (1 - s)).
    """

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("SiLU", x)
        s = sigmoid(x)
        self.remember(x, s, when=training if record is None else record)
        return x * s

    def backward(self, dy: np.ndarray) -> np.ndarray:
        x, s = self.recall()
        self._check_upstream(dy, x)
        return dy * s * (1 + x * (1 - s))


class Sigmoid(Activation):
    """``y = 1 / (1 + exp(-x))``.

    Backward: dy/dx = exp(-x) / (1 + exp(-x))**2 = y * (1 - y), so dx = dy * y * (1 - y).
    """

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("Sigmoid", x)
        y = sigmoid(x)
        self.remember(y, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (y,) = self.recall()
        self._check_upstream(dy, y)
        return dy * y * (1 - y)


class Tanh(Activation):
    """``y = tanh(x)``.

    Backward: dx = dy * (1 - y**2).
    """

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("Tanh", x)
        y = np.tanh(x)
        self.remember(y, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (y,) = self.recall()
        self._check_upstream(dy, y)
        return dy * (1 - y * y)


class Softmax(Activation):
    """``y_i = exp(x_i) / sum_j exp(x_j)`` over the last axis; x has two or more dimensions.

    Backward: dy_i/dx_j = y_i * (1[i = j] - y_j), so dx_j = y_j * (dy_j - sum_i dy_i * y_i).
    """

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("Softmax", x, minimum_rank=2)
        y = softmax(x)
        self.remember(y, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (y,) = self.recall()
        self._check_upstream(dy, y)
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(input_shape) < 2:
            raise ValueError(f"Softmax: expected a batch of 2 or more dimensions, got shape {input_shape}")
        return input_shape
