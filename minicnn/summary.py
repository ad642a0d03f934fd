"""A model as a table: layers, output shapes, parameters, multiply-adds and memory, without running it.

A second table shows how each convolution will be computed, and why: by which algorithm, and with which of the
layers after it in the same pass (``minicnn.fusion``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minicnn.argument_checks import positive_int
from minicnn.containers import Parallel
from minicnn.fusion.rewrite import blocks_of
from minicnn.layer import Layer, Parameter
from minicnn.layers.conv import Conv2D
from minicnn.layers.reshape import Flatten, Identity

Shape = tuple[int, ...]

# Abbreviations of a layer's settings, so that a table stays within 110 columns.
ABBREVIATIONS = (
    (" -> ", "->"),
    (r"=\((\d+), \1\)", r"=\1"),
    (r"padding='same'", "same"),
    (r"bias=False", "no bias"),
)

# Images in a batch that is large enough for every algorithm.
MANY = 64


class Row(NamedTuple):
    """One layer in the summary, for one sample.

    ``input_shape`` and ``output_shape`` are without the batch; ``parameters`` and ``frozen`` count numbers;
    ``multiply_adds`` counts those of the forward pass; ``activation_bytes`` is the size of the output, 0
    where that is the input array itself. A container's members have rows of their own.
    """

    name: str
    depth: int
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: int
    frozen: int
    multiply_adds: int
    activation_bytes: int


def layer_rows(model: Layer, input_shape: Sequence[int]) -> list[Row]:
    """One row for every layer and container below ``model``, in forward order.

    A model that is a single layer, or merges branches or has parameters of its own, comes first, under the
    name "". ``input_shape`` is that of one sample, such as (height, width, channels), without the batch.
    Containers other than Parallel are read as chains. Raises ValueError, with the layer's dotted name, for
    shapes that do not fit.
    """
    if not isinstance(model, Layer):
        raise TypeError(f"summary: expected a model, got {type(model).__name__}")
    if not isinstance(input_shape, Sequence) or isinstance(input_shape, str) or not input_shape:
        raise TypeError(f"summary: input_shape must be a tuple such as (144, 96, 3), got {input_shape!r}")
    shape = (1, *(positive_int("summary", "every size in input_shape", size) for size in input_shape))
    itemsize = _itemsize(model)
    own_row = isinstance(model, Parallel) or not model.children() or bool(_own_parameters(model))
    members = list(_walk(model, shape, "", 1 if own_row else 0, itemsize))
    root = _row("", 0, model, shape, itemsize)
    return [root, *members] if own_row else members


def _walk(container: Layer, shape: Shape, prefix: str, depth: int, itemsize: int) -> Iterator[Row]:
    for key, layer in container.children().items():
        name = f"{prefix}.{key}" if prefix else key
        # The members first: an error of shapes then names the innermost layer that has it.
        members = list(_walk(layer, shape, name, depth + 1, itemsize))
        yield _row(name, depth, layer, shape, itemsize)
        yield from members
        if not isinstance(container, Parallel):
            shape = layer.output_shape(shape)


def _row(name: str, depth: int, layer: Layer, shape: Shape, itemsize: int) -> Row:
    try:
        out = layer.output_shape(shape)
    except ValueError as error:
        raise ValueError(f"summary, {f'layer {name!r}' if name else 'the model'}: {error}") from None
    own = _own_parameters(layer)
    chain = bool(layer.children()) and not isinstance(layer, Parallel)
    new_array = not chain and not isinstance(layer, (Identity, Flatten))
    return Row(
        name=name,
        depth=depth,
        layer=layer,
        input_shape=shape[1:],
        output_shape=out[1:],
        parameters=sum(p.data.size for p in own),
        frozen=sum(p.data.size for p in own if not p.trainable),
        multiply_adds=multiply_adds(layer, out),
        activation_bytes=math.prod(out[1:]) * itemsize if new_array else 0,
    )


def _own_parameters(layer: Layer) -> list[Parameter]:
    """The layer's parameters without those of its children, whose names have a dot."""
    return [parameter for name, parameter in layer.parameters().items() if "." not in name]


def multiply_adds(layer: Layer, output_shape: Shape) -> int:
    """Multiplications (each with an addition) of one layer's forward pass on one sample.

    A kernel (kh, kw, c_in / groups, c_out) or a matrix (in, out) is used once, whole, at every output pixel:
    ``kh * kw * c_in / groups * c_out * out_h * out_w`` for Conv2D, ``in * out`` for Dense. Passes over single
    numbers (normalisation, activations, pooling, biases) are not counted, by convention.
    """
    positions = math.prod(output_shape[1:-1])
    return sum(p.data.size * positions for p in _own_parameters(layer) if p.data.ndim >= 2)


def _itemsize(model: Layer) -> int:
    dtypes = {p.data.dtype for p in model.parameters().values()} or {np.dtype(np.float32)}
    return max(dtype.itemsize for dtype in dtypes)


class Method(NamedTuple):
    """How a convolution is computed.

    ``algorithm`` and ``reason``, as ``Conv2D.algorithm`` returns them for a batch; ``together_with``, the
    names of the layers after it that are computed in the same pass; and ``alone``, (algorithm, reason) for a
    single image.
    """

    name: str
    algorithm: str
    together_with: tuple[str, ...]
    reason: str
    alone: tuple[str, str]


def convolution_methods(model: Layer, input_shape: Sequence[int]) -> list[Method]:
    """One for each Conv2D in ``model``, in forward order, for samples of ``input_shape``.

    As the backend, ``MINICNN_CONVOLUTION`` and ``MINICNN_FUSION`` are now. Raises as ``layer_rows`` does.
    """
    rows = layer_rows(model, input_shape)
    names = {id(row.layer): row.name for row in rows}
    blocks = {id(block.convolution): block for block in blocks_of(model)}
    methods = []
    for row in rows:
        if isinstance(row.layer, Conv2D):
            shape, block = (MANY, *row.input_shape), blocks.get(id(row.layer))
            members = block.members[1:] if block and block.applies_to(shape) else []
            others = tuple(names[id(layer)] for layer in members)
            algorithm, reason = row.layer.algorithm(shape)
            alone = row.layer.algorithm((1, *row.input_shape))
            methods.append(Method(row.name, algorithm, others, reason, alone))
    return methods


def summary(model: Layer, input_shape: Sequence[int]) -> str:
    """Two tables for one sample of ``input_shape`` (without the batch): the layers, with totals, and how each
    convolution is computed.

    Parallel branches and residual bodies are indented under their container, with the last part of their
    name.

    >>> print(summary(model, (144, 96, 3)))
    """
    rows = layer_rows(model, input_shape)
    columns = ["layer", "kind", "output", "parameters", "multiply-adds", "memory"]
    lines = _table(columns, [_cells(row) for row in rows], left=3)
    size = " x ".join(map(str, input_shape))
    text = [f"{type(model).__name__}, input {size}", *lines, lines[0], *_totals(model, rows)]
    methods = convolution_methods(model, input_shape)
    if methods:
        columns = ["convolution", "algorithm", "in one pass with", "because"]
        text += ["", *_table(columns, [_method_cells(method) for method in methods], left=4)]
        exceptions = {method.alone: None for method in methods if method.alone[0] != method.algorithm}
        text += [f"* a single image: {name}, {reason}" for name, reason in exceptions]
    return "\n".join(text)


def _table(head: Sequence[str], cells: Sequence[Sequence[str]], left: int) -> list[str]:
    """A rule, the head, a rule, the lines; the first ``left`` columns flush left, the others flush right."""
    widths = [max(len(line[column]) for line in [head, *cells]) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [head, *cells]
    ]
    rule = "-" * max(map(len, lines))
    return [rule, lines[0], rule, *lines[1:]]


def _cells(row: Row) -> tuple[str, ...]:
    settings = row.layer.describe()
    for long, short in ABBREVIATIONS:
        settings = re.sub(long, short, settings)
    kind = type(row.layer).__name__ + (f"({settings})" if settings else "")
    frozen = "" if not row.frozen else " frozen" if row.frozen == row.parameters else " part frozen"
    return (
        " " * row.depth + row.name.rpartition(".")[2],
        kind,
        "x".join(map(str, row.output_shape)),
        f"{row.parameters:,}{frozen}" if row.parameters else "",
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        _bytes(row.activation_bytes) if row.activation_bytes else "",
    )


def _method_cells(method: Method) -> tuple[str, ...]:
    others = ", ".join(name.rpartition(".")[2] for name in method.together_with)
    star = "*" if method.alone[0] != method.algorithm else ""
    return method.name, method.algorithm + star, others, method.reason


def _totals(model: Layer, rows: list[Row]) -> list[str]:
    parameters, frozen = sum(row.parameters for row in rows), sum(row.frozen for row in rows)
    weights = sum(p.data.nbytes for p in model.parameters().values())
    buffers: list[Any] = list(model.state().values())
    lines = {
        "parameters": f"{parameters:,} ({parameters - frozen:,} trainable), {_bytes(weights)}",
        "buffers": f"{sum(b.size for b in buffers):,}, {_bytes(sum(b.nbytes for b in buffers))}",
        "multiply-adds": f"{sum(row.multiply_adds for row in rows):,} a sample, forward",
        "activations": f"{_bytes(sum(row.activation_bytes for row in rows))} a sample, every output stored",
    }
    return [f"{name:<14} {text}" for name, text in lines.items()]


def _bytes(count: int) -> str:
    value, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
