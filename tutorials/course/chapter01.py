"""Checks of chapter 1: from pixels to the network's input and back, and from logits to genres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from poster_genre.data.transforms import Normalisation

Array = np.ndarray
MEAN, STD = np.array([0.49, 0.44, 0.41]), np.array([0.34, 0.33, 0.30])


def _pictures() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(10)
    return [(rng.integers(0, 256, shape, dtype=np.uint8), MEAN, STD) for shape in ((5, 4, 3), (3, 7, 3))]


def _input(pixels: Array, mean: Array, std: Array) -> Array:
    return Normalisation(tuple(mean), tuple(std)).apply(pixels[None])


network_input = Exercise(
    "network_input",
    cases=_pictures,
    answer=_input,
    outputs=("x",),
    mistakes=(
        Mistake(
            "0..255",
            "x",
            "The pixels are not divided by 255: mean and std are on the scale of 0 to 1.",
            lambda pixels, mean, std: (pixels[None] - mean) / std,
        ),
        Mistake(
            "not normalised",
            "x",
            "The pixels are scaled to 0..1, and that is all. Subtract the mean, divide by the deviation.",
            lambda pixels, mean, std: pixels[None] / 255,
        ),
        Mistake(
            "BGR",
            "x",
            "The channels are in the order blue, green, red. Pillow and this library use red, green, blue.",
            lambda pixels, mean, std: (pixels[None, :, :, ::-1] / 255 - mean) / std,
        ),
        Mistake(
            "CHW",
            "x",
            "The channels come before the rows, (1, 3, H, W), as in PyTorch. This library uses NHWC.",
            lambda pixels, mean, std: _input(pixels, mean, std).transpose(0, 3, 1, 2),
        ),
        Mistake(
            "no batch",
            "x",
            "The axis of the images is missing. One picture is a batch of one: pixels[None].",
            lambda pixels, mean, std: _input(pixels, mean, std)[0],
        ),
        Mistake(
            "precedence",
            "x",
            "Only the mean is divided by the deviation. Subtract first: parentheses around the difference.",
            lambda pixels, mean, std: pixels[None] / 255 - mean / std,
        ),
        Mistake(
            "multiplied",
            "x",
            "It is multiplied by the deviation. Dividing by it brings the spread to 1.",
            lambda pixels, mean, std: (pixels[None] / 255 - mean) * std,
        ),
        Mistake(
            "whole numbers",
            "x",
            "// divides whole numbers: nearly every pixel becomes 0. Use /.",
            lambda pixels, mean, std: (pixels[None] // 255 - mean) / std,
        ),
        Mistake(
            "255 last",
            "x",
            "The division by 255 comes last. mean and std are on the scale of 0 to 1: divide first.",
            lambda pixels, mean, std: (pixels[None] - mean) / std / 255,
        ),
        Mistake(
            "0..255, no batch",
            "x",
            "The pixels are not divided by 255, and the axis of the images is missing: pixels[None].",
            lambda pixels, mean, std: (pixels - mean) / std,
        ),
        Mistake(
            "divided first",
            "x",
            "It is divided by the deviation before the mean is subtracted.",
            lambda pixels, mean, std: pixels[None] / 255 / std - mean,
        ),
        Mistake(
            "no deviation",
            "x",
            "It is not divided by the standard deviation.",
            lambda pixels, mean, std: pixels[None] / 255 - mean,
        ),
    ),
    rtol=1e-6,
)


def _inputs() -> list[tuple[Any, ...]]:
    """Inputs of pictures, changed so that some lie between two pixel values and some beyond 0 and 255."""
    rng = np.random.default_rng(11)
    noise = [rng.uniform(-0.02, 0.02, (1, *shape)) for shape in ((5, 4, 3), (3, 7, 3))]
    extreme = [np.where(rng.random(n.shape) < 0.2, rng.choice([-9, 9], n.shape), n) for n in noise]
    cases = zip(_pictures(), extreme, strict=True)
    return [((_input(*case) + change).astype(np.float32), MEAN, STD) for case, change in cases]


def _scaled(x: Array, mean: Array, std: Array) -> Array:
    return (x.astype(np.float64) * std + mean) * 255


def _pixels(values: Array) -> Array:
    """Rounded and clipped, as a picture must be."""
    return np.rint(values).clip(0, 255)


def _as_uint8(values: Array) -> Array:
    """What ``astype(np.uint8)`` makes of numbers: cut off, and modulo 256."""
    return values.astype(np.int64).astype(np.uint8)


def _mistake(key: str, says: str, wrong: Callable[[Array, Array, Array], Array]) -> Mistake:
    return Mistake(key, "pixels", says, wrong)


picture_of = Exercise(
    "picture_of",
    cases=_inputs,
    answer=lambda x, mean, std: (_pixels(_scaled(x, mean, std)), "uint8"),
    outputs=("pixels", "dtype"),
    observe=lambda pixels, x, mean, std: str(getattr(pixels, "dtype", type(pixels).__name__)),
    mistakes=(
        _mistake(
            "cut off and wrapped",
            "The numbers are neither rounded nor clipped: 199.9 became 199, and 256 became 0.",
            lambda x, mean, std: _as_uint8(_scaled(x, mean, std)),
        ),
        _mistake(
            "cut off",
            "The numbers are cut off, not rounded: 199.9 became 199. Round before you convert.",
            lambda x, mean, std: np.floor(_scaled(x, mean, std).clip(0, 255)),
        ),
        _mistake(
            "wrapped",
            "Numbers below 0 and above 255 wrap around: 256 became 0. Clip before you convert.",
            lambda x, mean, std: _as_uint8(np.rint(_scaled(x, mean, std))),
        ),
        _mistake(
            "not rounded",
            "The numbers are clipped and not rounded: a pixel is a whole number.",
            lambda x, mean, std: _scaled(x, mean, std).clip(0, 255),
        ),
        _mistake(
            "not clipped",
            "There are numbers below 0 and above 255. A pixel has none: clip.",
            lambda x, mean, std: np.rint(_scaled(x, mean, std)),
        ),
        _mistake(
            "neither rounded nor clipped",
            "The numbers are neither rounded nor clipped: a pixel is a whole number from 0 to 255.",
            _scaled,
        ),
        _mistake(
            "mean first",
            "The mean is added before the multiplication. Undo the steps in reverse order.",
            lambda x, mean, std: _pixels((x + mean) * std * 255),
        ),
        _mistake(
            "mean forgotten",
            "The mean is not added.",
            lambda x, mean, std: _pixels(x * std * 255),
        ),
        _mistake(
            "deviation forgotten",
            "It is not multiplied by the standard deviation.",
            lambda x, mean, std: _pixels((x + mean) * 255),
        ),
        _mistake(
            "divided",
            "It is divided by the deviation. The input was divided by it: multiply.",
            lambda x, mean, std: _pixels((x / std + mean) * 255),
        ),
        _mistake(
            "0..1",
            "The numbers are on the scale of 0 to 1: multiply by 255.",
            lambda x, mean, std: _pixels(_scaled(x, mean, std) / 255),
        ),
        _mistake(
            "0..1",
            "The numbers are on the scale of 0 to 1: multiply by 255.",
            lambda x, mean, std: _scaled(x, mean, std) / 255,
        ),
        _mistake(
            "forward again",
            "This normalises once more. The way back multiplies by the deviation and adds the mean.",
            lambda x, mean, std: _pixels((x - mean) / std * 255),
        ),
    ),
)


def _logits() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(12)
    return [(rng.standard_normal(25) * 3, 3), (rng.standard_normal(25) * 2, 5)]


def _first(logits: Array, k: int) -> tuple[Array, Array]:
    best = np.argsort(-logits, kind="stable")[:k]
    return best, 0.5 * (1 + np.tanh(logits[best] / 2))


def _softmax(logits: Array, k: int) -> Array:
    powers = np.exp(logits - logits.max())
    return (powers / powers.sum())[_first(logits, k)[0]]


first_genres = Exercise(
    "first_genres",
    cases=_logits,
    answer=_first,
    outputs=("best", "probabilities"),
    mistakes=(
        Mistake(
            "least first",
            "best",
            "These are the least probable genres. argsort puts the smallest first.",
            lambda logits, k: np.argsort(logits)[:k],
        ),
        Mistake(
            "sorted values",
            "best",
            "These are the logits themselves, sorted. np.argsort gives the indices.",
            lambda logits, k: np.sort(logits)[::-1][:k],
        ),
        Mistake(
            "worst of the best first",
            "best",
            "The right genres, with the best one last.",
            lambda logits, k: _first(logits, k)[0][::-1],
        ),
        Mistake(
            "logits",
            "probabilities",
            "These are the logits. The sigmoid makes probabilities of them.",
            lambda logits, k: logits[_first(logits, k)[0]],
        ),
        Mistake(
            "softmax",
            "probabilities",
            "This is the softmax, which makes the 25 sum to 1. Genres are not exclusive: use the sigmoid.",
            _softmax,
        ),
        Mistake(
            "softmax of the k",
            "probabilities",
            "This is a softmax over the k genres: they sum to 1. Genres are not exclusive: use the sigmoid.",
            lambda logits, k: (
                np.exp(logits[_first(logits, k)[0]]) / np.exp(logits[_first(logits, k)[0]]).sum()
            ),
        ),
        Mistake(
            "sign of the exponent",
            "probabilities",
            "These are the probabilities that the genre is absent. The exponent is -z.",
            lambda logits, k: 1 - _first(logits, k)[1],
        ),
    ),
)
