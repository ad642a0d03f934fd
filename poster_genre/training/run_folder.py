"""The run folder: the names of its files, and whether a run may start or be resumed in it.

OUT/last.npz, best.npz     checkpoints: of the last epoch, to resume from, and of the lowest val loss
OUT/history.csv, curves.png
OUT/model.npz              the trained model
OUT/report.html            its evaluation
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minicnn.serialize import SerializeError, leftovers, load
from minicnn.training.checkpoint_folder import RunFolder, RunFolderError
from poster_genre.errors import UsageError, printable
from poster_genre.output_path import contents, refuse_unwritable_folder

MODEL, REPORT, HISTORY, CURVES = "model.npz", "report.html", "history.csv", "curves.png"
CONFIGURATION = {"settings", "init", "data_fingerprint", "spec"}
"""The keys of what a run may be resumed with; ``poster_genre.training.training_run`` puts it together."""


@contextmanager
def locked(folder: Path) -> Iterator[RunFolder]:
    """Make ``folder`` and keep other runs out of it. UsageError where another run is writing to it."""
    run_folder = RunFolder(folder)
    try:
        with run_folder.locked():
            yield run_folder
    except RunFolderError as error:
        raise UsageError(str(error)) from error


def check_new(folder: Path) -> None:
    """UsageError unless ``folder`` is new or empty, PosterGenreError where it cannot be written."""
    _check_folder(folder)
    if folder.exists() and set(contents(folder)) - set(leftovers(folder)):
        more = "; to continue the run in it, add --resume" if RunFolder(folder).last.exists() else ""
        raise UsageError(f"--out {printable(str(folder))} is not empty; name a new folder{more}")


def configuration_of(folder: Path) -> dict[str, Any]:
    """The configuration that the run in ``folder`` was started with. UsageError where none can be resumed."""
    _check_folder(folder)
    checkpoint, best = RunFolder(folder).last, RunFolder(folder).best
    name = printable(str(checkpoint))
    if not checkpoint.exists():
        raise UsageError(f"--resume: there is no checkpoint {name}; start without --resume")
    try:
        _, metadata = load(checkpoint)
    except (SerializeError, OSError) as error:
        raise UsageError(f"--resume: {name} cannot be continued ({error})") from error
    if "monitor" in metadata:  # of the best epoch: weights without the optimiser's state
        raise UsageError(f"--resume: {name} is a copy of {best.name}, which cannot be resumed from")
    settings = metadata.get("settings")
    configuration = settings.get("configuration") if isinstance(settings, dict) else None
    if isinstance(configuration, dict) and configuration.keys() >= CONFIGURATION:
        return configuration
    raise UsageError(
        f"--resume: {name} is not a checkpoint that 'poster-genre train' wrote; name a run's folder"
    )


def check_same_run(folder: Path, started: dict[str, Any], now: dict[str, Any]) -> None:
    """UsageError unless the posters and the package's recipe are those that the run was started with."""
    name = printable(str(folder))
    if started["data_fingerprint"] != now["data_fingerprint"]:
        raise UsageError(
            f"--resume: the run in {name} was started on other posters or labels; give it the same "
            "data, or start a new run in another folder"
        )
    if started["spec"] != now["spec"]:
        raise UsageError(
            f"--resume: this version of poster-genre trains {now['spec']['name']!r} differently than the run "
            f"in {name} was started; start a new run in another folder"
        )


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {printable(str(folder))} is a file; name a folder")
    refuse_unwritable_folder(folder)
