"""``train.csv``: the columns Id, Genre (a list such as ``['Comedy', 'Drama']``) and one 0/1 column a
genre.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from poster_genre.data.defects import Defect
from poster_genre.errors import PosterGenreError, printable, quoted
from poster_genre.genres import GENRES, INDEX, N_GENRES

_COLUMNS = ("Id", "Genre", *GENRES)
_LIST = re.compile(r"""\[\s*(?:(?:'[^']*'|"[^"]*")\s*(?:,\s*(?=['"])|(?=\])))*\]""")
_LIST_ITEM = re.compile(r"""'([^']*)'|"([^"]*)\"""")


@dataclass(frozen=True)
class GenreTable:
    """ids: n texts. labels: uint8 (n, 25) of 0 and 1, columns as in GENRES. defects: contradictory genres."""

    ids: list[str]
    labels: np.ndarray
    defects: list[Defect]


def read_train_csv(name: str, data: bytes) -> GenreTable:
    """The table in the bytes of a CSV file. PosterGenreError, which begins with ``name``, where the columns,
    a 0/1 cell or a genre are not as expected.
    """
    table = _parse_csv(name, data)
    _check_columns(name, table.columns)
    if len(table) == 0:
        raise PosterGenreError(f"{name} has a header but no rows; export it again")
    if table.index.nlevels > 1 or table.index.dtype != np.int64:  # pandas took the surplus cells for an index
        raise PosterGenreError(f"{name} has rows with more cells than the header has columns; repair it")
    ids = [text.strip() for text in table["Id"]]
    labels = _labels(name, table, ids)
    return GenreTable(ids, labels, _contradictions(name, table["Genre"].tolist(), labels, ids))


def parse_genres(text: str) -> list[str] | None:
    """The names in a list written as Python does, ``['Comedy', 'Drama']``; None where it is no such list."""
    text = text.strip()
    if _LIST.fullmatch(text) is None:
        return None
    return [(single or double).strip() for single, double in _LIST_ITEM.findall(text)]


def _parse_csv(name: str, data: bytes) -> Any:
    """A pandas table of texts: by default pandas would take the genre N/A for a missing value."""
    import pandas as pd

    try:
        table = pd.read_csv(io.BytesIO(data), dtype=str, na_filter=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError) as error:
        reason = printable(str(error).strip().partition("\n")[0], 160)
        raise PosterGenreError(f"{name} is not a CSV table in UTF-8 ({reason}); export it again") from error
    table.columns = [str(column).strip() for column in table.columns]
    return table


def _check_columns(name: str, columns: Sequence[str]) -> None:
    """PosterGenreError unless the columns are those of ``_COLUMNS``, in any order."""
    # pandas renames the second of two columns Drama to Drama.1.
    original = Counter(c if c in _COLUMNS else re.sub(r"\.\d+$", "", c) for c in columns)
    repeated = sorted(c for c in _COLUMNS if original[c] > 1)
    if repeated:
        raise PosterGenreError(f"{name} has the column {_some(repeated)} more than once; remove the others")
    present = set(columns)
    missing = [c for c in _COLUMNS if c not in present]
    if missing:
        raise PosterGenreError(
            f"{name} lacks the column{'s' if len(missing) > 1 else ''} {_some(missing)}; "
            f"expected Id, Genre and the {N_GENRES} genres, separated by commas"
        )
    unknown = [c for c in columns if c not in _COLUMNS]
    if unknown:
        raise PosterGenreError(
            f"{name} has the column{'s' if len(unknown) > 1 else ''} {_some(unknown)}; "
            f"expected only Id, Genre and the {N_GENRES} known genres"
        )


def _labels(name: str, table: Any, ids: Sequence[str]) -> np.ndarray:
    """uint8 (n, 25). The cells stay Python texts: an array of fixed-width texts would have the width of the
    longest cell.
    """
    labels = np.zeros((len(ids), N_GENRES), np.uint8)
    for column, genre in enumerate(GENRES):
        for row, cell in enumerate(table[genre].tolist()):
            value = cell.strip()
            if value == "1":
                labels[row, column] = 1
            elif value != "0":
                raise PosterGenreError(
                    f"{name}: row {row + 1} (Id {quoted(ids[row])}) has {quoted(value)} in the column "
                    f"{genre}, expected 0 or 1"
                )
    return labels


def _contradictions(name: str, lists: Sequence[str], labels: np.ndarray, ids: Sequence[str]) -> list[Defect]:
    """A defect for every row whose Genre list differs from its 0/1 columns."""
    defects = []
    for row, text in enumerate(lists):
        columns = {GENRES[i] for i in np.flatnonzero(labels[row])}
        names = parse_genres(text)
        if names is None:
            detail = f"row {row + 1}: the Genre cell {quoted(text)} is not a list of names"
        else:
            unknown = [genre for genre in names if genre not in INDEX]
            if unknown:
                raise PosterGenreError(
                    f"{name}: row {row + 1} (Id {quoted(ids[row])}) lists the genre {quoted(unknown[0])}, "
                    f"which is none of the {N_GENRES} known genres; correct the cell, or remove the row"
                )
            if set(names) == columns:
                continue
            only_list, only_columns = sorted(set(names) - columns), sorted(columns - set(names))
            parts = [f"only in the list: {', '.join(only_list)}"] if only_list else []
            parts += [f"only in the columns: {', '.join(only_columns)}"] if only_columns else []
            detail = f"row {row + 1}, {'; '.join(parts)}"
        defects.append(Defect("contradictory genres", ids[row], detail))
    return defects


def _some(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    some = ", ".join(quoted(name) for name in names[:5])
    return some if len(names) <= 5 else f"{some} and {len(names) - 5} more"
