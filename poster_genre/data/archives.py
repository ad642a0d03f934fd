"""Open a data set at a path: a folder, or the zip as it was downloaded."""

from __future__ import annotations

import os
from pathlib import Path

from poster_genre.data.folder_archive import FolderArchive, find_tables
from poster_genre.data.poster_archive import CSV_NAME, PosterArchive
from poster_genre.data.zip_archive import ZipArchive
from poster_genre.errors import PosterGenreError, UsageError, printable


def open_archive(path: str | os.PathLike[str]) -> PosterArchive:
    """The folder or zip at ``path``, or the only zip in a folder without a table (as ``download`` leaves it).

    PosterGenreError where there is none, or where its layout is another.
    """
    if not os.fspath(path):
        raise UsageError("the path of the data set is empty; give its folder or zip")
    location = Path(path)
    name = printable(str(location))
    try:
        if location.is_dir():
            zips = list(location.glob("*.zip"))
            if len(zips) == 1 and not find_tables(location):
                return ZipArchive(zips[0])
            return FolderArchive(location)
        if not location.exists():
            raise PosterGenreError(
                f"there is no file or folder {name}; give the folder or the zip that holds {CSV_NAME}"
            )
    except OSError as error:
        raise PosterGenreError(
            f"{name} cannot be read ({error.strerror or error}); check its permissions, or give another path"
        ) from error
    if not location.is_file():
        raise PosterGenreError(
            f"{name} is a pipe or device; give the folder or the zip that holds {CSV_NAME}"
        )
    if location.name == CSV_NAME:
        raise PosterGenreError(f"{name} is the table alone; give the folder that holds it and Images")
    return ZipArchive(location)
