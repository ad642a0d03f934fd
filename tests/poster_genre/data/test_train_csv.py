"""train.csv: the columns, the cells, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poster_genre.data.dataset import load_dataset
from poster_genre.data.train_csv import parse_genres
from poster_genre.genres import GENRES, INDEX
from tests.poster_genre.data.layouts import (
    HEADER,
    jpeg,
    refusal,
    row,
    sound,
    table,
    write_folder,
)

A, B, C = "tt0000001", "tt0000002", "tt0000003"


def test_labels_are_uint8_in_the_order_of_the_genres_and_cannot_be_written(tmp_path: Path) -> None:
    csv = table(row(A, ["Drama", "N/A"]))
    labels = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()})).labels
    assert labels.dtype == np.uint8
    assert labels.shape == (1, 25)
    assert [GENRES[i] for i in np.flatnonzero(labels[0])] == ["Drama", "N/A"]
    with pytest.raises(ValueError):
        labels[0, 0] = 1


def test_columns_are_identified_by_name_and_not_by_position(tmp_path: Path) -> None:
    order = [*reversed(GENRES), "Genre", "Id"]
    cells = ["1" if name == "War" else "0" for name in reversed(GENRES)] + ["\"['War']\"", A]
    csv = ",".join(order) + "\n" + ",".join(cells) + "\n"
    dataset = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()}))
    assert dataset.labels[0, INDEX["War"]] == dataset.labels.sum() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda csv: b"\xef\xbb\xbf" + csv,
        lambda csv: csv.replace(b"\n", b"\r\n"),
        lambda csv: (
            b"\n".join(b",".join(f'"{x}"'.encode() for x in HEADER.split(",")) for _ in "1")
            + csv[len(HEADER) :]
        ),
        lambda csv: csv.rstrip(b"\n"),
    ],
    ids=["byte order mark", "CRLF", "quoted header", "no last newline"],
)
def test_a_table_is_read_with_any_line_ends_quotes_and_byte_order_mark(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    csv, images = sound()
    plain = load_dataset(write_folder(tmp_path / "plain", csv, images))
    other = load_dataset(write_folder(tmp_path / "other", change(csv.encode()), images))
    assert other.ids == plain.ids
    assert (other.labels == plain.labels).all()
    assert other.defects == []


def test_a_contradiction_names_the_genres_of_the_list_and_of_the_columns(tmp_path: Path) -> None:
    csv = table(row(A, ["Drama", "War"], listed=["Drama", "Comedy"]))
    dataset = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()}))
    assert dataset.defects[0].detail == "row 1, only in the list: Comedy; only in the columns: War"


@given(st.lists(st.sampled_from(GENRES), max_size=6))
def test_a_printed_python_list_of_genres_is_read_back(genres: list[str]) -> None:
    assert parse_genres(str(genres)) == genres
    assert parse_genres(str(genres).replace("'", '"')) == genres


@pytest.mark.parametrize("text", ["", "Drama", "[Drama]", "['Drama'", "['Drama' 'War']", "__import__('os')"])
def test_any_other_text_is_not_a_list_of_names(text: str) -> None:
    assert parse_genres(text) is None


WITHOUT_WAR = HEADER.replace(",War", "")


@pytest.mark.parametrize(
    ("csv", "expected"),
    [
        (f"{WITHOUT_WAR}\n", "lacks the column 'War'"),
        ("Id;Genre\na;b\n", "lacks the columns"),
        (HEADER + ",Superhero\n" + row(A, ["War"]) + ",1\n", "has the column 'Superhero'"),
        (HEADER + "\n", "has a header but no rows"),
        (b"", "is not a CSV table"),
        (table(row(A, ["War"])).encode("utf-16"), "is not a CSV table in UTF-8"),
        (table(row(A, ["War"]) + ",1"), "more cells than the header"),
        (table(row(B, ["War"]), row(A, ["War"]) + ",1"), "is not a CSV table"),
        (table(row(A, ["War"])[:-2]), "has '' in the column Western"),
        (table(row(A, ["War"])[:-1] + "2"), r"row 1 (Id 'tt0000001') has '2' in the column Western"),
        (table(row(A, ["War"])[:-1] + "0.5"), "expected 0 or 1"),
        (table(row(A, ["War"], listed=["War", "Superhero"])), "lists the genre 'Superhero'"),
        (table(row(B, ["War"])), "none of the 1 rows has its image"),
    ],
)
def test_a_table_with_other_columns_or_cells_is_refused_in_one_sentence(
    tmp_path: Path, csv: str | bytes, expected: str
) -> None:
    folder = write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()})
    text = refusal(folder)
    assert expected in text
    assert str(folder) in text
    assert "train.csv" in text


@pytest.mark.parametrize("header", ["Id,Genre,Drama,", " Drama,Id,Genre,"], ids=["plain", "with a space"])
def test_a_column_that_occurs_twice_is_named(tmp_path: Path, header: str) -> None:
    csv = HEADER.replace("Id,Genre,", header, 1) + "\n" + ",".join(["0"] * (len(HEADER.split(",")) + 1))
    text = refusal(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()}))
    assert "the column 'Drama' more than once" in text


# Cells of any length.

LONG = "x" * 2_000_000


@pytest.mark.parametrize(
    "line",
    [
        row(LONG, ["War"])[:-1] + "2",
        row(A, ["War"])[:-1] + LONG,
        row(A, ["War"], listed=[LONG]),
        row(A, ["War"]) + f",{LONG}",
    ],
    ids=["Id", "0/1 cell", "genre", "surplus cell"],
)
def test_a_cell_of_2_megabytes_is_refused_in_a_short_message(tmp_path: Path, line: str) -> None:
    text = refusal(write_folder(tmp_path / "set", table(line), {f"{A}.jpg": jpeg()}))
    assert len(text) < 600


def test_an_id_of_2_megabytes_is_shortened_in_the_defect(tmp_path: Path) -> None:
    lines = [row(LONG, ["War"]), row(LONG, ["War"], listed=["Drama"]), row(A, ["War"])]
    dataset = load_dataset(write_folder(tmp_path / "set", table(*lines), {f"{A}.jpg": jpeg()}))
    assert {defect.kind for defect in dataset.defects} == {
        "missing image",
        "repeated Id",
        "contradictory genres",
    }
    for defect in dataset.defects:
        assert len(str(defect)) < 400
        assert "(2,000,000 characters)" in str(defect)


def test_a_genre_cell_of_2_megabytes_is_shortened_in_the_defect(tmp_path: Path) -> None:
    csv = table(row(A, ["War"], listed=LONG))
    (defect,) = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()})).defects
    assert len(str(defect)) < 400


def test_a_long_cell_does_not_widen_the_cells_of_all_rows(tmp_path: Path) -> None:
    """As an array of fixed-width texts these 2,000 rows would take 400 GB."""
    lines = [row(f"tt{i}", ["War"]) for i in range(2000)]
    lines.append(row(A, ["War"])[:-1] + " " * 2_000_000 + "0")
    dataset = load_dataset(write_folder(tmp_path / "set", table(*lines), {f"{A}.jpg": jpeg()}))
    assert dataset.ids == [A]


def test_a_row_of_many_repeats_names_ten_of_them(tmp_path: Path) -> None:
    csv = table(*[row(A, ["War"])] * 5000)
    (defect,) = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()})).defects
    assert defect.detail == "rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4,990 more, with the same genres"


def test_control_characters_in_an_id_are_escaped(tmp_path: Path) -> None:
    csv = table(row('"two\nlines\x1b[31m"', ["War"]), row(A, ["War"]))
    (defect,) = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()})).defects
    assert str(defect).startswith("missing image: two\\nlines\\x1b[31m (row 1: there is no two\\nlines")
