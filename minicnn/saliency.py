"""Go backward through a trained network without touching it: what Grad-CAM and its kin need.

Backward writes into layers: each empties the slot that its forward pass filled and adds to its parameters'
gradients. A copy over the same weights keeps that away from the model, which other threads may be using.
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
    """The same layers over the same arrays, with recording slots of their own and every parameter frozen.

    Nothing but the weights and running statistics is shared, and no backward pass through the copy changes
    those: it costs no memory to speak of. Training the original shows in the copy.
    """
    shared = [
        array for parameter in layer.parameters().values() for array in (parameter.data, parameter.grad)
    ]
    shared += layer.state().values()
    twin = copy.deepcopy(layer, {id(array): array for array in shared})
    for each in _walk(twin):
        each._recorded = None
    twin.freeze()
    return twin


def input_gradient(layers: Sequence[Layer], x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A chain's output and its input gradient: ``y = f_n(... f_1(x))`` and ``d(sum of y * dy)/dx``.

    An inference pass, recorded: batch norm uses its running statistics and dropout is the identity. With dy
    one-hot this is the gradient of one output. The layers themselves are not written to, so threads may call
    this together on one model (as far as the backend lets them).
    """
    chain = shared_copy(Sequential(layers))
    y = chain.forward(x, record=True)
    return y, chain.backward(dy)


def _walk(layer: Layer) -> Iterator[Layer]:
    yield layer
    for child in layer.children().values():
        yield from _walk(child)
