"""What a data set's folder and zip have in common: the layout, and which image belongs to which Id.

Both hold ``train.csv`` and, beside it, ``Images/<Id>.jpg``, at the top or inside one or two wrapping folders.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from poster_genre.errors import SHOWN_CHARACTERS, PosterGenreError, printable
from poster_genre.output_path import CLUTTER

CSV_NAME = "train.csv"
IMAGE_FOLDER = "images"
IMAGE_SUFFIXES = (".jpg", ".jpeg")
MAX_FILE_BYTES = 100_000_000
WRAPPING_FOLDERS = 2
LAYOUT = "expected train.csv and, beside it, a folder Images with <Id>.jpg"


class PosterArchive(ABC):
    """The files of one data set, in a folder or in a zip.

    name: the path, for messages. csv_path: the table. images: poster Id -> image file; of several files for
    one Id the one that ends in ``.jpg``. unexpected: any other entry of the image folder -> why it is not
    used. Files are named by their path inside the archive, with ``/``.
    """

    def __init__(
        self, name: str, csv_path: str, image_files: Iterable[str], unexpected: Mapping[str, str]
    ) -> None:
        self.name = printable(name)
        self.csv_path = csv_path
        self.images: dict[str, str] = {}
        rejected = dict(unexpected)
        for file in sorted(image_files, key=lambda file: (not file.endswith(".jpg"), file)):
            path = PurePosixPath(file)
            if not _is_utf8(file):
                rejected[file] = "its name is not UTF-8; rename it"
            elif path.suffix.lower() not in IMAGE_SUFFIXES:
                rejected[file] = "not a .jpg file"
            elif path.stem in self.images:
                rejected[file] = (
                    f"a second image of one Id; {PurePosixPath(self.images[path.stem]).name} is used"
                )
            else:
                self.images[path.stem] = file
        self.unexpected = dict(sorted(rejected.items()))

    @abstractmethod
    def read(self, file: str) -> bytes:
        """The bytes of one file; several threads may read at once. PosterGenreError where it cannot be
        read.
        """

    @abstractmethod
    def checksum(self, file: str) -> str:
        """CRC-32 and length of the content, the same for a folder and for the zip of it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {len(self.images)} images)"


def the_only_table(archive: Path, tables: list[str]) -> str:
    """The one path in ``tables``; PosterGenreError where there is none or more than one."""
    name = printable(str(archive))
    if not tables:
        raise PosterGenreError(f"{name} holds no {CSV_NAME}; {LAYOUT}")
    if len(tables) > 1:
        some = " and ".join(printable(table, SHOWN_CHARACTERS) for table in tables[:3])
        raise PosterGenreError(f"{name} holds {some}; give the folder of the data set that you mean")
    return tables[0]


def is_clutter(path: PurePosixPath) -> bool:
    """Whether an operating system put the file there: such files are never part of a data set."""
    return path.parts[0] == "__MACOSX" or path.name.startswith(".") or path.name in CLUTTER


def refuse_size(name: str, size: int) -> None:
    """PosterGenreError where a file of ``size`` bytes is too large to be a poster or a table."""
    if size > MAX_FILE_BYTES:
        raise PosterGenreError(
            f"{name} is larger than {MAX_FILE_BYTES:,} bytes, too large to be a poster or a table; replace it"
        )


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
