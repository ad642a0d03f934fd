"""The report's pictures, posters and the first layer's filters, as data: addresses."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minicnn.layer import Layer
from poster_genre.errors import SHOWN_CHARACTERS, printable
from poster_genre.genres import GENRES
from poster_genre.model.confidence import gain
from poster_genre.model.trained_model import top_of

GALLERY = 10


class Guess(NamedTuple):
    """A genre, its probability, and whether it is one of the poster's."""

    genre: str
    probability: float
    is_true: bool


class PosterCard(NamedTuple):
    """A poster with its three most probable genres and its true ones; ``image`` is a data: address."""

    id: str
    image: str
    guesses: list[Guess]
    genres: list[str]


def best_and_worst(
    labels: np.ndarray,
    probabilities: np.ndarray,
    priors: np.ndarray,
    posters: np.ndarray,
    ids: Sequence[str],
) -> tuple[list[PosterCard], list[PosterCard]]:
    """The posters whose predictions gain most over the genre priors, and those that gain least.

    At most ``GALLERY`` of each, and none in both. The gain (``model.confidence.gain``) is relative to the
    priors because the cross-entropy alone would only order posters by how frequent their genres are. labels
    and probabilities are (N, 25), priors (25,), posters uint8 (N, h, w, 3).
    """
    order = np.argsort(-gain(labels, probabilities, priors), kind="stable")
    best, worst = order[:GALLERY], order[::-1][: min(GALLERY, len(order) - GALLERY)]

    def card(i: int) -> PosterCard:
        true = {genre for genre, y in zip(GENRES, labels[i], strict=True) if y}
        guesses = [Guess(genre, p, genre in true) for genre, p in top_of(probabilities[i], 3)]
        name = printable(str(ids[i]), SHOWN_CHARACTERS)
        return PosterCard(name, image_data(posters[i]), guesses, sorted(true))

    return [card(i) for i in best], [card(i) for i in worst]


def filter_images(network: Layer) -> list[str]:
    """The first convolution's filters as PNGs in data: addresses, each stretched to the full colour range.

    Empty where the first convolution does not read three colours.
    """
    weights = [p.data for p in network.parameters().values() if p.data.ndim == 4]
    if not weights or weights[0].shape[2] != 3:
        return []
    kernels = np.moveaxis(weights[0], -1, 0)
    low, high = (f(kernels, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    pixels = np.round((kernels - low) / np.maximum(high - low, 1e-12) * 255).astype(np.uint8)
    return [image_data(kernel, "PNG") for kernel in pixels]


def image_data(pixels: np.ndarray, encoding: str = "JPEG") -> str:
    """uint8 pixels (h, w, 3) as a data: address; ``encoding``: "JPEG" or "PNG"."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, encoding, quality=88)
    text = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/{encoding.lower()};base64,{text}"
