"""What happens beside the training loop: progress, history files, early stopping, dead units.

A callback is an object whose methods the trainer calls at fixed moments, in this order:

    on_train_begin    once, also when a run is resumed
    on_epoch_begin
    on_batch_end      after each step
    columns           extra entries for the epoch's history row
    on_epoch_end      the row is complete; the checkpoint is written after this
    on_train_end      when the run came to its end
    close             always last, also after an exception or Ctrl-C
"""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, TextIO

import numpy as np

from minicnn.argument_checks import positive_int
from minicnn.containers import Sequential
from minicnn.kernels.runtime.best_effort_stream import BestEffortStream
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU
from minicnn.serialize import PathLike, atomic_write, clear_leftovers
from minicnn.training.run_types import Row, Run, better


class Callback:
    """Base class: every method does nothing.

    A callback whose past matters sets ``resumable`` and defines ``state`` and ``load_state``, and
    ``settings`` where its settings decide how a run goes.
    """

    resumable: ClassVar[bool] = False

    def on_train_begin(self, run: Run) -> None:
        """Once, before the first epoch; also when a run is resumed, after its state was restored."""

    def on_epoch_begin(self, run: Run) -> None:
        """Before the first step of an epoch; ``run.epoch`` is its number from 0."""

    def on_batch_end(self, run: Run, loss: float, samples: int) -> None:
        """After each step, with the batch's mean loss and its number of samples."""

    def columns(self, run: Run) -> dict[str, float]:
        """Extra entries for the epoch's row of the history, by name."""
        return {}

    def on_epoch_end(self, run: Run, row: Row) -> None:
        """After an epoch, with its complete row; the checkpoint is written after this."""

    def on_train_end(self, run: Run) -> None:
        """Once, when the run came to its end, not after an exception."""

    def close(self) -> None:
        """Always the last call, also after an exception or Ctrl-C."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs of this callback: JSON values and arrays by name."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what ``state`` returned."""

    def settings(self) -> dict[str, Any]:
        """Settings that must be equal for a run to be resumed, by name."""
        return {}


class ProgressBar(Callback):
    """Loss, images a second and the time left of the whole run, on standard error; one line an epoch remains.

    Where standard error is not a terminal there is no moving bar, only those lines. What cannot be written,
    because the stream is full or closed, is dropped; training goes on.
    """

    def __init__(self, enabled: bool = True, stream: TextIO | None = None) -> None:
        self.enabled = enabled
        self.stream = stream
        self._bar: Any = None

    def on_train_begin(self, run: Run) -> None:
        self._out = BestEffortStream(self.stream or sys.stderr)
        self._terminal = self._out.isatty()
        self._started, self._done = time.monotonic(), run.step

    def on_epoch_begin(self, run: Run) -> None:
        self._epoch_started, self._loss, self._samples = time.monotonic(), 0.0, 0

    def on_batch_end(self, run: Run, loss: float, samples: int) -> None:
        if not self.enabled or not self._terminal:
            return
        if self._bar is None:
            self._bar = self._new_bar(run)
        self._bar.set_description(f"epoch {run.epoch + 1}/{run.epochs}", refresh=False)
        self._loss += loss * samples
        self._samples += samples
        speed = self._samples / max(time.monotonic() - self._epoch_started, 1e-9)
        self._bar.set_postfix_str(
            f"loss {self._loss / self._samples:.4f}, {speed:.0f} images/s", refresh=False
        )
        self._bar.update()

    def on_epoch_end(self, run: Run, row: Row) -> None:
        if not self.enabled:
            return
        left = (time.monotonic() - self._started) / (run.step - self._done) * (run.steps - run.step)
        values = [f"{name} {value:.4g}" for name, value in row.items() if name.endswith("loss")]
        values += [f"{row['images_per_second']:.0f} images/s", f"{_duration(left)} left"]
        line = f"epoch {row['epoch']}/{run.epochs}: " + ", ".join(values)
        if self._bar is not None:
            self._bar.write(line, file=self._out)
        else:
            print(line, file=self._out, flush=True)

    def _new_bar(self, run: Run) -> Any:
        """A bar at the step before this one. It appears after the first step, below what compiling prints."""
        from tqdm import tqdm

        return tqdm(
            total=run.steps,
            initial=run.step - 1,
            unit=" steps",
            file=self._out,
            smoothing=0,  # the time left follows the mean speed, validation included
            dynamic_ncols=True,
            mininterval=0.2,
            leave=False,
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class HistoryCSV(Callback):
    """The history as a CSV file with one row an epoch.

    The file is written whole each time, from the history that the checkpoint keeps, so that a resumed run
    has each epoch once.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    def on_train_begin(self, run: Run) -> None:
        clear_leftovers(self.path)
        if run.history:
            self._write(run.history)

    def on_epoch_end(self, run: Run, row: Row) -> None:
        self._write(run.history)

    def _write(self, history: list[Row]) -> None:
        names = list(dict.fromkeys(name for row in history for name in row))
        _write_csv(self.path, names, [[row.get(name, "") for name in names] for row in history])


def _write_csv(path: Path, names: list[str], rows: list[list[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


class HistoryPlot(Callback):
    """The history as a PNG of curves, drawn anew after each epoch, with ``note`` as its caption."""

    def __init__(self, path: PathLike, *, note: str = "") -> None:
        self.path = Path(path)
        self.note = note

    def on_train_begin(self, run: Run) -> None:
        clear_leftovers(self.path)

    def on_epoch_end(self, run: Run, row: Row) -> None:
        from minicnn.visualize import plot_history

        plot_history(run.history, self.path, note=self.note)


class EarlyStopping(Callback):
    """Ends the run when ``monitor`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    With ``restore_best`` the model ends the run with the weights of its best epoch (the averaged ones where
    there is an average). Prechelt 1998, "Early Stopping - But When?".
    """

    resumable = True

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        *,
        mode: str = "min",
        min_delta: float = 0.0,
        restore_best: bool = False,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f'EarlyStopping: mode must be "min" or "max", got {mode!r}')
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.patience = positive_int("EarlyStopping", "patience", patience)
        self.restore_best = restore_best
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = None
        self.waited = 0
        self._weights: dict[str, np.ndarray] = {}

    def on_train_begin(self, run: Run) -> None:
        if run.epoch == 0:
            self._reset()

    def on_epoch_end(self, run: Run, row: Row) -> None:
        if self.monitor not in row:
            raise ValueError(f"EarlyStopping: no column {self.monitor!r}; there are {', '.join(row)}")
        if better(row[self.monitor], self.best, self.mode, self.min_delta):
            self.best, self.waited = float(row[self.monitor]), 0
            if self.restore_best:
                self._weights = run.inference_arrays()
            return
        self.waited += 1
        if self.waited >= self.patience:
            run.stop = True

    def on_train_end(self, run: Run) -> None:
        if self._weights:
            run.adopt(self._weights)

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, **self._weights}

    def load_state(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
        self._weights = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}

    def settings(self) -> dict[str, Any]:
        names = ("monitor", "mode", "patience", "min_delta", "restore_best")
        return {name: getattr(self, name) for name in names}


class LearningRateLog(Callback):
    """The learning rate of every step, in ``rates``; with a ``path`` also as a CSV file (step, lr)."""

    resumable = True

    def __init__(self, path: PathLike | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.rates: list[float] = []

    def on_train_begin(self, run: Run) -> None:
        if self.path is not None:
            clear_leftovers(self.path)
        if run.epoch == 0:
            self.rates = []

    def on_batch_end(self, run: Run, loss: float, samples: int) -> None:
        self.rates.append(float(run.optimizer.lr))

    def on_epoch_end(self, run: Run, row: Row) -> None:
        if self.path is not None:
            _write_csv(self.path, ["step", "lr"], [list(pair) for pair in enumerate(self.rates)])

    def state(self) -> dict[str, Any]:
        return {"rates": np.array(self.rates, np.float64)}

    def load_state(self, state: dict[str, Any]) -> None:
        self.rates = state["rates"].tolist()


class DeadUnits(Callback):
    """Reports the share of ReLU channels that put out 0 for every position of every sample in ``x``.

    A unit that never fires gets no gradient and stays dead: a sign of a learning rate too high. Each epoch's
    share over all ReLUs is the history column dead_units; ``fractions`` has the last one of each ReLU, by
    name, and those with dead channels are listed on standard error when the run ends.
    """

    def __init__(self, x: np.ndarray, stream: TextIO | None = None) -> None:
        self.x = x
        self.stream = stream
        self.fractions: dict[str, float] = {}

    def columns(self, run: Run) -> dict[str, float]:
        fired = fired_channels(run.model, self.x)
        self.fractions = {name: 1 - float(channels.mean()) for name, channels in fired.items()}
        total = sum(channels.size for channels in fired.values())
        alive = sum(int(channels.sum()) for channels in fired.values())
        return {"dead_units": 1 - alive / total if total else 0.0}

    def on_train_end(self, run: Run) -> None:
        dead = [f"{name} {share:.0%}" for name, share in self.fractions.items() if share > 0]
        if dead:
            out = BestEffortStream(self.stream or sys.stderr)
            print("ReLU channels that never fired: " + ", ".join(dead), file=out)


def fired_channels(model: Layer, x: np.ndarray) -> dict[str, np.ndarray]:
    """For each ReLU of the model by name, (channels,) bool: whether any output for ``x`` was above 0."""
    return {name: y.reshape(-1, y.shape[-1]).max(axis=0) > 0 for name, y in _relu_outputs(model, x, "")}


def _relu_outputs(layer: Layer, x: np.ndarray, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Walks the tree as a forward pass would: a chain passes on its output, branches share their input."""
    if isinstance(layer, ReLU):
        yield name, layer.forward(x)
    for key, child in layer.children().items():
        yield from _relu_outputs(child, x, f"{name}.{key}" if name else key)
        if isinstance(layer, Sequential):
            x = child.forward(x)
