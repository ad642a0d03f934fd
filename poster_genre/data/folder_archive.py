"""A data set in a folder on disk."""

from __future__ import annotations

import os
import zlib
from pathlib import Path, PurePosixPath

from poster_genre.data.poster_archive import (
    CSV_NAME,
    IMAGE_FOLDER,
    LAYOUT,
    MAX_FILE_BYTES,
    WRAPPING_FOLDERS,
    PosterArchive,
    is_clutter,
    refuse_size,
    the_only_table,
)
from poster_genre.errors import PosterGenreError, printable


class FolderArchive(PosterArchive):
    """A folder on disk."""

    def __init__(self, path: Path) -> None:
        csv = path / the_only_table(path, [file.relative_to(path).as_posix() for file in find_tables(path)])
        folders = [p for p in csv.parent.iterdir() if p.name.lower() == IMAGE_FOLDER and p.is_dir()]
        if not folders:
            raise PosterGenreError(
                f"{printable(str(csv.parent))} has {CSV_NAME} but no folder Images; {LAYOUT}"
            )
        self._root = path
        files: list[str] = []
        unexpected: dict[str, str] = {}
        with os.scandir(sorted(folders)[0]) as entries:
            for entry in entries:
                if is_clutter(PurePosixPath(entry.name)):
                    continue
                file = Path(entry.path).relative_to(path).as_posix()
                reason = _not_a_file(entry)
                if reason is None:
                    files.append(file)
                else:
                    unexpected[file] = reason
        super().__init__(str(path), csv.relative_to(path).as_posix(), files, unexpected)

    def read(self, file: str) -> bytes:
        """The bytes of one file; PosterGenreError where it cannot be read."""
        path = self._root / file
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise PosterGenreError(
                f"{printable(str(path))} cannot be read ({error.strerror or error}); check the file"
            ) from error
        refuse_size(printable(str(path)), len(data))
        return data

    def checksum(self, file: str) -> str:
        """CRC-32 and length of the content; reads the file."""
        data = self.read(file)
        return f"{zlib.crc32(data):08x}-{len(data)}"


def find_tables(folder: Path) -> list[Path]:
    """Every train.csv of the least depth that has one."""
    for depth in range(WRAPPING_FOLDERS + 1):
        tables = sorted(p for p in folder.glob("*/" * depth + CSV_NAME) if p.is_file())
        if tables:
            return tables
    return []


def _not_a_file(entry: os.DirEntry[str]) -> str | None:
    """Why an entry of the image folder is not a readable file, or None where it is one."""
    try:
        if entry.is_file():
            return None
        if entry.is_dir():
            return "a folder"
    except OSError as error:  # for one, a symbolic link to itself
        return f"cannot be opened ({error.strerror or error})"
    return "a symbolic link to a missing file" if entry.is_symlink() else "not a regular file"
