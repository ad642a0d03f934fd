"""Rows of an image handed on while they are in the cache.

A convolution computes its output a few rows at a time. Whatever is to be done with a number next, adding it
to a sum or normalising it, costs a trip to memory if it is done later and next to nothing if it is done at
once. So a kernel can be given a consumer, which it calls from the task that has just computed some rows:

    consumer.expect(tasks)                      before the first
    consumer(task, first, last, rows)           rows first..last-1, counted through the batch, as a flat array

Tasks run side by side and in any order, so that a consumer keeps what it gathers by the task's number. Which
rows a task has follows from the shape alone. Rows of a task begin at an even row of an image.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


class RowConsumer(Protocol):
    def expect(self, tasks: int) -> None:
        """``tasks`` calls are coming, numbered from 0."""

    def __call__(self, task: int, first: int, last: int, rows: np.ndarray) -> None:
        """Rows first..last-1 are ready; ``rows`` may be overwritten after the call."""
