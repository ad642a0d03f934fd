"""Folders and zips as data sets: any layout, any damage, any file name, and their scale."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from poster_genre.data.archives import open_archive
from poster_genre.data.dataset import load_dataset
from poster_genre.data.splits import SPLITS
from poster_genre.errors import PosterGenreError, UsageError
from tests.poster_genre.data.layouts import (
    defects_by_kind,
    jpeg,
    refusal,
    row,
    sound,
    table,
    write_folder,
    write_zip,
)

A, B, C = "tt0000001", "tt0000002", "tt0000003"


@pytest.mark.parametrize("root", ["", "Movies-Poster_Dataset-0f2c/", "a/b/"])
def test_a_folder_and_its_zip_hold_the_same_with_any_wrapping(tmp_path: Path, root: str) -> None:
    csv, images = sound()
    write_folder(tmp_path / "outer" / root, csv, images)
    folder = load_dataset(tmp_path / "outer")
    archive = load_dataset(write_zip(tmp_path / "posters.zip", csv, images, root))
    assert folder.ids == archive.ids
    assert (folder.labels == archive.labels).all()
    assert folder.defects == archive.defects == []
    for i in range(len(folder)):
        assert folder.read(i) == archive.read(i) == images[f"{folder.ids[i]}.jpg"]
        assert folder.archive.checksum(folder.file(i)) == archive.archive.checksum(archive.file(i))


def test_reading_a_zip_leaves_nothing_beside_it(tmp_path: Path) -> None:
    dataset = load_dataset(write_zip(tmp_path / "posters.zip", *sound()))
    dataset.read(0)
    assert [path.name for path in tmp_path.iterdir()] == ["posters.zip"]


def test_a_folder_that_holds_only_a_zip_stands_for_it(tmp_path: Path) -> None:
    write_zip(tmp_path / "posters.zip", *sound())
    assert len(load_dataset(tmp_path)) == 12


def test_many_threads_read_one_zip(tmp_path: Path) -> None:
    csv, images = sound(25)
    dataset = load_dataset(write_zip(tmp_path / "posters.zip", csv, images))
    rows = list(range(25)) * 20
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(dataset.read, rows))
    assert all(data == images[f"{dataset.ids[i]}.jpg"] for i, data in zip(rows, read, strict=True))


def test_what_macos_puts_into_archives_is_ignored(tmp_path: Path) -> None:
    csv, images = sound()
    path = write_zip(tmp_path / "posters.zip", csv, images, "data/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/data/._train.csv", b"junk")
        archive.writestr("__MACOSX/train.csv", b"junk")
        archive.writestr("data/Images/._tt0000001.jpg", b"junk")
    assert load_dataset(path).defects == []


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/etc/evil.jpg", "Images/../../evil.jpg", "C:/evil.jpg", "..\\e"]
)
def test_a_zip_with_a_member_outside_of_it_is_refused_by_that_name(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "posters.zip", *sound())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    assert "points outside of the archive" in refusal(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["posters.zip"]


def test_a_zip_with_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "posters.zip", *sound())
    link = zipfile.ZipInfo("Images/link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "symbolic link" in refusal(path)


def test_an_id_that_looks_like_a_path_reaches_no_file(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    csv = table(row("../../secret", ["Drama"]), row(A, ["Drama"]))
    dataset = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()}))
    assert dataset.ids == [A]
    assert dataset.defects[0].kind == "missing image"


def test_a_member_damaged_inside_the_zip_is_an_error_of_that_poster_alone(tmp_path: Path) -> None:
    csv, images = sound()
    path = write_zip(tmp_path / "posters.zip", csv, images)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("Images/tt0000003.jpg")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 300] ^= 255
    path.write_bytes(data)
    dataset = load_dataset(path)
    with pytest.raises(PosterGenreError, match=r"tt0000003.jpg cannot be unpacked from the zip"):
        dataset.read(3)
    assert dataset.read(4) == images["tt0000004.jpg"]


def test_a_missing_path_an_empty_folder_and_a_bare_table_are_told_apart(tmp_path: Path) -> None:
    assert "there is no" in refusal(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no train.csv" in refusal(tmp_path / "empty")
    (tmp_path / "train.csv").write_text(sound()[0])
    assert "no folder Images" in refusal(tmp_path)
    assert "the table alone" in refusal(tmp_path / "train.csv")


def test_a_file_that_is_no_zip_and_a_zip_cut_short_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    assert "not a complete zip archive" in refusal(tmp_path / "a.zip")
    path = write_zip(tmp_path / "b.zip", *sound())
    path.write_bytes(path.read_bytes()[:-100])
    assert "not a complete zip archive" in refusal(path)


def test_two_tables_side_by_side_are_ambiguous(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_folder(tmp_path / name, *sound())
    assert "holds one/train.csv and two/train.csv" in refusal(tmp_path)


def test_an_archive_and_a_data_set_have_a_short_repr(tmp_path: Path) -> None:
    assert "12 images" in repr(open_archive(write_folder(tmp_path / "set", *sound())))
    assert "12 rows, 0 defects" in repr(load_dataset(tmp_path / "set"))


def test_a_zip_whose_members_start_with_a_dot_and_a_slash_is_read(tmp_path: Path) -> None:
    csv, images = sound()
    dataset = load_dataset(write_zip(tmp_path / "posters.zip", csv, images, "./"))
    assert dataset.read(3) == images[f"{dataset.ids[3]}.jpg"]
    assert dataset.defects == []


def test_an_image_packed_with_lzma_and_damaged_is_one_sentence(tmp_path: Path) -> None:
    csv, images = sound()
    path = tmp_path / "posters.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("train.csv", csv)
        for name, data in images.items():
            archive.writestr(f"Images/{name}", data)
        start = archive.infolist()[3].header_offset
    data = bytearray(path.read_bytes())
    data[start + 70 : start + 110] = bytes(range(200, 240))
    path.write_bytes(data)
    with pytest.raises(PosterGenreError, match="cannot be unpacked from the zip") as caught:
        load_dataset(path).read(2)
    assert "\n" not in str(caught.value)


def test_an_unknown_method_of_compression_is_one_sentence(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "posters.zip", *sound())
    data = bytearray(path.read_bytes())
    position = data.find(b"PK\x01\x02")
    while position >= 0:
        data[position + 10] = 99
        position = data.find(b"PK\x01\x02", position + 4)
    path.write_bytes(data)
    assert "train.csv cannot be unpacked from the zip" in refusal(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_inside_images_is_named_once_and_left_out(tmp_path: Path, packed: bool) -> None:
    csv, images = sound()
    images |= {"more/a.jpg": jpeg(), "more/deep/b.jpg": jpeg(), ".hidden/c.jpg": jpeg()}
    path = tmp_path / "set"
    if packed:
        path = write_zip(path, csv, images, "wrapped/")
    else:
        for name in images:
            (path / "Images" / name).parent.mkdir(parents=True, exist_ok=True)
            (path / "Images" / name).write_bytes(images[name])
        (path / "train.csv").write_text(csv)
    assert defects_by_kind(path) == {"unexpected file": ["more"]}


# Scale.


def calls_of(function: Callable[[], object]) -> int:
    """The number of calls, of Python and of C functions, that ``function`` makes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


def tiny_zip(path: Path, members: int) -> Path:
    ids = [f"tt{i:07d}" for i in range(members)]
    csv = table(*(row(poster_id, ["Drama"]) for poster_id in ids))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wrapped/train.csv", csv)
        for poster_id in ids:
            archive.writestr(f"wrapped/Images/{poster_id}.jpg", b"x")
    return path


def test_the_cost_of_a_member_is_the_same_in_a_zip_of_1000_and_of_8000(tmp_path: Path) -> None:
    small, large = (tiny_zip(tmp_path / f"{n}.zip", n) for n in (1000, 8000))
    calls = [calls_of(lambda path=path: open_archive(path)) for path in (small, large)]
    assert calls[1] / 8000 < 1.2 * calls[0] / 1000


def test_the_cost_of_a_row_is_the_same_in_a_table_of_1000_and_of_8000(tmp_path: Path) -> None:
    small, large = (tiny_zip(tmp_path / f"{n}.zip", n) for n in (1000, 8000))
    load_dataset(small)  # imports pandas
    calls = [calls_of(lambda path=path: load_dataset(path)) for path in (small, large)]
    assert calls[1] / 8000 < 1.2 * calls[0] / 1000


# File names and entries that are no posters.

NOT_UTF8 = os.fsdecode(b"caf\xe9.jpg")


def odd_folder(folder: Path) -> Path:
    """A data set of 12 posters and, in Images, entries that cannot be read or whose names are not UTF-8."""
    write_folder(folder, *sound())
    images = folder / "Images"
    try:
        (images / NOT_UTF8).write_bytes(jpeg())
    except (OSError, ValueError):
        pytest.skip("this file system has UTF-8 names only")
    (images / "loop.jpg").symlink_to("loop.jpg")
    (images / "dangling.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(images / "pipe.jpg")
    return folder


def test_entries_that_cannot_be_read_are_defects_and_the_rest_is_usable(tmp_path: Path) -> None:
    dataset = load_dataset(odd_folder(tmp_path / "set"))
    assert len(dataset) == 12
    assert {defect.subject: defect.detail for defect in dataset.defects} == {
        "caf\\xe9.jpg": "Images/caf\\xe9.jpg: its name is not UTF-8; rename it",
        "dangling.jpg": "Images/dangling.jpg: a symbolic link to a missing file",
        "loop.jpg": "Images/loop.jpg: cannot be opened (Too many levels of symbolic links)",
        "pipe.jpg": "Images/pipe.jpg: not a regular file",
    }
    assert {defect.kind for defect in dataset.defects} == {"unexpected file"}
    for split in SPLITS:
        dataset.split(split)  # puts each defect into a split


def test_a_symbolic_link_to_itself_in_place_of_a_poster_costs_that_row_alone(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", *sound())
    (folder / "Images" / "tt0000003.jpg").unlink()
    (folder / "Images" / "tt0000003.jpg").symlink_to("tt0000003.jpg")
    dataset = load_dataset(folder)
    assert len(dataset) == 11
    assert "tt0000003" not in dataset.ids
    assert defects_by_kind(folder) == {"missing image": ["tt0000003"], "unexpected file": ["tt0000003.jpg"]}


def test_a_folder_whose_name_is_not_utf8_is_read_and_has_a_printable_name(
    tmp_path: Path,
) -> None:
    try:
        dataset = load_dataset(write_folder(tmp_path / os.fsdecode(b"p\xf6ster"), *sound()))
    except (OSError, ValueError):
        pytest.skip("this file system has UTF-8 names only")
    assert len(dataset) == 12
    assert dataset.name.endswith("p\\xf6ster")


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"two\nlines.jpg", b"\x1b[31mred.jpg"])
def test_an_odd_name_in_a_zip_is_a_defect_and_the_rest_is_usable(tmp_path: Path, name: bytes) -> None:
    """The name is stored as Info-ZIP does: the bytes as they are, without the mark for UTF-8."""
    path = write_zip(tmp_path / "set.zip", *sound())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("Images/" + "?" * len(name), jpeg())
    path.write_bytes(path.read_bytes().replace(b"?" * len(name), name))
    dataset = load_dataset(path)
    assert len(dataset) == 12
    assert [defect.kind for defect in dataset.defects] == ["image without row"]
    assert str(dataset.defects[0]).isprintable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are those of Unix")
def test_a_pipe_in_place_of_a_data_set_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    assert "is a pipe or device" in refusal(tmp_path / "pipe.zip")


def test_an_empty_path_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "set", *sound())
    monkeypatch.chdir(tmp_path / "set")
    with pytest.raises(UsageError, match="the path of the data set is empty"):
        load_dataset("")
