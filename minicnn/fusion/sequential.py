"""A chain some of whose layers are computed in blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minicnn.containers import Sequential
from minicnn.fusion.arena import Arena
from minicnn.fusion.block import Block
from minicnn.layer import Layer


class FusedSequential(Sequential):
    """A chain of ``steps``: blocks, and the layers that belong to none. Its children are the single layers.

    Its blocks share one arena. Between two of them y and dy are arrays of it, and dy takes the place of y:
    the later block writes dy over its input when that has been read, the earlier one releases it.
    """

    def __init__(self, members: dict[str, Layer], steps: Sequence[Layer]) -> None:
        super().__init__(members)
        self.steps = list(steps)
        self._arena = Arena()
        self._batch_shape: tuple[int, ...] | None = None
        for step, following in zip(self.steps, [*self.steps[1:], None], strict=True):
            if isinstance(step, Block):
                step.kernels.arena = self._arena
                if isinstance(following, Block):
                    step.kernels.output_to_block = following.kernels.input_from_block = True

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        if training and x.shape != self._batch_shape:
            self._arena.clear()
            self._batch_shape = x.shape
        for step in self.steps:
            x = step.forward(x, training=training, record=record)
        return x

    def backward(self, dy: np.ndarray) -> np.ndarray:
        for step in reversed(self.steps):
            dy = step.backward(dy)
        return dy

    def backward_parameters(self, dy: np.ndarray) -> None:
        for step in reversed(self.steps[1:]):
            dy = step.backward(dy)
        self.steps[0].backward_parameters(dy)
