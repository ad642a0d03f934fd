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
            "mask and rate inverted",
            output,
            "rate is taken for the probability of being kept. It is that of being dropped, and the mask is 1 "
            "where a number is kept.",
            lambda *case: case[index] * (1 - case[2]) / case[3],
        ),
        Mistake(
            "times rate",
            output,
            "It is multiplied by rate. What is kept is divided by 1 - rate, the probability of being kept.",
            lambda *case: case[index] * case[2] * case[3],
        ),
        Mistake(
            "share of this mask",
            output,
            "It is divided by the share that this one mask keeps. The expectation is over all masks: divide "
            "by the probability, 1 - rate.",
            lambda *case: case[index] * case[2] / case[2].mean(),
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
            "untouched",
            "y",
            "This is x as it came, which is right at inference. In training, what the mask drops is 0, and "
            "the rest is divided by 1 - rate.",
            lambda x, dy, mask, rate: x,
        ),
        Mistake(
            "scaled twice",
            "dx",
            "It is divided by 1 - rate twice. Forward does it once, and so does backward.",
            lambda x, dy, mask, rate: _masked(dy, mask, rate) / (1 - rate),
        ),
        Mistake(
            "no dy",
            "dx",
            "This is the local derivative. By the chain rule it is multiplied by dy.",
            lambda x, dy, mask, rate: mask / (1 - rate),
        ),
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
    build: Build,
    x: Array,
    t: Array,
    rate: float,
    steps: int,
    *,
    clear: bool = True,
    mode: str = "all",
    momentum: float = 0,
) -> Array:
    """The losses before each step; ``mode`` "all", "last" (only the last layer moves) or "weights"."""
    network, loss = build(), BinaryCrossEntropyWithLogits()
    velocity: dict[str, Array] = {}
    losses = []
    for _ in range(steps):
        if clear:
            network.zero_grad()
        losses.append(loss.forward(network.forward(x, training=True), t))
        network.backward(loss.backward())
        for name, parameter in network.parameters().items():
            if mode == "all" or (mode == "last" and name.startswith("2.")) or name.endswith(mode):
                velocity[name] = momentum * velocity.get(name, 0) + parameter.grad
                parameter.data -= rate * velocity[name]
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
            "Are the gradients cleared before backward, and not between backward and the step? Is the "
            "network built once, before the loop?",
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
            "last layer",
            "losses",
            "Only the last layer moves. network.parameters() has the parameters of all layers.",
            lambda *case: _descent(*case, mode="last"),
        ),
        Mistake(
            "no rate",
            "losses",
            "The parameters move by the whole gradient: multiply it by rate.",
            lambda build, x, t, rate, steps: _descent(build, x, t, 1, steps),
        ),
        Mistake(
            "momentum",
            "losses",
            "There is momentum in it. Plain gradient descent uses the gradient of this step alone.",
            lambda *case: _descent(*case, momentum=0.9),
        ),
        Mistake(
            "sum over labels",
            "losses",
            "The gradient is too large by the number of labels. The loss is a mean over posters and labels: "
            "take the gradient from the loss object's backward().",
            lambda build, x, t, rate, steps: _descent(build, x, t, rate * t.shape[1], steps),
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
    normalise: str = "channel",
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
    plain = images[~is_val]
    source = {"train": (plain, plain), "all": (images, images), "own": (plain, images[is_val])}[statistics]
    axis = {"all": None, "pixel": 0}.get(normalise, (0, 1, 2))
    means, stds = [part.mean(axis=axis) for part in source], [part.std(axis=axis) for part in source]
    if normalise == "none":
        return train, val
    power = {"mean": 0, "variance": 2}.get(normalise, 1)
    return (train - means[0]) / stds[0] ** power, (val - means[1]) / stds[1] ** power


def _flips_of_the_first(images: Array, films: Array, n_val: int, flip: Array) -> Array:
    """The train posters, mirrored by the first entries of ``flip`` and not by their own."""
    is_train = ~np.isin(films, np.unique(films)[-n_val:])
    moved = flip.copy()
    moved[is_train] = flip[: is_train.sum()]
    return _prepared(images, films, n_val, moved)[0]


def _with_copies(images: Array, films: Array, n_val: int, flip: Array) -> Array:
    """All train posters as they are, and behind them the mirror images of those that ``flip`` marks."""
    train = _prepared(images, films, n_val, flip, mirror="none")[0]
    mirrored = train[flip[~np.isin(films, np.unique(films)[-n_val:])]][:, :, ::-1]
    return np.concatenate([train, mirrored])


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
    (
        "not normalised",
        "It is not normalised at all. Take away the mean of each channel and divide by its deviation, both "
        "of train.",
        {"normalise": "none"},
    ),
    (
        "mean only",
        "The mean is taken away, and the division by the standard deviation is missing.",
        {"normalise": "mean"},
    ),
    (
        "variance",
        "It is divided by the variance. The standard deviation is its square root.",
        {"normalise": "variance"},
    ),
    (
        "one mean for all channels",
        "There is one mean and one deviation for all channels. Each channel has its own: axes 0, 1 and 2.",
        {"normalise": "all"},
    ),
    (
        "each pixel",
        "Each pixel has its own mean and deviation: axis 0 alone. Take them over the axes 0, 1 and 2.",
        {"normalise": "pixel"},
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
            "all mirrored",
            "train",
            "All posters of train are mirrored. Only those whose flip is true are.",
            lambda images, films, n_val, flip: _prepared(images, films, n_val, np.ones_like(flip))[0],
        ),
        Mistake(
            "others mirrored",
            "train",
            "The posters whose flip is false are mirrored, and the others are not: it is the reverse.",
            lambda images, films, n_val, flip: _prepared(images, films, n_val, ~flip)[0],
        ),
        Mistake(
            "flip not selected",
            "train",
            "The wrong posters are mirrored: flip has an entry for each poster, those of val included. "
            "Select those of train, as for the images.",
            _flips_of_the_first,
        ),
        Mistake(
            "copies",
            "train",
            "The mirrored posters are added behind the others. Each poster appears once, mirrored or not.",
            _with_copies,
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
    ),
)
