"""How one number of a layer's output was computed: the numbers it is made of, and the formula in float64.

``computation`` describes one number of one step. ``value`` is the library's own float32 result, from the
trace; ``computed`` is the formula's result in float64 on the same inputs, and ``difference`` is the absolute
difference of the two, the rounding of float32.

``computation_chain`` describes a number together with those that it passes through unmixed: the output of a
convolution, the same after normalisation, the same after ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

from minicnn.containers import Parallel
from minicnn.layers.activation import Activation, Softmax
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace import formulas
from poster_genre.explain.layer_trace.formulas import Computation, Position
from poster_genre.explain.layer_trace.receptive_field import concat_source
from poster_genre.explain.layer_trace.steps import Step, image_shape
from poster_genre.explain.layer_trace.trace import Trace, as_image


def computation_chain(
    trace: Trace, index: int, position: Position, input_channel: int | None = None
) -> list[Computation]:
    """The computations of the number at ``position`` of step ``index`` and of its chain, in step order.

    The chain runs from the last step before it that mixes numbers (a convolution, pooling, a sum) to the last
    step after it that computes each number from this one alone. ``input_channel``: the input channel of which
    a convolution shows the patch; None: the one with the greatest contribution. Raises PosterGenreError where
    there is no such step, position or input channel.
    """
    check_position(trace.steps, index, position)
    members = [index]
    while is_elementwise(trace.steps[members[0]]):
        members.insert(0, trace.steps[members[0]].inputs[0])
    while (following := _next_in_chain(trace.steps, members[-1])) is not None:
        members.append(following)
    return [computation(trace, i, position, input_channel) for i in members]


def check_position(steps: Sequence[Step], index: int, position: Position) -> None:
    """Raise PosterGenreError where there is no step ``index`` or its output has no such position."""
    if not 0 <= index < len(steps):
        raise PosterGenreError(f"there is no step {index}; the network has steps 0 to {len(steps) - 1}")
    shape = image_shape(steps[index].shape)
    if any(not 0 <= i < size for i, size in zip(position, shape, strict=True)):
        raise PosterGenreError(
            f"the output of step {index} has {' x '.join(map(str, shape))} numbers (rows, columns, "
            f"channels); position {position} is outside"
        )


def is_elementwise(step: Step) -> bool:
    """Whether each number of the step's output is computed from the input's number at that position alone."""
    return isinstance(step.layer, (BatchNorm, Dropout, Activation)) and not isinstance(step.layer, Softmax)


def _next_in_chain(steps: Sequence[Step], index: int) -> int | None:
    readers = [step for step in steps if index in step.inputs]
    if len(readers) != 1:
        return None
    [reader] = readers
    is_sum = isinstance(reader.layer, Parallel) and reader.layer.merge == "sum"
    return reader.index if is_elementwise(reader) or is_sum else None


def computation(
    trace: Trace, index: int, position: Position, input_channel: int | None = None
) -> Computation:
    """The computation of the number at ``position`` of one step, as a dictionary ready for JSON.

    ``step, name, position, value, inputs``  the step, the position, the value, and the steps that are read.
    ``fused, fused_difference``              the fused network's number at that position and its distance from
                                             ``value``; None where it has no such number in memory.
    ``kind``                                 of computation; it decides the other entries, see ``formulas``.

    Raises PosterGenreError for a layer whose formula is not among them.
    """
    step = trace.steps[index]
    value = float(trace.image(index)[position])
    return {
        "step": index,
        "name": step.name,
        "position": list(position),
        "value": value,
        "inputs": list(step.inputs),
        **_fused_number(trace, index, position, value),
        **_formula(trace, step, position, input_channel, value),
    }


def _fused_number(trace: Trace, index: int, position: Position, value: float) -> Computation:
    output = trace.fused[index] if trace.fused else None
    if output is None:
        return {"fused": None, "fused_difference": None}
    fused = float(as_image(output)[position])
    return {"fused": fused, "fused_difference": abs(fused - value)}


def _formula(
    trace: Trace, step: Step, position: Position, input_channel: int | None, value: float
) -> Computation:
    """The entries of a computation that depend on the kind of layer."""
    layer = step.layer
    if layer is None:
        return {"kind": "input"}
    if isinstance(layer, Parallel):
        return _merge(trace, step, layer, position, value)
    x = trace.image(step.inputs[0])
    if isinstance(layer, Conv2D):
        return formulas.convolution(layer, x, position, input_channel, value)
    if isinstance(layer, MaxPool2D):
        return formulas.max_pooling(x, layer.geometry((1, *x.shape)), position, value)
    if isinstance(layer, AveragePool2D):
        return formulas.average_pooling(x, layer.geometry((1, *x.shape)), position, value)
    if isinstance(layer, GlobalMaxPool2D):
        return formulas.global_maximum(x[:, :, position[2]], value)
    if isinstance(layer, GlobalAveragePool2D):
        return formulas.global_average(x[:, :, position[2]], value)
    if isinstance(layer, Dense):
        return formulas.dense(layer, trace.outputs[step.inputs[0]], position[2], value)
    if isinstance(layer, BatchNorm):
        return formulas.normalization(layer, float(x[position]), position[2], value)
    if isinstance(layer, Flatten):
        row, column = divmod(position[2] // x.shape[2], x.shape[1])
        return {"kind": "flatten", "from": [row, column, position[2] % x.shape[2]]}
    if isinstance(layer, Dropout):
        return {"kind": "dropout", "x": float(x[position]), "rate": layer.rate}
    if is_elementwise(step):
        return formulas.activation(layer, float(x[position]), value)
    raise formulas.no_formula(layer)


def _merge(trace: Trace, step: Step, layer: Parallel, position: Position, value: float) -> Computation:
    """The addends or factors of merged branches, or the branch that a concatenated channel is copied from."""
    row, column, channel = position
    names = list(layer.children())
    concatenated = concat_source(trace.steps, step, channel)
    if concatenated is not None:
        source, channel = concatenated
        branch = names[step.inputs.index(source)]
        return {
            "kind": "concatenation",
            "branch": branch,
            "from_step": source,
            "from": [row, column, channel],
        }
    parts: list[Computation] = []
    for name, source in zip(names, step.inputs, strict=True):
        image = trace.image(source)
        broadcast = (row % image.shape[0], column % image.shape[1], channel)
        parts.append(
            {
                "branch": name,
                "step": source,
                "name": trace.steps[source].name,
                "position": list(broadcast),
                "value": float(image[broadcast]),
            }
        )
    return formulas.merge(layer, parts, value)
