"""Write the table ``train.csv`` that ``poster-genre train`` reads, from a short table of one's own.

    python tutorials/how_to/genre_table.py FOLDER

FOLDER holds ``Images/<Id>.jpg`` and ``labels.csv`` with the columns ``file`` and ``labels``; several
genres of one poster are separated by ``;``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, genre_index


def write_table(folder: Path) -> int:
    """Write ``train.csv`` beside ``labels.csv``; returns its number of rows."""
    with open(folder / "labels.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    of_row = [
        [GENRES[genre_index(name)] for name in row["labels"].split(";") if name.strip()] for row in rows
    ]
    with open(folder / "train.csv", "w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["Id", "Genre", *GENRES])
        for row, genres in zip(rows, of_row, strict=True):
            table.writerow([Path(row["file"]).stem, genres, *(int(genre in genres) for genre in GENRES)])
    return len(rows)


def main(arguments: list[str]) -> int:
    """The command."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        rows = write_table(folder)
    except PosterGenreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{rows} rows in {folder / 'train.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
