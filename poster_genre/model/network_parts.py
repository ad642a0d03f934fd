"""A network in three parts: backbone, neck and head.

    backbone   from the input to the last layer that still puts out an image (N, h, w, C)
    neck       from there to the embedding (N, d): pooling or flattening, and hidden layers
    head       the last dense layer, from the embedding to the logits; a sigmoid may follow

An ensemble has several backbones side by side, each with a last image of its own; its neck reads all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minicnn.argument_checks import Pair
from minicnn.containers import Parallel, Sequential
from minicnn.fusion import steps_of
from minicnn.layer import Layer
from minicnn.layers.activation import Sigmoid
from minicnn.layers.dense import Dense
from poster_genre.errors import PosterGenreError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Backbone:
    """The layers from the input to a last image, and that image's shape (height, width, channels)."""

    layers: list[Layer]
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class NetworkParts:
    """The parts of a network; the layers are the network's own.

    ``backbones``  one for a chain, several for an ensemble.
    ``neck``       from the last images of all backbones to the embedding (N, d). It reads the images
                   flattened and concatenated, (N, sum of h * w * C), in the order of ``backbones``.
    ``head``       the last dense layer, from the embedding to the logits (N, genres).
    """

    backbones: list[Backbone]
    neck: list[Layer]
    head: Dense


class RowToImage(Layer):
    """The numbers of a row from ``start`` on, as an image of ``shape`` (h, w, C). (N, d) -> (N, h, w, C)."""

    def __init__(self, start: int, shape: Shape) -> None:
        self.start, self.shape = start, shape

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        self.remember(x.shape, when=training if record is None else record)
        return x[:, self.start : self.start + math.prod(self.shape)].reshape(len(x), *self.shape)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (shape,) = self.recall()
        dx = np.zeros(shape, dy.dtype)
        dx[:, self.start : self.start + math.prod(self.shape)] = dy.reshape(len(dy), -1)
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.shape)


def network_parts(network: Sequential, input_size: Pair) -> NetworkParts:
    """Split a network, which is not fused, for inputs of ``input_size``.

    PosterGenreError unless it ends in a dense layer.
    """
    layers = steps_of(network)
    while layers and isinstance(layers[-1], Sigmoid):
        layers.pop()
    if not layers or not isinstance(layers[-1], Dense):
        raise PosterGenreError("this network does not end in a dense layer, so there is no embedding in it")
    head = layers[-1]
    backbones, neck = _split(layers[:-1], (1, *input_size, 3), 0)
    return NetworkParts(backbones, neck, head)


def largest_activation(layer: Layer, shape: Shape) -> int:
    """The numbers in the largest output of any layer below this one, for an input of ``shape``."""
    children = list(layer.children().values())
    sizes = [math.prod(layer.output_shape(shape))]
    for child in children:
        sizes.append(largest_activation(child, shape))
        if isinstance(layer, Sequential):
            shape = child.output_shape(shape)
    return max(sizes)


def is_image(shape: Shape) -> bool:
    """Whether an array of shape (N, ...) is an image of more than one pixel."""
    return len(shape) == 4 and shape[1] * shape[2] > 1


def backbones_of(layer: Layer, shape: Shape) -> Mapping[str, Layer]:
    """The branches of a layer that reads an image of ``shape``, where each holds a backbone; else empty.

    Such a branch turns the image into a row of features, and has weights. (A Parallel of two poolings has
    branches too, but they only summarise the image.)
    """
    if not isinstance(layer, Parallel) or not is_image(shape) or is_image(layer.output_shape(shape)):
        return {}
    branches = layer.children()
    return branches if all(branch.parameters() for branch in branches.values()) else {}


def _last_image(layers: list[Layer], shape: Shape) -> tuple[int, Shape]:
    """The number of layers from an input of ``shape`` to the last image, and that image's shape."""
    count, image = 0, shape
    for position, layer in enumerate(layers, start=1):
        shape = layer.output_shape(shape)
        if is_image(shape):
            count, image = position, shape
    return count, image


def _split(layers: list[Layer], shape: Shape, start: int) -> tuple[list[Backbone], list[Layer]]:
    """The backbones of a chain, and its neck, which reads their images in a row from ``start`` on."""
    count, image = _last_image(layers, shape)
    shared, rest = layers[:count], layers[count:]
    branches = backbones_of(rest[0], image) if rest else {}
    if not branches:
        image_shape = (image[1], image[2], image[3])
        return [Backbone(shared, image_shape)], [RowToImage(start, image_shape), *rest]
    backbones: list[Backbone] = []
    necks: dict[str, Layer] = {}
    for name, branch in branches.items():
        inner, neck = _split(steps_of(branch), image, start)
        backbones += [Backbone([*shared, *each.layers], each.shape) for each in inner]
        necks[name] = Sequential(neck)
        start += sum(math.prod(each.shape) for each in inner)
    merge = rest[0].merge if isinstance(rest[0], Parallel) else "concat"
    return backbones, [Parallel(necks, merge=merge), *rest[1:]]
