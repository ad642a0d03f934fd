"""An exponential moving average of a model's weights, which often predicts better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minicnn.argument_checks import real
from minicnn.kernels.runtime.chunks import Scratch, chunks
from minicnn.layer import Layer
from minicnn.serialize import check_saved_arrays, model_arrays


class ExponentialMovingAverage:
    """``average = d * average + (1 - d) * weights``, for parameters and floating-point buffers.

    The average starts as a copy of the model. With ``warm_up`` the decay grows with the number of updates t,
    ``d = min(decay, (1 + t) / (10 + t))``, so that a short run is not dominated by its random start; without
    it ``d = decay`` throughout. Buffers that are not floating point are copied, not averaged.
    Polyak and Juditsky 1992 for the idea; the warm-up is TensorFlow's ``num_updates``.

    >>> ema = ExponentialMovingAverage(model, 0.999)
    >>> ema.update()                       # after every optimiser step
    >>> with ema.averaged():               # evaluate, or save, the averaged model
    ...     probabilities = model(x)
    """

    def __init__(self, model: Layer, decay: float = 0.999, *, warm_up: bool = True) -> None:
        if not isinstance(model, Layer):
            raise TypeError(f"ExponentialMovingAverage: expected a model, got {type(model).__name__}")
        self.model = model
        self.decay = real("ExponentialMovingAverage", "decay", decay, at_least=0, below=1)
        self.warm_up = warm_up
        self.updates = 0
        self._average = {name: array.copy() for name, array in model_arrays(self.model).items()}
        self._scratch = Scratch()
        self._swapped = False

    def update(self) -> None:
        """Move the average towards the model's present weights."""
        if self._swapped:
            raise RuntimeError("ExponentialMovingAverage.update inside averaged() would average the average")
        t = self.updates
        rate = 1 - (min(self.decay, (1 + t) / (10 + t)) if self.warm_up else self.decay)
        for name, array in model_arrays(self.model).items():
            average = self._average[name]
            if not np.issubdtype(array.dtype, np.floating):
                average[...] = array
                continue
            for mean, value in chunks(average, array):
                step = np.subtract(value, mean, out=self._scratch.like(mean))
                step *= rate
                mean += step
        self.updates += 1

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside the block the model holds the averages; afterwards, also after an exception, its weights."""
        if self._swapped:
            raise RuntimeError("ExponentialMovingAverage.averaged is already in force")
        arrays = model_arrays(self.model)
        before = {name: array.copy() for name, array in arrays.items()}
        self._swapped = True
        try:
            _overwrite(arrays, self._average)
            yield
        finally:
            _overwrite(arrays, before)
            self._swapped = False

    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor other than the model; a resumed run must have the same."""
        return {"decay": self.decay, "warm_up": self.warm_up}

    def state(self) -> dict[str, np.ndarray]:
        """Copies of the averages ("parameter/NAME", "state/NAME") and the number of updates."""
        return {
            "updates": np.array(self.updates, np.int64),
            **{name: array.copy() for name, array in self._average.items()},
        }

    def load_state(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what ``state`` gave. Names, shapes and dtypes must match exactly, else ValueError."""
        check_saved_arrays("ExponentialMovingAverage", arrays, self.state())
        self.updates = int(arrays["updates"])
        _overwrite(self._average, arrays)


def _overwrite(targets: dict[str, np.ndarray], sources: dict[str, np.ndarray]) -> None:
    for name, array in targets.items():
        array[...] = sources[name]
