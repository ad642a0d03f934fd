"""Inference with a model in training: predictions, the validation loss and measures."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext

import numpy as np

from minicnn.data.datasets import Unlabelled
from minicnn.data.loader import Batch, DataLoader
from minicnn.fusion.rewrite import enabled, fuse
from minicnn.layer import Layer
from minicnn.losses import Loss
from minicnn.serialize import load_model_arrays, model_arrays
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.training.run_types import Metrics


class Evaluator:
    """A model with its loss, and the moving average of its weights, which is used where there is one.

    ``fusion`` records whether ``MINICNN_FUSION`` allowed fused blocks when this was made.
    """

    def __init__(self, model: Layer, loss: Loss, ema: ExponentialMovingAverage | None = None) -> None:
        self.model, self.loss, self.ema = model, loss, ema
        self.fusion = enabled()
        # The same layers, computed with fewer passes over memory.
        self._fused = fuse(model)
        self._use_average = ema is not None

    def evaluate(self, loader: DataLoader, metrics: Metrics | None = None) -> dict[str, float]:
        """val_loss over ``loader``, a mean over the samples, and ``metrics`` of all its probabilities."""
        total, count, targets, probabilities = 0.0, 0, [], []
        batches = finite_batches(loader, 0, "validation")
        with self._inference(), closing(batches), np.errstate(all="ignore"):
            for x, y in batches:
                prediction = self._fused.forward(x)
                total += float(self.loss.forward(prediction, y, record=False)) * len(x)
                count += len(x)
                if metrics is not None:
                    targets.append(y)
                    probabilities.append(self._probabilities(prediction))
        result = {"val_loss": total / count}
        if metrics is not None:
            values = metrics(np.concatenate(targets), np.concatenate(probabilities))
            result |= {f"val_{name}": float(value) for name, value in values.items()}
        return result

    def _probabilities(self, prediction: np.ndarray) -> np.ndarray:
        """The probabilities that the loss reads a prediction as; for losses without, the prediction."""
        has_none = type(self.loss).probabilities is Loss.probabilities
        return prediction if has_none else self.loss.probabilities(prediction)

    def predict(self, x: np.ndarray | DataLoader, batch_size: int = 32) -> np.ndarray:
        """The model's outputs at inference for an array (N, ...) or a loader, in order.

        The averaged weights are used where there is an average. Raises ValueError for no samples, for inputs
        that are not finite, or a loader whose order or end is not that of its data set.
        """
        if isinstance(x, DataLoader):
            loader = x
        else:
            if len(x) == 0:
                raise ValueError("Trainer.predict: expected at least one sample, got an empty array")
            loader = DataLoader(Unlabelled(x), batch_size, prefetch=0)
        if loader.shuffle or loader.drop_last:
            raise ValueError("Trainer.predict: use a loader with shuffle=False and drop_last=False")
        batches = finite_batches(loader, 0, "prediction")
        with self._inference(), closing(batches):
            return np.concatenate([self._fused.forward(inputs) for inputs, _ in batches])

    def inference_arrays(self) -> dict[str, np.ndarray]:
        """Copies of the weights and statistics that ``predict`` uses, as ``model_arrays`` names them."""
        with self._inference():
            return {name: array.copy() for name, array in model_arrays(self.model).items()}

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put weights into the model at the end of a run; ``predict`` uses them instead of the average."""
        load_model_arrays(self.model, arrays)
        self._use_average = False

    def _inference(self) -> AbstractContextManager[None]:
        return self.ema.averaged() if self.ema is not None and self._use_average else nullcontext()


def finite_batches(loader: DataLoader, epoch: int, phase: str) -> Generator[Batch, None, None]:
    """The batches of an epoch. Raises ValueError for NaN or infinity in one, naming the sample."""
    with closing(loader.epoch(epoch)) as batches:
        for number, (x, y) in enumerate(batches):
            for what, array in (("input", x), ("target", y)):
                bad = _not_finite(array)
                if bad.size:
                    sample = loader.order(epoch)[number * loader.batch_size + bad[0]]
                    raise ValueError(
                        f"Trainer: the {what} of sample {sample} is NaN or infinite "
                        f"({phase} batch {number + 1} of epoch {epoch + 1}); repair it or leave it out"
                    )
            yield x, y


def _not_finite(array: np.ndarray) -> np.ndarray:
    """The rows that hold NaN or infinity. The sum shows both, so most arrays need no more."""
    with np.errstate(all="ignore"):
        if array.dtype.kind != "f" or math.isfinite(array.sum()):
            return np.empty(0, np.intp)
    return np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
