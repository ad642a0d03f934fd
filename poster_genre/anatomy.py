"""Where a network's last image, its embedding and its logits stand."""

from __future__ import annotations

from dataclasses import dataclass

from minicnn.containers import Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import Sigmoid
from minicnn.layers.dense import Dense
from minicnn.shapes import Pair
from poster_genre.errors import PosterGenreError


@dataclass(frozen=True)
class Anatomy:
    """A network's chain of layers in three.

    ``features``       from the input to the last layer that still puts out an image, (N, height, width, C).
    ``neck``           from there to the embedding, (N, d): pooling or flattening, and hidden layers.
    ``genres``         the last dense layer, from the embedding to the logits (N, 25). A sigmoid may follow.
    ``features_size``  (height, width) of that last image.
    """

    features: list[Layer]
    neck: list[Layer]
    genres: Dense
    features_size: Pair


def dissect(network: Sequential, input_size: Pair) -> Anatomy:
    """Take the chain apart; the layers are the network's own. PosterGenreError where it has another build."""
    layers = list(network.children().values())
    while layers and isinstance(layers[-1], Sigmoid):
        layers.pop()
    if not layers or not isinstance(layers[-1], Dense):
        raise PosterGenreError("this network does not end in a dense layer, so there is no embedding in it")
    shape: tuple[int, ...] = (1, *input_size, 3)
    cut, size = 0, input_size
    for position, layer in enumerate(layers, start=1):
        shape = layer.output_shape(shape)
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            cut, size = position, (shape[1], shape[2])
    return Anatomy(layers[:cut], layers[cut:-1], layers[-1], size)
