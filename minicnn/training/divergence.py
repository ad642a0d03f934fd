"""Stopping a run whose loss or weights are no longer finite, before they reach a checkpoint."""

from __future__ import annotations

import math

import numpy as np

from minicnn.serialize import model_arrays
from minicnn.training.run_types import Row, Run


class DivergedError(ValueError):
    """The loss or the weights became NaN or infinite; the last checkpoint is from before."""


def check_finite(run: Run, what: str, value: float) -> None:
    """DivergedError for a ``value``, called ``what`` in the message, that is NaN or infinite."""
    if not math.isfinite(value):
        raise _diverged(run, f"{what} became {value}")


def check_epoch(run: Run, row: Row) -> None:
    """DivergedError for a validation loss or weights that are not finite, even if no step showed it."""
    check_finite(run, "the validation loss", row.get("val_loss", 0.0))
    for name, array in model_arrays(run.model).items():
        if not np.isfinite(array).all():
            raise _diverged(run, f"{name} became NaN or infinite")


def _diverged(run: Run, what: str) -> DivergedError:
    return DivergedError(
        f"{what} in epoch {run.epoch + 1} at step {run.step} with learning rate {run.optimizer.lr:g}; "
        "use a lower learning rate, clip the gradients (clip_norm) or warm up"
    )
