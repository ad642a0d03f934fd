"""Checks of output paths, before the work that would be lost if its result could not be written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from poster_genre.errors import PosterGenreError, UsageError, printable

CLUTTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that operating systems put into folders; a folder with these alone counts as empty."""


def refuse_unwritable_folder(folder: Path) -> None:
    """PosterGenreError where files cannot be written into ``folder``, or where it cannot be created.

    Leaves nothing behind: a temporary file in the folder, or in the nearest parent that exists, is the test.
    """
    name = printable(str(folder))
    try:
        existing = folder
        while not existing.exists():
            if existing.is_symlink():
                link = printable(str(existing))
                raise UsageError(
                    f"{name} cannot be a folder, because {link} is a link to nothing that exists; name "
                    "another folder"
                )
            existing = existing.parent
        if not existing.is_dir():
            file = printable(str(existing))
            raise UsageError(f"{name} cannot be a folder, because {file} is a file; name another folder")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise PosterGenreError(
            f"cannot write to {name} ({error.strerror or error}); name another folder"
        ) from error


def refuse_unwritable_file(path: Path) -> None:
    """PosterGenreError where no file can be written at ``path``, whose folder must exist."""
    name, parent = printable(str(path)), printable(str(path.parent))
    if path.is_dir():
        raise UsageError(f"{name} is a folder; name a file")
    if not path.parent.is_dir():
        raise PosterGenreError(f"cannot write {name}: there is no folder {parent}; create it first")
    refuse_unwritable_folder(path.parent)


def contents(folder: Path) -> list[Path]:
    """The entries of a folder without ``CLUTTER``, sorted."""
    return sorted(path for path in folder.iterdir() if path.name not in CLUTTER)


def remove_clutter(folder: Path) -> None:
    """Deletes the files of ``CLUTTER`` in a folder."""
    for name in CLUTTER:
        (folder / name).unlink(missing_ok=True)
