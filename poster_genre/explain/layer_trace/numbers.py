"""Why a number is what it is: the numbers it was made of, and the sum over again in float64.

``account`` explains one number of one step. What it calls ``value`` is the library's own result, from the
trace; ``computed`` is what the formula gives in float64 on the very inputs that the layer read, and
``difference`` is how far apart the two are: the rounding of float32.

``chain`` explains a number together with those before and after it at the same place, as far as each is made
of the one before alone: convolution, normalisation, ReLU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.containers import Parallel
from minicnn.layers.activation import (
    Activation,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    sigmoid,
)
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.field import Window, joined_from, window_of
from poster_genre.explain.layer_trace.trace import Step, Trace, as_image, image_shape

Account = dict[str, Any]
Place = tuple[int, int, int]
"""(row, column, channel) of a number in a step's output; a row of features is one pixel of many channels."""

LISTED = 12  # addends of a long sum that are listed for each sign


def chain(trace: Trace, index: int, place: Place, input_channel: int | None = None) -> list[Account]:
    """Accounts of the number at ``place`` of step ``index`` and of its neighbours in the chain.

    From the last step that mixes numbers (a convolution, pooling, a sum) to the last that only passes this
    number on. ``input_channel``: of which input channel a convolution shows the patch; None: the one that
    contributes most. Raises PosterGenreError for a place that there is none of.
    """
    check_place(trace.steps, index, place)
    members = [index]
    while passes_on(trace.steps[members[0]]):
        members.insert(0, trace.steps[members[0]].inputs[0])
    while (following := _following(trace.steps, members[-1])) is not None:
        members.append(following)
    return [account(trace, i, place, input_channel) for i in members]


def check_place(steps: Any, index: int, place: Place) -> None:
    if not 0 <= index < len(steps):
        raise PosterGenreError(f"there is no step {index}; the network has steps 0 to {len(steps) - 1}")
    shape = image_shape(steps[index].shape)
    if any(not 0 <= at < size for at, size in zip(place, shape, strict=True)):
        raise PosterGenreError(
            f"step {index} puts out {' x '.join(map(str, shape))} numbers (rows, columns, channels); "
            f"there is none at {place}"
        )


def passes_on(step: Step) -> bool:
    """Whether each number that the step puts out is made of the one at the same place alone."""
    return isinstance(step.layer, (BatchNorm, Dropout, Activation)) and not isinstance(step.layer, Softmax)


def _following(steps: Any, index: int) -> int | None:
    readers = [step for step in steps if index in step.inputs]
    if len(readers) != 1:
        return None
    [reader] = readers
    meets = isinstance(reader.layer, Parallel) and reader.layer.merge == "sum"
    return reader.index if passes_on(reader) or meets else None


def account(trace: Trace, index: int, place: Place, input_channel: int | None = None) -> Account:
    """What the number at ``place`` of one step was made of, as a JSON-ready dictionary.

    ``kind`` tells which members there are; all have ``step``, ``name``, ``place`` and ``value``.
    """
    step = trace.steps[index]
    value = float(trace.image(index)[place])
    head: Account = {
        "step": index,
        "name": step.name,
        "place": list(place),
        "value": value,
        "inputs": list(step.inputs),
        **_fast(trace, index, place, value),
    }
    return {**head, **_made_of(trace, step, place, input_channel, value)}


def _fast(trace: Trace, index: int, place: Place, value: float) -> Account:
    """What the fused network has at this place; None where it has no such number in memory."""
    output = trace.fast[index] if trace.fast else None
    if output is None:
        return {"fast": None, "fast_difference": None}
    fast = float(as_image(output)[place])
    return {"fast": fast, "fast_difference": abs(fast - value)}


def _made_of(trace: Trace, step: Step, place: Place, input_channel: int | None, value: float) -> Account:
    layer = step.layer
    if layer is None:
        return {"kind": "input"}
    if isinstance(layer, Parallel):
        return meeting(trace, step, layer, place)
    x, source = trace.image(step.inputs[0]), trace.steps[step.inputs[0]]
    window = window_of(step, source)
    if isinstance(layer, Conv2D) and window is not None:
        return convolution(layer, x, window, place, input_channel, value)
    if isinstance(layer, (MaxPool2D, AveragePool2D)) and window is not None:
        return pooling(isinstance(layer, MaxPool2D), x, window, place, value)
    if isinstance(layer, (GlobalAveragePool2D, GlobalMaxPool2D)):
        return global_pooling(isinstance(layer, GlobalMaxPool2D), x, place, value)
    if isinstance(layer, Dense):
        return dense(layer, trace.outputs[step.inputs[0]], place[2], value)
    if isinstance(layer, BatchNorm):
        return normalization(layer, float(x[place]), place[2], value)
    if isinstance(layer, Flatten):
        row, column = divmod(place[2] // x.shape[2], x.shape[1])
        return {"kind": "flatten", "from": [row, column, place[2] % x.shape[2]]}
    if isinstance(layer, Dropout):
        return {"kind": "dropout", "x": float(x[place]), "rate": layer.rate}
    if passes_on(step):
        return activation(layer, float(x[place]), value)
    raise PosterGenreError(f"there is no account of a {type(layer).__name__}'s numbers")


def convolution(
    layer: Conv2D, x: np.ndarray, window: Window, place: Place, input_channel: int | None, value: float
) -> Account:
    """Patch, kernel, products and sum for one input channel, and every input channel's sum."""
    row, column, out = place
    per_group = layer.in_channels // layer.groups
    first = out // (layer.out_channels // layer.groups) * per_group
    weight = layer.weight.data[:, :, :, out].astype(np.float64)
    patch, inside = read_window(x[:, :, first : first + per_group], window, row, column)
    products = patch * weight
    sums = products.sum(axis=(0, 1))
    order = np.argsort(-np.abs(sums), kind="stable")
    if input_channel is None:
        at = int(order[0])
    elif first <= input_channel < first + per_group:
        at = input_channel - first
    else:
        raise PosterGenreError(
            f"channel {out} reads the input channels {first} to {first + per_group - 1}, not {input_channel}"
        )
    bias = None if layer.bias is None else float(layer.bias.data[out])
    computed = float(sums.sum()) + (bias or 0.0)
    return {
        "kind": "convolution",
        "corner": list(window.corner(row, column)),
        "size": list(window.size),
        "dilation": list(window.dilation),
        "input_channel": first + at,
        "patch": patch[:, :, at].tolist(),
        "on_image": inside.tolist(),
        "kernel": weight[:, :, at].tolist(),
        "products": products[:, :, at].tolist(),
        "sum": float(sums[at]),
        "channels": [[first + int(c), float(sums[c])] for c in order],
        "total": float(sums.sum()),
        "bias": bias,
        **checked(computed, value),
    }


def read_window(x: np.ndarray, window: Window, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers under a window, float64 (kh, kw, channels), 0 where it hangs over; and where it does not."""
    top, left = window.corner(row, column)
    rows = top + np.arange(window.size[0]) * window.dilation[0]
    columns = left + np.arange(window.size[1]) * window.dilation[1]
    inside = np.logical_and.outer((rows >= 0) & (rows < x.shape[0]), (columns >= 0) & (columns < x.shape[1]))
    cells = np.ix_(np.clip(rows, 0, x.shape[0] - 1), np.clip(columns, 0, x.shape[1] - 1))
    return np.where(inside[:, :, None], x[cells].astype(np.float64), 0.0), inside


def pooling(maximum: bool, x: np.ndarray, window: Window, place: Place, value: float) -> Account:
    row, column, channel = place
    patch, inside = read_window(x[:, :, channel : channel + 1], window, row, column)
    cells = patch[:, :, 0]
    found: Account = {
        "kind": "max pooling" if maximum else "average pooling",
        "corner": list(window.corner(row, column)),
        "size": list(window.size),
        "dilation": [1, 1],
        "patch": cells.tolist(),
        "on_image": inside.tolist(),
    }
    if maximum:
        winner = int(np.where(inside, cells, -np.inf).argmax())
        return {**found, "winner": list(divmod(winner, window.size[1])), **checked(cells.flat[winner], value)}
    count = int(inside.sum())
    return {**found, "sum": float(cells.sum()), "count": count, **checked(float(cells.sum()) / count, value)}


def global_pooling(maximum: bool, x: np.ndarray, place: Place, value: float) -> Account:
    cells = x[:, :, place[2]].astype(np.float64)
    if maximum:
        winner = int(cells.argmax())
        where = list(divmod(winner, cells.shape[1]))
        return {"kind": "global maximum", "winner": where, **checked(float(cells.flat[winner]), value)}
    total = float(cells.sum())
    return {
        "kind": "global average",
        "sum": total,
        "count": cells.size,
        **checked(total / cells.size, value),
    }


def normalization(layer: BatchNorm, x: float, channel: int, value: float) -> Account:
    """``(x - mean) / sqrt(variance + eps) * gamma + beta`` in its four steps."""
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
        **checked(normalised * gamma + beta, value),
    }


def activation(layer: Any, x: float, value: float) -> Account:
    """The function's value anew; ``function`` is its name."""
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
        raise PosterGenreError(f"there is no account of a {type(layer).__name__}'s numbers")
    return {"kind": "activation", "function": type(layer).__name__, "x": x, **checked(computed, value)}


def meeting(trace: Trace, step: Step, layer: Parallel, place: Place) -> Account:
    """Where branches meet: the addends or factors, or the branch that a channel came from."""
    row, column, channel = place
    names = list(layer.children())
    joined = joined_from(trace.steps, step, channel)
    if joined is not None:
        read, channel = joined
        branch = names[step.inputs.index(read)]
        return {"kind": "joined", "branch": branch, "from_step": read, "from": [row, column, channel]}
    parts: list[Account] = []
    for name, read in zip(names, step.inputs, strict=True):
        image = trace.image(read)
        at = [row % image.shape[0], column % image.shape[1], channel]
        parts.append(
            {"branch": name, "step": read, "name": trace.steps[read].name, "place": at}
            | {"value": float(image[at[0], at[1], at[2]])}
        )
    values = [float(part["value"]) for part in parts]
    computed = float(np.sum(values) if layer.merge == "sum" else np.prod(values))
    kind = "sum" if layer.merge == "sum" else "product"
    return {"kind": kind, "parts": parts, **checked(computed, float(trace.image(step.index)[place]))}


def dense(layer: Dense, x: np.ndarray, unit: int, value: float) -> Account:
    """The features that push the sum up and down most, each ``[feature, x, weight, product]``."""
    weight = layer.weight.data[:, unit].astype(np.float64)
    products = x.astype(np.float64) * weight
    order = np.argsort(-products, kind="stable")
    up = [int(i) for i in order[:LISTED] if products[i] > 0]
    down = [int(i) for i in order[::-1][:LISTED] if products[i] < 0]
    total = float(products.sum())
    bias = None if layer.bias is None else float(layer.bias.data[unit])
    return {
        "kind": "dense",
        "features": len(x),
        "up": [[i, float(x[i]), float(weight[i]), float(products[i])] for i in up],
        "down": [[i, float(x[i]), float(weight[i]), float(products[i])] for i in down],
        "rest": total - float(products[[*up, *down]].sum()),
        "total": total,
        "bias": bias,
        **checked(total + (bias or 0.0), value),
    }


def checked(computed: float, value: float) -> Account:
    return {"computed": float(computed), "difference": float(abs(computed - value))}
