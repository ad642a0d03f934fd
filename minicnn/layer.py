"""What every layer has in common: parameters, state, and one forward and one backward method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np


class Parameter:
    """An array that training changes, with the gradient of the loss beside it.

    ``data``       the values; optimisers update them in place.
    ``grad``       dL/d(data): same shape and dtype, summed over every ``backward`` since ``zero_grad``.
    ``trainable``  False freezes the parameter: no gradient is added and optimisers leave it as it is.
    ``decay``      whether weight decay is meant for it (True for weights, False for biases and norms).
    """

    def __init__(self, data: np.ndarray, *, decay: bool = True) -> None:
        self.data = data
        self.grad = np.zeros(data.shape, data.dtype)
        self.trainable = True
        self.decay = decay

    def accumulate(self, gradient: np.ndarray) -> None:
        """Add a gradient of exactly this parameter's shape; broadcasting would hide a mistake."""
        if gradient.shape != self.data.shape:
            raise ValueError(f"the gradient has shape {gradient.shape}, its parameter {self.data.shape}")
        if self.trainable:
            self.grad += gradient

    def zero_grad(self) -> None:
        """Set the gradient to 0."""
        self.grad[...] = 0

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", frozen"
        return f"Parameter(shape={self.data.shape}, dtype={self.data.dtype}{frozen})"


class LayerTree:
    """A model as a tree of layers, with their parameters and state by dotted name.

    A layer's parameters are those of its attributes that are ``Parameter`` objects; its state is the arrays
    named in ``buffers``; its children are what ``children`` returns.
    """

    buffers: ClassVar[tuple[str, ...]] = ()

    def children(self) -> dict[str, Layer]:
        """The layers directly inside this one, by name."""
        return {}

    def parameters(self) -> dict[str, Parameter]:
        """All parameters by dotted name, such as ``"0.weight"``; those of children included."""
        named = {name: value for name, value in vars(self).items() if isinstance(value, Parameter)}
        for name, child in self.children().items():
            named.update({f"{name}.{key}": value for key, value in child.parameters().items()})
        return named

    def state(self) -> dict[str, np.ndarray]:
        """Arrays that are not trained but belong to the model (running statistics), by dotted name.

        These are the live arrays, not copies.
        """
        named = {name: getattr(self, name) for name in self.buffers}
        for name, child in self.children().items():
            named.update({f"{name}.{key}": value for key, value in child.state().items()})
        return named

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to 0."""
        for parameter in self.parameters().values():
            parameter.zero_grad()

    def freeze(self) -> None:
        """Stop training every parameter of this layer and of those below it."""
        for parameter in self.parameters().values():
            parameter.trainable = False

    def unfreeze(self) -> None:
        """Train every parameter of this layer and of those below it."""
        for parameter in self.parameters().values():
            parameter.trainable = True


class Layer(LayerTree):
    """Base class of layers and containers, which define ``forward``, ``backward`` and ``output_shape``.

    ``training`` selects behaviour (batch statistics, dropout). ``record`` (default: the value of
    ``training``) stores what ``backward`` needs. A forward pass that does neither writes nothing into the
    layer, so that threads may predict together.
    """

    _recorded: tuple[Any, ...] | None = None

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        """The output y for a batch x, both NumPy arrays with the batch as their first axis.

        Raises ValueError for a shape and TypeError for a dtype that does not fit the layer.
        """
        raise TypeError(f"{type(self).__name__} does not define forward")

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """dL/dx of the recorded forward pass, from dy = dL/dy in the shape and dtype of y.

        Adds dL/dparameter to the gradient of each parameter. Raises RuntimeError where no forward pass is
        recorded: each can be used once.
        """
        raise TypeError(f"{type(self).__name__} does not define backward")

    def backward_parameters(self, dy: np.ndarray) -> None:
        """``backward`` without dL/dx, which the first layer of a network need not compute."""
        self.backward(dy)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of ``forward(x)`` for an ``x`` of ``input_shape``, both with the batch dimension.

        Raises ValueError for a shape that does not fit the layer.
        """
        raise TypeError(f"{type(self).__name__} does not define output_shape")

    def __call__(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        return self.forward(x, training=training, record=record)

    def layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """Every layer below this one that has no children of its own, by dotted name, in forward order."""
        children = self.children()
        if not children:
            yield prefix, self
        for name, child in children.items():
            yield from child.layers(f"{prefix}.{name}" if prefix else name)

    def remember(self, *values: Any, when: bool) -> None:
        """Store what ``backward`` needs, if ``when`` is true: one slot, that the last forward pass fills."""
        if when:
            self._recorded = values

    def recall(self) -> tuple[Any, ...]:
        """The values that ``remember`` stored; empties the slot. Raises RuntimeError where it is empty."""
        if self._recorded is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward needs a recorded forward pass before it: "
                "call forward(x, training=True) or forward(x, record=True), then backward once"
            )
        values, self._recorded = self._recorded, None
        return values

    def discard_recorded(self) -> None:
        """Empty the slot that ``remember`` filled, if it is filled."""
        self._recorded = None

    def describe(self) -> str:
        """The layer's settings in a few words, for ``repr`` and ``summary``."""
        return ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"


def reseed(model: Layer, seed: int, step: int) -> None:
    """Give every layer that draws random numbers a generator of its own, derived from (seed, step, position).

    The trainer calls this before each step, so that a resumed run draws what an uninterrupted one would.
    """
    for position, (_, layer) in enumerate(model.layers()):
        if hasattr(layer, "rng"):
            layer.rng = np.random.default_rng([seed, step, position])
