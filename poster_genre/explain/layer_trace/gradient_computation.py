"""How one number's gradient was computed: what every step that reads it passes back, in float64.

A number's gradient is the sum of what its readers pass back (the multivariable chain rule). ``value`` is the
library's own float32 gradient; ``computed`` is the sum in float64 from the gradients of the readers' outputs,
and ``difference`` the absolute difference of the two, the rounding of float32.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minicnn.containers import Parallel
from minicnn.layer import Layer
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace import gradient_formulas as formulas
from poster_genre.explain.layer_trace.computation import check_position, is_elementwise
from poster_genre.explain.layer_trace.formulas import Computation, Position, compared, no_formula
from poster_genre.explain.layer_trace.steps import Step, image_shape
from poster_genre.explain.layer_trace.trace import Trace, as_image


def gradient_chain(
    trace: Trace, index: int, position: Position, output_channel: int | None = None
) -> list[Computation]:
    """The gradients of the number at ``position`` of step ``index`` and of those behind it, in step order.

    The chain ends at the first number whose gradient comes from more than one number (through a convolution,
    a dense layer, pooling, or several readers). ``output_channel``: the channel of the reading convolution of
    which the cells are listed; None: the one that passes back most. Raises PosterGenreError where there is no
    such step, position or channel, or no gradient.
    """
    check_position(trace.steps, index, position)
    chain = [gradient_computation(trace, index, position, output_channel)]
    while len(chain[-1]["terms"]) == 1 and is_elementwise(trace.steps[chain[-1]["terms"][0]["reader"]]):
        reader = chain[-1]["terms"][0]["reader"]
        chain.append(gradient_computation(trace, reader, position, output_channel))
    return chain


def gradient_computation(
    trace: Trace, index: int, position: Position, output_channel: int | None = None
) -> Computation:
    """The gradient of the number at ``position`` of one step, as a dictionary ready for JSON.

    ``step, name, position``        which number.
    ``value, computed, difference`` the library's gradient, the sum of the terms, and their distance.
    ``terms``                       what each reader passes back: ``{reader, name, position, kind,
                                    computed}`` and entries by ``kind``, see ``gradient_formulas``. Its
                                    ``position`` is that of the reader's number, None where it is not one.
                                    Empty for the log-odds.
    """
    step, value = trace.steps[index], float(gradient_image(trace, index)[position])
    terms = [
        _term(trace, Read(reader, branch, step, position), output_channel)
        for reader in trace.steps
        for branch, source in enumerate(reader.inputs)
        if source == index and _has_gradient(trace, reader.index)
    ]
    total = sum(term["computed"] for term in terms) if terms else float(position[2] == _genre(trace))
    return {
        "step": index,
        "name": step.name,
        "position": list(position),
        "terms": terms,
        **compared(total, value),
        "value": value,
    }


class Read(NamedTuple):
    """That ``reader`` reads the number at ``position`` of ``step``, as its input number ``branch``."""

    reader: Step
    branch: int
    step: Step
    position: Position


def _term(trace: Trace, read: Read, output_channel: int | None) -> Computation:
    """What a reader passes back to the number that it reads."""
    at = _position_in_reader(trace, read)
    return {
        "reader": read.reader.index,
        "name": read.reader.name,
        "position": None if at is None else list(at),
        **_formula(trace, read, at, output_channel),
    }


def _position_in_reader(trace: Trace, read: Read) -> Position | None:
    """Where the number enters the reader's output; None where it enters many numbers."""
    reader, branch, step, (row, column, channel) = read
    layer = reader.layer
    if isinstance(layer, (GlobalAveragePool2D, GlobalMaxPool2D)):
        return (0, 0, channel)
    if isinstance(layer, Flatten):
        _, width, channels = image_shape(step.shape)
        return (0, 0, (row * width + column) * channels + channel)
    if isinstance(layer, Parallel) and layer.merge == "concat":
        before = sum(trace.steps[i].shape[-1] for i in reader.inputs[:branch])
        return (row, column, before + channel)
    if isinstance(layer, Parallel):
        return read.position if step.shape == reader.shape else None
    return read.position if is_elementwise(reader) else None


def _formula(trace: Trace, read: Read, at: Position | None, output_channel: int | None) -> Computation:
    """The entries that depend on the reader's kind; ``at``: where the number enters the reader's output."""
    layer, position = read.reader.layer, read.position
    x, dy = trace.image(read.step.index), gradient_image(trace, read.reader.index)
    if isinstance(layer, Conv2D):
        return formulas.convolution(layer, layer.geometry((1, *x.shape)), dy, position, output_channel)
    if isinstance(layer, Dense):
        return formulas.dense(layer, dy[0, 0], position[2])
    if isinstance(layer, MaxPool2D):
        return formulas.max_pooling(layer.geometry((1, *x.shape)), x, dy, position)
    if isinstance(layer, AveragePool2D):
        return formulas.average_pooling(layer.geometry((1, *x.shape)), x, dy, position)
    if isinstance(layer, Parallel) and layer.merge == "multiply":
        return _product(trace, read, dy)
    if layer is None or at is None:
        raise no_formula(layer)
    return _from_one_number(read, layer, x, float(dy[at]))


def _from_one_number(read: Read, layer: Layer, x: np.ndarray, upstream: float) -> Computation:
    """The entries where the number enters one number of the reader's output, of gradient ``upstream``."""
    channel = read.position[2]
    if isinstance(layer, GlobalMaxPool2D):
        return formulas.global_maximum(x[:, :, channel], upstream, read.position)
    if isinstance(layer, GlobalAveragePool2D):
        return formulas.global_average(x[:, :, channel], upstream)
    if isinstance(layer, BatchNorm):
        return formulas.normalization(layer, upstream, channel)
    if isinstance(layer, (Dropout, Flatten)):
        return formulas.copied("dropout" if isinstance(layer, Dropout) else "flatten", upstream)
    if isinstance(layer, Parallel):
        return formulas.copied("sum" if layer.merge == "sum" else "concatenation", upstream)
    return formulas.activation(layer, float(x[read.position]), upstream)


def _product(trace: Trace, read: Read, dy: np.ndarray) -> Computation:
    """Through a product of branches: dy times the other branches, where the number takes part."""
    row, column, channel = read.position
    height, width, _ = image_shape(read.step.shape)
    rows = slice(None) if height < dy.shape[0] else slice(row, row + 1)
    columns = slice(None) if width < dy.shape[1] else slice(column, column + 1)
    others = np.ones(dy.shape)
    for branch, source in enumerate(read.reader.inputs):
        if branch != read.branch:
            others = others * trace.image(source)
    part = rows, columns, channel
    return formulas.product(others[part], dy[part].astype(np.float64))


def gradient_image(trace: Trace, index: int) -> np.ndarray:
    """The gradient of a step's output as (height, width, channels); PosterGenreError where there is none."""
    gradient = None if trace.gradients is None else trace.gradients.arrays[index]
    if gradient is None:
        raise PosterGenreError(f"step {index} has no gradient: it comes behind the log-odds")
    return as_image(gradient)


def _has_gradient(trace: Trace, index: int) -> bool:
    return trace.gradients is not None and trace.gradients.arrays[index] is not None


def _genre(trace: Trace) -> int | None:
    return None if trace.gradients is None else trace.gradients.genre
