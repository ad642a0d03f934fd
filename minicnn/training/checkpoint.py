"""The folder of a training run: when it may be begun, when it may be continued, and what lies in it.

    last.npz    everything, after the last whole epoch: a killed run continues from it
    best.npz    the weights of the best epoch by the monitored value, for prediction

best.npz is written before the last.npz that refers to it. A process killed in between repeats that epoch and
writes the same best.npz again. A lock keeps a second run out of the folder; it ends with its process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.serialize import (
    LEFTOVER,
    PathLike,
    SerializeError,
    leftovers,
    load,
    load_model_arrays,
    model_arrays,
    save,
)
from minicnn.training.divergence import DivergedError
from minicnn.training.lock import HeldError, exclusive
from minicnn.training.run_settings import ConfiguredRun, differences, resumable, run_settings
from minicnn.training.run_types import Plan

Arrays = dict[str, np.ndarray]

METADATA = {"epoch", "step", "stop", "best", "history", "callbacks", "settings"}
"""The keys of what last.npz holds beside arrays."""


class RunFolderError(ValueError):
    """The folder cannot be used as requested; nothing in it was touched."""


class ResumeError(RunFolderError):
    """There is no run to continue, or not one with these settings."""


class RunFolder:
    """The folder of one run; ``last`` and ``best`` are the paths of its two files, each written whole or not.

    Everything that writes stands in ``with folder.locked()``. That may be entered again by the same object,
    so that a program may hold the folder for longer than the training in it:

    >>> folder = RunFolder("run")
    >>> with folder.locked():
    ...     trainer.fit(loader, 10, checkpoint_dir=folder)
    ...     write_report(folder.path)
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self.last = self.path / "last.npz"
        self.best = self.path / "best.npz"
        # Its name makes it one of the ``leftovers`` that do not count as content.
        self._lock = self.path / f".lock{LEFTOVER}"
        self._holds = 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder where there is none, and keep others out until the end of the block.

        A folder that was made for this and is empty at the end is removed. Raises RunFolderError where the
        path is a file or another run holds the folder.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"{self.path} is a file; name a new or empty folder for the checkpoints")
        with nullcontext() if self._holds else self._exclusive():
            self._holds += 1
            try:
                yield
            finally:
                self._holds -= 1

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        is_new = not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with exclusive(self._lock):
                yield
        except HeldError:
            raise RunFolderError(
                f"another run is writing to the folder {self.path}; "
                "wait until it ends, or name another folder"
            ) from None
        finally:
            if is_new:
                with suppress(OSError):  # it is not empty
                    self.path.rmdir()

    def begin(self) -> None:
        """Raise RunFolderError unless the folder holds nothing; remove what killed writes left."""
        remains = leftovers(self.path)
        others = sorted(path.name for path in self.path.iterdir() if path not in remains)
        if others:
            advice = "resume the run in it" if self.last.name in others else "name a new or empty folder"
            raise RunFolderError(
                f"the folder {self.path} is not empty (it holds {', '.join(others[:3])}"
                f"{', ...' if len(others) > 3 else ''}); {advice}"
            )
        self._tidy()

    def resume(self, settings: Mapping[str, Any]) -> tuple[Arrays, dict[str, Any]]:
        """(arrays, metadata) of the last checkpoint, after checking that it was made with ``settings``."""
        try:
            arrays, metadata = load(self.last)
        except SerializeError as error:
            raise ResumeError(f"cannot resume: {error}") from error
        if not metadata.keys() >= METADATA:
            raise ResumeError(
                f"cannot resume: {self.last} is not a checkpoint of a run but holds other arrays, such as "
                "the weights of a best.npz; put the last.npz of the run back, or start anew in another folder"
            )
        different = differences(metadata["settings"], settings)
        if different:
            raise ResumeError(
                f"cannot resume the run in {self.path} with other settings: {'; '.join(different[:5])}"
                f"{f'; and {len(different) - 5} more' if len(different) > 5 else ''}"
                "; use the settings it was started with, or a new folder"
            )
        if metadata["best"] is not None and not self.best.is_file():
            raise ResumeError(f"cannot resume: {self.best} is missing, though an epoch was the best so far")
        self._tidy()
        return arrays, metadata

    def check_resumable(self) -> None:
        """Raise ResumeError where there is no last.npz to continue from."""
        if not self.last.is_file():
            raise ResumeError(
                f"there is no run to resume in {self.path}, for it has no {self.last.name}; "
                "start it without resume"
            )

    def _tidy(self) -> None:
        for path in leftovers(self.path):
            if path != self._lock:
                path.unlink(missing_ok=True)


class Checkpoints:
    """What a run writes into its folder, and reads from it when it is resumed; nothing without a folder."""

    def __init__(self, run: ConfiguredRun, plan: Plan, folder: RunFolder | PathLike | None) -> None:
        self.run = run
        self.folder = folder if isinstance(folder, RunFolder) or folder is None else RunFolder(folder)
        self.settings = {} if folder is None else run_settings(run, plan)
        self._untrained = False  # whether the folder holds a new run without an epoch

    @contextmanager
    def open(self, *, resume: bool) -> Iterator[None]:
        """Begin or restore the run; the block trains it.

        Where a ValueError or TypeError ends a new run before its first ``save``, which is before anything was
        learned, the folder is left as it was before.
        """
        if self.folder is None:
            if resume:
                raise ResumeError("resume=True needs the checkpoint_dir of the run to continue")
            yield
            return
        if resume:
            self.folder.check_resumable()
        with self.folder.locked():
            if resume:
                restore(self.run, *self.folder.resume(self.settings))
            else:
                self.folder.begin()
                self._save_last(self.folder)
            self._untrained = not resume
            try:
                yield
            except DivergedError as error:
                after = f"{self.folder.last} still holds the state after epoch {self.run.epoch}"
                error.args = (f"{error}; {after}",)
                raise
            except (ValueError, TypeError):
                if self._untrained:
                    self.folder.last.unlink(missing_ok=True)
                raise

    def save(self, *, improved: bool) -> None:
        """Write the state after an epoch, and its weights where it is the best so far."""
        if self.folder is None:
            return
        self._untrained = False
        if improved:
            best = {**(self.run.best or {}), "settings": self.settings}
            save(self.folder.best, self.run.inference_arrays(), best)
        self._save_last(self.folder)

    def _save_last(self, folder: RunFolder) -> None:
        save(folder.last, *state(self.run, self.settings))


def state(run: ConfiguredRun, settings: Mapping[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """(arrays, metadata) from which ``restore`` makes the run what it is now."""
    arrays = model_arrays(run.model)
    arrays |= {f"optimizer/{name}": array for name, array in run.optimizer.state().items()}
    if run.ema is not None:
        arrays |= {f"ema/{name}": array for name, array in run.ema.state().items()}
    callbacks: dict[str, Any] = {}
    for key, callback in resumable(run.callbacks):
        values = callback.state()
        callbacks[key] = {k: v for k, v in values.items() if not isinstance(v, np.ndarray)}
        arrays |= {f"callback/{key}/{k}": v for k, v in values.items() if isinstance(v, np.ndarray)}
    return arrays, {
        "epoch": run.epoch,
        "step": run.step,
        "stop": run.stop,
        "best": run.best,
        "history": run.history,
        "callbacks": callbacks,
        "settings": settings,
    }


def restore(run: ConfiguredRun, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
    """Put the run into the state that ``state`` gave."""

    def part(prefix: str) -> Arrays:
        return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}

    own = ("parameter/", "state/")
    load_model_arrays(run.model, {name: a for name, a in arrays.items() if name.startswith(own)})
    run.optimizer.load_state(part("optimizer/"))
    if run.ema is not None:
        run.ema.load_state(part("ema/"))
    for key, callback in resumable(run.callbacks):
        callback.load_state({**metadata["callbacks"][key], **part(f"callback/{key}/")})
    run.epoch, run.step, run.stop = metadata["epoch"], metadata["step"], metadata["stop"]
    run.best, run.history = metadata["best"], metadata["history"]
