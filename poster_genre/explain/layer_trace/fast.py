"""The same poster through the fused network, as far as its numbers ever reach memory.

Prediction at full speed computes convolution, normalisation, ReLU and pooling in one pass
(``minicnn.fusion``): what comes out between them never exists as an array. What the last of them puts out
does, and differs from the plain layers' by rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minicnn.containers import Parallel, Sequential
from minicnn.fusion.sequential import Block, FusedSequential
from minicnn.layer import Layer
from poster_genre.classifier import ONE_AT_A_TIME, PosterGenreClassifier, to_input
from poster_genre.explain.layer_trace.trace import Step, merge


def fast_outputs(
    steps: Sequence[Step], classifier: PosterGenreClassifier, pixels: np.ndarray
) -> list[np.ndarray | None]:
    """What the fused network puts out at each step for uint8 pixels (h, w, 3); None where nothing.

    Without the batch, in the step's shape. The classifier is not written to.
    """
    with ONE_AT_A_TIME:
        x = to_input(classifier.spec_, pixels[None])
        found = {"input": x}
        _run(classifier.fast_network(), "", x, found)
    return [found[step.name][0] if step.name in found else None for step in steps]


def _run(layer: Layer, name: str, x: np.ndarray, found: dict[str, np.ndarray]) -> np.ndarray:
    """The layer's output; on the way every array below it that has a step's name is put into ``found``."""
    inside = layer.children()
    names = {id(child): f"{name}.{key}".strip(".") for key, child in inside.items()}
    if isinstance(layer, Parallel):
        y = merge(layer, [_run(child, names[id(child)], x, found) for child in inside.values()])
        found[name] = y
    elif isinstance(layer, Sequential):
        y = x
        for member in layer.steps if isinstance(layer, FusedSequential) else inside.values():
            last = member.members[-1] if isinstance(member, Block) else member
            y = _run(member, names[id(last)], y, found)
    else:
        y = layer.forward(x)
        found[name] = y
    return y
