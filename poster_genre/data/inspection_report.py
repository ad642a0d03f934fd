"""The report of an inspection: as text, as JSON, as a CSV file of defects and as one picture."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.serialize import atomic_write
from poster_genre.data.dataset import load_dataset
from poster_genre.data.defects import DEFECT_KINDS, Defect
from poster_genre.data.inspection import Inspection, inspect_dataset
from poster_genre.errors import PosterGenreError, UsageError, printable
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.output_path import refuse_unwritable_folder

_SHOWN = 5
PICTURE, DEFECTS, NUMBERS = "dataset.png", "defects.csv", "dataset.json"


def describe_dataset(path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> str:
    """The text that ``poster-genre dataset`` prints.

    With ``out``, also writes ``dataset.png``, ``defects.csv`` and ``dataset.json`` into that folder.
    """
    folder = None if out is None else Path(out)
    if folder is not None:
        refuse_to_overwrite(folder)
    dataset = load_dataset(path)
    if folder is not None:
        _make_folder(folder)
    inspection = inspect_dataset(dataset)
    text = as_text(inspection)
    if folder is None:
        return text
    write_report(inspection, folder)
    files = ", ".join(printable(str(folder / name)) for name in (PICTURE, DEFECTS, NUMBERS))
    return f"{text}\n\nPicture, defects and numbers: {files}"


def write_report(inspection: Inspection, folder: Path) -> None:
    """Writes ``dataset.png``, ``defects.csv`` and ``dataset.json`` into a folder that exists."""
    from poster_genre.data.inspection_plot import plot_inspection  # loads Matplotlib

    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["kind", "subject", "detail"])
    writer.writerows(_defect_fields(defect).values() for defect in inspection.defects)
    document = json.dumps(to_dict(inspection), indent=2, ensure_ascii=False)
    try:
        for name, text in ((NUMBERS, document + "\n"), (DEFECTS, table.getvalue())):
            with atomic_write(folder / name) as file:
                file.write(text.encode())
        plot_inspection(inspection, folder / PICTURE)
    except OSError as error:
        raise PosterGenreError(f"{printable(str(folder))}: {error.strerror or error}") from error


def refuse_to_overwrite(folder: Path) -> None:
    """UsageError where ``folder`` holds a file of the report's names that an earlier report did not write.

    ``dataset.json`` is written first, and its content identifies a report.
    """
    refuse_unwritable_folder(folder)
    existing = [folder / name for name in (PICTURE, DEFECTS, NUMBERS) if (folder / name).exists()]
    if existing and not _is_a_report(folder / NUMBERS):
        raise UsageError(f"{existing[0]} was not written by 'poster-genre dataset'; name another --out")


def _is_a_report(numbers: Path) -> bool:
    try:
        document = json.loads(numbers.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.keys() >= {"n_rows", "n_images", "defect_counts"}


def _make_folder(folder: Path) -> None:
    """Creates the folder before the images are decoded, so that an unusable name fails at once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PosterGenreError(
            f"the folder {folder} cannot be made ({error.strerror or error}); name another --out"
        ) from error


def as_text(inspection: Inspection) -> str:
    """The inspection as text, with a bar for each genre, and the first defects of each kind."""
    dataset = inspection.dataset
    lines = [
        f"{dataset.name}",
        "",
        f"{inspection.n_rows:,} rows with {inspection.n_ids:,} distinct Ids; {inspection.n_images:,} images; "
        f"{len(dataset):,} rows have a readable image",
        "splits        " + ", ".join(f"{split} {n:,}" for split, n in dataset.split_sizes().items()),
    ]
    if len(inspection.widths):
        lines.append(f"image width   {_spread(inspection.widths)}")
        lines.append(f"image height  {_spread(inspection.heights)}")
    per_movie = inspection.genres_per_movie
    rows = max(1, len(dataset))
    mean = sum(k * n for k, n in per_movie.items()) / rows
    each = ", ".join(f"{n:,} with {k}" for k, n in per_movie.items())
    lines += [f"genres        {mean:.2f} a movie on average: {each}", "", "Genre frequency (rows)"]
    frequency = sorted(inspection.genre_frequency.items(), key=lambda item: -item[1])
    most = max(1, frequency[0][1])
    for genre, count in frequency:
        lines.append(f"  {genre:<12} {count:>6,} {count / rows:>6.1%}  {'█' * round(30 * count / most)}")
    lines += ["", "Genres most often together (rows)"]
    lines += [f"  {first} and {second}: {n:,}" for n, first, second in _pairs(inspection.co_occurrence)[:8]]
    lines += ["", *_describe_defects(inspection.defects)]
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
            lines += [f"    {d.shown_subject}: {printable(d.detail, 300)}" for d in of_kind[:_SHOWN]]
        if len(of_kind) > _SHOWN:
            lines.append(f"    ... and {len(of_kind) - _SHOWN:,} more")
    return lines


def to_dict(inspection: Inspection) -> dict[str, Any]:
    """The content of ``dataset.json``, with every defect."""
    return {
        "path": inspection.dataset.name,
        "n_rows": inspection.n_rows,
        "n_ids": inspection.n_ids,
        "n_images": inspection.n_images,
        "split_sizes": inspection.dataset.split_sizes(),
        "genres_per_movie": {str(k): n for k, n in inspection.genres_per_movie.items()},
        "genre_frequency": inspection.genre_frequency,
        "co_occurrence": {"genres": list(GENRES), "counts": inspection.co_occurrence.tolist()},
        "image_width": _range(inspection.widths),
        "image_height": _range(inspection.heights),
        "defect_counts": inspection.defect_counts,
        "defects": [_defect_fields(defect) for defect in inspection.defects],
    }


def _defect_fields(defect: Defect) -> dict[str, str]:
    return {"kind": defect.kind, "subject": defect.shown_subject, "detail": defect.detail}


def _range(values: np.ndarray) -> dict[str, int | None]:
    if len(values) == 0:
        return {"min": None, "median": None, "max": None}
    return {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}
