"""What is in a data set, and what is wrong with it: in words, as JSON, as a CSV of defects and as one
picture.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from minicnn.serialize import atomic_write
from poster_genre.data.archives import Source
from poster_genre.data.dataset import (
    DEFECT_KINDS,
    SPLITS,
    Defect,
    PosterDataset,
    load_dataset,
    split_of,
)
from poster_genre.data.transforms import read_poster
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.output_path import refuse_unwritable_folder
from poster_genre.progress import progress_bar

_CHUNK = 64
_SHOWN = 5
PICTURE, DEFECTS, NUMBERS = "dataset.png", "defects.csv", "dataset.json"


@dataclass(frozen=True)
class Inspection:
    """Everything that was found out.

    dataset: the rows that have an image which could be decoded. n_images: in the image folder. widths,
    heights: of every image that could be decoded, those without a row included. defects: all of them.
    """

    dataset: PosterDataset
    n_images: int
    widths: np.ndarray
    heights: np.ndarray
    defects: list[Defect] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Rows of the table, whether they have an image or not."""
        return len(self.dataset.table_ids)

    @property
    def n_ids(self) -> int:
        """Distinct Ids of the table."""
        return len(set(self.dataset.table_ids))

    @property
    def genres_per_movie(self) -> dict[int, int]:
        """Number of genres -> rows that have so many."""
        counts = Counter(self.dataset.labels.sum(axis=1, dtype=int).tolist())
        return dict(sorted(counts.items()))

    @property
    def genre_frequency(self) -> dict[str, int]:
        """Genre -> rows that have it, in the order of GENRES."""
        return dict(zip(GENRES, self.dataset.labels.sum(axis=0, dtype=int).tolist(), strict=True))

    @property
    def co_occurrence(self) -> np.ndarray:
        """(25, 25): entry (i, j) counts the rows that have both genres; the diagonal is the frequency."""
        labels = self.dataset.labels.astype(np.int64)
        return labels.T @ labels

    @property
    def defect_counts(self) -> dict[str, int]:
        """Kind -> how many, every kind of DEFECT_KINDS, 0 where there is none."""
        counts = Counter(defect.kind for defect in self.defects)
        return {kind: counts[kind] for kind in DEFECT_KINDS}


def inspect_dataset(path: str | os.PathLike[str], progress: bool = True) -> Inspection:
    """Reads the table and decodes every image of a folder or zip. PosterGenreError as ``load_dataset`` has
    it.
    """
    return inspect(load_dataset(path), progress)


def inspect(dataset: PosterDataset, progress: bool = True) -> Inspection:
    """Decodes every image of a data set whose table has been read."""
    source = dataset.source
    names = list(source.images)
    with_row = set(dataset.ids)
    same: dict[bytes, list[str]] = {}
    sizes, broken = [], []
    bar = progress_bar("Decoding images", len(names), " images", progress)
    with bar, ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            for name, (digest, size, error) in zip(
                chunk, pool.map(lambda name: _examine(source, name), chunk), strict=True
            ):
                if digest is not None:
                    same.setdefault(digest, []).append(name)
                if error is None:
                    sizes.append(size)
                else:
                    where = "" if name in with_row else ", and no row"
                    broken.append(Defect("unreadable image", name, f"split {split_of(name)}{where}: {error}"))
                bar.update()
    twins = [_twins(group) for group in same.values() if len(group) > 1]
    order = list(DEFECT_KINDS)
    defects = sorted(dataset.defects + broken + twins, key=lambda defect: order.index(defect.kind))
    width_height = np.array(sizes, np.int64).reshape(-1, 2)
    unreadable = {defect.subject for defect in broken}
    dataset = dataset.subset(np.array([name not in unreadable for name in dataset.ids], bool))
    return Inspection(dataset, len(names), width_height[:, 0], width_height[:, 1], defects)


def _examine(source: Source, name: str) -> tuple[bytes | None, tuple[int, int], str | None]:
    """The hash of an image's bytes, its (width, height), and what is wrong with it."""
    file = source.images[name]
    try:
        data = source.read(file)
    except PosterGenreError as error:
        return None, (0, 0), str(error)
    digest = hashlib.sha256(data).digest()
    try:
        return digest, read_poster(data, PurePosixPath(file).name).size, None
    except PosterGenreError as error:
        return digest, (0, 0), str(error)


def _twins(names: list[str]) -> Defect:
    splits = [split_of(name) for name in names]
    across = f"in {splits[0]}" if len(set(splits)) == 1 else f"across {' and '.join(dict.fromkeys(splits))}"
    return Defect("identical posters", names[0], f"the same bytes as {', '.join(names[1:])}, {across}")


def describe(path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> str:
    """The text that ``poster-genre dataset`` prints.

    Into the folder ``out``, where given, go ``dataset.png``, ``defects.csv`` and ``dataset.json``.
    """
    folder = None if out is None else Path(out)
    if folder is not None:
        refuse_to_overwrite(folder)
    dataset = load_dataset(path)
    if folder is not None:
        _make_folder(folder)
    inspection = inspect(dataset)
    text = as_text(inspection)
    if folder is None:
        return text
    write_report(inspection, folder)
    return (
        f"{text}\n\nPicture, defects and numbers: {folder / PICTURE}, {folder / DEFECTS}, {folder / NUMBERS}"
    )


def write_report(inspection: Inspection, folder: Path) -> None:
    """Writes ``dataset.png``, ``defects.csv`` and ``dataset.json`` into a folder that exists."""
    from poster_genre.data.inspection_plot import plot_inspection

    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["kind", "subject", "detail"])
    writer.writerows([defect.kind, defect.subject, defect.detail] for defect in inspection.defects)
    document = json.dumps(to_dict(inspection), indent=2, ensure_ascii=False)
    try:
        for name, text in ((NUMBERS, document + "\n"), (DEFECTS, table.getvalue())):
            with atomic_write(folder / name) as file:
                file.write(text.encode())
        plot_inspection(inspection, folder / PICTURE)
    except OSError as error:
        raise PosterGenreError(f"{folder}: {error.strerror or error}") from error


def refuse_to_overwrite(folder: Path) -> None:
    """The files of an earlier report are replaced; others of the same names are somebody's own.

    ``dataset.json`` is written first, and tells whose the three are.
    """
    refuse_unwritable_folder(folder)
    there = [folder / name for name in (PICTURE, DEFECTS, NUMBERS) if (folder / name).exists()]
    if there and not _is_ours(folder / NUMBERS):
        raise UsageError(f"{there[0]} was not written by 'poster-genre dataset'; name another --out")


def _is_ours(numbers: Path) -> bool:
    try:
        document = json.loads(numbers.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.keys() >= {"n_rows", "n_images", "defect_counts"}


def _make_folder(folder: Path) -> None:
    """Made before the long work, so that a name that cannot be used is refused at once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PosterGenreError(f"the folder {folder} cannot be made ({error.strerror or error})") from error


def as_text(inspection: Inspection) -> str:
    """The findings in words, with bars of blocks; of each kind of defect the first few."""
    found, dataset = inspection, inspection.dataset
    lines = [
        f"{dataset.name}",
        "",
        f"{found.n_rows:,} rows with {found.n_ids:,} distinct Ids; {found.n_images:,} images; "
        f"{len(dataset):,} rows have theirs, readable",
        "splits        " + ", ".join(f"{split} {n:,}" for split, n in dataset.split_sizes().items()),
    ]
    if len(found.widths):
        lines.append(f"image width   {_spread(found.widths)}")
        lines.append(f"image height  {_spread(found.heights)}")
    per_movie = found.genres_per_movie
    rows = max(1, len(dataset))
    mean = sum(k * n for k, n in per_movie.items()) / rows
    each = ", ".join(f"{n:,} with {k}" for k, n in per_movie.items())
    lines += [f"genres        {mean:.2f} a movie on average: {each}", "", "Genre frequency (rows)"]
    frequency = sorted(found.genre_frequency.items(), key=lambda item: -item[1])
    most = max(1, frequency[0][1])
    for genre, count in frequency:
        lines.append(f"  {genre:<12} {count:>6,} {count / rows:>6.1%}  {'█' * round(30 * count / most)}")
    lines += ["", "Genres most often together (rows)"]
    lines += [f"  {first} and {second}: {n:,}" for n, first, second in _pairs(found.co_occurrence)[:8]]
    lines += ["", *_describe_defects(found.defects)]
    return "\n".join(lines)


def _spread(values: np.ndarray) -> str:
    return f"{values.min()} to {values.max()} pixels, median {int(np.median(values))}"


def _pairs(together: np.ndarray) -> list[tuple[int, str, str]]:
    pairs = [
        (int(together[i, j]), GENRES[i], GENRES[j])
        for i in range(N_GENRES)
        for j in range(i + 1, N_GENRES)
        if together[i, j]
    ]
    return sorted(pairs, key=lambda pair: -pair[0])


def _describe_defects(defects: list[Defect]) -> list[str]:
    if not defects:
        return ["No defects."]
    lines = [f"Defects: {len(defects):,}"]
    for kind, meaning in DEFECT_KINDS.items():
        of_kind = [defect for defect in defects if defect.kind == kind]
        if of_kind:
            lines.append(f"  {kind}: {len(of_kind):,} ({meaning})")
            lines += [f"    {defect.subject}: {defect.detail}" for defect in of_kind[:_SHOWN]]
        if len(of_kind) > _SHOWN:
            lines.append(f"    ... and {len(of_kind) - _SHOWN:,} more")
    return lines


def to_dict(inspection: Inspection) -> dict[str, Any]:
    """The same facts for ``dataset.json``, with every defect."""
    found = inspection
    return {
        "path": found.dataset.name,
        "n_rows": found.n_rows,
        "n_ids": found.n_ids,
        "n_images": found.n_images,
        "split_sizes": {split: found.dataset.split_sizes()[split] for split in SPLITS},
        "genres_per_movie": {str(k): n for k, n in found.genres_per_movie.items()},
        "genre_frequency": found.genre_frequency,
        "co_occurrence": {"genres": list(GENRES), "counts": found.co_occurrence.tolist()},
        "image_width": _range(found.widths),
        "image_height": _range(found.heights),
        "defect_counts": found.defect_counts,
        "defects": [
            {"kind": defect.kind, "subject": defect.subject, "detail": defect.detail}
            for defect in found.defects
        ],
    }


def _range(values: np.ndarray) -> dict[str, int | None]:
    if len(values) == 0:
        return {"min": None, "median": None, "max": None}
    return {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}
