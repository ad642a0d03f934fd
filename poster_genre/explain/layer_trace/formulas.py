"""The formula of each kind of layer for one number of its output, in float64, as dictionaries ready for JSON.

Every function takes the layer's input and the library's float32 result, ``value``, and returns the numbers
that enter the formula, its result ``computed``, and ``difference = |computed - value|``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.containers import Parallel
from minicnn.layer import Layer
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Tanh, sigmoid
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.shapes import Geometry, PoolGeometry
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.receptive_field import corner

Computation = dict[str, Any]
"""What a number is computed from, under names that depend on its ``kind``; ready for JSON."""

Position = tuple[int, int, int]
"""(row, column, channel) of a number in a step's output; a row of features is one pixel of many channels."""

LISTED = 12  # of a long sum, this many positive and this many negative addends are listed


def convolution(
    layer: Conv2D, x: np.ndarray, position: Position, input_channel: int | None, value: float
) -> Computation:
    """Patch, kernel, products and sum for one input channel of x (H, W, C), and every input channel's sum.

    ``input_channel`` None: the channel whose sum is the greatest in absolute value. Raises PosterGenreError
    for an input channel that the output channel's group does not read.
    """
    row, column, out = position
    geometry = layer.geometry((1, *x.shape))
    per_group = layer.in_channels // layer.groups
    first = out // (layer.out_channels // layer.groups) * per_group
    weight = layer.weight.data[:, :, :, out].astype(np.float64)
    patch, on_image = read_window(x[:, :, first : first + per_group], geometry, row, column)
    products = patch * weight
    sums = products.sum(axis=(0, 1))
    order = np.argsort(-np.abs(sums), kind="stable")
    if input_channel is None:
        shown = int(order[0])
    elif first <= input_channel < first + per_group:
        shown = input_channel - first
    else:
        raise PosterGenreError(
            f"channel {out} reads the input channels {first} to {first + per_group - 1}, not {input_channel}"
        )
    bias = None if layer.bias is None else float(layer.bias.data[out])
    return {
        "kind": "convolution",
        "corner": list(corner(geometry, row, column)),
        "size": list(geometry.kernel),
        "stride": list(geometry.stride),
        "dilation": list(geometry.dilation),
        "input_channel": first + shown,
        "patch": patch[:, :, shown].tolist(),
        "on_image": on_image.tolist(),
        "kernel": weight[:, :, shown].tolist(),
        "products": products[:, :, shown].tolist(),
        "sum": float(sums[shown]),
        "channels": [[first + int(c), float(sums[c])] for c in order],
        "total": float(sums.sum()),
        "bias": bias,
        **compared(float(sums.sum()) + (bias or 0.0), value),
    }


def read_window(x: np.ndarray, geometry: Geometry, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """The window of output pixel (row, column) on x (H, W, C).

    Returns its numbers, float64 (kh, kw, C) with 0 where a cell is padding, and bool (kh, kw): True where a
    cell is on the image.
    """
    top, left = corner(geometry, row, column)
    rows = top + np.arange(geometry.kernel[0]) * geometry.dilation[0]
    columns = left + np.arange(geometry.kernel[1]) * geometry.dilation[1]
    on_image = np.logical_and.outer(
        (rows >= 0) & (rows < x.shape[0]), (columns >= 0) & (columns < x.shape[1])
    )
    cells = np.ix_(np.clip(rows, 0, x.shape[0] - 1), np.clip(columns, 0, x.shape[1] - 1))
    return np.where(on_image[:, :, None], x[cells].astype(np.float64), 0.0), on_image


def max_pooling(x: np.ndarray, geometry: PoolGeometry, position: Position, value: float) -> Computation:
    """The window on x (H, W, C) and the maximum of its cells on the image, the first of equal ones."""
    cells, on_image, entries = _pooling_window("max pooling", x, geometry, position)
    winner = int(np.where(on_image, cells, -np.inf).argmax())
    return {
        **entries,
        "winner": list(divmod(winner, geometry.kernel[1])),
        **compared(cells.flat[winner], value),
    }


def average_pooling(x: np.ndarray, geometry: PoolGeometry, position: Position, value: float) -> Computation:
    """The window on x (H, W, C) and the mean of its cells on the image; padding is not counted."""
    cells, on_image, entries = _pooling_window("average pooling", x, geometry, position)
    total, count = float(cells.sum()), int(on_image.sum())
    return {**entries, "sum": total, "count": count, **compared(total / count, value)}


def _pooling_window(
    kind: str, x: np.ndarray, geometry: PoolGeometry, position: Position
) -> tuple[np.ndarray, np.ndarray, Computation]:
    """The cells (kh, kw) under a pooling window, which of them are on the image, and the entries for both."""
    row, column, channel = position
    patch, on_image = read_window(x[:, :, channel : channel + 1], geometry, row, column)
    cells = patch[:, :, 0]
    entries: Computation = {
        "kind": kind,
        "corner": list(corner(geometry, row, column)),
        "size": list(geometry.kernel),
        "stride": list(geometry.stride),
        "dilation": [1, 1],
        "patch": cells.tolist(),
        "on_image": on_image.tolist(),
    }
    return cells, on_image, entries


def global_maximum(x: np.ndarray, value: float) -> Computation:
    """The maximum of one map x (H, W), and the first position that has it."""
    winner = int(x.argmax())
    position = list(divmod(winner, x.shape[1]))
    return {"kind": "global maximum", "winner": position, **compared(float(x.flat[winner]), value)}


def global_average(x: np.ndarray, value: float) -> Computation:
    """The mean of one map x (H, W)."""
    total = float(x.astype(np.float64).sum())
    return {"kind": "global average", "sum": total, "count": x.size, **compared(total / x.size, value)}


def normalization(layer: BatchNorm, x: float, channel: int, value: float) -> Computation:
    """``(x - mean) / sqrt(variance + eps) * gamma + beta`` in four steps; mean and variance are running."""
    mean, variance = float(layer.running_mean[channel]), float(layer.running_var[channel])
    gamma, beta = float(layer.weight.data[channel]), float(layer.bias.data[channel])
    deviation = float(np.sqrt(variance + layer.eps))
    normalised = (x - mean) / deviation
    return {
        "kind": "normalisation",
        "x": x,
        "mean": mean,
        "variance": variance,
        "eps": layer.eps,
        "gamma": gamma,
        "beta": beta,
        "centred": x - mean,
        "deviation": deviation,
        "normalised": normalised,
        "scaled": normalised * gamma,
        **compared(normalised * gamma + beta, value),
    }


def activation(layer: Layer, x: float, value: float) -> Computation:
    """The activation function of one number; ``function`` is its name.

    Raises PosterGenreError for a function that is not among these.
    """
    if isinstance(layer, ReLU):
        computed = max(x, 0.0)
    elif isinstance(layer, LeakyReLU):
        computed = x if x > 0 else layer.negative_slope * x
    elif isinstance(layer, Sigmoid):
        computed = float(sigmoid(np.array(x)))
    elif isinstance(layer, SiLU):
        computed = x * float(sigmoid(np.array(x)))
    elif isinstance(layer, Tanh):
        computed = float(np.tanh(x))
    else:
        raise no_formula(layer)
    return {"kind": "activation", "function": type(layer).__name__, "x": x, **compared(computed, value)}


def merge(layer: Parallel, parts: Sequence[Computation], value: float) -> Computation:
    """The sum or the product of the branches' numbers, the ``value`` of each of ``parts``."""
    values = [float(part["value"]) for part in parts]
    is_sum = layer.merge == "sum"
    computed = float(np.sum(values) if is_sum else np.prod(values))
    return {"kind": "sum" if is_sum else "product", "parts": list(parts), **compared(computed, value)}


def dense(layer: Dense, x: np.ndarray, unit: int, value: float) -> Computation:
    """``x @ weight[:, unit] + bias`` for features x (d,); see ``strongest_addends``."""
    bias = None if layer.bias is None else float(layer.bias.data[unit])
    addends = strongest_addends(x, layer.weight.data[:, unit])
    return {
        "kind": "dense",
        "features": len(x),
        **addends,
        "bias": bias,
        **compared(addends["total"] + (bias or 0.0), value),
    }


def strongest_addends(a: np.ndarray, weight: np.ndarray) -> Computation:
    """The sum of products of a (d,) and weight (d,), and which of them matter most.

    ``up`` and ``down`` list the greatest positive and negative products, each [index, a, weight, product];
    ``rest`` is the sum of all others and ``total`` that of all.
    """
    weight = weight.astype(np.float64)
    products = a.astype(np.float64) * weight
    order = np.argsort(-products, kind="stable")
    up = [int(i) for i in order[:LISTED] if products[i] > 0]
    down = [int(i) for i in order[::-1][:LISTED] if products[i] < 0]
    total = float(products.sum())
    return {
        "up": [[i, float(a[i]), float(weight[i]), float(products[i])] for i in up],
        "down": [[i, float(a[i]), float(weight[i]), float(products[i])] for i in down],
        "rest": total - float(products[[*up, *down]].sum()),
        "total": total,
    }


def compared(computed: float, value: float) -> Computation:
    """The float64 result of a formula, and its distance from the library's ``value``."""
    return {"computed": float(computed), "difference": float(abs(computed - value))}


def no_formula(layer: Layer | None) -> PosterGenreError:
    """The error for a layer whose formula is not among these."""
    return PosterGenreError(f"cannot show how a {type(layer).__name__} computes its output")
