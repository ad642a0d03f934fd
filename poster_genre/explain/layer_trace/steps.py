"""A network as a list of steps, in the order in which they run.

Step 0 is the input. Every layer without children is a step, and so is every ``Parallel``: its step stands for
the merge of its branches' outputs. Identity layers are no steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from minicnn.argument_checks import Pair
from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layer import Layer
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.reshape import Flatten, Identity
from poster_genre.errors import PosterGenreError
from poster_genre.model.network_parts import backbones_of

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """One layer of a network, and the steps whose outputs it reads.

    ``layer``   None for the input; a ``Parallel`` for the merge of its branches.
    ``inputs``  indices of the steps that it reads; for a ``Parallel`` the last step of each branch.
    ``shape``   shape of its output without the batch: (height, width, channels) or (features,).
    ``group``   number of the group of steps shown together: a block, a head.
    ``branch``  name of the branch of a ``Parallel`` that it belongs to, as in "body"; "" for none.
    ``member``  name of the member of an ensemble that it belongs to, as in "member2"; "" for none. Names of
                branches are relative to the member.
    """

    index: int
    name: str
    layer: Layer | None
    inputs: tuple[int, ...]
    shape: Shape
    group: int
    branch: str
    member: str = ""


class Scope(NamedTuple):
    """The member of an ensemble and the branch that a layer belongs to; "" for none."""

    member: str = ""
    branch: str = ""


def image_shape(shape: Shape) -> tuple[int, int, int]:
    """A step's shape as (height, width, channels); a row of features is one pixel of many channels."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, shape[0])


def network_steps(network: Layer, input_size: Pair, channels: int = 3) -> list[Step]:
    """The steps of a network for inputs of ``input_size = (height, width)``.

    Chains and branches are followed to any depth. The members of an ensemble come one after the other. Raises
    PosterGenreError for a container that is neither ``Sequential`` nor ``Parallel``.
    """
    steps = [Step(0, "input", None, (), (*input_size, channels), 0, "")]
    _add_layer(network, "", 0, Scope(), steps)
    return steps


def _add_layer(layer: Layer, name: str, source: int, scope: Scope, steps: list[Step]) -> int:
    """Append the steps of ``layer``, which reads step ``source``. Returns the index of the last of them."""
    children = layer.children()
    if isinstance(layer, Parallel):
        return _add_branches(layer, name, source, scope, steps)
    if isinstance(layer, Sequential):
        for key, child in children.items():
            source = _add_layer(child, f"{name}.{key}".strip("."), source, scope, steps)
        return source
    if children:
        raise PosterGenreError(
            f"cannot trace a {type(layer).__name__}; the traceable containers are Sequential and Parallel"
        )
    if isinstance(layer, Identity):
        return source
    return _append(layer, name, source, (source,), _group(layer, scope, steps), scope, steps)


def _add_branches(layer: Parallel, name: str, source: int, scope: Scope, steps: list[Step]) -> int:
    start, is_ensemble = len(steps), _is_ensemble(layer, source, steps)
    ends = []
    for key, child in layer.children().items():
        inner = _inner_scope(scope, key, is_ensemble)
        ends.append(_add_layer(child, f"{name}.{key}", source, inner, steps))
    if is_ensemble:
        group = steps[-1].group + 1
    elif not scope.branch and len(steps) > start:
        group = steps[start].group
    else:
        group = _group(layer, scope, steps)
    return _append(layer, name, source, tuple(ends), group, scope, steps)


def _inner_scope(scope: Scope, key: str, is_ensemble: bool) -> Scope:
    """The scope of the branch ``key`` of a ``Parallel`` in ``scope``."""
    if is_ensemble:
        return Scope(f"{scope.member}.{key}".strip("."))
    return Scope(scope.member, f"{scope.branch}.{key}".strip("."))


def _is_ensemble(layer: Parallel, source: int, steps: list[Step]) -> bool:
    """Whether the branches are networks: they read the poster, or compute features from an image."""
    all_have_weights = all(branch.parameters() for branch in layer.children().values())
    reads_poster = source == 0 and all_have_weights and not isinstance(layer, Residual)
    return reads_poster or bool(backbones_of(layer, (1, *steps[source].shape)))


def _append(
    layer: Layer,
    name: str,
    source: int,
    inputs: tuple[int, ...],
    group: int,
    scope: Scope,
    steps: list[Step],
) -> int:
    """Append one step. Returns its index."""
    shape = layer.output_shape((1, *steps[source].shape))[1:]
    steps.append(Step(len(steps), name, layer, inputs, shape, group, scope.branch, scope.member))
    return len(steps) - 1


def _group(layer: Layer, scope: Scope, steps: list[Step]) -> int:
    """The group of the next step.

    A convolution, a dense layer, a Flatten or a ``Parallel`` outside branches begins a new group, and so do
    the first step of an ensemble's member and the first step of a branch. (What follows a Flatten stays in
    its group.) Any other layer belongs to the group of the step before it.
    """
    last = steps[-1]
    entering = scope.member != last.member or (bool(scope.branch) and not last.branch)
    opening = (
        not scope.branch
        and isinstance(layer, (Conv2D, Dense, Flatten, Parallel))
        and not isinstance(last.layer, Flatten)
    )
    return last.group + 1 if entering or opening else last.group
