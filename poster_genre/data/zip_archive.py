"""A data set in a zip file, as it was downloaded: read in place and never unpacked."""

from __future__ import annotations

import stat
import threading
import zipfile
from pathlib import Path, PurePosixPath

from poster_genre.data.poster_archive import (
    CSV_NAME,
    IMAGE_FOLDER,
    LAYOUT,
    WRAPPING_FOLDERS,
    PosterArchive,
    is_clutter,
    refuse_size,
    the_only_table,
)
from poster_genre.errors import SHOWN_CHARACTERS, PosterGenreError, printable, quoted

_DOWNLOAD_AGAIN = "download it again, or give the folder"


class ZipArchive(PosterArchive):
    """A zip file. One with a member that could be extracted to a path outside of it is refused as a whole."""

    def __init__(self, path: Path) -> None:
        self._zip = _open_zip(path)
        # ZipFile counts its open members without a lock: one thread could close the file while another reads.
        self._lock = threading.Lock()
        try:
            self._read_directory(path)
        except PosterGenreError:
            self._zip.close()
            raise

    def _read_directory(self, path: Path) -> None:
        """Find the table and the images among the members, in time proportional to their number."""
        members: dict[PurePosixPath, zipfile.ZipInfo] = {}
        entries: list[PurePosixPath] = []  # with the folders
        for info in self._zip.infolist():
            _refuse_unsafe_member(path, info)
            entry = PurePosixPath(info.filename)  # drops the leading ./ that some programs write
            entries.append(entry)
            if not info.is_dir():
                members.setdefault(entry, info)
        tables = [p for p in members if p.name == CSV_NAME and not is_clutter(p)]
        tables = [p for p in tables if len(p.parts) <= WRAPPING_FOLDERS + 1]
        depth = min((len(p.parts) for p in tables), default=0)
        csv = the_only_table(path, sorted(str(p) for p in tables if len(p.parts) == depth))
        root = PurePosixPath(csv).parent
        depth = len(root.parts) + 2  # of <root>/Images/<Id>.jpg; what is deeper belongs to a subfolder
        inside = {
            PurePosixPath(*p.parts[:depth])
            for p in entries
            if len(p.parts) >= depth and p.parts[: depth - 2] == root.parts
        }
        inside = {p for p in inside if p.parent.name.lower() == IMAGE_FOLDER and not is_clutter(p)}
        files = [str(p) for p in inside if p in members]
        if not files:
            raise PosterGenreError(f"{printable(str(path))} has {csv} but no Images beside it; {LAYOUT}")
        self._members = {str(p): info for p, info in members.items()}
        super().__init__(str(path), csv, files, {str(p): "a folder" for p in inside if p not in members})

    def read(self, file: str) -> bytes:
        """The bytes of one member; PosterGenreError where it cannot be unpacked."""
        name = f"{self.name}: {printable(file, SHOWN_CHARACTERS)}"
        info = self._members[file]
        if info.flag_bits & 1:
            raise PosterGenreError(f"{name} is encrypted; unpack the archive and give the folder")
        refuse_size(name, info.file_size)
        try:
            with self._lock:
                return self._zip.read(info)
        except MemoryError:
            raise
        except Exception as error:  # Each compression method raises exceptions of its own.
            raise PosterGenreError(
                f"{name} cannot be unpacked from the zip ({_reason(error)}); {_DOWNLOAD_AGAIN}"
            ) from error

    def checksum(self, file: str) -> str:
        """CRC-32 and length of the content, as the zip states them."""
        info = self._members[file]
        return f"{info.CRC:08x}-{info.file_size}"


def _open_zip(path: Path) -> zipfile.ZipFile:
    name = printable(str(path))
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise PosterGenreError(
            f"{name} is not a complete zip archive ({_reason(error)}); {_DOWNLOAD_AGAIN}"
        ) from error
    except OSError as error:
        raise PosterGenreError(
            f"{name} cannot be opened ({error.strerror or error}); check its permissions"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # On damaged headers zipfile raises nearly every type of exception.
        raise PosterGenreError(
            f"{name} is a damaged zip archive ({_reason(error)}); {_DOWNLOAD_AGAIN}"
        ) from error


def _refuse_unsafe_member(path: Path, info: zipfile.ZipInfo) -> None:
    """PosterGenreError for a member whose path leads out of the archive, or that is a symbolic link."""
    parts = info.filename.replace("\\", "/").split("/")
    escapes = parts[0] == "" or ".." in parts or ":" in parts[0]
    if not escapes and not stat.S_ISLNK(info.external_attr >> 16):
        return
    member = f"{printable(str(path))}: the member {quoted(info.filename)}"
    if escapes:
        raise PosterGenreError(f"{member} points outside of the archive; do not trust this zip")
    raise PosterGenreError(f"{member} is a symbolic link; pack plain files")


def _reason(error: Exception) -> str:
    """The text of an exception in one line; its type where it has none."""
    return printable(" ".join(str(error).split()), 2 * SHOWN_CHARACTERS) or type(error).__name__
