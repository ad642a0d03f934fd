"""What one step that reads a number passes back to it, by kind of layer, in float64, ready for JSON.

With y the step's output, x its input and L the genre's log-odds, every function computes

    sum over all outputs of  dL/dy * dy/dx

for one number of x, from ``dy``, the gradient dL/dy. The entry ``computed`` is the sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minicnn.layer import Layer
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Tanh, sigmoid
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.shapes import ConvGeometry, PoolGeometry
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.formulas import Computation, Position, no_formula, strongest_addends
from poster_genre.explain.layer_trace.receptive_field import corner


def convolution(
    layer: Conv2D, geometry: ConvGeometry, dy: np.ndarray, position: Position, output: int | None
) -> Computation:
    """``dL/dx[h, v, c] = sum over i, j, o of dy[i, j, o] * weight[h - i * stride + top, v - ..., c, o]``.

    The outputs (i, j) are those whose window covers (h, v). They lie side by side on dy (OH, OW, O), and the
    kernel lies on them turned by 180 degrees. ``at`` has (i, j) for each cell of the kernel so turned, None
    where no window has (h, v) in that cell. Cells of one output channel are listed, ``output``; None: of the
    one with the greatest sum. Raises PosterGenreError for an output channel that does not read channel c.
    """
    row, column, channel = position
    kh, kw, per_group, _ = layer.weight.data.shape
    outs = layer.out_channels // layer.groups
    first = channel // per_group * outs
    weight = layer.weight.data[::-1, ::-1, channel % per_group, first : first + outs].astype(np.float64)
    rows = _outputs_over(row, kh, geometry.stride[0], geometry.dilation[0], geometry.padding[0][0], len(dy))
    columns = _outputs_over(
        column, kw, geometry.stride[1], geometry.dilation[1], geometry.padding[1][0], dy.shape[1]
    )
    upstream = np.zeros((kh, kw, outs))
    at: list[list[list[int] | None]] = [[None] * kw for _ in range(kh)]
    for p, i in enumerate(rows):
        for q, j in enumerate(columns):
            if i is not None and j is not None:
                upstream[p, q] = dy[i, j, first : first + outs]
                at[p][q] = [i, j]
    products = upstream * weight
    sums = products.sum(axis=(0, 1))
    order = np.argsort(-np.abs(sums), kind="stable")
    if output is None:
        shown = int(order[0])
    elif first <= output < first + outs:
        shown = output - first
    else:
        raise PosterGenreError(
            f"channel {channel} is read by the output channels {first} to {first + outs - 1}, not {output}"
        )
    return {
        "kind": "convolution",
        "output_channel": first + shown,
        "at": at,
        "upstream": upstream[:, :, shown].tolist(),
        "kernel": weight[:, :, shown].tolist(),
        "products": products[:, :, shown].tolist(),
        "sum": float(sums[shown]),
        "channels": [[first + int(o), float(sums[o])] for o in order],
        "computed": float(sums.sum()),
    }


def _outputs_over(
    cell: int, kernel: int, stride: int, dilation: int, before: int, size: int
) -> list[int | None]:
    """For each tap of the turned kernel the output whose window has ``cell`` under it, along one axis."""
    outputs: list[int | None] = []
    for tap in reversed(range(kernel)):
        output, rest = divmod(cell + before - tap * dilation, stride)
        outputs.append(output if rest == 0 and 0 <= output < size else None)
    return outputs


def max_pooling(geometry: PoolGeometry, x: np.ndarray, dy: np.ndarray, position: Position) -> Computation:
    """The gradients of the windows whose (first) maximum the number is.

    ``windows``: [[i, j], dy[i, j], whether it is the maximum] for each window that covers it.
    """
    row, column, channel = position
    windows, computed = [], 0.0
    for i, j in _windows_over(geometry, row, column, dy.shape):
        top, left = corner(geometry, i, j)
        rows = slice(max(top, 0), top + geometry.kernel[0])
        columns = slice(max(left, 0), left + geometry.kernel[1])
        window = x[rows, columns, channel]
        winner = divmod(int(window.argmax()), window.shape[1])
        wins = (rows.start + winner[0], columns.start + winner[1]) == (row, column)
        windows.append([[i, j], float(dy[i, j, channel]), wins])
        computed += float(dy[i, j, channel]) if wins else 0.0
    return {"kind": "max pooling", "windows": windows, "computed": computed}


def average_pooling(geometry: PoolGeometry, x: np.ndarray, dy: np.ndarray, position: Position) -> Computation:
    """Its share of the gradient of each window that covers the number.

    ``windows``: [[i, j], dy[i, j], number of pixels in the window].
    """
    row, column, channel = position
    windows, computed = [], 0.0
    for i, j in _windows_over(geometry, row, column, dy.shape):
        top, left = corner(geometry, i, j)
        height = min(top + geometry.kernel[0], x.shape[0]) - max(top, 0)
        width = min(left + geometry.kernel[1], x.shape[1]) - max(left, 0)
        windows.append([[i, j], float(dy[i, j, channel]), height * width])
        computed += float(dy[i, j, channel]) / (height * width)
    return {"kind": "average pooling", "windows": windows, "computed": computed}


def _windows_over(
    geometry: PoolGeometry, row: int, column: int, shape: Sequence[int]
) -> list[tuple[int, int]]:
    """The outputs (i, j) whose window covers pixel (row, column)."""
    axes = [
        [
            i
            for i in range(size)
            if 0 <= cell - (i * geometry.stride[axis] - geometry.padding[axis][0]) < geometry.kernel[axis]
        ]
        for axis, (cell, size) in enumerate(zip((row, column), shape[:2], strict=True))
    ]
    return [(i, j) for i in axes[0] for j in axes[1]]


def global_maximum(x: np.ndarray, upstream: float, position: Position) -> Computation:
    """All of the gradient for the (first) maximum of map x (H, W), nothing for the others."""
    wins = divmod(int(x.argmax()), x.shape[1]) == position[:2]
    return {
        "kind": "global maximum",
        "upstream": upstream,
        "wins": wins,
        "computed": upstream if wins else 0.0,
    }


def global_average(x: np.ndarray, upstream: float) -> Computation:
    """An equal share of the gradient for each pixel of map x (H, W)."""
    return {
        "kind": "global average",
        "upstream": upstream,
        "count": x.size,
        "computed": upstream / x.size,
    }


def dense(layer: Dense, dy: np.ndarray, feature: int) -> Computation:
    """``sum over units of dy[unit] * weight[feature, unit]``; see ``formulas.strongest_addends``."""
    return {
        "kind": "dense",
        "units": len(dy),
        **(addends := strongest_addends(dy, layer.weight.data[feature])),
        "computed": addends["total"],
    }


def normalization(layer: BatchNorm, upstream: float, channel: int) -> Computation:
    """``dy * gamma / sqrt(variance + eps)``: the running statistics are constants."""
    variance, gamma = float(layer.running_var[channel]), float(layer.weight.data[channel])
    deviation = float(np.sqrt(variance + layer.eps))
    return {
        "kind": "normalisation",
        "upstream": upstream,
        "gamma": gamma,
        "variance": variance,
        "eps": layer.eps,
        "deviation": deviation,
        "computed": upstream * gamma / deviation,
    }


def activation(layer: Layer, x: float, upstream: float) -> Computation:
    """``dy * f'(x)``. Raises PosterGenreError for a function that is not among these."""
    if isinstance(layer, ReLU):
        slope = float(x > 0)
    elif isinstance(layer, LeakyReLU):
        slope = 1.0 if x > 0 else layer.negative_slope
    elif isinstance(layer, (Sigmoid, SiLU)):
        s = float(sigmoid(np.array(x)))
        slope = s * (1 - s) if isinstance(layer, Sigmoid) else s + x * s * (1 - s)
    elif isinstance(layer, Tanh):
        slope = 1 - float(np.tanh(x)) ** 2
    else:
        raise no_formula(layer)
    return {
        "kind": "activation",
        "function": type(layer).__name__,
        "x": x,
        "upstream": upstream,
        "slope": slope,
        "computed": upstream * slope,
    }


def product(others: np.ndarray, dy: np.ndarray) -> Computation:
    """``sum of dy * (product of the other branches)``, over the pixels that the number was broadcast to.

    Both (h, w) in float64; one pixel where nothing was broadcast.
    """
    return {
        "kind": "product",
        "count": dy.size,
        "upstream": float(dy.flat[0]) if dy.size == 1 else None,
        "factor": float(others.flat[0]) if others.size == 1 else None,
        "computed": float((others * dy).sum()),
    }


def copied(kind: str, upstream: float) -> Computation:
    """The gradient unchanged, where the step copies the number or adds others to it."""
    return {"kind": kind, "upstream": upstream, "computed": upstream}
