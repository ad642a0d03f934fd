"""What the parts of a training run share: its arguments, its history, and what a callback may read of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from minicnn.argument_checks import positive_int
from minicnn.data.loader import DataLoader
from minicnn.layer import Layer
from minicnn.optim import Optimizer

Row = dict[str, Any]
"""One epoch of the history: values by column."""

Metrics = Callable[[np.ndarray, np.ndarray], Mapping[str, float]]
"""(targets, probabilities) of a whole data set -> measures by name."""


class Run(Protocol):
    """A training run as its callbacks see it; the trainer is one.

    ``epoch``    whole epochs so far, of ``epochs``
    ``step``     steps so far, of ``steps``
    ``history``  the rows of the epochs so far
    ``best``     epoch, monitor and value of the best epoch so far, or None
    ``stop``     to be set to True to end the run after this epoch
    """

    model: Layer
    optimizer: Optimizer
    epochs: int
    steps: int
    epoch: int
    step: int
    history: list[Row]
    best: dict[str, Any] | None
    stop: bool

    def inference_arrays(self) -> dict[str, np.ndarray]:
        """Copies of the weights and statistics that prediction uses."""

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put weights into the model at the end of a run; prediction then uses them."""


@dataclass(frozen=True)
class Plan:
    """The arguments of ``Trainer.fit`` that define the run, checked.

    Raises TypeError for a loader that is none, ValueError for arguments that do not fit together.
    """

    train_loader: DataLoader
    epochs: int
    val_loader: DataLoader | None
    val_metrics: Metrics | None
    monitor: str
    mode: str

    def __post_init__(self) -> None:
        _check_loader("train_loader", self.train_loader)
        if self.val_loader is not None:
            _check_loader("val_loader", self.val_loader)
        positive_int("Trainer.fit", "epochs", self.epochs)
        if self.mode not in ("min", "max"):
            raise ValueError(f'Trainer.fit: mode must be "min" or "max", got {self.mode!r}')
        if self.val_loader is None and (self.monitor.startswith("val_") or self.val_metrics is not None):
            raise ValueError("Trainer.fit: val_metrics, and a monitored column val_..., need a val_loader")

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.epochs * len(self.train_loader)

    def improves(self, row: Row, best: Mapping[str, Any] | None) -> bool:
        """Whether the monitored column is better than in ``best``. ValueError where the row has none."""
        if self.monitor not in row:
            raise ValueError(
                f"Trainer.fit: no column {self.monitor!r} to monitor; there are {', '.join(row)}"
            )
        return better(row[self.monitor], None if best is None else best["value"], self.mode)


def better(value: float, than: float | None, mode: str, by: float = 0.0) -> bool:
    """Whether ``value`` is lower (mode "min") or higher ("max") by more than ``by``. NaN never is."""
    if than is None:
        return math.isfinite(value)
    return value < than - by if mode == "min" else value > than + by


def _check_loader(name: str, loader: Any) -> None:
    if not isinstance(loader, DataLoader):
        raise TypeError(
            f"Trainer.fit: {name} must be a DataLoader, got {type(loader).__name__}; "
            "make one with DataLoader(ArrayDataset(x, y), batch_size)"
        )
