"""Dropout."""

from __future__ import annotations

import numpy as np

from minicnn.argument_checks import check_array, check_batch, real
from minicnn.init import check_generator
from minicnn.kernels import dispatch
from minicnn.layer import Layer


class Dropout(Layer):
    """Sets a random share ``rate`` of the numbers to 0 in training; at inference it is the identity.

    Srivastava et al. 2014, in the "inverted" form: the other numbers are scaled up in training, so that the
    expected output is the input and inference needs no correction.

    Shapes: x (N, ...), y and the mask alike.
        y = x * mask / (1 - rate)     mask 1 with probability 1 - rate, else 0; drawn anew by each forward

    Backward: dx = dy * mask / (1 - rate), with the mask of that forward pass; dx = dy at inference.

    ``rng`` is the generator that the next mask comes from; ``minicnn.layer.reseed`` replaces it before a
    training step. The mask does not depend on the dtype.
    """

    def __init__(self, rate: float, *, rng: np.random.Generator | int) -> None:
        self.rate = real("Dropout", "rate", rate, at_least=0, below=1)
        self.rng = check_generator("Dropout", rng)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_batch("Dropout", x)
        mask = None
        if training and self.rate > 0:
            mask = self.rng.random(x.shape, dtype=np.float32) >= self.rate
        self.remember(mask, x.shape, x.dtype, when=training if record is None else record)
        return self._drop(x, mask)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        mask, shape, dtype = self.recall()
        check_array("Dropout.backward", dy, shape, dtype)
        return self._drop(dy, mask)

    def _drop(self, values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        return values if mask is None else dispatch.masked(values, mask, 1 / (1 - self.rate))

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def describe(self) -> str:
        return f"{self.rate}"
