"""Layers whose gradients are wrong, each in its own way, for the checker to find."""

from __future__ import annotations

import numpy as np

from minicnn.layer import Layer
from minicnn.layers.activation import Tanh
from minicnn.layers.dense import Dense


class WrongTanh(Tanh):
    """Forgets the square."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (y,) = self.recall()
        return dy * (1 - y)


class UncentredBatchNorm(Layer):
    """A batch norm whose backward forgets that mean and variance depend on x."""

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        inv_std = 1 / np.sqrt(x.var(axis=0) + 1e-5)
        self.remember(inv_std, when=training if record is None else record)
        return (x - x.mean(axis=0)) * inv_std

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (inv_std,) = self.recall()
        return dy * inv_std


class OverwritingDense(Dense):
    """Gives a bias gradient averaged over the batch where it should be summed."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        dx = super().backward(dy)
        self.bias.grad[...] = dy.mean(axis=0)
        return dx


class ForgetfulDense(Dense):
    """Right the first time, but puts the gradient in place of what was there instead of adding it."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.bias.grad[...] = 0
        return super().backward(dy)


class Grudging(Dense):
    """Its input gradient grows with every backward."""

    past: float | np.ndarray = 0.0

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.past = self.past + super().backward(dy)
        return self.past
