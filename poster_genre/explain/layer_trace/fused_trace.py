"""The outputs of the fused network at the steps of a trace.

The fused network (``minicnn.fusion``), which predictions use, computes convolution, normalisation, ReLU and
pooling in one pass: only the output of the last of them is ever written to memory. It differs from the plain
layers' output by rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minicnn.containers import Parallel, Sequential
from minicnn.fusion.block import Block
from minicnn.fusion.sequential import FusedSequential
from minicnn.layer import Layer
from poster_genre.explain.layer_trace.steps import Step
from poster_genre.model.trained_model import TrainedModel


def fused_outputs(steps: Sequence[Step], model: TrainedModel, pixels: np.ndarray) -> list[np.ndarray | None]:
    """The fused network's output at each step for uint8 pixels (h, w, 3); None where it has none.

    Each in the step's shape, without the batch. Nothing is written into the model.
    """
    x = model.spec.to_input(pixels[None])
    outputs = {"input": x}
    _run(model.fast_network(), "", x, outputs)
    return [outputs[step.name][0] if step.name in outputs else None for step in steps]


def _run(layer: Layer, name: str, x: np.ndarray, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """The layer's output for x (N, ...). Adds every array on the way to ``outputs``, by its step's name."""
    children = layer.children()
    names = {id(child): f"{name}.{key}".strip(".") for key, child in children.items()}
    if isinstance(layer, Parallel):
        y = layer.merge_outputs([_run(child, names[id(child)], x, outputs) for child in children.values()])
        outputs[name] = y
    elif isinstance(layer, Sequential):
        y = x
        for member in layer.steps if isinstance(layer, FusedSequential) else children.values():
            last = member.members[-1] if isinstance(member, Block) else member
            y = _run(member, names[id(last)], y, outputs)
    else:
        y = layer.forward(x)
        outputs[name] = y
    return y
