"""The data set: the rows of ``train.csv`` that have a poster, ``Images/<Id>.jpg``, and the list of defects.

A defect concerns single rows or files and leaves the others usable. What makes the whole data set
unreadable is a PosterGenreError.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from poster_genre.data.archives import PosterArchive, open_archive
from poster_genre.data.defects import Defect, in_order
from poster_genre.data.splits import SPLITS, split_of
from poster_genre.data.train_csv import read_train_csv
from poster_genre.errors import SHOWN_CHARACTERS, PosterGenreError, printable

_SHOWN_ROWS = 10


class PosterDataset:
    """The rows whose poster exists, in the order of the table.

    archive: where the posters are read from. ids: list of n texts. labels: uint8 (n, 25) of 0 and 1, columns
    as in GENRES, read-only. rows: the row numbers of the table, the first after the header being 1.
    table_ids: the Ids of the whole table, with an image or without. defects: of the whole table and image
    folder. name: the path of the archive.
    """

    def __init__(
        self,
        archive: PosterArchive,
        ids: list[str],
        labels: np.ndarray,
        rows: np.ndarray,
        defects: Sequence[Defect],
        table_ids: Sequence[str],
    ) -> None:
        self.archive = archive
        self.name = archive.name
        self.ids = ids
        self.labels = labels
        self.labels.flags.writeable = False
        self.rows = rows
        self.defects = list(defects)
        self.table_ids = tuple(table_ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"PosterDataset({self.name!r}, {len(self)} rows, {len(self.defects)} defects)"

    def read(self, i: int) -> bytes:
        """The bytes of row i's image, from any thread; PosterGenreError where they cannot be read."""
        return self.archive.read(self.file(i))

    def file(self, i: int) -> str:
        """The path of row i's image inside the folder or zip."""
        return self.archive.images[self.ids[i]]

    def subset(self, indices: Sequence[int] | np.ndarray) -> PosterDataset:
        """These rows (integers, or n booleans) in this order, with all defects of the whole."""
        chosen = np.asarray(indices)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise PosterGenreError(f"subset: expected {len(self)} booleans, got shape {chosen.shape}")
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64)
        ids = [self.ids[i] for i in chosen]
        labels, rows = self.labels[chosen], self.rows[chosen]
        return PosterDataset(self.archive, ids, labels, rows, self.defects, self.table_ids)

    def split_sizes(self) -> dict[str, int]:
        """Rows of each split; 0 where there are none."""
        counts = Counter(map(split_of, self.ids))
        return {split: counts[split] for split in SPLITS}

    def split(self, name: str) -> PosterDataset:
        """The rows and defects of "train", "val" or "test"; PosterGenreError where the split has no row."""
        if name not in SPLITS:
            raise PosterGenreError(f"there is no split {name!r}; choose from {', '.join(SPLITS)}")
        chosen = np.array([split_of(i) == name for i in self.ids], bool)
        if not chosen.any():
            sizes = ", ".join(f"{split} {size:,}" for split, size in self.split_sizes().items())
            raise PosterGenreError(
                f"{self.name} holds no poster of the split {name} (rows: {sizes}); choose another split"
            )
        part = self.subset(chosen)
        part.defects = [defect for defect in self.defects if defect.split == name]
        return part


def load_dataset(path: str | os.PathLike[str]) -> PosterDataset:
    """Read and check the table of a folder or zip, without decoding its images.

    Its defects therefore lack unreadable images, which ``cache.cached_posters`` adds, and identical posters,
    which ``inspection.inspect_dataset`` adds with them. PosterGenreError where the table or the archive
    cannot be used.
    """
    archive = open_archive(path)
    name = f"{archive.name}: {printable(archive.csv_path, SHOWN_CHARACTERS)}"
    table = read_train_csv(name, archive.read(archive.csv_path))
    defects = in_order(
        table.defects + _row_defects(archive, table.ids, table.labels) + _file_defects(archive)
    )
    rows = np.array([i for i, poster_id in enumerate(table.ids) if poster_id in archive.images], np.int64)
    if len(rows) == 0:
        raise PosterGenreError(
            f"{name}: none of the {len(table.ids):,} rows has its image in Images; check the folder"
        )
    ids = [table.ids[i] for i in rows]
    return PosterDataset(archive, ids, table.labels[rows], rows + 1, defects, table.ids)


def _row_defects(archive: PosterArchive, ids: Sequence[str], labels: np.ndarray) -> list[Defect]:
    """Missing images, repeated Ids and images without a row."""
    rows: dict[str, list[int]] = {}
    for row, poster_id in enumerate(ids):
        rows.setdefault(poster_id, []).append(row)
    defects = []
    for poster_id, of_id in rows.items():
        numbers = _row_numbers(of_id)
        if poster_id not in archive.images:
            file = f"there is no {printable(poster_id, SHOWN_CHARACTERS)}.jpg in Images"
            reason = file if poster_id else "the Id is empty"
            defects.append(Defect("missing image", poster_id, f"{numbers}: {reason}"))
        if len(of_id) > 1:
            same = "the same" if (labels[of_id] == labels[of_id[0]]).all() else "different"
            defects.append(Defect("repeated Id", poster_id, f"{numbers}, with {same} genres"))
    defects += [
        Defect("image without row", poster_id, f"{printable(file, SHOWN_CHARACTERS)} has no row")
        for poster_id, file in archive.images.items()
        if poster_id not in rows
    ]
    return defects


def _file_defects(archive: PosterArchive) -> list[Defect]:
    """What is in the image folder and is no poster."""
    return [
        Defect("unexpected file", printable(PurePosixPath(file).name), f"{printable(file)}: {reason}")
        for file, reason in archive.unexpected.items()
    ]


def _row_numbers(rows: Sequence[int]) -> str:
    """ "row 3" or "rows 3, 7, 9", counted from 1, the first ten."""
    numbers = ", ".join(str(row + 1) for row in rows[:_SHOWN_ROWS])
    more = f" and {len(rows) - _SHOWN_ROWS:,} more" if len(rows) > _SHOWN_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {numbers}{more}"
