"""The training loop, and everything around it that makes a run repeatable and a killed run continuable.

One step is

    learning rate = schedule(step)
    prediction    = model.forward(x)        random layers seeded by (seed, step)
    L             = loss(prediction, y)
    dL/dweights   = model.backward_parameters(loss.backward())
    clip the gradients, let the optimiser step, update the moving average

and an epoch is one step for each batch, a validation, the callbacks, a checkpoint.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import numpy as np

from minicnn.checks import real
from minicnn.data import DataLoader, Unlabelled, check_finite
from minicnn.fusion.sequential import fuse
from minicnn.kernels import dispatch
from minicnn.layer import Layer, reseed
from minicnn.losses import Loss
from minicnn.optim import Optimizer, clip_gradients
from minicnn.schedules import Schedule
from minicnn.serialize import PathLike, load_model_arrays, model_arrays, to_json
from minicnn.shapes import positive_int
from minicnn.training.callbacks import Callback, better
from minicnn.training.checkpoint import ResumeError, RunFolder, schedule_settings, settings_of
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.version import __version__

Row = dict[str, Any]
Metrics = Callable[[np.ndarray, np.ndarray], Mapping[str, float]]


class DivergedError(ValueError):
    """The loss or the weights became NaN or infinite; the last checkpoint is from before."""


class Trainer:
    """Trains ``model`` to lower ``loss`` with ``optimizer``.

    ``schedule``       step -> learning rate; without it the optimiser keeps its own
    ``ema``            a moving average of the weights; validation, prediction and best.npz then use it
    ``clip_norm``      largest norm of all gradients together
    ``seed``           of the layers that draw random numbers; the loader has its own
    ``callbacks``      see minicnn.training.callbacks; they are called in this order
    ``configuration``  whatever else (JSON) must be equal for a run to be resumed

    Callbacks may read ``epoch`` (whole epochs so far), ``epochs``, ``step`` (steps so far), ``steps``,
    ``history``, ``best`` and ``model``, and set ``stop`` to end the run after this epoch.
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
        self.model, self.loss, self.optimizer = model, loss, optimizer
        # The same layers, computed with fewer passes over memory.
        self._fused = fuse(model)
        if schedule is not None and not callable(schedule):
            raise TypeError(f"Trainer: schedule must be a function of the step, got {schedule!r}")
        if clip_norm is not None and clip_norm != math.inf:  # infinite: measure only
            clip_norm = real("Trainer", "clip_norm", clip_norm, above=0)
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
            raise ValueError(f"Trainer: seed must be an integer of at least 0, got {seed!r}")
        self.schedule, self.ema, self.clip_norm, self.seed = schedule, ema, clip_norm, int(seed)
        self.callbacks = list(callbacks)
        self.configuration = dict(configuration or {})
        self._optimizer_settings = settings_of(optimizer) or {}
        if schedule is not None:
            self._optimizer_settings.pop("lr", None)
        self._average_counts = ema is not None
        self._reset(epochs=0, steps=0)

    def _reset(self, epochs: int, steps: int) -> None:
        self.epochs, self.steps = epochs, steps
        self.epoch = self.step = 0
        self.history: list[Row] = []
        self.best: dict[str, Any] | None = None
        self.stop = False
        self._average_counts = self.ema is not None

    # The run.

    def fit(
        self,
        train_loader: DataLoader,
        epochs: int,
        *,
        val_loader: DataLoader | None = None,
        val_metrics: Metrics | None = None,
        monitor: str | None = None,
        mode: str = "min",
        checkpoint_dir: PathLike | None = None,
        resume: bool = False,
    ) -> list[Row]:
        """Train for ``epochs`` epochs and return the history, one row (dict) an epoch.

        A row has epoch (from 1), loss (mean over the samples, as trained), lr (of the last step),
        images_per_second (training alone), seconds (the whole epoch), with a ``val_loader`` val_loss, what
        ``val_metrics(y, probabilities)`` gives (with "val_" before each name), and the callbacks' columns.

        With ``checkpoint_dir``, a new or empty folder, the run survives being killed: the same call with
        ``resume=True`` continues after the last whole epoch, and ends with the weights, bit for bit, that the
        run would have had. best.npz holds the best epoch by ``monitor``, a column (val_loss, else loss).

        Raises RunFolderError or ResumeError before anything is touched, DivergedError where the loss or the
        weights stop being finite, ValueError for a batch that is not finite. A run that a ValueError or
        TypeError ends in its first epoch leaves no checkpoint: the folder is free for the next attempt.
        """
        _check_loader("train_loader", train_loader)
        if val_loader is not None:
            _check_loader("val_loader", val_loader)
        positive_int("Trainer.fit", "epochs", epochs)
        monitor = monitor or ("val_loss" if val_loader is not None else "loss")
        if mode not in ("min", "max"):
            raise ValueError(f'Trainer.fit: mode must be "min" or "max", got {mode!r}')
        if val_loader is None and (monitor.startswith("val_") or val_metrics is not None):
            raise ValueError("Trainer.fit: val_metrics, and a monitored column val_..., need a val_loader")

        self._reset(epochs, epochs * len(train_loader))
        folder = None if checkpoint_dir is None else RunFolder(checkpoint_dir)
        if resume and folder is None:
            raise ResumeError("resume=True needs the checkpoint_dir of the run to continue")
        settings: dict[str, Any] = {}
        untrained = False  # whether the folder holds a run of this call and nothing learnt
        if folder is not None:
            settings = self._settings(train_loader, val_loader, monitor, mode)
            if resume:
                self._restore(*folder.resume(settings))
            else:
                folder.create()
                folder.save_last(*self._checkpoint(settings))
                untrained = True

        try:
            for callback in self.callbacks:
                callback.on_train_begin(self)
            while self.epoch < epochs and not self.stop:
                self._run_epoch(train_loader, val_loader, val_metrics, folder)
                improved = self._note_best(monitor, mode)
                for callback in self.callbacks:
                    callback.on_epoch_end(self, self.history[-1])
                if folder is not None:
                    untrained = False
                    if improved:
                        folder.save_best(self.inference_arrays(), {**(self.best or {}), "settings": settings})
                    folder.save_last(*self._checkpoint(settings))
            for callback in self.callbacks:
                callback.on_train_end(self)
        except (ValueError, TypeError) as error:
            if folder is not None and untrained and not isinstance(error, DivergedError):
                folder.abandon()
            raise
        finally:
            for callback in self.callbacks:
                callback.close()
        return self.history

    def _run_epoch(
        self,
        train_loader: DataLoader,
        val_loader: DataLoader | None,
        val_metrics: Metrics | None,
        folder: RunFolder | None,
    ) -> None:
        started, total, seen = time.perf_counter(), 0.0, 0
        for callback in self.callbacks:
            callback.on_epoch_begin(self)
        with closing(train_loader.epoch(self.epoch)) as batches, np.errstate(all="ignore"):
            for number, (x, y) in enumerate(batches):
                check_finite(x, y, train_loader, self.epoch, number, "training")
                loss = self._train_step(x, y, folder)
                total, seen = total + loss * len(x), seen + len(x)
                for callback in self.callbacks:
                    callback.on_batch_end(self, loss, len(x))
        trained = time.perf_counter() - started
        row: Row = {"epoch": self.epoch + 1, "loss": total / seen}
        if val_loader is not None:
            row |= self.evaluate(val_loader, val_metrics)
        row |= {"lr": self.optimizer.lr, "images_per_second": seen / trained}
        self._check_epoch(row, folder)
        for callback in self.callbacks:
            row |= callback.columns(self)
        row["seconds"] = time.perf_counter() - started
        self.history.append(row)
        self.epoch += 1

    def _train_step(self, x: np.ndarray, y: np.ndarray, folder: RunFolder | None) -> float:
        if self.schedule is not None:
            self.optimizer.lr = self.schedule(self.step)
        reseed(self.model, self.seed, self.step)
        self.model.zero_grad()
        loss = float(self.loss.forward(self._fused.forward(x, training=True), y))
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}", folder)
        self._fused.backward_parameters(self.loss.backward())
        if self.clip_norm is not None:
            norm = clip_gradients(self.model.parameters(), self.clip_norm)
            if not math.isfinite(norm):
                raise self._diverged(f"the norm of the gradients became {norm}", folder)
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update()
        self.step += 1
        return loss

    # Inference.

    def evaluate(self, loader: DataLoader, metrics: Metrics | None = None) -> dict[str, float]:
        """val_loss over ``loader``, a mean over the samples, and ``metrics`` of all its probabilities."""
        total, seen, targets, probabilities = 0.0, 0, [], []
        with self._inference(), closing(loader.epoch(0)) as batches, np.errstate(all="ignore"):
            for number, (x, y) in enumerate(batches):
                check_finite(x, y, loader, 0, number, "validation")
                prediction = self._fused.forward(x)
                total += float(self.loss.forward(prediction, y, record=False)) * len(x)
                seen += len(x)
                if metrics is not None:
                    targets.append(y)
                    probabilities.append(self._probabilities(prediction))
        found = {"val_loss": total / seen}
        if metrics is not None:
            values = metrics(np.concatenate(targets), np.concatenate(probabilities))
            found |= {f"val_{name}": float(value) for name, value in values.items()}
        return found

    def _probabilities(self, prediction: np.ndarray) -> np.ndarray:
        """What the loss takes a prediction to stand for; the prediction itself where that is a value."""
        has_none = type(self.loss).probabilities is Loss.probabilities
        return prediction if has_none else self.loss.probabilities(prediction)

    def predict(self, x: np.ndarray | DataLoader, batch_size: int = 32) -> np.ndarray:
        """What the model puts out for an array (N, ...) or a loader, in order, at inference.

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
        outputs = []
        with self._inference(), closing(loader.epoch(0)) as batches:
            for number, (inputs, targets) in enumerate(batches):
                check_finite(inputs, targets, loader, 0, number, "prediction")
                outputs.append(self._fused.forward(inputs))
        return np.concatenate(outputs)

    def _inference(self) -> AbstractContextManager[None]:
        return self.ema.averaged() if self.ema is not None and self._average_counts else nullcontext()

    def inference_arrays(self) -> dict[str, np.ndarray]:
        """Copies of the weights and statistics that ``predict`` uses, as ``model_arrays`` names them."""
        with self._inference():
            return {name: array.copy() for name, array in model_arrays(self.model).items()}

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put weights into the model at the end of a run; ``predict`` uses them instead of the average."""
        load_model_arrays(self.model, arrays)
        self._average_counts = False

    # What a run remembers.

    def _note_best(self, monitor: str, mode: str) -> bool:
        row = self.history[-1]
        if monitor not in row:
            raise ValueError(f"Trainer.fit: no column {monitor!r} to monitor; there are {', '.join(row)}")
        if not better(row[monitor], None if self.best is None else self.best["value"], mode):
            return False
        self.best = {"epoch": self.epoch, "monitor": monitor, "value": float(row[monitor])}
        return True

    def _settings(
        self, train_loader: DataLoader, val_loader: DataLoader | None, monitor: str, mode: str
    ) -> dict[str, Any]:
        """All that decides the weights a run ends with, as far as it can be told; JSON."""
        settings = {
            "configuration": self.configuration,
            "epochs": self.epochs,
            "seed": self.seed,
            "model": repr(self.model).splitlines(),
            "frozen": [name for name, p in self.model.parameters().items() if not p.trainable],
            "loss": settings_of(self.loss),
            "optimizer": self._optimizer_settings,
            "schedule": schedule_settings(self.schedule, self.steps),
            "ema": settings_of(self.ema),
            "clip_norm": self.clip_norm,
            "training data": train_loader.settings(),
            "validation data": val_loader and val_loader.settings(),
            "monitor": [monitor, mode],
            "callbacks": {name: callback.settings() for name, callback in self._named_callbacks()},
            "backend": dispatch.backend(),
            "minicnn": __version__,
        }
        # As it will be read back: JSON knows no tuples. What it cannot hold fails here, before the run.
        return json.loads(to_json(settings))

    def _named_callbacks(self) -> list[tuple[str, Callback]]:
        """Callbacks that take part in a checkpoint, by class, numbered where a class comes twice."""
        named: dict[str, Callback] = {}
        for callback in self.callbacks:
            if callback.resumable:
                kind = type(callback).__name__
                count = sum(type(other) is type(callback) for other in named.values())
                named[f"{kind} {count + 1}" if count else kind] = callback
        return list(named.items())

    def _checkpoint(self, settings: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays = model_arrays(self.model)
        arrays |= {f"optimizer/{name}": array for name, array in self.optimizer.state().items()}
        if self.ema is not None:
            arrays |= {f"ema/{name}": array for name, array in self.ema.state().items()}
        callbacks: dict[str, Any] = {}
        for key, callback in self._named_callbacks():
            kept = callback.state()
            callbacks[key] = {k: v for k, v in kept.items() if not isinstance(v, np.ndarray)}
            arrays |= {f"callback/{key}/{k}": v for k, v in kept.items() if isinstance(v, np.ndarray)}
        return arrays, {
            "epoch": self.epoch,
            "step": self.step,
            "stop": self.stop,
            "best": self.best,
            "history": self.history,
            "callbacks": callbacks,
            "settings": settings,
        }

    def _restore(self, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
        def part(prefix: str) -> dict[str, np.ndarray]:
            return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}

        own = ("parameter/", "state/")
        load_model_arrays(self.model, {name: a for name, a in arrays.items() if name.startswith(own)})
        self.optimizer.load_state(part("optimizer/"))
        if self.ema is not None:
            self.ema.load_state(part("ema/"))
        for key, callback in self._named_callbacks():
            callback.load_state({**metadata["callbacks"][key], **part(f"callback/{key}/")})
        self.epoch, self.step, self.stop = metadata["epoch"], metadata["step"], metadata["stop"]
        self.best, self.history = metadata["best"], metadata["history"]

    # What goes wrong.

    def _check_epoch(self, row: Row, folder: RunFolder | None) -> None:
        """Weights that are not finite must not reach a checkpoint, even if no loss has shown them yet."""
        if not math.isfinite(row.get("val_loss", 0.0)):
            raise self._diverged(f"the validation loss became {row['val_loss']}", folder)
        for name, array in model_arrays(self.model).items():
            if not np.isfinite(array).all():
                raise self._diverged(f"{name} became NaN or infinite", folder)

    def _diverged(self, what: str, folder: RunFolder | None) -> DivergedError:
        kept = f"; {folder.last} still holds the state after epoch {self.epoch}" if folder else ""
        return DivergedError(
            f"{what} in epoch {self.epoch + 1} at step {self.step} with learning rate {self.optimizer.lr:g}; "
            f"use a lower learning rate, clip the gradients (clip_norm) or warm up{kept}"
        )


def _check_loader(what: str, loader: Any) -> None:
    if not isinstance(loader, DataLoader):
        raise TypeError(
            f"Trainer.fit: {what} must be a DataLoader, got {type(loader).__name__}; "
            "make one with DataLoader(ArrayDataset(x, y), batch_size)"
        )
