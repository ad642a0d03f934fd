"""Checks of chapter 11: dropout, a training loop that over-fits, and data without leakage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.containers import Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.losses import BinaryCrossEntropyWithLogits

Array = np.ndarray
Build = Callable[[], Sequential]


def _masked(values: Array, mask: Array, rate: float) -> Array:
    return values * mask / (1 - rate)


def _drops() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(110)
    cases: list[tuple[Any, ...]] = []
    for rate, shape in ((0.2, (3, 5)), (0.7, (4, 6))):
        mask = (rng.random(shape) >= rate).astype(np.float64)
        mask[0, :2] = 0, 1
        cases.append((rng.standard_normal(shape), rng.standard_normal(shape), mask, rate))
    return cases


def _dropout_mistakes(output: str, index: int) -> list[Mistake]:
    """The mistakes that y (index 0, of x) and dx (index 1, of dy) share."""
    return [
        Mistake(
            "not scaled",
            output,
            "What is kept is not scaled, so the expectation is 1 - rate times the input. Divide by 1 - rate.",
            lambda *case: case[index] * case[2],
        ),
        Mistake(
            "multiplied",
            output,
            "It is multiplied by 1 - rate. That is what inference does in the form without scaling in "
            "training; here, divide by it.",
            lambda *case: case[index] * case[2] * (1 - case[3]),
        ),
        Mistake(
            "divided by rate",
            output,
            "It is divided by rate, the probability of being dropped. Divide by that of being kept.",
            lambda *case: case[index] * case[2] / case[3],
        ),
        Mistake(
            "mask inverted",
            output,
            "What should be kept is dropped, and the reverse: the mask is 1 where a number is kept.",
            lambda *case: _masked(case[index], 1 - case[2], case[3]),
        ),
        Mistake(
            "no mask",
            output,
            "Nothing is dropped. Multiply by the mask.",
            lambda *case: case[index] / (1 - case[3]),
        ),
    ]


dropout = Exercise(
    "dropout",
    cases=_drops,
    answer=lambda x, dy, mask, rate: (_masked(x, mask, rate), _masked(dy, mask, rate)),
    outputs=("y", "dx"),
    mistakes=(
        *_dropout_mistakes("y", 0),
        *_dropout_mistakes("dx", 1),
        Mistake(
            "passed on",
            "dx",
            "This is dy as it came. A number that was dropped has no influence on the loss, so its gradient "
            "is 0; one that was kept was scaled, and so is its gradient.",
            lambda x, dy, mask, rate: dy,
        ),
        Mistake(
            "times x",
            "dx",
            "There is a factor x in it. y is linear in x: the local derivative is mask / (1 - rate).",
            lambda x, dy, mask, rate: dy * _masked(x, mask, rate),
        ),
    ),
)


def _build() -> Sequential:
    """A network for posters of 18 numbers and 4 labels, in float64."""
    return Sequential(
        [Dense(18, 12, rng=111, dtype=np.float64), ReLU(), Dense(12, 4, rng=112, dtype=np.float64)]
    )


def _posters() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(113)
    x, t = rng.standard_normal((20, 18)), rng.integers(0, 2, (20, 4))
    return [(_build, x, t, 0.5, 12), (_build, x[::-1].copy(), t, 4.0, 60)]


def _descent(
    build: Build, x: Array, t: Array, rate: float, steps: int, *, clear: bool = True, mode: str = "all"
) -> Array:
    """The losses before each step; ``mode`` "all", "last" (only the last layer moves) or "weights"."""
    network, loss = build(), BinaryCrossEntropyWithLogits()
    losses = []
    for _ in range(steps):
        if clear:
            network.zero_grad()
        losses.append(loss.forward(network.forward(x, training=True), t))
        network.backward(loss.backward())
        for name, parameter in network.parameters().items():
            if mode == "all" or (mode == "last" and name.startswith("2.")) or name.endswith(mode):
                parameter.data -= rate * parameter.grad
    return np.array(losses)


def _sum(build: Build, x: Array, t: Array, rate: float, steps: int) -> Array:
    """The losses where the gradient is that of the sum, not of the mean."""
    return _descent(build, x, t, rate * t.size, steps)


overfit = Exercise(
    "overfit",
    cases=_posters,
    answer=_descent,
    outputs=("losses",),
    mistakes=(
        Mistake(
            "not cleared",
            "losses",
            "The gradients of all steps before are still in it: backward adds. Call zero_grad in each step.",
            lambda *case: _descent(*case, clear=False),
        ),
        Mistake(
            "uphill",
            "losses",
            "The loss rises from the first step on: the parameters move along the gradient, not against it.",
            lambda build, x, t, rate, steps: _descent(build, x, t, -rate, steps),
        ),
        Mistake(
            "no step",
            "losses",
            "The loss stays the same. Are the parameters changed, and in place (`-=` on parameter.data)? "
            "Are the gradients cleared before backward, and not between backward and the step?",
            lambda build, x, t, rate, steps: _descent(build, x, t, 0, steps),
        ),
        Mistake(
            "after the step",
            "losses",
            "These are the losses after each step. The first one is that of the untrained network.",
            lambda build, x, t, rate, steps: _descent(build, x, t, rate, steps + 1)[1:],
        ),
        Mistake(
            "weights only",
            "losses",
            "Only the weights move. network.parameters() has biases too.",
            lambda *case: _descent(*case, mode="weight"),
        ),
        Mistake(
            "divided twice",
            "losses",
            "The step is too small by the number of posters. The loss is a mean already.",
            lambda build, x, t, rate, steps: _descent(build, x, t, rate / len(x), steps),
        ),
        Mistake(
            "sum",
            "losses",
            "The gradient is that of a sum over all answers. The loss object gives that of the mean.",
            _sum,
        ),
    ),
    rtol=1e-6,
)


def _editions() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(114)
    cases: list[tuple[Any, ...]] = []
    for films, n_val in (([7, 2, 9, 2, 7, 4, 9], 2), ([1, 3, 1, 5, 8, 3, 8, 1], 1)):
        images = (
            rng.random((len(films), 4, 5, 3)) * np.array([1.0, 2.0, 0.5])
            + np.arange(len(films))[:, None, None, None]
        )
        flip = rng.permutation(np.arange(len(films)) % 2 == 0)
        cases.append((images, np.array(films), n_val, flip))
    return cases


def _prepared(
    images: Array,
    films: Array,
    n_val: int,
    flip: Array,
    *,
    statistics: str = "train",
    mirror: str = "train",
    split: str = "film",
    rows: bool = False,
) -> tuple[Array, Array]:
    """Train and val posters, rightly or with one thing done otherwise."""
    is_val = np.isin(films, np.unique(films)[-n_val:])
    if split == "poster":  # the last posters
        is_val = np.arange(len(films)) >= len(films) - n_val
    elif split == "first":
        is_val = np.isin(films, np.unique(films)[:n_val])
    elif split == "appearance":  # the films that come last, not those with the highest numbers
        order = list(dict.fromkeys(films.tolist()))
        is_val = np.isin(films, order[-n_val:])
    mirrored = images[:, ::-1] if rows else images[:, :, ::-1]
    changed = np.where(flip[:, None, None, None], mirrored, images)
    train = changed[~is_val] if mirror in ("train", "both") else images[~is_val]
    val = changed[is_val] if mirror in ("val", "both") else images[is_val]
    source = {"train": (train, train), "all": (images, images), "own": (train, val)}[statistics]
    mean, std = (
        [part.mean(axis=(0, 1, 2)) for part in source],
        [part.std(axis=(0, 1, 2)) for part in source],
    )
    return (train - mean[0]) / std[0], (val - mean[1]) / std[1]


_PREPARATIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "statistics of all",
        "Mean and standard deviation are those of all posters, so val has had a part in the preparation. Use "
        "those of train.",
        {"statistics": "all"},
    ),
    (
        "leak by poster",
        "The last posters are val, and other posters of the same films are in train: what is memorised is "
        "rewarded on val. Split by film.",
        {"split": "poster"},
    ),
    (
        "first films",
        "Val are the films with the lowest numbers. It is the last n_val of np.unique(films).",
        {"split": "first"},
    ),
    (
        "order of appearance",
        "Val are the films that come last in the array. It is the last n_val of np.unique(films).",
        {"split": "appearance"},
    ),
)

prepare = Exercise(
    "prepare",
    cases=_editions,
    answer=_prepared,
    outputs=("train", "val"),
    mistakes=(
        *(
            Mistake(key, output, says, lambda *case, i=i, options=options: _prepared(*case, **options)[i])
            for i, output in enumerate(("train", "val"))
            for key, says, options in _PREPARATIONS
        ),
        Mistake(
            "not augmented",
            "train",
            "No poster is mirrored. Those of train whose flip is true are.",
            lambda *case: _prepared(*case, mirror="none")[0],
        ),
        Mistake(
            "upside down",
            "train",
            "The posters are turned upside down: axis 1 is the row. Left and right is axis 2.",
            lambda *case: _prepared(*case, rows=True)[0],
        ),
        Mistake(
            "val augmented",
            "val",
            "Val posters are mirrored. Val stands for the posters that will come, and they come as they are.",
            lambda *case: _prepared(*case, mirror="both")[1],
        ),
        Mistake(
            "prepared together",
            "val",
            "Val is mirrored, and normalised by the statistics of all posters, mirrored or not. Only train "
            "is augmented, and the statistics are those of train.",
            lambda *case: _prepared(*case, mirror="both", statistics="all")[1],
        ),
        Mistake(
            "own statistics",
            "val",
            "Val is normalised by its own mean and deviation. The network is trained on numbers made with "
            "those of train: use them for both.",
            lambda *case: _prepared(*case, statistics="own")[1],
        ),
        Mistake(
            "not normalised",
            "val",
            "Val is not normalised at all. Apply the mean and deviation of train.",
            lambda images, films, n_val, flip: images[np.isin(films, np.unique(films)[-n_val:])],
        ),
    ),
)
