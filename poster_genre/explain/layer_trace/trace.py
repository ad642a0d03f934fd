"""One poster's way through the network, a layer at a time, with everything kept that came out on the way.

The network is laid out as a list of ``Step``: step 0 is the input, every plain layer is one, and so is every
point where branches meet again. ``follow`` runs them in turn, each by its layer's own ``forward``, which is
what the network's ``forward`` does; only here nothing is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layer import Layer
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.reshape import Flatten, Identity
from minicnn.shapes import Pair
from poster_genre.classifier import ONE_AT_A_TIME, PosterGenreClassifier, to_input
from poster_genre.errors import PosterGenreError
from poster_genre.model.anatomy import trunks_of

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """A place in the network where numbers come out.

    ``layer``   None for the input; a ``Parallel`` for the point where its branches meet.
    ``inputs``  the steps that it reads, by index; the branches' ends where branches meet.
    ``shape``   of its output, without the batch: (height, width, channels) or (features,).
    ``group``   number of the group of steps that belong together: a block, a head.
    ``branch``  the branch of a ``Parallel`` that it stands in, as in "body"; "" outside.
    ``trunk``   the trunk that it stands in, as in "member2", where there are several; "" outside. Branches
                are counted from there.
    """

    index: int
    name: str
    layer: Layer | None
    inputs: tuple[int, ...]
    shape: Shape
    group: int
    branch: str
    trunk: str = ""


@dataclass(frozen=True, eq=False)
class Trace:
    """What every step put out for one poster, arrays of the step's ``shape``; ``outputs[0]`` is the input.

    ``fast``: what the fused network puts out there, None where it puts out nothing; see ``inside.fast``.
    """

    steps: Sequence[Step]
    outputs: Sequence[np.ndarray]
    fast: Sequence[np.ndarray | None] = ()

    def image(self, index: int) -> np.ndarray:
        """A step's output as (height, width, channels); a row of features counts as one pixel."""
        return as_image(self.outputs[index])

    @property
    def nbytes(self) -> int:
        """Memory held; steps that pass on their input hold none of their own."""
        arrays = [*self.outputs, *(y for y in self.fast if y is not None)]
        owners = {id(y if y.base is None else y.base): y.nbytes for y in arrays}
        return sum(owners.values())


def as_image(output: np.ndarray) -> np.ndarray:
    return output if output.ndim == 3 else output.reshape(1, 1, -1)


def image_shape(shape: Shape) -> tuple[int, int, int]:
    """A step's shape as (height, width, channels); a row of features counts as one pixel."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, shape[0])


def lay_out(network: Layer, input_size: Pair, channels: int = 3) -> list[Step]:
    """The network's steps in the order in which they run.

    Chains and branches are followed to any depth; an untouched branch is no step. Trunks come one after the
    other. PosterGenreError for a container of another kind.
    """
    steps = [Step(0, "input", None, (), (*input_size, channels), 0, "")]
    _lay(network, "", 0, Where(), steps)
    return steps


class Where(NamedTuple):
    """The trunk and the branch that a layer stands in."""

    trunk: str = ""
    branch: str = ""


def _lay(layer: Layer, name: str, source: int, where: Where, steps: list[Step]) -> int:
    """Append what ``layer`` does to the output of step ``source``; the index of the step it ends in."""
    inside = layer.children()
    if isinstance(layer, Parallel):
        return _lay_branches(layer, name, source, where, steps)
    if isinstance(layer, Sequential):
        for key, child in inside.items():
            source = _lay(child, f"{name}.{key}".strip("."), source, where, steps)
        return source
    if inside:
        raise PosterGenreError(
            f"there is no view into a {type(layer).__name__}; chains and branches have one"
        )
    if isinstance(layer, Identity):
        return source
    return _append(layer, name, source, (source,), _group(layer, where, steps), where, steps)


def _lay_branches(layer: Parallel, name: str, source: int, where: Where, steps: list[Step]) -> int:
    start, trunks = len(steps), _are_trunks(layer, source, steps)
    ends = []
    for key, child in layer.children().items():
        within = _deeper(where, key, trunks)
        ends.append(_lay(child, f"{name}.{key}", source, within, steps))
    if trunks:
        group = steps[-1].group + 1
    elif not where.branch and len(steps) > start:
        group = steps[start].group
    else:
        group = _group(layer, where, steps)
    return _append(layer, name, source, tuple(ends), group, where, steps)


def _deeper(where: Where, key: str, trunks: bool) -> Where:
    if trunks:
        return Where(f"{where.trunk}.{key}".strip("."))
    return Where(where.trunk, f"{where.branch}.{key}".strip("."))


def _are_trunks(layer: Parallel, source: int, steps: list[Step]) -> bool:
    """Whether the branches are networks of their own: they read the poster, or make features of an image."""
    weighty = all(branch.parameters() for branch in layer.children().values())
    from_poster = source == 0 and weighty and not isinstance(layer, Residual)
    return from_poster or bool(trunks_of(layer, (1, *steps[source].shape)))


def _append(
    layer: Layer,
    name: str,
    source: int,
    inputs: tuple[int, ...],
    group: int,
    where: Where,
    steps: list[Step],
) -> int:
    shape = layer.output_shape((1, *steps[source].shape))[1:]
    steps.append(Step(len(steps), name, layer, inputs, shape, group, where.branch, where.trunk))
    return len(steps) - 1


def _group(layer: Layer, where: Where, steps: list[Step]) -> int:
    """A convolution, a dense layer or a set of branches opens a group; what follows on it belongs there."""
    last = steps[-1]
    entering = where.trunk != last.trunk or (bool(where.branch) and not last.branch)
    opening = (
        not where.branch
        and isinstance(layer, (Conv2D, Dense, Flatten, Parallel))
        and not isinstance(last.layer, Flatten)
    )
    return last.group + 1 if entering or opening else last.group


def follow(steps: Sequence[Step], classifier: PosterGenreClassifier, pixels: np.ndarray) -> Trace:
    """Run one poster, uint8 (h, w, 3) at the network's input size, through the steps.

    The classifier is not written to; threads queue for the network.
    """
    with ONE_AT_A_TIME:
        return run(steps, to_input(classifier.spec_, pixels[None])[0])


def run(steps: Sequence[Step], x: np.ndarray) -> Trace:
    """What every step puts out for one input x (height, width, channels)."""
    return Trace(steps, [y[0] for y in run_batch(steps, x[None])])


def run_batch(steps: Sequence[Step], x: np.ndarray) -> list[np.ndarray]:
    """What every step puts out for inputs x (N, height, width, channels)."""
    outputs = [x]
    for step in steps[1:]:
        read = [outputs[i] for i in step.inputs]
        outputs.append(merge(step.layer, read) if isinstance(step.layer, Parallel) else _run(step, read))
    return outputs


def _run(step: Step, read: list[np.ndarray]) -> np.ndarray:
    if step.layer is None:
        raise PosterGenreError("the input is given, not computed")
    return step.layer.forward(read[0])


def merge(layer: Parallel, read: list[np.ndarray]) -> np.ndarray:
    """What ``layer.forward`` makes of its branches' outputs."""
    if layer.merge == "concat":
        return np.concatenate(read, axis=-1)
    combine = np.add if layer.merge == "sum" else np.multiply
    merged = read[0]
    for y in read[1:]:
        merged = combine(merged, y)
    return merged
