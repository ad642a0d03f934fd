"""Gradients that are wrong on purpose: ``minicnn.gradcheck`` must notice each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minicnn.init import check_generator
from minicnn.layer import Layer, Parameter
from minicnn.losses import Loss


class PlantedBug(Layer):
    """A layer whose backward pass is slightly wrong, to see whether a check notices.

    One element, picked at random, of the gradient of ``tensor`` ("x" or a parameter's name) is off by a
    thousandth of that gradient's largest. Everything else is the wrapped layer's.
    """

    def __init__(self, layer: Layer, tensor: str, rng: np.random.Generator | int = 0) -> None:
        known = ["x", *layer.parameters()]
        if tensor not in known:
            raise ValueError(f"PlantedBug: there is no tensor {tensor!r}, only {', '.join(known)}")
        self._layer, self._tensor = layer, tensor
        self._rng = check_generator("PlantedBug", rng)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        return self._layer.forward(x, training=training, record=record)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        dx = self._layer.backward(dy)
        if self._tensor == "x":
            return _disturbed(dx, self._rng)
        parameter = self._layer.parameters()[self._tensor]
        parameter.grad[...] = _disturbed(parameter.grad, self._rng)
        return dx

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._layer.output_shape(input_shape)

    def layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        return self._layer.layers(prefix)

    def parameters(self) -> dict[str, Parameter]:
        return self._layer.parameters()

    def state(self) -> dict[str, np.ndarray]:
        return self._layer.state()


class PlantedLossBug(Loss):
    """A loss whose gradient is wrong in one element, as ``PlantedBug`` does it to layers."""

    def __init__(self, loss: Loss, rng: np.random.Generator | int = 0) -> None:
        self._loss = loss
        self._rng = check_generator("PlantedLossBug", rng)

    def forward(
        self,
        prediction: np.ndarray,
        target: np.ndarray,
        sample_weight: np.ndarray | None = None,
        record: bool = True,
    ) -> float:
        return self._loss.forward(prediction, target, sample_weight, record)

    def backward(self) -> np.ndarray:
        return _disturbed(self._loss.backward(), self._rng)


def _disturbed(gradient: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wrong = gradient.copy()
    wrong.flat[rng.integers(wrong.size)] += 1e-3 * max(float(np.abs(gradient).max()), 1e-3)
    return wrong
