"""Gradients of a trained network's outputs by its inputs, for Grad-CAM and other saliency maps.

``backward`` writes into layers: it empties the slot that the forward pass filled, and adds to the parameters'
gradients. It runs on a copy that shares the weights, so that the model, which other threads may use, does not
change.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from minicnn.containers import Sequential
from minicnn.layer import Layer

L = TypeVar("L", bound=Layer)


def shared_copy(layer: L) -> L:
    """A copy that shares weights, gradients and running statistics, with every parameter frozen.

    The copy has recording slots of its own, and no backward pass through it changes the shared arrays. It
    costs little memory. Training the original changes the copy.
    """
    shared = [
        array for parameter in layer.parameters().values() for array in (parameter.data, parameter.grad)
    ]
    shared += layer.state().values()
    result = copy.deepcopy(layer, {id(array): array for array in shared})
    for each in _tree(result):
        each.discard_recorded()
    result.freeze()
    return result


def input_gradient(layers: Sequence[Layer], x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A chain's output ``y = f_n(... f_1(x))`` and its input gradient ``d(sum of y * dy)/dx``.

    x (N, ...) is the first layer's input and dy has the shape of y; the gradient has that of x. With dy
    one-hot it is the gradient of one output. The forward pass is one of inference: batch norm uses its
    running statistics and dropout is the identity. Nothing is written into the layers, so threads may call
    this together on one model.
    """
    chain = shared_copy(Sequential(layers))
    y = chain.forward(x, record=True)
    return y, chain.backward(dy)


def _tree(layer: Layer) -> Iterator[Layer]:
    """The layer and every layer below it."""
    yield layer
    for child in layer.children().values():
        yield from _tree(child)
