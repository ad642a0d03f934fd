"""Checks of chapter 14: a frozen batch norm, batch norm folded into a convolution, quantised weights."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.layers.normalization import BatchNorm

Array = np.ndarray


def _layer(weight: Array, bias: Array, mean: Array, var: Array, eps: float) -> BatchNorm:
    layer = BatchNorm(len(weight), eps=eps, dtype=np.float64)
    layer.weight.data[...], layer.bias.data[...] = weight, bias
    layer.running_mean[...], layer.running_var[...] = mean, var
    return layer


def _batch_norm(
    x: Array,
    dy: Array,
    weight: Array,
    bias: Array,
    mean: Array,
    var: Array,
    eps: float,
    training: bool = False,
) -> tuple[Array, Array]:
    """y and dx by the library's layer, with the running statistics or, in training, the batch's."""
    layer = _layer(weight, bias, mean, var, eps)
    y = layer.forward(x, training=training, record=True)
    return y, layer.backward(dy)


_in_training = functools.partial(_batch_norm, training=True)


def _posters() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(140)
    cases: list[tuple[Any, ...]] = []
    for shape in ((4, 3, 2, 5), (3, 2, 4, 6)):
        c = shape[3]
        x = 2 * rng.standard_normal(shape) + rng.standard_normal(c)
        statistics = rng.standard_normal(c), rng.uniform(0.5, 4, c)
        weight, bias = rng.uniform(0.5, 2, c), rng.standard_normal(c)
        cases.append((x, rng.standard_normal(shape), weight, bias, *statistics, 0.01))
    return cases


BATCH = (
    "It uses the mean and the variance of the batch. A frozen layer uses the running ones, which are "
    "arguments: otherwise the output for one poster depends on the others in its batch."
)
NO_EPS = "eps is missing: divide by np.sqrt(var + eps)."
EPS_OUTSIDE = "eps is added to the root. It is added to the variance, inside the root: np.sqrt(var + eps)."
SHIFTED = "Something is added to the weights. A constant does not depend on x: it belongs into the bias."
NO_WEIGHT = "The batch norm's weight is missing."
MULTIPLIED = "It is multiplied by the deviation. A batch norm divides by it."
NO_ROOT = "It is divided by the variance. The deviation is its square root: np.sqrt(var + eps)."

frozen_batch_norm = Exercise(
    "frozen_batch_norm",
    cases=_posters,
    answer=_batch_norm,
    outputs=("y", "dx"),
    mistakes=(
        Mistake("batch statistics", "y", BATCH, lambda *case: _in_training(*case)[0]),
        Mistake("no eps", "y", NO_EPS, lambda x, dy, w, b, mean, var, eps: w * (x - mean) / np.sqrt(var) + b),
        Mistake(
            "variance", "y", NO_ROOT, lambda x, dy, w, b, mean, var, eps: w * (x - mean) / (var + eps) + b
        ),
        Mistake(
            "shift scaled",
            "y",
            "The bias is multiplied by the weight. It is added last.",
            lambda x, dy, w, b, mean, var, eps: w * ((x - mean) / np.sqrt(var + eps) + b),
        ),
        Mistake(
            "eps outside",
            "y",
            EPS_OUTSIDE,
            lambda x, dy, w, b, mean, var, eps: w * (x - mean) / (np.sqrt(var) + eps) + b,
        ),
        Mistake(
            "multiplied",
            "y",
            MULTIPLIED,
            lambda x, dy, w, b, mean, var, eps: w * (x - mean) * np.sqrt(var + eps) + b,
        ),
        Mistake(
            "no bias",
            "y",
            "The bias is missing. It is added last.",
            lambda x, dy, w, b, mean, var, eps: w * (x - mean) / np.sqrt(var + eps),
        ),
        Mistake(
            "no weight",
            "y",
            "The weight is missing: the normalised x is multiplied by it.",
            lambda x, dy, w, b, mean, var, eps: (x - mean) / np.sqrt(var + eps) + b,
        ),
        Mistake(
            "normalised only",
            "y",
            "This is the normalised x. It is multiplied by the weight, and the bias is added.",
            lambda x, dy, w, b, mean, var, eps: (x - mean) / np.sqrt(var + eps),
        ),
        Mistake(
            "no mean",
            "y",
            "The running mean is not subtracted.",
            lambda x, dy, w, b, mean, var, eps: w * x / np.sqrt(var + eps) + b,
        ),
        Mistake(
            "batch mean",
            "y",
            "The mean is that of the batch. A frozen layer subtracts the running one, an argument.",
            lambda x, dy, w, b, mean, var, eps: w * (x - x.mean(axis=(0, 1, 2))) / np.sqrt(var + eps) + b,
        ),
        Mistake(
            "training backward",
            "dx",
            "This is the gradient of a batch norm in training, with the paths through the batch's "
            "mean and variance. Here mean and variance are constants: only the direct path is left.",
            lambda *case: _in_training(*case)[1],
        ),
        Mistake(
            "mean path",
            "dx",
            "The mean of the gradients is taken away. That is the path through the batch's mean; here "
            "the mean is a constant.",
            lambda x, dy, w, b, mean, var, eps: (dy - dy.mean(axis=(0, 1, 2))) * w / np.sqrt(var + eps),
        ),
        Mistake(
            "no weight",
            "dx",
            "The weight is missing. y is weight times the normalised x, so dx has that factor too.",
            lambda x, dy, w, b, mean, var, eps: dy / np.sqrt(var + eps),
        ),
        Mistake(
            "batch variance",
            "dx",
            "The variance is that of the batch. A frozen layer uses the running one, an argument.",
            lambda x, dy, w, b, mean, var, eps: dy * w / np.sqrt(x.var(axis=(0, 1, 2)) + eps),
        ),
        Mistake(
            "passed on",
            "dx",
            "This is dy as it came. Each number of x was multiplied by weight / np.sqrt(var + eps), and so "
            "is its gradient.",
            lambda x, dy, w, b, mean, var, eps: dy,
        ),
        Mistake(
            "no dy",
            "dx",
            "This is the slope of y in x. By the chain rule it is multiplied by dy.",
            lambda x, dy, w, b, mean, var, eps: np.broadcast_to(w / np.sqrt(var + eps), x.shape),
        ),
        Mistake(
            "no dy",
            "dx",
            "This is the slope of y in x. By the chain rule it is multiplied by dy.",
            lambda x, dy, w, b, mean, var, eps: w / np.sqrt(var + eps),
        ),
        Mistake(
            "times x",
            "dx",
            "There is a factor x - mean in it. y is a straight line in x: its slope is "
            "weight / np.sqrt(var + eps), without x.",
            lambda x, dy, w, b, mean, var, eps: dy * w * (x - mean) / np.sqrt(var + eps),
        ),
        Mistake(
            "eps outside",
            "dx",
            EPS_OUTSIDE,
            lambda x, dy, w, b, mean, var, eps: dy * w / (np.sqrt(var) + eps),
        ),
        Mistake("no eps", "dx", NO_EPS, lambda x, dy, w, b, mean, var, eps: dy * w / np.sqrt(var)),
        Mistake("variance", "dx", NO_ROOT, lambda x, dy, w, b, mean, var, eps: dy * w / (var + eps)),
        Mistake(
            "multiplied",
            "dx",
            "It is multiplied by the deviation. Forward divides by it, and so does backward.",
            lambda x, dy, w, b, mean, var, eps: dy * w * np.sqrt(var + eps),
        ),
    ),
)


def _fold(
    w: Array, b: Array, weight: Array, bias: Array, mean: Array, var: Array, eps: float
) -> tuple[Array, Array]:
    scale = weight / np.sqrt(var + eps)
    return w * scale, (b - mean) * scale + bias


def _convolutions() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(141)
    cases: list[tuple[Any, ...]] = []
    for shape in ((3, 2, 4, 5), (2, 3, 5, 7)):
        o = shape[3]
        cases.append(
            (
                rng.standard_normal(shape),
                rng.standard_normal(o),
                rng.uniform(0.5, 2, o),
                rng.standard_normal(o),
                rng.standard_normal(o),
                rng.uniform(0.5, 4, o),
                0.01,
            )
        )
    return cases


fold_batch_norm = Exercise(
    "fold_batch_norm",
    cases=_convolutions,
    answer=_fold,
    outputs=("folded_w", "folded_b"),
    mistakes=(
        Mistake(
            "no eps", "folded_w", NO_EPS, lambda w, b, weight, bias, m, var, eps: w * weight / np.sqrt(var)
        ),
        Mistake(
            "variance", "folded_w", NO_ROOT, lambda w, b, weight, bias, m, var, eps: w * weight / (var + eps)
        ),
        Mistake(
            "no weight",
            "folded_w",
            NO_WEIGHT,
            lambda w, b, weight, bias, m, var, eps: w / np.sqrt(var + eps),
        ),
        Mistake(
            "statistics of the weights",
            "folded_w",
            "It is divided by the deviation of the filter's own weights. The variance is that of the "
            "convolution's output, an argument.",
            lambda w, b, weight, bias, m, var, eps: w * weight / np.sqrt(w.var(axis=(0, 1, 2)) + eps),
        ),
        Mistake(
            "no eps",
            "folded_b",
            NO_EPS,
            lambda w, b, weight, bias, m, var, eps: (b - m) * weight / np.sqrt(var) + bias,
        ),
        Mistake(
            "eps outside",
            "folded_w",
            EPS_OUTSIDE,
            lambda w, b, weight, bias, m, var, eps: w * weight / (np.sqrt(var) + eps),
        ),
        Mistake(
            "multiplied",
            "folded_w",
            MULTIPLIED,
            lambda w, b, weight, bias, m, var, eps: w * weight * np.sqrt(var + eps),
        ),
        Mistake(
            "unchanged",
            "folded_w",
            "These are the convolution's weights as they were. What stands before x is multiplied, too.",
            lambda w, b, weight, bias, m, var, eps: w,
        ),
        Mistake(
            "shifted",
            "folded_w",
            SHIFTED,
            lambda w, b, weight, bias, m, var, eps: (w - m) * weight / np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "shifted",
            "folded_w",
            SHIFTED,
            lambda w, b, weight, bias, m, var, eps: w * weight / np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "eps outside",
            "folded_b",
            EPS_OUTSIDE,
            lambda w, b, weight, bias, m, var, eps: (b - m) * weight / (np.sqrt(var) + eps) + bias,
        ),
        Mistake(
            "variance",
            "folded_b",
            NO_ROOT,
            lambda w, b, weight, bias, m, var, eps: (b - m) * weight / (var + eps) + bias,
        ),
        Mistake(
            "multiplied",
            "folded_b",
            MULTIPLIED,
            lambda w, b, weight, bias, m, var, eps: (b - m) * weight * np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "no weight",
            "folded_b",
            NO_WEIGHT,
            lambda w, b, weight, bias, m, var, eps: (b - m) / np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "unchanged",
            "folded_b",
            "This is the convolution's bias as it was. The batch norm shifts and scales it.",
            lambda w, b, weight, bias, m, var, eps: b,
        ),
        Mistake(
            "batch norm's bias forgotten",
            "folded_b",
            "The batch norm's own bias is missing. It is added last.",
            lambda w, b, weight, bias, m, var, eps: (b - m) * weight / np.sqrt(var + eps),
        ),
        Mistake(
            "batch norm's bias only",
            "folded_b",
            "This is the batch norm's bias alone. b and the mean are constants, too: their difference is "
            "scaled, and added.",
            lambda w, b, weight, bias, m, var, eps: bias,
        ),
        Mistake(
            "mean added",
            "folded_b",
            "The mean has the wrong sign. The batch norm subtracts it.",
            lambda w, b, weight, bias, m, var, eps: (b + m) * weight / np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "difference turned",
            "folded_b",
            "b is subtracted from the mean. The batch norm subtracts the mean from what it gets.",
            lambda w, b, weight, bias, m, var, eps: (m - b) * weight / np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "mean forgotten",
            "folded_b",
            "The mean is missing: the batch norm subtracts it from the convolution's output, bias included.",
            lambda w, b, weight, bias, m, var, eps: b * weight / np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "convolution's bias forgotten",
            "folded_b",
            "The convolution's own bias b is missing.",
            lambda w, b, weight, bias, m, var, eps: bias - m * weight / np.sqrt(var + eps),
        ),
        Mistake(
            "not scaled",
            "folded_b",
            "b and the mean must be multiplied by weight / np.sqrt(var + eps), too.",
            lambda w, b, weight, bias, m, var, eps: b - m + bias,
        ),
        Mistake(
            "b not scaled",
            "folded_b",
            "The mean is scaled and b is not. The batch norm sees their difference.",
            lambda w, b, weight, bias, m, var, eps: b - m * weight / np.sqrt(var + eps) + bias,
        ),
        Mistake(
            "mean not scaled",
            "folded_b",
            "b is scaled and the mean is not. The batch norm scales their difference.",
            lambda w, b, weight, bias, m, var, eps: b * weight / np.sqrt(var + eps) - m + bias,
        ),
        Mistake(
            "shift scaled",
            "folded_b",
            "The batch norm's bias is scaled, too. It is added after the scaling.",
            lambda w, b, weight, bias, m, var, eps: (b - m + bias) * weight / np.sqrt(var + eps),
        ),
    ),
)


def _quantise(
    w: Array, bits: int, *, axis: Any = (0, 1, 2), largest: int = -1, rounded: Any = np.rint
) -> tuple[Array, Array]:
    """Whole numbers and scales; the largest whole number is half the levels plus ``largest``."""
    scale = np.abs(w).max(axis=axis, keepdims=True) / (2 ** (bits - 1) + largest)
    return rounded(w / scale), scale.squeeze()


def _by_largest(w: Array, bits: int) -> tuple[Array, Array]:
    scale = w.max(axis=(0, 1, 2)) / (2 ** (bits - 1) - 1)
    return np.rint(w / scale), scale


def _by_range(w: Array, bits: int) -> tuple[Array, Array]:
    scale = (w.max(axis=(0, 1, 2)) - w.min(axis=(0, 1, 2))) / (2**bits - 1)
    return np.rint(w / scale), scale


def _by_size(w: Array, bits: int, *, largest: Any, axis: Any = (0, 1, 2)) -> tuple[Array, Array]:
    """As ``_quantise``, with another largest whole number, given as a function of ``bits``."""
    scale = np.abs(w).max(axis=axis) / largest(bits)
    return np.rint(w / scale), scale


def _from_smallest(w: Array, bits: int) -> Array:
    smallest = w.min(axis=(0, 1, 2))
    return np.rint((w - smallest) / _by_range(w, bits)[1])


_SCALES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "all levels on one side",
        "The largest whole number is 2**bits - 1, but one bit is needed for the sign: 2**(bits - 1) - 1.",
        {"largest": lambda bits: 2**bits - 1},
    ),
    (
        "always 8 bits",
        "The largest whole number is always 127. It depends on bits: 2**(bits - 1) - 1.",
        {"largest": lambda bits: 127},
    ),
    (
        "no levels",
        "The scale is the largest weight itself, so only -1, 0 and 1 are left. Divide it by the largest "
        "whole number, 2**(bits - 1) - 1.",
        {"largest": lambda bits: 1},
    ),
    (
        "each kernel",
        "There is a scale for each pair of input channel and filter: the maximum over (0, 1) alone. Take it "
        "over (0, 1, 2), so that a filter has one.",
        {"largest": lambda bits: 2 ** (bits - 1) - 1, "axis": (0, 1)},
    ),
)


def _filters() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(142)
    cases: list[tuple[Any, ...]] = []
    for shape, bits in (((3, 2, 4, 5), 8), ((2, 3, 5, 6), 4)):
        w = rng.standard_normal(shape) * rng.uniform(0.1, 3, shape[3])
        w[0, 0, 0, 0] = -4 * np.abs(w[..., 0]).max()  # the weight of the largest size is negative
        cases.append((w, bits))
    return cases


ONE_SCALE = (
    "There is one scale for all filters. The largest weight of all then decides the step of every "
    "filter, and filters with small weights keep few levels. Take the maximum over the axes (0, 1, "
    "2)."
)
INPUT = (
    "There is a scale for each input channel. The filter is the last axis: take the maximum over (0, 1, 2)."
)
TOO_MANY = (
    "The largest whole number is 2**(bits - 1), 128 for 8 bits, which does not fit: int8 ends at 127. "
    "Use 2**(bits - 1) - 1."
)
SIGN = "The scale comes from the largest weight. A negative weight can be larger in size: np.abs first."
RANGE = (
    "The scale comes from the range between the smallest and the largest weight. With 0 in the middle "
    "of the whole numbers, the largest size decides."
)

quantise = Exercise(
    "quantise",
    cases=_filters,
    answer=_quantise,
    outputs=("q", "scale"),
    mistakes=(
        Mistake("one scale", "q", ONE_SCALE, lambda w, bits: _quantise(w, bits, axis=None)[0]),
        Mistake("input channels", "q", INPUT, lambda w, bits: _quantise(w, bits, axis=(0, 1, 3))[0]),
        Mistake("one level too many", "q", TOO_MANY, lambda w, bits: _quantise(w, bits, largest=0)[0]),
        Mistake("sign ignored", "q", SIGN, lambda w, bits: _by_largest(w, bits)[0]),
        Mistake("range", "q", RANGE, lambda w, bits: _by_range(w, bits)[0]),
        Mistake(
            "cut off",
            "q",
            "The digits after the point are cut off, which makes the error up to twice as large. "
            "Round: np.rint.",
            lambda w, bits: _quantise(w, bits, rounded=np.trunc)[0],
        ),
        Mistake(
            "rounded down",
            "q",
            "It is rounded down, which makes every weight smaller on average. Round to the nearest: np.rint.",
            lambda w, bits: _quantise(w, bits, rounded=np.floor)[0],
        ),
        Mistake(
            "not rounded",
            "q",
            "These are no whole numbers: round w / scale.",
            lambda w, bits: _quantise(w, bits, rounded=np.asarray)[0],
        ),
        Mistake(
            "weights",
            "q",
            "These are the rounded weights, multiplied by the scale again. q holds the whole numbers "
            "that are stored.",
            lambda w, bits: np.prod(np.broadcast_arrays(*_quantise(w, bits)), axis=0),
        ),
        *(
            Mistake(key, output, says, lambda *case, i=i, options=options: _by_size(*case, **options)[i])
            for i, output in enumerate(("q", "scale"))
            for key, says, options in _SCALES
        ),
        Mistake(
            "rounded up",
            "q",
            "It is rounded up, which makes every weight larger on average. Round to the nearest: np.rint.",
            lambda w, bits: _quantise(w, bits, rounded=np.ceil)[0],
        ),
        Mistake(
            "sign lost",
            "q",
            "The signs of the weights are lost. np.abs is for the scale alone.",
            lambda w, bits: np.abs(_quantise(w, bits)[0]),
        ),
        Mistake(
            "shifted",
            "q",
            "Every number is larger by 2**(bits - 1). The whole numbers have a sign: the weight 0 is stored "
            "as 0.",
            lambda w, bits: _quantise(w, bits)[0] + 2 ** (bits - 1),
        ),
        Mistake(
            "from the smallest",
            "q",
            "The whole numbers count from the smallest weight. w is about q * scale only if the weight 0 is "
            "stored as 0: do not subtract anything.",
            _from_smallest,
        ),
        Mistake(
            "times scale",
            "q",
            "w is multiplied by the scale. w is about q * scale, so q is about w / scale.",
            lambda w, bits: np.rint(w * _quantise(w, bits)[1]),
        ),
        Mistake("one scale", "scale", ONE_SCALE, lambda w, bits: _quantise(w, bits, axis=None)[1]),
        Mistake(
            "one scale",
            "scale",
            ONE_SCALE,
            lambda w, bits: np.full(w.shape[3], _quantise(w, bits, axis=None)[1]),
        ),
        Mistake("input channels", "scale", INPUT, lambda w, bits: _quantise(w, bits, axis=(0, 1, 3))[1]),
        Mistake("one level too many", "scale", TOO_MANY, lambda w, bits: _quantise(w, bits, largest=0)[1]),
        Mistake("sign ignored", "scale", SIGN, lambda w, bits: _by_largest(w, bits)[1]),
        Mistake("range", "scale", RANGE, lambda w, bits: _by_range(w, bits)[1]),
        Mistake(
            "inverse",
            "scale",
            "This is 1 / scale. A weight is about q * scale.",
            lambda w, bits: 1 / _quantise(w, bits)[1],
        ),
    ),
)
