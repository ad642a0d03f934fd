"""Checks of chapter 7: an operation for the tape, a layer norm, a group norm as a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Finding, Mistake, Report
from minicnn.layers.normalization import BatchNorm

Array = np.ndarray


def _quotients() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(70)
    return [
        (rng.standard_normal((n, c)), rng.standard_normal((n, c)), rng.uniform(0.5, 2, c))
        for n, c in ((4, 3), (2, 5))
    ]


divide_backward = Exercise(
    "divide_backward",
    cases=_quotients,
    answer=lambda dy, a, b: (dy / b, -(dy * a / b**2).sum(axis=0)),
    outputs=("da", "db"),
    mistakes=(
        Mistake(
            "multiplied",
            "da",
            "dy is multiplied by b. The derivative of a / b by a is 1 / b.",
            lambda dy, a, b: dy * b,
        ),
        Mistake(
            "local alone",
            "da",
            "This is the local derivative 1 / b. The chain rule multiplies it by dy.",
            lambda dy, a, b: np.broadcast_to(1 / b, a.shape),
        ),
        Mistake(
            "times a",
            "da",
            "dy is multiplied by the quotient a / b. The derivative of a / b by a is 1 / b.",
            lambda dy, a, b: dy * a / b,
        ),
        Mistake(
            "squared",
            "da",
            "It is divided by b squared. That belongs to db: the derivative of a / b by a is 1 / b.",
            lambda dy, a, b: dy / b**2,
        ),
        Mistake(
            "not summed",
            "db",
            "There is one share for each row. b was stretched over the rows: sum the shares over axis 0.",
            lambda dy, a, b: -dy * a / b**2,
        ),
        Mistake(
            "mean",
            "db",
            "This is the mean over the rows. Each number of b is used in every row, and uses add up.",
            lambda dy, a, b: -(dy * a / b**2).mean(axis=0),
        ),
        Mistake(
            "not squared",
            "db",
            "b is not squared. The derivative of a / b by b is -a / b**2.",
            lambda dy, a, b: -(dy * a / b).sum(axis=0),
        ),
        Mistake(
            "sign",
            "db",
            "It has the wrong sign: a / b falls where a positive b grows and a is positive.",
            lambda dy, a, b: (dy * a / b**2).sum(axis=0),
        ),
        Mistake(
            "local alone",
            "db",
            "This is the sum of the local derivatives -a / b**2. The chain rule multiplies each by its dy.",
            lambda dy, a, b: -(a / b**2).sum(axis=0),
        ),
        Mistake(
            "no a",
            "db",
            "a is missing. The derivative of a / b by b is -a / b**2.",
            lambda dy, a, b: -(dy / b**2).sum(axis=0),
        ),
        Mistake(
            "summed apart",
            "db",
            "dy and a are summed before they are multiplied. Multiply in each row, then sum the products.",
            lambda dy, a, b: -dy.sum(axis=0) * a.sum(axis=0) / b**2,
        ),
    ),
)


def _normalised(x: Array, axes: tuple[int, ...], eps: float, ddof: int = 0) -> tuple[Array, Array]:
    """x_hat and 1 / standard deviation, over some axes."""
    s = 1 / np.sqrt(x.var(axis=axes, keepdims=True, ddof=ddof) + eps)
    return (x - x.mean(axis=axes, keepdims=True)) * s, s


def _to_input(
    g: Array,
    x: Array,
    axes: tuple[int, ...],
    eps: float,
    *,
    mean: bool = True,
    variance: bool = True,
    along: bool = True,
    over: tuple[int, ...] | None = None,
    times: float = 1.0,
    ddof: int = 0,
) -> Array:
    """dx from g = dL/dx_hat, with or without two of the three ways, or with a part of them changed.

    ``along`` whether the variance path is multiplied by x_hat; ``over`` the axes of the means of g, where
    they are others; ``times`` a factor of both; ``ddof`` that of the variance.
    """
    x_hat, s = _normalised(x, axes, eps, ddof)
    over = axes if over is None else over
    along_mean = g.mean(axis=over, keepdims=True) if mean else 0
    along_variance = (x_hat if along else 1) * (g * x_hat).mean(axis=over, keepdims=True) if variance else 0
    return s * (g - times * along_mean - times * along_variance)


NO_MEAN = (
    "The way through the mean is missing: each x also moves the mean, which is subtracted from all "
    "others. "
    "Subtract the mean of g."
)
NO_VARIANCE = (
    "The way through the variance is missing: each x also moves the standard deviation, by which "
    "all others "
    "are divided. Subtract x_hat times the mean of g * x_hat."
)
NEITHER = (
    "Mean and variance are taken for constants, as in a batch norm that predicts. Here they depend "
    "on x: "
    "subtract the mean path and the variance path."
)
NO_WEIGHT = "The weight is left out. It lies between x_hat and the loss: begin with g = dy * weight."
OUTSIDE = (
    "The weight is multiplied in after the means. It differs from channel to channel, so it must "
    "be in the "
    "sums: begin with g = dy * weight."
)
SUMS = "The two paths are sums over the numbers that share a mean. Take means: divide by their count M."
ADDED = "The mean path and the variance path are added to g. Both are subtracted."
NO_S = "The factor s = 1 / sqrt(var + eps) is missing, by which every way is multiplied."
UNBIASED = "The variance is divided by M - 1. A normalisation divides by M."
FACTOR = "It is taken times x, not x_hat: y = weight * x_hat + bias."


def _rows() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(71)
    return [
        (rng.standard_normal((n, c)), 2 * rng.standard_normal((n, c)) + 1, rng.standard_normal(c), eps)
        for n, c, eps in ((4, 5, 1e-5), (3, 7, 0.1))
    ]


def _layer_norm(dy: Array, x: Array, weight: Array, eps: float) -> tuple[Array, Array, Array]:
    """The right gradients: a layer norm of rows is the library's batch norm of columns."""
    norm = BatchNorm(len(x), eps=eps, dtype=np.float64)
    x_hat = norm.forward(np.ascontiguousarray(x.T), training=True).T
    dx = norm.backward(np.ascontiguousarray((dy * weight).T)).T
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


layer_norm_backward = Exercise(
    "layer_norm_backward",
    cases=_rows,
    answer=_layer_norm,
    outputs=("dx", "dweight", "dbias"),
    mistakes=(
        Mistake("no mean path", "dx", NO_MEAN, lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, mean=False)),
        Mistake(
            "no variance path",
            "dx",
            NO_VARIANCE,
            lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, variance=False),
        ),
        Mistake(
            "constants",
            "dx",
            NEITHER,
            lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, mean=False, variance=False),
        ),
        Mistake("no weight", "dx", NO_WEIGHT, lambda dy, x, w, e: _to_input(dy, x, (1,), e)),
        Mistake("weight outside", "dx", OUTSIDE, lambda dy, x, w, e: _to_input(dy, x, (1,), e) * w),
        Mistake(
            "over the batch",
            "dx",
            "Mean and variance are those of the columns, as in a batch norm. A layer norm takes "
            "those of the "
            "rows, axis 1.",
            lambda dy, x, w, e: _to_input(dy * w, x, (0,), e),
        ),
        Mistake(
            "no eps",
            "dx",
            "eps is left out: s is 1 / sqrt(var + eps).",
            lambda dy, x, w, e: _to_input(dy * w, x, (1,), 0.0),
        ),
        Mistake("sums", "dx", SUMS, lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, times=x.shape[1])),
        Mistake("added", "dx", ADDED, lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, times=-1)),
        Mistake(
            "no s",
            "dx",
            NO_S,
            lambda dy, x, w, e: _to_input(dy * w, x, (1,), e) / _normalised(x, (1,), e)[1],
        ),
        Mistake(
            "no x_hat",
            "dx",
            "The variance path is the mean of g * x_hat alone. It is multiplied by x_hat once more.",
            lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, along=False),
        ),
        Mistake(
            "columns",
            "dx",
            "x_hat is right, and the means of g and of g * x_hat go over the columns. Take those "
            "of the rows.",
            lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, over=(0,)),
        ),
        Mistake("unbiased", "dx", UNBIASED, lambda dy, x, w, e: _to_input(dy * w, x, (1,), e, ddof=1)),
        Mistake(
            "unbiased",
            "dweight",
            UNBIASED,
            lambda dy, x, w, e: (dy * _normalised(x, (1,), e, ddof=1)[0]).sum(axis=0),
        ),
        Mistake(
            "no x_hat",
            "dweight",
            "This is dbias. The weight is multiplied by x_hat, so each dy is multiplied by its x_hat.",
            lambda dy, x, w, e: dy.sum(axis=0),
        ),
        Mistake("x for x_hat", "dweight", FACTOR, lambda dy, x, w, e: (dy * x).sum(axis=0)),
        Mistake(
            "times weight",
            "dweight",
            "g = dy * weight is used. The weight is multiplied by x_hat: its gradient is dy * x_hat.",
            lambda dy, x, w, e: (dy * w * _normalised(x, (1,), e)[0]).sum(axis=0),
        ),
        Mistake(
            "mean",
            "dweight",
            "This is the mean over the rows. The weight is used in every row, and uses add up.",
            lambda dy, x, w, e: (dy * _normalised(x, (1,), e)[0]).mean(axis=0),
        ),
        Mistake(
            "over the batch",
            "dweight",
            "x_hat is that of a batch norm: mean and variance of the columns. Take those of the rows.",
            lambda dy, x, w, e: (dy * _normalised(x, (0,), e)[0]).sum(axis=0),
        ),
        Mistake(
            "no eps",
            "dweight",
            "eps is left out: s is 1 / sqrt(var + eps).",
            lambda dy, x, w, e: (dy * _normalised(x, (1,), 0.0)[0]).sum(axis=0),
        ),
        Mistake(
            "mean",
            "dbias",
            "This is the mean over the rows. The bias is used in every row, and uses add up.",
            lambda dy, x, w, e: dy.mean(axis=0),
        ),
        Mistake(
            "times weight",
            "dbias",
            "g = dy * weight is used. The bias is added after the weight: its gradient is the sum of dy.",
            lambda dy, x, w, e: (dy * w).sum(axis=0),
        ),
    ),
)

EPS = 1e-5
Case = tuple[Array, Array, Array, Array, Array, int]
"""x (N, H, W, C), the upstream gradients of two passes, weight and bias (C,), the number of groups."""


def _images() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(72)
    return [
        (
            *(rng.standard_normal((n, h, w, c)) + (0.5 if i == 0 else 0) for i in range(3)),
            rng.standard_normal(c),
            rng.standard_normal(c),
            groups,
        )
        for n, h, w, c, groups in ((2, 3, 4, 6, 3), (3, 2, 5, 8, 2))
    ]


def _split(x: Array, groups: int) -> Array:
    return x.reshape(*x.shape[:3], groups, -1)


def _group_norm(x: Array, first: Array, second: Array, weight: Array, bias: Array, groups: int) -> Any:
    """y, dx of the second pass, dweight and dbias of both: a batch norm with N * groups features."""
    n, h, w, c = x.shape

    def columns(array: Array) -> Array:
        parts = _split(array, groups).transpose(1, 2, 4, 0, 3)  # (H, W, C/G, N, G)
        return np.ascontiguousarray(parts.reshape(-1, n * groups))

    def back(array: Array) -> Array:
        return array.reshape(h, w, c // groups, n, groups).transpose(3, 0, 1, 4, 2).reshape(x.shape)

    norm = BatchNorm(n * groups, eps=EPS, dtype=np.float64)
    x_hat = back(norm.forward(columns(x), training=True))
    dx = back(norm.backward(columns(second * weight)))
    both = first + second
    return x_hat * weight + bias, dx, (both * x_hat).sum(axis=(0, 1, 2)), both.sum(axis=(0, 1, 2))


def _hat(kind: str, case: Case) -> Array:
    """x_hat of a layer that normalises other numbers together than a group norm does."""
    x, groups = case[0], case[-1]
    if kind == "interleaved":
        split = x.reshape(*x.shape[:3], -1, groups)
        return _normalised(split, (1, 2, 3), EPS)[0].reshape(x.shape)
    if kind == "unbiased":
        return _normalised(_split(x, groups), (1, 2, 4), EPS, ddof=1)[0].reshape(x.shape)
    if kind == "group and batch":
        return _normalised(_split(x, groups), (0, 1, 2, 4), EPS)[0].reshape(x.shape)
    if kind == "channels only":
        return _normalised(_split(x, groups), (4,), EPS)[0].reshape(x.shape)
    axes = {"batch norm": (0, 1, 2), "layer norm": (1, 2, 3), "instance norm": (1, 2)}[kind]
    return _normalised(x, axes, EPS)[0]


KINDS = {
    "batch norm": "Mean and variance are those of a channel over all images. Leave axis 0 out.",
    "layer norm": "Mean and variance are those of a whole image. Split the channels into groups first.",
    "instance norm": "Mean and variance are those of each channel. The channels of a group share them: "
    "take axis 4 of the split array in.",
    "interleaved": "The groups are made of every G-th channel. A group has neighbouring channels: the "
    "shape is (N, H, W, G, C/G), not (N, H, W, C/G, G).",
    "group and batch": "The images of the batch share mean and variance. Leave axis 0 out.",
    "channels only": "Each position has a mean and variance of its own. Take the axes 1 and 2 in.",
    "unbiased": "The variance is divided by M - 1. A normalisation divides by M.",
}


def _other_output(kind: str) -> Callable[..., Array]:
    return lambda *case: _hat(kind, case) * case[3] + case[4]


def _grouped_dx(**changed: Any) -> Callable[..., Array]:
    def value(*case: Any) -> Array:
        x, _, second, weight, _, groups = case
        g = _split(second * weight, groups)
        dx = _to_input(g, _split(x, groups), (1, 2, 4), EPS, **changed)
        return dx.reshape(x.shape)

    return value


def _count(case: Case) -> int:
    """How many numbers share a mean."""
    return _split(case[0], case[-1])[0, :, :, 0].size


def _unweighted_dx(x: Array, first: Array, second: Array, weight: Array, bias: Array, groups: int) -> Array:
    return _to_input(_split(second, groups), _split(x, groups), (1, 2, 4), EPS).reshape(x.shape)


def _twice(layer_class: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a case that goes forward and backward twice and returns y, dx, dweight and dbias."""

    def attempt(x: Array, first: Array, second: Array, weight: Array, bias: Array, groups: int) -> Any:
        layer = layer_class(len(weight), groups, eps=EPS, dtype=np.float64)
        layer.weight.data[...], layer.bias.data[...] = weight, bias
        layer.forward(x, training=True)
        layer.backward(first)
        y = layer.forward(x, record=True)
        if y is None:
            return None
        return y, layer.backward(second), layer.weight.grad, layer.bias.grad

    return attempt


class LayerExercise(Exercise):
    """An exercise whose attempt is a class of layers."""

    def diagnose(self, attempt: Callable[..., Any]) -> Report:
        """Run an attempt in two training steps, and one forward pass that must record nothing."""
        report = super().diagnose(_twice(attempt))
        if "raised" in report.keys.values() and "recorded forward pass" in str(report):
            return self._single(
                "record ignored",
                "was asked to record by record=True without training and did not. Remember with "
                "when=training if record is None else record.",
            )
        if report.passed:
            x, _, _, weight, _, groups = self.cases()[0]
            layer = attempt(len(weight), groups, eps=EPS, dtype=np.float64)
            layer.forward(x)
            if layer._recorded is not None:
                return Report(
                    self.name,
                    (
                        Finding(
                            self.name,
                            "always records",
                            f"{self.name} is right, but remembers in a pass that only predicts: "
                            "memory that "
                            "nothing frees. Remember with when=training if record is None else record.",
                        ),
                    ),
                )
        return report


LAST_ONLY = (
    "It is the gradient of the second backward pass alone: the first is overwritten. Gradients are "
    "added, "
    "with accumulate or +=."
)

GroupNorm = LayerExercise(
    "GroupNorm",
    cases=_images,
    answer=_group_norm,
    outputs=("y", "dx", "dweight", "dbias"),
    mistakes=(
        *(Mistake(kind, "y", says, _other_output(kind)) for kind, says in KINDS.items()),
        Mistake(
            "x_hat alone",
            "y",
            "This is x_hat. The weight and the bias of each channel come after it.",
            lambda *case: _normalised(_split(case[0], case[-1]), (1, 2, 4), EPS)[0].reshape(case[0].shape),
        ),
        Mistake("no mean path", "dx", NO_MEAN, _grouped_dx(mean=False)),
        Mistake("no variance path", "dx", NO_VARIANCE, _grouped_dx(variance=False)),
        Mistake("constants", "dx", NEITHER, _grouped_dx(mean=False, variance=False)),
        Mistake("no weight", "dx", NO_WEIGHT, _unweighted_dx),
        Mistake("weight outside", "dx", OUTSIDE, lambda *case: _unweighted_dx(*case) * case[3]),
        Mistake("added", "dx", ADDED, _grouped_dx(times=-1)),
        Mistake("sums", "dx", SUMS, lambda *case: _grouped_dx(times=_count(case))(*case)),
        Mistake(
            "times weight",
            "dweight",
            "g = dy * weight is used. The weight is multiplied by x_hat: its gradient is dy * x_hat.",
            lambda *case: _group_norm(*case)[2] * case[3],
        ),
        Mistake(
            "times weight",
            "dbias",
            "g = dy * weight is used. The bias is added after the weight: its gradient is the sum of dy.",
            lambda *case: _group_norm(*case)[3] * case[3],
        ),
        Mistake(
            "overwritten",
            "dweight",
            LAST_ONLY,
            lambda *case: _group_norm(case[0], 0 * case[1], *case[2:])[2],
        ),
        Mistake(
            "x for x_hat",
            "dweight",
            FACTOR,
            lambda *case: ((case[1] + case[2]) * case[0]).sum(axis=(0, 1, 2)),
        ),
        Mistake(
            "overwritten", "dbias", LAST_ONLY, lambda *case: _group_norm(case[0], 0 * case[1], *case[2:])[3]
        ),
    ),
)
