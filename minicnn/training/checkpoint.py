"""The folder of a training run: when it may be begun, when it may be continued, and what lies in it.

    last.npz    everything, after the last whole epoch: a killed run continues from here
    best.npz    the weights of the best epoch by the monitored value, for prediction

best.npz is written before the last.npz that knows of it. A process killed in between repeats that epoch and
writes the same best.npz again.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.serialize import PathLike, SerializeError, leftovers, load, save

Arrays = dict[str, np.ndarray]


class RunFolderError(ValueError):
    """The folder cannot be used as asked; nothing in it was touched."""


class ResumeError(RunFolderError):
    """There is no run to continue, or not one with these settings."""


class RunFolder:
    """``last`` and ``best`` are the two paths; every write is whole or absent."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self.last = self.path / "last.npz"
        self.best = self.path / "best.npz"
        self._made = False

    def create(self) -> None:
        """Make the folder. Raises RunFolderError unless it is new or empty."""
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"{self.path} is a file; name a new or empty folder for the checkpoints")
        if self.path.exists():
            remains = leftovers(self.path)
            others = sorted(path.name for path in self.path.iterdir() if path not in remains)
            if others:
                advice = "resume the run in it" if self.last.name in others else "name a new or empty folder"
                raise RunFolderError(
                    f"the folder {self.path} is not empty (it holds {', '.join(others[:3])}"
                    f"{', ...' if len(others) > 3 else ''}); {advice}"
                )
        self._made = not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        self._tidy()

    def abandon(self) -> None:
        """Undo ``create`` and the ``save_last`` after it, for a run refused before it learnt anything.

        Files that are not the run's stay, and then the folder does too.
        """
        self.last.unlink(missing_ok=True)
        if self._made and not any(self.path.iterdir()):
            self.path.rmdir()

    def resume(self, settings: Mapping[str, Any]) -> tuple[Arrays, dict[str, Any]]:
        """(arrays, metadata) of the last checkpoint, after checking that it was made with ``settings``."""
        if not self.last.is_file():
            raise ResumeError(
                f"there is no run to resume in {self.path}, for it has no {self.last.name}; "
                "start it without resume"
            )
        try:
            arrays, metadata = load(self.last)
        except SerializeError as error:
            raise ResumeError(f"cannot resume: {error}") from error
        if "settings" not in metadata:
            raise ResumeError(f"cannot resume: {self.last} is not a training checkpoint")
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

    def save_last(self, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
        save(self.last, arrays, metadata)

    def save_best(self, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
        save(self.best, arrays, metadata)

    def _tidy(self) -> None:
        for path in leftovers(self.path):
            path.unlink(missing_ok=True)


def settings_of(thing: Any) -> dict[str, Any] | None:
    """The class of an object and those constructor arguments of it that are plain values."""
    if thing is None:
        return None
    settings: dict[str, Any] = {"type": type(thing).__name__}
    for name in inspect.signature(type(thing).__init__).parameters:
        if not hasattr(thing, name):
            continue
        value = getattr(thing, name)
        if isinstance(value, np.ndarray):
            settings[name] = f"array {value.shape}, checksum {zlib.crc32(value.tobytes())}"
        elif isinstance(value, (bool, int, float, str, tuple)) or value is None:
            settings[name] = value
    return settings


def schedule_settings(schedule: Any, steps: int) -> str | None:
    """What tells a learning-rate schedule from another: its fields where those are plain values, as in those
    of minicnn.schedules; for any other function a checksum of the rates of all ``steps``.
    """
    if schedule is None:
        return None
    if _plain(schedule):
        return repr(schedule)
    rates = np.array([schedule(step) for step in range(steps)], np.float64)
    name = getattr(schedule, "__name__", type(schedule).__name__)
    return f"{name}, checksum of {steps} rates {zlib.crc32(rates.tobytes())}"


def _plain(value: Any) -> bool:
    """Whether ``repr`` says all there is to say."""
    if is_dataclass(value) and not isinstance(value, type):
        return all(field.repr and _plain(getattr(value, field.name)) for field in fields(value))
    return value is None or isinstance(value, (bool, int, float, str))


def differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One phrase for each setting that differs; both are JSON values."""
    before, after = _flatten(saved), _flatten(now)
    return [
        f"{name} was {_said(before, name)} and is now {_said(after, name)}"
        for name in dict.fromkeys([*before, *after])
        if name not in before or name not in after or before[name] != after[name]
    ]


def _said(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "not set"


def _flatten(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            path: leaf
            for key, inner in items
            for path, leaf in _flatten(inner, f"{name}.{key}" if name else str(key)).items()
        }
    return {name: value}
