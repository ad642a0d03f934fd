"""Layers made of layers: a chain, side-by-side branches, a residual block.

Forward calls the layers in order, backward calls them in reverse order: the chain rule.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from minicnn.argument_checks import check_array
from minicnn.layer import Layer
from minicnn.layers.reshape import Identity

Members = Sequence[Layer] | Mapping[str, Layer]


class Container(Layer):
    """Holds layers by name. A list names them "0", "1", ...; a dict has names of its own.

    A layer instance, and a ``Parameter``, stands in the model once; a second time is a ValueError.
    """

    def __init__(self, members: Members) -> None:
        self._members = _named(type(self).__name__, members)
        _check_no_layer_twice(type(self).__name__, self._members)
        _check_no_parameter_twice(type(self).__name__, self._members)

    def children(self) -> dict[str, Layer]:
        return self._members

    def with_members(self, members: dict[str, Layer]) -> Self:
        """A container with the settings of this one, other layers by the same names, no recorded pass."""
        twin = copy.copy(self)
        twin._members = members
        twin.discard_recorded()
        return twin

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, key: int | str) -> Layer:
        return self._members[key] if isinstance(key, str) else list(self._members.values())[key]

    def __repr__(self) -> str:
        inside = "\n".join(f"{name}: {layer!r}" for name, layer in self._members.items())
        return f"{type(self).__name__}({self.describe()}\n  " + inside.replace("\n", "\n  ") + "\n)"


def _named(kind: str, members: Members) -> dict[str, Layer]:
    """The layers by name. ``kind`` is the container's class, for error messages."""
    if isinstance(members, Mapping):
        named = dict(members)
    elif isinstance(members, Sequence):
        named = {str(i): layer for i, layer in enumerate(members)}
    else:
        raise TypeError(f"{kind}: expected a list or a dict of layers, got {type(members).__name__}")
    if not named:
        raise ValueError(f"{kind}: expected at least one layer, got none")
    for name, layer in named.items():
        if not isinstance(layer, Layer):
            raise TypeError(f"{kind}: {name!r} is not a layer but a {type(layer).__name__}")
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{kind}: a layer's name must be a text without dots, got {name!r}")
    return named


def _check_no_layer_twice(kind: str, members: Mapping[str, Layer]) -> None:
    seen: set[int] = set()
    for member in members.values():
        for _, layer in member.layers():
            if id(layer) in seen:
                raise ValueError(f"{kind}: {layer!r} stands in the model twice; a layer instance stands once")
            seen.add(id(layer))


def _check_no_parameter_twice(kind: str, members: Mapping[str, Layer]) -> None:
    owners: dict[int, str] = {}
    for name, layer in members.items():
        for key, parameter in layer.parameters().items():
            other = owners.setdefault(id(parameter), f"{name}.{key}")
            if other != f"{name}.{key}":
                raise ValueError(
                    f"{kind}: {other} and {name}.{key} are one Parameter, which an optimiser would step "
                    "twice; give each layer its own"
                )


class Sequential(Container):
    """A chain, ``y = f_n(... f_2(f_1(x)))``.

    Backward starts at the last layer: dL/dx = J_1^T J_2^T ... J_n^T dy; each ``backward`` is one factor.

    >>> model = Sequential([Dense(4, 8, rng=0), ReLU(), Dense(8, 2, rng=1)])
    """

    def __init__(self, members: Members) -> None:
        super().__init__(members)  # without this method Python's errors about arguments name Container

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        for layer in self._members.values():
            x = layer.forward(x, training=training, record=record)
        return x

    def backward(self, dy: np.ndarray) -> np.ndarray:
        for layer in reversed(self._members.values()):
            dy = layer.backward(dy)
        return dy

    def backward_parameters(self, dy: np.ndarray) -> None:
        first, *others = self._members.values()
        for layer in reversed(others):
            dy = layer.backward(dy)
        first.backward_parameters(dy)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        for layer in self._members.values():
            input_shape = layer.output_shape(input_shape)
        return input_shape


class Parallel(Container):
    """Branches that read the same input; their outputs are merged.

    Shapes: x (N, ...), branch i puts out y_i.
        merge="sum"       y = y_1 + y_2 + ...            all y_i of one shape
        merge="concat"    y = [y_1, y_2, ...]            concatenated along the last axis (channels)
        merge="multiply"  y = y_1 * y_2 * ...            (N, 1, 1, C) broadcasts over (N, H, W, C)

    Backward: dx is the sum of the branches' input gradients, where branch i receives
        sum       dy_i = dy
        concat    dy_i = its channels of dy
        multiply  dy_i = dy * product of the other outputs, summed over the axes that were broadcast

    Inception is a concatenation of convolutions; squeeze-and-excitation multiplies the identity by a gate.
    """

    MERGES = ("sum", "concat", "multiply")

    def __init__(self, branches: Members, merge: str = "sum") -> None:
        super().__init__(branches)
        if merge not in self.MERGES:
            raise ValueError(f'Parallel: merge must be "sum", "concat" or "multiply", got {merge!r}')
        self.merge = merge

    def describe(self) -> str:
        return f"merge={self.merge!r}"

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        record = training if record is None else record
        outputs = [branch.forward(x, training=training, record=record) for branch in self._members.values()]
        shape, dtype = self._merged_shape([y.shape for y in outputs]), outputs[0].dtype
        recorded = {"sum": len(outputs), "concat": [y.shape[-1] for y in outputs], "multiply": outputs}
        self.remember(recorded[self.merge], shape, dtype, when=record)
        return self.merge_outputs(outputs)

    def merge_outputs(self, outputs: list[np.ndarray]) -> np.ndarray:
        """The layer's output, a new array, from the outputs y_1, y_2, ... of its branches."""
        if self.merge == "concat":
            return np.concatenate(outputs, axis=-1)
        combine = np.add if self.merge == "sum" else np.multiply
        merged = outputs[0].copy() if len(outputs) == 1 else outputs[0]
        for y in outputs[1:]:
            merged = combine(merged, y)
        return merged

    def backward(self, dy: np.ndarray) -> np.ndarray:
        upstream = zip(self._members.values(), self.branch_gradients(dy), strict=True)
        return self.merge_gradients([branch.backward(dy_i) for branch, dy_i in upstream])

    def branch_gradients(self, dy: np.ndarray) -> list[np.ndarray]:
        """dy_1, dy_2, ...: what each branch's ``backward`` receives. Uses up the recorded forward pass."""
        recorded, shape, dtype = self.recall()
        check_array(f"{type(self).__name__}.backward", dy, shape, dtype)
        if self.merge == "sum":
            return [dy] * recorded
        if self.merge == "concat":
            return np.split(dy, np.cumsum(recorded)[:-1], axis=-1)
        return [_multiply_gradient(dy, recorded, i) for i in range(len(recorded))]

    def merge_gradients(self, gradients: list[np.ndarray]) -> np.ndarray:
        """dL/dx, the sum of the branches' input gradients."""
        return gradients[0] if len(gradients) == 1 else sum(gradients[1:], start=gradients[0])

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._merged_shape([branch.output_shape(input_shape) for branch in self._members.values()])

    def _merged_shape(self, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
        return merged_shape(type(self).__name__, self.merge, shapes)


def _multiply_gradient(dy: np.ndarray, outputs: list[np.ndarray], i: int) -> np.ndarray:
    """dy times all outputs but the i-th, summed over the axes along which that one was broadcast."""
    for j, other in enumerate(outputs):
        if j != i:
            dy = dy * other
    shape = outputs[i].shape
    broadcast = tuple(axis for axis in range(dy.ndim) if shape[axis] == 1 and dy.shape[axis] > 1)
    return dy.sum(axis=broadcast, keepdims=True) if broadcast else dy


def merged_shape(name: str, merge: str, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of the merged outputs of branches. Raises ValueError, naming ``name``, where they misfit."""
    listed = ", ".join(map(str, shapes))
    if merge == "concat":
        if len({shape[:-1] for shape in shapes}) > 1:
            raise ValueError(
                f"{name}: branches to concatenate must agree in all but the last axis, got {listed}"
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))
    if merge == "sum":
        if len(set(shapes)) > 1:
            raise ValueError(
                f"{name}: branches to sum must have one shape, got {listed}; project the odd one"
            )
        return shapes[0]
    try:
        if len({len(shape) for shape in shapes}) > 1:
            raise ValueError
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"{name}: branches to multiply must broadcast together, got {listed}") from None


class Residual(Parallel):
    """``y = body(x) + x``, or ``body(x) + projection(x)`` where the shapes differ. He et al. 2016.

    Backward: dx = body.backward(dy) + dy, or + projection.backward(dy): the gradient has a way past the body.
    """

    def __init__(self, body: Layer, projection: Layer | None = None) -> None:
        super().__init__(
            {"body": body, "projection": Identity() if projection is None else projection}, merge="sum"
        )

    def describe(self) -> str:
        return ""
