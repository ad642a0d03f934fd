"""The outputs of all layers of a network for one poster.

Each step is run by its layer's own ``forward``, so the outputs are those of the network's ``forward``, bit
for bit; all of them are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minicnn.containers import Parallel
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.steps import Step
from poster_genre.model.trained_model import NOT_FINITE, TrainedModel


@dataclass(frozen=True, eq=False)
class GenreGradients:
    """The gradient of a genre's log-odds with respect to every step's output.

    ``genre``   index of the genre in ``GENRES``.
    ``arrays``  in the steps' ``shape``; None for steps behind the log-odds.
    """

    genre: int
    arrays: Sequence[np.ndarray | None]


@dataclass(frozen=True, eq=False)
class Trace:
    """The output of every step for one poster.

    ``outputs``    arrays of the steps' ``shape``; ``outputs[0]`` is the network's input.
    ``fused``      the outputs of the fused network at the same steps, None where it has none; empty as long
                   as they are not computed. See ``fused_trace.fused_outputs``.
    ``gradients``  those of one genre, None as long as they are not computed. See
                   ``gradients.genre_gradients``.
    """

    steps: Sequence[Step]
    outputs: Sequence[np.ndarray]
    fused: Sequence[np.ndarray | None] = ()
    gradients: GenreGradients | None = None

    def image(self, index: int) -> np.ndarray:
        """A step's output as (height, width, channels); a row of features is one pixel."""
        return as_image(self.outputs[index])

    @property
    def nbytes(self) -> int:
        """Bytes of memory held. A step that returns a view of its input (a Flatten, say) adds none."""
        gradients = self.gradients.arrays if self.gradients else ()
        arrays = [*self.outputs, *(y for y in (*self.fused, *gradients) if y is not None)]
        owners = {id(y if y.base is None else y.base): y.nbytes for y in arrays}
        return sum(owners.values())


def as_image(output: np.ndarray) -> np.ndarray:
    """An output (height, width, channels) as it is, and one of (features,) as (1, 1, features)."""
    return output if output.ndim == 3 else output.reshape(1, 1, -1)


def trace_poster(steps: Sequence[Step], model: TrainedModel, pixels: np.ndarray) -> Trace:
    """The trace of one poster, uint8 (h, w, 3) at the network's input size.

    Nothing is written into the model, so threads may share it. Raises PosterGenreError where the network's
    output is not finite.
    """
    trace = trace_input(steps, model.spec.to_input(pixels[None])[0])
    if not np.isfinite(trace.outputs[-1]).all():
        raise PosterGenreError(NOT_FINITE)
    return trace


def trace_input(steps: Sequence[Step], x: np.ndarray) -> Trace:
    """The trace of one network input x (height, width, channels)."""
    return Trace(steps, [y[0] for y in run_steps(steps, x[None])])


def run_steps(steps: Sequence[Step], x: np.ndarray) -> list[np.ndarray]:
    """The outputs (N, ...) of all steps for network inputs x (N, height, width, channels)."""
    outputs = [x]
    for step in steps[1:]:
        inputs = [outputs[i] for i in step.inputs]
        if step.layer is None:
            raise PosterGenreError(f"step {step.index} has no layer; only step 0, the input, may have none")
        if isinstance(step.layer, Parallel):
            outputs.append(step.layer.merge_outputs(inputs))
        else:
            outputs.append(step.layer.forward(inputs[0]))
    return outputs
