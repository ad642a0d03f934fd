"""The way back: the gradient of one genre's log-odds with respect to the output of every step.

Each gradient is what the layers' own ``backward`` methods pass on, so the first one, that of the input, is
the library's input gradient bit for bit; all of them are stored. The forward pass before it is one of
inference: batch norm uses its running statistics and dropout is the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.containers import Parallel, Sequential
from minicnn.layer import Layer
from minicnn.saliency import shared_copy
from poster_genre.explain.layer_trace.contributions import last_dense
from poster_genre.explain.layer_trace.images import display_scale
from poster_genre.explain.layer_trace.steps import Step
from poster_genre.explain.layer_trace.trace import GenreGradients, Trace, as_image
from poster_genre.genres import N_GENRES


def genre_gradients(trace: Trace, network: Layer, genre: int) -> GenreGradients:
    """d(log-odds of ``genre``)/d(output) for every step of a trace of ``network``.

    None for a step behind the log-odds (a sigmoid). Nothing is written into the network, so threads may share
    it. Raises PosterGenreError for a network that does not end in a dense layer.
    """
    last, _ = last_dense(trace)
    one_hot = np.zeros((1, N_GENRES), trace.outputs[last].dtype)
    one_hot[0, genre] = 1
    chain = shared_copy(network)
    chain.forward(trace.outputs[0][None], record=True)
    behind = {step.name for step in trace.steps[last + 1 :]}
    gradients: dict[str, np.ndarray] = {}
    gradients["input"] = _backward(chain, "", one_hot, behind, gradients)
    return GenreGradients(genre, [gradients[s.name][0] if s.name in gradients else None for s in trace.steps])


def _backward(
    layer: Layer, name: str, dy: np.ndarray, behind: set[str], gradients: dict[str, np.ndarray]
) -> np.ndarray:
    """dL/dx of a layer from dy (N, ...). Adds the gradient of every output on the way to ``gradients``.

    The layers named in ``behind`` are passed over: dy is meant for the layer before them.
    """
    if name in behind:
        return dy
    children = [(f"{name}.{key}".strip("."), child) for key, child in layer.children().items()]
    if isinstance(layer, Parallel):
        gradients[name] = dy
        upstream = zip(children, layer.branch_gradients(dy), strict=True)
        return layer.merge_gradients(
            [_backward(child, inner, dy_i, behind, gradients) for (inner, child), dy_i in upstream]
        )
    if isinstance(layer, Sequential):
        for inner, child in reversed(children):
            dy = _backward(child, inner, dy, behind, gradients)
        return dy
    gradients[name] = dy
    return layer.backward(dy)


def gradient_sizes(steps: Sequence[Step], gradients: GenreGradients) -> list[dict[str, Any]]:
    """How large the gradient is at each step, in step order; steps without one are left out.

    ``{step, rms, largest, zeros, strongest, scale}``: root of the mean square, largest absolute number, share
    of numbers that are exactly 0 (0 to 1), the channel of the largest mean square, and what the strongest
    colour of a picture of it stands for.
    """
    return [
        {
            "step": step.index,
            "rms": float(np.sqrt(np.mean(np.square(dy, dtype=np.float64)))),
            "largest": float(np.abs(dy).max()),
            "zeros": float(np.mean(dy == 0)),
            "strongest": int(np.square(as_image(dy), dtype=np.float64).mean(axis=(0, 1)).argmax()),
            "scale": gradient_scale(dy),
        }
        for step, dy in zip(steps, gradients.arrays, strict=True)
        if dy is not None
    ]


def gradient_scale(gradient: np.ndarray) -> float:
    """What the strongest colour of a picture of a gradient stands for, above 0.

    The ``display_scale``, but at least a tenth of the largest number: most numbers may be 0.
    """
    return display_scale(as_image(gradient), least=max(float(np.abs(gradient).max()) / 10, 1e-30))
