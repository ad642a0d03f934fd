"""Checks of chapter 13: Grad-CAM, occlusion and neighbours by embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.containers import Parallel, Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import Sigmoid, sigmoid
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D
from minicnn.saliency import input_gradient
from poster_genre.model.calibration import log_odds

Array = np.ndarray
Probability = Callable[[Array], float]


def _heads() -> list[tuple[Any, ...]]:
    rng, cases = np.random.default_rng(130), []
    for (height, width, channels), genres, genre in (((3, 4, 5), 3, 2), ((4, 2, 6), 4, 0)):
        pools = Parallel({"average": GlobalAveragePool2D(), "maximum": GlobalMaxPool2D()}, merge="concat")
        dense = Dense(2 * channels, genres, rng=rng, dtype=np.float64)
        image = np.maximum(rng.standard_normal((height, width, channels)), 0)
        cases.append(([pools, dense, Sigmoid()], image, genre))
    return cases


def _gradient(layers: Sequence[Layer], image: Array, genre: int) -> Array:
    """The gradient (h, w, C) of output ``genre`` of the layers."""
    y = Sequential(layers).forward(image[None])
    one_hot = np.zeros_like(y)
    one_hot[0, genre] = 1
    return input_gradient(layers, image[None], one_hot)[1][0]


def _all_genres(layers: Sequence[Layer], image: Array) -> Array:
    """The gradient (h, w, C) of the sum of all logits."""
    y = Sequential(layers[:-1]).forward(image[None])
    return input_gradient(layers[:-1], image[None], np.ones_like(y))[1][0]


def _alpha(gradient: Array) -> Array:
    return gradient.mean(axis=(0, 1))


def _heat(alpha: Array, image: Array) -> Array:
    return np.maximum((image * alpha).sum(axis=2), 0)


PROBABILITY = (
    "This is the gradient of the probability, which has the factor p (1 - p). Leave out the Sigmoid: the "
    "layers without the last one put out the logits."
)
ALL = "This is the gradient of all logits together. dy must be 1 for the genre and 0 for all others."
SUM = "The gradient is summed over the cells. The weight of a channel is its mean."


def _right_alpha(layers: Sequence[Layer], image: Array, genre: int) -> Array:
    return _alpha(_gradient(layers[:-1], image, genre))


def _of_logits(layers: Sequence[Layer], image: Array) -> Array:
    """The gradient (h, w, C) where the logits themselves were given as dy."""
    y = Sequential(layers[:-1]).forward(image[None])
    return input_gradient(layers[:-1], image[None], y)[1][0]


LOGITS = (
    "dy holds the logits, so that every genre counts by its logit. dy must be 1 for the genre, 0 for others."
)
POSITIVE = "Negative gradients were left out. A channel whose growth lowers the logit has a weight below 0."
SIZE = "The sizes of the gradient were taken. Keep its sign: a channel can be evidence against the genre."


grad_cam = Exercise(
    "grad_cam",
    cases=_heads,
    answer=lambda layers, image, genre: (
        _alpha(_gradient(layers[:-1], image, genre)),
        _heat(_alpha(_gradient(layers[:-1], image, genre)), image),
    ),
    outputs=("alpha", "heat"),
    mistakes=(
        Mistake(
            "probability",
            "alpha",
            PROBABILITY,
            lambda layers, image, genre: _alpha(_gradient(layers, image, genre)),
        ),
        Mistake("all genres", "alpha", ALL, lambda layers, image, genre: _alpha(_all_genres(layers, image))),
        Mistake(
            "sum",
            "alpha",
            SUM,
            lambda layers, image, genre: _gradient(layers[:-1], image, genre).sum(axis=(0, 1)),
        ),
        Mistake(
            "activations",
            "alpha",
            "This is the mean of the image itself. The weights are the mean of the gradient.",
            lambda layers, image, genre: _alpha(image),
        ),
        Mistake("logits", "alpha", LOGITS, lambda layers, image, genre: _alpha(_of_logits(layers, image))),
        Mistake("positive alone", "alpha", POSITIVE, lambda *case: np.maximum(_right_alpha(*case), 0)),
        Mistake(
            "positive alone",
            "alpha",
            POSITIVE,
            lambda layers, image, genre: _alpha(np.maximum(_gradient(layers[:-1], image, genre), 0)),
        ),
        Mistake("size", "alpha", SIZE, lambda *case: np.abs(_right_alpha(*case))),
        Mistake(
            "size",
            "alpha",
            SIZE,
            lambda layers, image, genre: _alpha(np.abs(_gradient(layers[:-1], image, genre))),
        ),
        Mistake(
            "largest",
            "alpha",
            "This is the largest gradient of the cells. The weight of a channel is the mean.",
            lambda layers, image, genre: _gradient(layers[:-1], image, genre).max(axis=(0, 1)),
        ),
        Mistake(
            "probability",
            "heat",
            PROBABILITY,
            lambda layers, image, genre: _heat(_alpha(_gradient(layers, image, genre)), image),
        ),
        Mistake(
            "all genres",
            "heat",
            ALL,
            lambda layers, image, genre: _heat(_alpha(_all_genres(layers, image)), image),
        ),
        Mistake(
            "sum",
            "heat",
            SUM,
            lambda layers, image, genre: _heat(_gradient(layers[:-1], image, genre).sum(axis=(0, 1)), image),
        ),
        Mistake(
            "logits",
            "heat",
            LOGITS,
            lambda layers, image, genre: _heat(_alpha(_of_logits(layers, image)), image),
        ),
        Mistake(
            "mean of the channels",
            "heat",
            "The channels were averaged. Add them: the map is a sum over the channels.",
            lambda layers, image, genre: _heat(_right_alpha(layers, image, genre), image) / image.shape[2],
        ),
        Mistake(
            "normalised",
            "heat",
            "The map was divided by its maximum. Leave it in logits, so that maps can be compared.",
            lambda layers, image, genre: (lambda heat: heat / heat.max())(
                _heat(_right_alpha(layers, image, genre), image)
            ),
        ),
        Mistake(
            "minimum",
            "heat",
            "Evidence against the genre was kept. Take the maximum with 0, not the minimum.",
            lambda layers, image, genre: np.minimum(
                (image * _right_alpha(layers, image, genre)).sum(axis=2), 0
            ),
        ),
        Mistake(
            "no ReLU",
            "heat",
            "It is that of the probability, and negative numbers are still there. Leave out the Sigmoid, and "
            "take max(0, ...).",
            lambda layers, image, genre: (image * _alpha(_gradient(layers, image, genre))).sum(axis=2),
        ),
        Mistake(
            "no ReLU",
            "heat",
            "Negative numbers, the evidence against the genre, are still there. The map is max(0, ...).",
            lambda layers, image, genre: (image * _alpha(_gradient(layers[:-1], image, genre))).sum(axis=2),
        ),
        Mistake(
            "ReLU before the sum",
            "heat",
            "Each channel's negative numbers (or weights) are set to 0 before the channels are added. First "
            "add, then take the maximum with 0.",
            lambda layers, image, genre: np.maximum(
                image * _alpha(_gradient(layers[:-1], image, genre)), 0
            ).sum(axis=2),
        ),
        Mistake(
            "absolute value",
            "heat",
            "Evidence against the genre counts as if it were for it. Use the maximum with 0, not the size.",
            lambda layers, image, genre: np.abs(
                (image * _alpha(_gradient(layers[:-1], image, genre))).sum(axis=2)
            ),
        ),
        Mistake(
            "cell by cell",
            "heat",
            "Each number is multiplied by its own gradient. Grad-CAM multiplies by alpha, the gradient's "
            "mean over the cells.",
            lambda layers, image, genre: np.maximum(
                (image * _gradient(layers[:-1], image, genre)).sum(axis=2), 0
            ),
        ),
        Mistake(
            "gradient alone",
            "heat",
            "The image is missing: this is the sum of the weights. Each cell is its numbers times alpha.",
            lambda layers, image, genre: np.full(
                image.shape[:2], max(0.0, _alpha(_gradient(layers[:-1], image, genre)).sum())
            ),
        ),
    ),
)


def _pictures() -> list[tuple[Any, ...]]:
    rng, cases = np.random.default_rng(131), []
    for (height, width), size in (((6, 4), 2), ((7, 10), 3)):
        image = rng.uniform(0.5, 1.0, (height, width, 3))
        cases.append((_linear(rng.standard_normal(image.shape)), image, size, rng.uniform(0.2, 0.8, 3)))
    return cases


def _linear(weights: Array) -> Probability:
    """A network of one neuron."""
    return lambda image: float(sigmoid(np.array((weights * image).sum() / 3 + 1.0)))


def _lost(
    probability: Probability,
    image: Array,
    size: int,
    fill: Array,
    *,
    step: int | None = None,
    keep: bool = False,
    inside: bool = True,
    scale: Callable[[Array], Array] = log_odds,
    short: int = 0,
    across: bool = False,
) -> Array:
    """The right map, or that of one mistake: other squares, squares that stay, all but the square covered."""
    step = size if step is None else step
    lost = np.zeros((image.shape[0] // size, image.shape[1] // size))
    before, canvas = scale(np.array(probability(image))), image.copy()
    for i, j in np.ndindex(lost.shape):
        covered = canvas if keep else image.copy()
        row, column = (j, i) if across else (i, j)
        reach = size - short
        window = slice(step * row, step * row + reach), slice(step * column, step * column + reach)
        square = np.zeros(image.shape[:2], bool)
        square[window] = True
        covered[square if inside else ~square] = fill
        lost[i, j] = before - scale(np.array(probability(covered)))
    return lost


occlusion = Exercise(
    "occlusion",
    cases=_pictures,
    answer=_lost,
    outputs=("lost",),
    mistakes=(
        Mistake(
            "sign",
            "lost",
            "It is after minus before. What is lost is before minus after, above 0 where the square was "
            "evidence.",
            lambda *case: -_lost(*case),
        ),
        Mistake(
            "probability",
            "lost",
            "This is the loss in probability. Convert both probabilities to log-odds, log(p / (1 - p)).",
            lambda *case: _lost(*case, scale=lambda p: p),
        ),
        Mistake(
            "log of p",
            "lost",
            "This is the loss in log p. Log-odds are log(p / (1 - p)).",
            lambda *case: _lost(*case, scale=np.log),
        ),
        Mistake(
            "black",
            "lost",
            "The squares are black (0), not of the colour fill.",
            lambda probability, image, size, fill: _lost(probability, image, size, np.zeros(3)),
        ),
        Mistake(
            "squares stay",
            "lost",
            "Earlier squares are still covered when the next one is. Copy the image for every square.",
            lambda *case: _lost(*case, keep=True),
        ),
        Mistake(
            "overlap",
            "lost",
            "Square (i, j) begins at (i, j). It must begin at (size * i, size * j).",
            lambda *case: _lost(*case, step=1),
        ),
        Mistake(
            "too small",
            "lost",
            "The squares are one row and one column too small. The end of a slice is not part of it: "
            "[size * i : size * (i + 1)].",
            lambda *case: _lost(*case, short=1),
        ),
        Mistake(
            "rows and columns",
            "lost",
            "Rows and columns are exchanged in the slices: i counts the rows, the first axis.",
            lambda *case: _lost(*case, across=True),
        ),
        Mistake(
            "odds",
            "lost",
            "This is the loss in odds, p / (1 - p). Take their logarithm.",
            lambda *case: _lost(*case, scale=lambda p: p / (1 - p)),
        ),
        Mistake(
            "size of the loss",
            "lost",
            "The sign is lost. Where the square was evidence against, the loss is below 0.",
            lambda *case: np.abs(_lost(*case)),
        ),
        Mistake(
            "after alone",
            "lost",
            "These are the log-odds with the square covered. What is lost is before minus after.",
            lambda probability, image, size, fill: (
                log_odds(np.array(probability(image))) - _lost(probability, image, size, fill)
            ),
        ),
        Mistake(
            "mean colour",
            "lost",
            "The squares have the mean colour of the image, not the colour fill.",
            lambda probability, image, size, fill: _lost(probability, image, size, image.mean(axis=(0, 1))),
        ),
        Mistake(
            "outside",
            "lost",
            "All but the square is covered. Cover the square itself.",
            lambda *case: _lost(*case, inside=False),
        ),
    ),
)


def _rows() -> list[tuple[Any, ...]]:
    rng, cases = np.random.default_rng(132), []
    for count, size, query, k in ((9, 4, 3, 5), (12, 3, 0, 4)):
        rows = rng.standard_normal((count, size)) * rng.uniform(0.5, 3.0, (count, 1))
        cases.append((rows, query, k))
    return cases


def _cosines(rows: Array, query: int) -> Array:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit[query]


def _best(likeness: Array, query: int, k: int) -> Array:
    """The k largest but the query."""
    return np.array([n for n in np.argsort(-likeness) if n != query][:k])


nearest = Exercise(
    "nearest",
    cases=_rows,
    answer=lambda rows, query, k: _best(_cosines(rows, query), query, k),
    outputs=("indices",),
    mistakes=(
        Mistake(
            "itself",
            "indices",
            "The first neighbour is the poster itself, whose cosine is 1. Leave it out.",
            lambda rows, query, k: np.argsort(-_cosines(rows, query))[:k],
        ),
        Mistake(
            "farthest",
            "indices",
            "These are the least alike: np.argsort puts the smallest first. Sort by minus the cosine.",
            lambda rows, query, k: np.argsort(_cosines(rows, query))[:k],
        ),
        Mistake(
            "itself",
            "indices",
            "The poster itself is among them. Leave it out, and return k others.",
            lambda rows, query, k: np.argsort(-_cosines(rows, query))[: k + 1],
        ),
        Mistake(
            "one too many",
            "indices",
            "There is one more than k.",
            lambda rows, query, k: _best(_cosines(rows, query), query, k + 1),
        ),
        Mistake(
            "shifted",
            "indices",
            "The query was deleted before sorting, so that the rows behind it have moved up by one. Give it "
            "a cosine of -inf instead.",
            lambda rows, query, k: np.argsort(-np.delete(_cosines(rows, query), query))[:k],
        ),
        Mistake(
            "cosines",
            "indices",
            "These are the cosines. Return the indices of the rows.",
            lambda rows, query, k: _cosines(rows, query)[_best(_cosines(rows, query), query, k)],
        ),
        Mistake(
            "nearest last",
            "indices",
            "These are the right rows with the nearest last. Reverse them.",
            lambda rows, query, k: _best(_cosines(rows, query), query, k)[::-1],
        ),
        Mistake(
            "not in order",
            "indices",
            "These are the right rows, sorted by their index. Sort them by falling cosine.",
            lambda rows, query, k: np.sort(_best(_cosines(rows, query), query, k)),
        ),
        Mistake(
            "columns normalised",
            "indices",
            "Each column was divided by its length. Divide each row: axis=1.",
            lambda rows, query, k: (lambda unit: _best(unit @ unit[query], query, k))(
                rows / np.linalg.norm(rows, axis=0)
            ),
        ),
        Mistake(
            "not normalised",
            "indices",
            "These have the largest product, the poster itself among them. Divide each row by its length, "
            "and leave the poster out.",
            lambda rows, query, k: np.argsort(-(rows @ rows[query]))[:k],
        ),
        Mistake(
            "distance",
            "indices",
            "These have the smallest distance, the poster itself first. Use the cosine, which ignores the "
            "lengths, and leave the poster out.",
            lambda rows, query, k: np.argsort(np.linalg.norm(rows - rows[query], axis=1))[:k],
        ),
        Mistake(
            "not normalised",
            "indices",
            "These have the largest product, which favours long rows. Divide each row by its length.",
            lambda rows, query, k: _best(rows @ rows[query], query, k),
        ),
        Mistake(
            "distance",
            "indices",
            "These have the smallest distance between the rows. The cosine ignores their lengths.",
            lambda rows, query, k: _best(-np.linalg.norm(rows - rows[query], axis=1), query, k),
        ),
    ),
)
