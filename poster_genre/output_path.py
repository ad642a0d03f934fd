"""Whether a place for results can be written, found out before the work and without leaving a trace."""

from __future__ import annotations

import tempfile
from pathlib import Path

from poster_genre.errors import PosterGenreError, UsageError

CLUTTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What operating systems put into folders that people take for empty."""


def refuse_unwritable_folder(folder: Path) -> None:
    """PosterGenreError where nothing can be written into ``folder``, or where it cannot be made."""
    try:
        place = folder
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise UsageError(f"{folder} cannot be a folder, for {place} is a file; name another place")
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise PosterGenreError(
            f"cannot write to {folder} ({error.strerror or error}); name another place"
        ) from error


def refuse_unwritable_file(path: Path) -> None:
    """PosterGenreError where no file can be written at ``path``, whose folder must be there."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise PosterGenreError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    refuse_unwritable_folder(path.parent)


def contents(folder: Path) -> list[Path]:
    """What a folder holds beside what the operating system put there."""
    return sorted(path for path in folder.iterdir() if path.name not in CLUTTER)


def remove_clutter(folder: Path) -> None:
    for name in CLUTTER:
        (folder / name).unlink(missing_ok=True)
