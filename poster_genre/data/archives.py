"""Where the posters lie: a folder, or the zip as it was downloaded, read in place and never unpacked.

Both hold ``train.csv`` and, beside it, ``Images/<Id>.jpg``, perhaps inside a wrapping folder or two.
"""

from __future__ import annotations

import os
import stat
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from poster_genre.errors import PosterGenreError
from poster_genre.output_path import CLUTTER

CSV_NAME = "train.csv"
IMAGE_FOLDER = "images"
IMAGE_SUFFIXES = (".jpg", ".jpeg")
MAX_FILE_BYTES = 100_000_000
_WRAPPING_FOLDERS = 2
_AGAIN = "download it again, or give the folder"
_LAYOUT = "expected train.csv and, beside it, a folder Images with <Id>.jpg"


class Source(ABC):
    """A place that holds one data set.

    name: the path as it was given. images: poster Id -> file, a plain .jpg before other spellings.
    strays: what else is in the image folder: files that are no poster of ours, or a second one for the same
    Id, and ``others``, which are no files at all.
    """

    def __init__(self, name: str, csv_path: str, image_files: Iterable[str], others: Iterable[str]) -> None:
        self.name = name
        self.csv_path = csv_path
        self.images: dict[str, str] = {}
        self.strays: list[str] = []
        for file in sorted(image_files, key=lambda file: (not file.endswith(".jpg"), file)):
            path = PurePosixPath(file)
            if _is_clutter(path):
                continue
            if path.suffix.lower() in IMAGE_SUFFIXES and path.stem not in self.images:
                self.images[path.stem] = file
            else:
                self.strays.append(file)
        self.strays = sorted([*self.strays, *(o for o in others if not _is_clutter(PurePosixPath(o)))])

    @abstractmethod
    def read(self, file: str) -> bytes:
        """The bytes of one file; any number of threads may read at once."""

    @abstractmethod
    def fingerprint(self, file: str) -> str:
        """CRC-32 and length of the content, the same for a folder and for the zip of it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {len(self.images)} images)"


class FolderSource(Source):
    """A folder on disk."""

    def __init__(self, path: Path) -> None:
        csv = path / _only(str(path), [p.relative_to(path).as_posix() for p in _tables(path)])
        folders = [p for p in csv.parent.iterdir() if p.name.lower() == IMAGE_FOLDER and p.is_dir()]
        if not folders:
            raise PosterGenreError(f"{csv.parent} has {CSV_NAME} but no folder Images; {_LAYOUT}")
        self._root = path
        with os.scandir(sorted(folders)[0]) as entries:
            inside = [(Path(entry.path).relative_to(path).as_posix(), entry.is_file()) for entry in entries]
        files, others = ([file for file, plain in inside if plain is wanted] for wanted in (True, False))
        super().__init__(str(path), csv.relative_to(path).as_posix(), files, others)

    def read(self, file: str) -> bytes:
        path = self._root / file
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise PosterGenreError(f"{path} cannot be read ({error.strerror or error})") from error
        if len(data) > MAX_FILE_BYTES:
            raise PosterGenreError(
                f"{path} is larger than {MAX_FILE_BYTES:,} bytes, too large to be a poster"
            )
        return data

    def fingerprint(self, file: str) -> str:
        data = self.read(file)
        return f"{zlib.crc32(data):08x}-{len(data)}"


class ZipSource(Source):
    """A zip archive. It is refused whole where a member could reach outside of it."""

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise PosterGenreError(
                f"{path} is not a complete zip archive ({_said(error)}); {_AGAIN}"
            ) from error
        except OSError as error:
            raise PosterGenreError(f"{path} cannot be opened ({error.strerror or error})") from error
        except MemoryError:
            raise
        except Exception as error:  # On damaged headers zipfile raises nearly every type there is.
            raise PosterGenreError(f"{path} is a damaged zip archive ({_said(error)}); {_AGAIN}") from error
        # ZipFile counts its open members without a lock of its own, and would close the file under a reader.
        self._lock = threading.Lock()
        self._path = path
        try:
            self._index()
        except PosterGenreError:
            self._archive.close()
            raise

    def _index(self) -> None:
        self._members: dict[str, zipfile.ZipInfo] = {}
        names: list[str] = []
        for info in self._archive.infolist():
            _refuse_escape(str(self._path), info)
            name = str(PurePosixPath(info.filename))  # some programs write ./train.csv
            names.append(name)
            if not info.is_dir():
                self._members.setdefault(name, info)
        paths = [PurePosixPath(name) for name in self._members]
        tables = [p for p in paths if p.name == CSV_NAME and not _is_clutter(p)]
        tables = [p for p in tables if len(p.parts) <= _WRAPPING_FOLDERS + 1]
        depth = min((len(p.parts) for p in tables), default=0)
        csv = _only(str(self._path), sorted(str(p) for p in tables if len(p.parts) == depth))
        root = PurePosixPath(csv).parent
        files = [str(p) for p in paths if p.parent.parent == root and p.parent.name.lower() == IMAGE_FOLDER]
        if not files:
            raise PosterGenreError(f"{self._path} has {csv} but no Images beside it; {_LAYOUT}")
        depth = len(root.parts) + 2  # what lies deeper belongs to a subfolder, which is named once
        inside = {PurePosixPath(*PurePosixPath(name).parts[:depth]) for name in names}
        others = [str(p) for p in inside if p.parent in {PurePosixPath(f).parent for f in files}]
        super().__init__(str(self._path), csv, files, sorted(set(others) - set(files)))

    def read(self, file: str) -> bytes:
        where = f"{self._path}: {file}"
        info = self._members[file]
        if info.flag_bits & 1:
            raise PosterGenreError(f"{where} is encrypted; unpack the archive and give the folder")
        if info.file_size > MAX_FILE_BYTES:
            raise PosterGenreError(
                f"{where} is larger than {MAX_FILE_BYTES:,} bytes, too large to be a poster"
            )
        try:
            with self._lock:
                return self._archive.read(info)
        except MemoryError:
            raise
        except Exception as error:  # Every method of compression has its own kind of exception.
            raise PosterGenreError(
                f"{where} cannot be unpacked from the zip ({_said(error)}); {_AGAIN}"
            ) from error

    def fingerprint(self, file: str) -> str:
        info = self._members[file]
        return f"{info.CRC:08x}-{info.file_size}"


def open_source(path: str | os.PathLike[str]) -> Source:
    """The folder or zip at ``path``, or the only zip in a folder without a table (as ``download`` leaves it).

    PosterGenreError where there is none or its layout is another.
    """
    place = Path(path)
    try:
        if place.is_dir():
            archives = list(place.glob("*.zip"))
            if len(archives) == 1 and not _tables(place):
                return ZipSource(archives[0])
            return FolderSource(place)
        if not place.exists():
            raise PosterGenreError(f"there is no {place}; give the folder or the zip that holds {CSV_NAME}")
    except OSError as error:
        raise PosterGenreError(f"{place} cannot be read ({error.strerror or error})") from error
    if place.is_file() and place.name == CSV_NAME:
        raise PosterGenreError(f"{place} is the table alone; give the folder that holds it and Images")
    return ZipSource(place)


def _tables(folder: Path) -> list[Path]:
    """Every train.csv of the least depth that has one."""
    for depth in range(_WRAPPING_FOLDERS + 1):
        found = sorted(p for p in folder.glob("*/" * depth + CSV_NAME) if p.is_file())
        if found:
            return found
    return []


def _only(where: str, tables: list[str]) -> str:
    if not tables:
        raise PosterGenreError(f"{where} holds no {CSV_NAME}; {_LAYOUT}")
    if len(tables) > 1:
        raise PosterGenreError(f"{where} holds {' and '.join(tables[:3])}; give the one folder that is meant")
    return tables[0]


def _is_clutter(path: PurePosixPath) -> bool:
    """What operating systems leave in folders and archives; never part of a data set."""
    return path.parts[0] == "__MACOSX" or path.name.startswith(".") or path.name in CLUTTER


def _said(error: Exception) -> str:
    """What an exception says, in one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def _refuse_escape(where: str, info: zipfile.ZipInfo) -> None:
    parts = info.filename.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts or ":" in parts[0]:
        raise PosterGenreError(
            f"{where}: the member {info.filename!r} points outside of the archive; do not trust this zip"
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise PosterGenreError(f"{where}: the member {info.filename!r} is a symbolic link; pack plain files")
