"""The data set: a table of Ids and genres, the posters beside it, and all that is wrong with the two.

``train.csv`` has the columns Id, Genre (a list such as ``['Comedy', 'Drama']``) and one 0/1 column a genre;
the poster of a row is ``Images/<Id>.jpg``. Defects are kept in a list for people to read; only what cannot
be understood at all is an error.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from poster_genre.data.archives import Source, open_source
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, INDEX, N_GENRES

__all__ = [
    "DEFECT_KINDS",
    "SPLITS",
    "Defect",
    "PosterDataset",
    "bucket",
    "load_dataset",
    "open_source",
    "split_of",
]

SPLITS = ("train", "val", "test")
DEFECT_KINDS: dict[str, str] = {
    "missing image": "the row has no image, and is left out",
    "unreadable image": "the image cannot be decoded, and its rows are left out",
    "image without row": "no row tells the genres of this image, and it is left out",
    "repeated Id": "several rows have the same Id; all of them are kept",
    "identical posters": "several Ids have the same image, byte for byte; all of them are kept",
    "contradictory genres": "the Genre list and the 0/1 columns differ; the columns are used",
    "unexpected file": "something in Images that is no <Id>.jpg, or a second one for its Id; it is left out",
}

_LIST = re.compile(r"""\[\s*(?:(?:'[^']*'|"[^"]*")\s*(?:,\s*(?=['"])|(?=\])))*\]""")
_LIST_ITEM = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def bucket(poster_id: str) -> int:
    """A number from 0 to 99 that depends on the Id alone: its SHA-1, read as an integer, modulo 100."""
    return int(hashlib.sha1(poster_id.encode()).hexdigest(), 16) % 100


def split_of(poster_id: str) -> str:
    """ "train" for the buckets 0-69, "val" for 70-84, "test" for 85-99."""
    number = bucket(poster_id)
    return "train" if number < 70 else "val" if number < 85 else "test"


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong: its kind (of DEFECT_KINDS), the poster Id or file concerned, and the
    details."""

    kind: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject} ({self.detail})"


class PosterDataset:
    """Rows whose poster exists, in the order of the table.

    ids: list of n texts. labels: uint8 (n, 25) of 0 and 1, columns as in GENRES, not writable. rows: the row
    numbers of the table, the first after the header being 1. table_ids: the Ids of the whole table, images or
    none. defects: what was found wrong. name: where it came from.
    """

    def __init__(
        self,
        source: Source,
        ids: list[str],
        labels: np.ndarray,
        rows: np.ndarray,
        defects: Sequence[Defect],
        table_ids: Sequence[str],
    ) -> None:
        self.source = source
        self.name = source.name
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
        return self.source.read(self.file(i))

    def file(self, i: int) -> str:
        """The path of row i's image inside the folder or zip."""
        return self.source.images[self.ids[i]]

    def subset(self, indices: Sequence[int] | np.ndarray) -> PosterDataset:
        """These rows (integers, or n booleans) in this order; the defects stay those of the whole."""
        chosen = np.asarray(indices)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise PosterGenreError(f"subset: expected {len(self)} booleans, got shape {chosen.shape}")
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64)
        ids = [self.ids[i] for i in chosen]
        labels, rows = self.labels[chosen], self.rows[chosen]
        return PosterDataset(self.source, ids, labels, rows, self.defects, self.table_ids)

    def split_sizes(self) -> dict[str, int]:
        """Rows of each split; 0 where there are none."""
        splits = [split_of(i) for i in self.ids]
        return {split: splits.count(split) for split in SPLITS}

    def split(self, name: str) -> PosterDataset:
        """The rows and defects of "train", "val" or "test"; PosterGenreError where there is no such row."""
        if name not in SPLITS:
            raise PosterGenreError(f"there is no split {name!r}; choose from {', '.join(SPLITS)}")
        chosen = np.array([split_of(i) == name for i in self.ids], bool)
        if not chosen.any():
            sizes = ", ".join(f"{split} {size:,}" for split, size in self.split_sizes().items())
            raise PosterGenreError(f"{self.name} holds no poster of the split {name} (rows: {sizes})")
        part = self.subset(chosen)
        part.defects = [d for d in self.defects if split_of(PurePosixPath(d.subject).stem) == name]
        return part


def load_dataset(path: str | os.PathLike[str]) -> PosterDataset:
    """Read and check the table of a folder or zip, without decoding its images.

    Unreadable images and identical posters are therefore not among the defects yet: ``cache.cached_posters``
    adds the first, ``dataset_report.inspect_dataset`` both. PosterGenreError where nothing sensible can be
    read.
    """
    source = open_source(path)
    where = f"{source.name}: {source.csv_path}"
    table = _read_table(where, source.read(source.csv_path))
    ids = [text.strip() for text in table["Id"]]
    labels = _labels(where, table, ids)
    defects = _genre_defects(where, table["Genre"].tolist(), labels, ids)
    defects += _row_defects(source, ids, labels)
    present = np.array([poster_id in source.images for poster_id in ids], bool)
    if not present.any():
        raise PosterGenreError(
            f"{where}: none of the {len(ids):,} rows has its image in Images; check the folder"
        )
    rows = np.flatnonzero(present)
    return PosterDataset(source, [ids[i] for i in rows], labels[rows], rows + 1, _sorted(defects), ids)


def _read_table(where: str, data: bytes) -> Any:
    """The table as texts: pandas would take the genre N/A for a missing value."""
    import pandas as pd

    try:
        table = pd.read_csv(io.BytesIO(data), dtype=str, na_filter=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError) as error:
        reason = str(error).strip().splitlines()[0]
        raise PosterGenreError(f"{where} is not a CSV table in UTF-8 ({reason}); export it again") from error
    table.columns = [str(name).strip() for name in table.columns]
    known = {"Id", "Genre", *GENRES}
    # pandas has called the second Drama "Drama.1" by now.
    names = [re.sub(r"\.\d+$", "", name) if name not in known else name for name in table.columns]
    twice = sorted({name for name in names if name in known and names.count(name) > 1})
    if twice:
        raise PosterGenreError(f"{where} has the column {_some(twice)} more than once; take the others out")
    missing = [name for name in ("Id", "Genre", *GENRES) if name not in table.columns]
    if missing:
        raise PosterGenreError(
            f"{where} lacks the column{'s' if len(missing) > 1 else ''} {_some(missing)}; "
            f"expected Id, Genre and the {N_GENRES} genres, separated by commas"
        )
    unknown = [name for name in table.columns if name not in ("Id", "Genre", *GENRES)]
    if unknown:
        raise PosterGenreError(
            f"{where} has the column{'s' if len(unknown) > 1 else ''} {_some(unknown)}; "
            f"expected only Id, Genre and the {N_GENRES} genres that are known"
        )
    if len(table) == 0:
        raise PosterGenreError(f"{where} has a header but no rows")
    if not isinstance(table.index, pd.RangeIndex):
        raise PosterGenreError(f"{where} has rows with more cells than the header has columns; repair it")
    return table


def _labels(where: str, table: Any, ids: Sequence[str]) -> np.ndarray:
    cells = np.char.strip(table[list(GENRES)].to_numpy(dtype=str))
    wrong = (cells != "0") & (cells != "1")
    if wrong.any():
        row, genre = (int(i) for i in np.argwhere(wrong)[0])
        raise PosterGenreError(
            f"{where}: row {row + 1} (Id {ids[row]!r}) has {str(cells[row, genre])!r} in the column "
            f"{GENRES[genre]}, expected 0 or 1"
        )
    return (cells == "1").astype(np.uint8)


def _genre_defects(where: str, lists: Sequence[str], labels: np.ndarray, ids: Sequence[str]) -> list[Defect]:
    defects = []
    for row, text in enumerate(lists):
        columns = {GENRES[i] for i in np.flatnonzero(labels[row])}
        names = parse_genres(text)
        if names is None:
            shown = text if len(text) <= 60 else text[:57] + "..."
            detail = f"row {row + 1}: the Genre cell {shown!r} is not a list of names"
        else:
            unknown = [name for name in names if name not in INDEX]
            if unknown:
                raise PosterGenreError(
                    f"{where}: row {row + 1} (Id {ids[row]!r}) lists the genre {unknown[0]!r}, "
                    f"none of the {N_GENRES} that are known; correct the cell, or take the row out"
                )
            if set(names) == columns:
                continue
            only_list, only_columns = sorted(set(names) - columns), sorted(columns - set(names))
            parts = [f"only in the list: {', '.join(only_list)}"] if only_list else []
            parts += [f"only in the columns: {', '.join(only_columns)}"] if only_columns else []
            detail = f"row {row + 1}, {'; '.join(parts)}"
        defects.append(Defect("contradictory genres", ids[row], detail))
    return defects


def parse_genres(text: str) -> list[str] | None:
    """The names in a list written as Python does, ``['Comedy', 'Drama']``; None where it is no such list."""
    text = text.strip()
    if _LIST.fullmatch(text) is None:
        return None
    return [(single or double).strip() for single, double in _LIST_ITEM.findall(text)]


def _row_defects(source: Source, ids: Sequence[str], labels: np.ndarray) -> list[Defect]:
    rows: dict[str, list[int]] = {}
    for row, poster_id in enumerate(ids):
        rows.setdefault(poster_id, []).append(row)
    defects = []
    for poster_id, places in rows.items():
        numbers = ", ".join(str(row + 1) for row in places)
        if poster_id not in source.images:
            subject = poster_id or "(no Id)"
            defects.append(
                Defect("missing image", subject, f"row {numbers}: there is no {poster_id}.jpg in Images")
            )
        if len(places) > 1:
            same = (labels[places] == labels[places[0]]).all()
            defects.append(
                Defect(
                    "repeated Id",
                    poster_id,
                    f"rows {numbers}, with {'the same' if same else 'different'} genres",
                )
            )
    defects += [
        Defect("image without row", poster_id, f"{file} has no row")
        for poster_id, file in source.images.items()
        if poster_id not in rows
    ]
    defects += [Defect("unexpected file", PurePosixPath(file).name, file) for file in source.strays]
    return defects


def _sorted(defects: Sequence[Defect]) -> list[Defect]:
    order = {kind: i for i, kind in enumerate(DEFECT_KINDS)}
    return sorted(defects, key=lambda defect: order[defect.kind])


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
