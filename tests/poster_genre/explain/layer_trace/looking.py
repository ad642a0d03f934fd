"""Traces without a classifier, and places in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.containers import Sequential
from poster_genre.explain.layer_trace.trace import Trace, image_shape, lay_out, run

STREAM = np.random.default_rng(20)


def traced(model: Sequential, x: np.ndarray, steps: Any = None) -> Trace:
    """A trace of any chain over an image, without a classifier."""
    return run(steps or lay_out(model, x.shape[:2], x.shape[2]), x.astype(np.float32))


def places(trace: Trace, count: int = 3) -> list[tuple[int, tuple[int, int, int]]]:
    """Some numbers of every step, the corners among them."""
    found = []
    for step in trace.steps:
        h, w, c = image_shape(step.shape)
        found += [(step.index, (0, 0, 0)), (step.index, (h - 1, w - 1, c - 1))]
        for _ in range(count):
            found.append(
                (step.index, (int(STREAM.integers(h)), int(STREAM.integers(w)), int(STREAM.integers(c))))
            )
    return found
