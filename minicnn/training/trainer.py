"""The training loop.

One step is

    learning rate = schedule(step)
    prediction    = model.forward(x)        random layers seeded by (seed, step)
    L             = loss(prediction, y)
    dL/dweights   = model.backward_parameters(loss.backward())
    clip the gradients, take an optimiser step, update the moving average

and an epoch is one step for each batch, a validation, the callbacks, a checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from minicnn.argument_checks import non_negative_int, real
from minicnn.data.loader import DataLoader
from minicnn.layer import Layer, reseed
from minicnn.losses import Loss
from minicnn.optim import Optimizer, clip_gradients
from minicnn.schedules import Schedule
from minicnn.serialize import PathLike
from minicnn.training.callbacks import Callback
from minicnn.training.checkpoint import Checkpoints
from minicnn.training.checkpoint_folder import RunFolder
from minicnn.training.divergence import check_epoch, check_finite
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.training.evaluator import Evaluator, finite_batches
from minicnn.training.run_types import Metrics, Plan, Row
from minicnn.training.settings_json import as_json_values


class Trainer(Evaluator):
    """Trains ``model`` to lower ``loss`` with ``optimizer``.

    ``schedule``       step -> learning rate; without it the optimiser's own
    ``ema``            a moving average of the weights; validation, prediction and best.npz then use it
    ``clip_norm``      largest norm of all gradients together; ``math.inf`` only measures it
    ``seed``           of the layers that draw random numbers; the loader has its own
    ``callbacks``      see minicnn.training.callbacks; they are called in this order
    ``configuration``  whatever else (JSON) must be equal for a run to be resumed

    ``evaluate`` and ``predict`` are those of ``Evaluator``.
    """

    def __init__(
        self,
        model: Layer,
        loss: Loss,
        optimizer: Optimizer,
        *,
        schedule: Schedule | None = None,
        ema: ExponentialMovingAverage | None = None,
        clip_norm: float | None = None,
        seed: int = 0,
        callbacks: Iterable[Callback] = (),
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, loss, ema)
        if schedule is not None and not callable(schedule):
            raise TypeError(f"Trainer: schedule must be a function of the step, got {schedule!r}")
        if clip_norm is not None and clip_norm != math.inf:
            clip_norm = real("Trainer", "clip_norm", clip_norm, above=0)
        self.optimizer, self.schedule, self.clip_norm = optimizer, schedule, clip_norm
        self.seed = non_negative_int("Trainer", "seed", seed)
        self.callbacks = list(callbacks)
        self.configuration = dict(configuration or {})
        self.optimizer_settings: dict[str, Any] = {}
        self._reset(epochs=0, steps=0)

    def _reset(self, epochs: int, steps: int) -> None:
        self.epochs, self.steps = epochs, steps
        self.epoch = self.step = 0
        self.history: list[Row] = []
        self.best: dict[str, Any] | None = None
        self.stop = False
        self._use_average = self.ema is not None

    def fit(
        self,
        train_loader: DataLoader,
        epochs: int,
        *,
        val_loader: DataLoader | None = None,
        val_metrics: Metrics | None = None,
        monitor: str | None = None,
        mode: str = "min",
        checkpoint_dir: RunFolder | PathLike | None = None,
        resume: bool = False,
    ) -> list[Row]:
        """Train for ``epochs`` epochs and return the history, one row (dict) an epoch.

        A row has epoch (from 1), loss (mean over the samples, as trained), with a ``val_loader`` val_loss and
        what ``val_metrics(y, probabilities)`` gives (with "val_" before each name), lr (of the last step),
        with ``clip_norm`` gradient_norm (mean over the steps, before clipping), images_per_second (training
        alone), the callbacks' columns, and seconds (the whole epoch).

        With ``checkpoint_dir``, a new or empty folder, the run survives being killed: the same call with
        ``resume=True`` continues after the last whole epoch, and ends with the weights, bit for bit, that the
        run would have had on the same machine with the same versions and number of threads. Settings that
        differ are refused; see ``minicnn.training.run_settings``. best.npz holds the best epoch by
        ``monitor``, a column (val_loss, else loss); ``mode`` says whether its "min" or its "max" is the best.

        Raises RunFolderError or ResumeError before anything is touched, DivergedError where the loss or the
        weights stop being finite, ValueError for a batch that is not finite. A run that a ValueError or
        TypeError ends in its first epoch leaves no checkpoint: the folder is free for the next attempt.
        """
        monitor = monitor or ("val_loss" if val_loader is not None else "loss")
        plan = Plan(train_loader, epochs, val_loader, val_metrics, monitor, mode)
        self._reset(epochs, plan.steps)
        self._note_optimizer_settings(resume)
        checkpoints = Checkpoints(self, plan, checkpoint_dir)
        with checkpoints.open(resume=resume), self._open_callbacks():
            for callback in self.callbacks:
                callback.on_train_begin(self)
            while self.epoch < epochs and not self.stop:
                row = self._run_epoch(plan)
                improved = plan.improves(row, self.best)
                if improved:
                    self.best = {
                        "epoch": self.epoch,
                        "monitor": plan.monitor,
                        "value": float(row[plan.monitor]),
                    }
                for callback in self.callbacks:
                    callback.on_epoch_end(self, row)
                checkpoints.save(improved=improved)
            for callback in self.callbacks:
                callback.on_train_end(self)
        return self.history

    def _note_optimizer_settings(self, resume: bool) -> None:
        """Record the optimiser's settings as a run begins; a resumed one keeps those recorded first."""
        if resume and self.optimizer_settings:
            return
        self.optimizer_settings = as_json_values(self.optimizer)
        if self.schedule is not None:
            self.optimizer_settings.pop("lr", None)

    @contextmanager
    def _open_callbacks(self) -> Iterator[None]:
        try:
            yield
        finally:
            for callback in self.callbacks:
                callback.close()

    def _run_epoch(self, plan: Plan) -> Row:
        """Train one epoch, validate, and append the row to the history."""
        started, total, count, norms = time.perf_counter(), 0.0, 0, []
        for callback in self.callbacks:
            callback.on_epoch_begin(self)
        batches = finite_batches(plan.train_loader, self.epoch, "training")
        with closing(batches), np.errstate(all="ignore"):
            for x, y in batches:
                loss, norm = self._train_step(x, y)
                total, count = total + loss * len(x), count + len(x)
                norms.append(norm)
                for callback in self.callbacks:
                    callback.on_batch_end(self, loss, len(x))
        trained = time.perf_counter() - started
        row: Row = {"epoch": self.epoch + 1, "loss": total / count}
        if plan.val_loader is not None:
            row |= self.evaluate(plan.val_loader, plan.val_metrics)
        row["lr"] = self.optimizer.lr
        if self.clip_norm is not None:
            row["gradient_norm"] = float(np.mean(norms))
        row["images_per_second"] = count / trained
        check_epoch(self, row)
        for callback in self.callbacks:
            row |= callback.columns(self)
        row["seconds"] = time.perf_counter() - started
        self.history.append(row)
        self.epoch += 1
        return row

    def _train_step(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """One step; returns the loss and the norm of the gradients, 0 where there is no ``clip_norm``."""
        if self.schedule is not None:
            self.optimizer.lr = self.schedule(self.step)
        reseed(self.model, self.seed, self.step)
        self.model.zero_grad()
        loss = float(self.loss.forward(self._fused.forward(x, training=True), y))
        check_finite(self, "the loss", loss)
        self._fused.backward_parameters(self.loss.backward())
        norm = 0.0
        if self.clip_norm is not None:
            norm = clip_gradients(self.model.parameters(), self.clip_norm)
            check_finite(self, "the norm of the gradients", norm)
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update()
        self.step += 1
        return loss, norm
