"""Writing the state of a training run into its folder, and restoring it from there.

best.npz is written before the last.npz that refers to it. A process killed in between repeats that epoch and
writes the same best.npz again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from minicnn.serialize import PathLike, load_model_arrays, model_arrays, save
from minicnn.training.checkpoint_folder import Arrays, ResumeError, RunFolder
from minicnn.training.divergence import DivergedError
from minicnn.training.run_settings import ConfiguredRun, resumable, run_settings
from minicnn.training.run_types import Plan


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
