"""The folder of a training run: when a run may begin or continue in it, and its files.

    last.npz    everything, after the last whole epoch: a killed run continues from it
    best.npz    the weights of the best epoch by the monitored value, for prediction

A lock keeps a second run out of the folder; it ends with its process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.serialize import LEFTOVER, PathLike, SerializeError, leftovers, load
from minicnn.training.lock import HeldError, exclusive
from minicnn.training.run_settings import differences

Arrays = dict[str, np.ndarray]

METADATA = {"epoch", "step", "stop", "best", "history", "callbacks", "settings"}
"""The keys of what last.npz holds beside arrays."""


class RunFolderError(ValueError):
    """The folder cannot be used as requested; nothing in it was touched."""


class ResumeError(RunFolderError):
    """There is no run to continue, or not one with these settings."""


class LockableFolder:
    """A folder that one run at a time may write to, inside ``with folder.locked()``."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        # Its name makes it one of the ``leftovers`` that do not count as content.
        self._lock = self.path / f".lock{LEFTOVER}"
        self._depth = 0  # how many ``locked`` blocks of this object are open

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder where there is none, and keep others out until the end of the block.

        A folder that was made for this and is empty at the end is removed. Raises RunFolderError where the
        path is a file or another run holds the folder.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"{self.path} is a file; name a new or empty folder for the checkpoints")
        with nullcontext() if self._depth else self._exclusive():
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

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

    def remove_leftovers(self) -> None:
        """Remove the temporary files of interrupted writes, but not the lock file."""
        for path in leftovers(self.path):
            if path != self._lock:
                path.unlink(missing_ok=True)


class RunFolder(LockableFolder):
    """The folder of one run; ``last`` and ``best`` are the paths of its two files, each written whole or not.

    ``locked`` may be entered again by the same object, so that a program may hold the folder for longer than
    the training in it:

    >>> folder = RunFolder("run")
    >>> with folder.locked():
    ...     trainer.fit(loader, 10, checkpoint_dir=folder)
    ...     write_report(folder.path)
    """

    def __init__(self, path: PathLike) -> None:
        super().__init__(path)
        self.last = self.path / "last.npz"
        self.best = self.path / "best.npz"

    def begin(self) -> None:
        """Raise RunFolderError unless the folder is empty; files of interrupted writes are removed."""
        remains = leftovers(self.path)
        others = sorted(path.name for path in self.path.iterdir() if path not in remains)
        if others:
            advice = "resume the run in it" if self.last.name in others else "name a new or empty folder"
            raise RunFolderError(
                f"the folder {self.path} is not empty (it holds {', '.join(others[:3])}"
                f"{', ...' if len(others) > 3 else ''}); {advice}"
            )
        self.remove_leftovers()

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
        self.remove_leftovers()
        return arrays, metadata

    def check_resumable(self) -> None:
        """Raise ResumeError where there is no last.npz to continue from."""
        if not self.last.is_file():
            raise ResumeError(
                f"there is no run to resume in {self.path}, for it has no {self.last.name}; "
                "start it without resume"
            )
