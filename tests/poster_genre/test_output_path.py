"""Checks of output paths, which leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.output_path import (
    contents,
    refuse_unwritable_file,
    refuse_unwritable_folder,
    remove_clutter,
)
from tests.unwritable import unwritable_folder


def test_a_folder_that_can_be_written_or_created_passes_and_stays_as_it_is(tmp_path: Path) -> None:
    refuse_unwritable_folder(tmp_path)
    refuse_unwritable_folder(tmp_path / "new" / "deep")
    refuse_unwritable_file(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_refused_for_itself_for_a_new_folder_and_for_a_file(tmp_path: Path) -> None:
    folder = unwritable_folder(tmp_path)
    for check in (
        lambda: refuse_unwritable_folder(folder),
        lambda: refuse_unwritable_folder(folder / "new" / "deep"),
        lambda: refuse_unwritable_file(folder / "report.html"),
    ):
        with pytest.raises(PosterGenreError, match=r"^cannot write to .*; name another folder$"):
            check()


def test_a_folder_below_a_file_is_refused_by_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be a folder, because .*/file is a file"):
        refuse_unwritable_folder(tmp_path / "file" / "x" / "y")


@pytest.mark.parametrize("target", ["loop", "missing"])
def test_a_link_to_nothing_is_no_folder(tmp_path: Path, target: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / target)
    for folder in (tmp_path / "loop", tmp_path / "loop" / "new"):
        with pytest.raises(UsageError, match=r"/loop is a link to nothing that exists; name another folder"):
            refuse_unwritable_folder(folder)


def test_a_file_needs_a_folder_and_must_not_be_one(tmp_path: Path) -> None:
    with pytest.raises(PosterGenreError, match=r"there is no folder .*/missing; create it first"):
        refuse_unwritable_file(tmp_path / "missing" / "report.html")
    with pytest.raises(UsageError, match="is a folder; name a file"):
        refuse_unwritable_file(tmp_path)


def test_files_of_operating_systems_are_no_content_and_can_be_removed(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "mine.txt"):
        (tmp_path / name).write_text("")
    assert contents(tmp_path) == [tmp_path / "mine.txt"]
    remove_clutter(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.txt"]
