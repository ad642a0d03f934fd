"""Where a network's last images, its embedding and its logits stand.

A chain has one last image. A network of several trunks side by side, an ensemble, has one for each trunk:
every trunk looks at the poster for itself and sums it up in a row of features, and a dense layer reads all
rows together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minicnn.containers import Parallel, Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import Sigmoid
from minicnn.layers.dense import Dense
from minicnn.shapes import Pair
from poster_genre.errors import PosterGenreError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Trunk:
    """The layers from the input to a last image, and that image's shape (height, width, channels)."""

    layers: list[Layer]
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Anatomy:
    """A network's chain of layers in three, and the way from its last images up.

    ``features``  from the input to the last layer of the chain that still puts out an image (N, h, w, C).
    ``neck``      from there to the embedding, (N, d): pooling or flattening, and hidden layers; or trunks
                  side by side, which have their images inside.
    ``genres``    the last dense layer, from the embedding to the logits (N, 25). A sigmoid may follow.
    ``trunks``    every way from the input to a last image: one, or as many as there are trunks.
    ``above``     from the last images of all trunks to the embedding: reads them laid out in one row, (N, sum
                  of h * w * C), in the order of ``trunks``.
    """

    features: list[Layer]
    neck: list[Layer]
    genres: Dense
    trunks: list[Trunk]
    above: list[Layer]


class Portion(Layer):
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


def dissect(network: Sequential, input_size: Pair) -> Anatomy:
    """Take the chain apart; the layers are the network's own. PosterGenreError where it has another build."""
    layers = chain_of(network)
    while layers and isinstance(layers[-1], Sigmoid):
        layers.pop()
    if not layers or not isinstance(layers[-1], Dense):
        raise PosterGenreError("this network does not end in a dense layer, so there is no embedding in it")
    shape = (1, *input_size, 3)
    cut, _ = _last_image(layers[:-1], shape)
    trunks, above = _grown(layers[:-1], shape, 0)
    return Anatomy(layers[:cut], layers[cut:-1], layers[-1], trunks, above)


def chain_of(layer: Layer) -> list[Layer]:
    """The layers of a chain, those of chains within it in their place."""
    if not isinstance(layer, Sequential):
        return [layer]
    return [inner for child in layer.children().values() for inner in chain_of(child)]


def is_image(shape: Shape) -> bool:
    """Whether (N, ...) is an image that has an extent."""
    return len(shape) == 4 and shape[1] * shape[2] > 1


def trunks_of(layer: Layer, shape: Shape) -> Mapping[str, Layer]:
    """The branches of a layer that reads an image of ``shape``, if they are trunks; empty if they are not.

    Trunks make rows of features of an image, and have weights. (A head that pools one image in two ways has
    branches too, but nothing in them to look at.)
    """
    if not isinstance(layer, Parallel) or not is_image(shape) or is_image(layer.output_shape(shape)):
        return {}
    branches = layer.children()
    return branches if all(branch.parameters() for branch in branches.values()) else {}


def _last_image(layers: list[Layer], shape: Shape) -> tuple[int, Shape]:
    """How many layers it takes from an input of ``shape`` to the last image, and that image's shape."""
    cut, found = 0, shape
    for position, layer in enumerate(layers, start=1):
        shape = layer.output_shape(shape)
        if is_image(shape):
            cut, found = position, shape
    return cut, found


def _grown(layers: list[Layer], shape: Shape, start: int) -> tuple[list[Trunk], list[Layer]]:
    """The trunks of a chain, and what it makes of their images, which stand in a row from ``start`` on."""
    cut, image = _last_image(layers, shape)
    below, rest = layers[:cut], layers[cut:]
    branches = trunks_of(rest[0], image) if rest else {}
    if not branches:
        own = (image[1], image[2], image[3])
        return [Trunk(below, own)], [Portion(start, own), *rest]
    trunks: list[Trunk] = []
    above: dict[str, Layer] = {}
    for name, branch in branches.items():
        inner, upper = _grown(chain_of(branch), image, start)
        trunks += [Trunk([*below, *trunk.layers], trunk.shape) for trunk in inner]
        above[name] = Sequential(upper)
        start += sum(math.prod(trunk.shape) for trunk in inner)
    merge = rest[0].merge if isinstance(rest[0], Parallel) else "concat"
    return trunks, [Parallel(above, merge=merge), *rest[1:]]
