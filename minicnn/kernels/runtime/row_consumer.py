"""Functions that receive rows of an image while they are in the cache.

A convolution computes its output a few rows at a time. What follows, such as sums or a normalisation, would
read the rows from main memory if it were done later; done at once it reads them from the cache. So a kernel
can be given a consumer, which it calls from the task that has just computed some rows:

    consumer.expect(tasks)                      before the first
    consumer(task, first, last, rows)           rows first..last-1, counted through the batch, as a flat array

Tasks run side by side and in any order, so that a consumer stores its results by the task's number. Which
rows a task has follows from the shape alone. Rows of a task begin at an even row of an image.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


class RowConsumer(Protocol):
    """A callable that receives the rows of an output as they are computed; see the module."""

    def expect(self, tasks: int) -> None:
        """``tasks`` calls are coming, numbered from 0."""

    def __call__(self, task: int, first: int, last: int, rows: np.ndarray) -> None:
        """Rows first..last-1 are ready; ``rows`` may be overwritten after the call."""
