"""Traces of any chain of layers, without a classifier, and positions of numbers in them."""

from __future__ import annotations

import numpy as np

from minicnn.containers import Sequential
from poster_genre.explain.layer_trace.formulas import Position
from poster_genre.explain.layer_trace.steps import image_shape, network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_input

RNG = np.random.default_rng(20)


def trace_of(model: Sequential, x: np.ndarray, dtype: type = np.float32) -> Trace:
    """The trace of one input x (height, width, channels)."""
    return trace_input(network_steps(model, x.shape[:2], x.shape[2]), x.astype(dtype))


def sample_positions(trace: Trace, count: int = 3) -> list[tuple[int, Position]]:
    """(step, position) of the first and the last number of every step and of ``count`` others."""
    positions = []
    for step in trace.steps:
        h, w, c = image_shape(step.shape)
        positions += [(step.index, (0, 0, 0)), (step.index, (h - 1, w - 1, c - 1))]
        for _ in range(count):
            drawn = int(RNG.integers(h)), int(RNG.integers(w)), int(RNG.integers(c))
            positions.append((step.index, drawn))
    return positions
