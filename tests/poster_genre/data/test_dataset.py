from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poster_genre.data.archives import open_archive
from poster_genre.data.dataset import load_dataset
from poster_genre.data.splits import SPLITS, bucket, split_of
from poster_genre.data.table import parse_genres
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, INDEX
from tests.poster_genre.data.layouts import HEADER, jpeg, row, sound, table, write_folder, write_zip

A, B, C = "tt0000001", "tt0000002", "tt0000003"


def kinds(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for defect in load_dataset(path).defects:
        found.setdefault(defect.kind, []).append(defect.subject)
    return found


def refusal(path: Path) -> str:
    with pytest.raises(PosterGenreError) as caught:
        load_dataset(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_the_bucket_is_the_sha1_of_the_id_modulo_100(poster_id: str) -> None:
    number = sum(byte * 256**i for i, byte in enumerate(reversed(hashlib.sha1(poster_id.encode()).digest())))
    assert bucket(poster_id) == number % 100


def test_the_split_changes_at_the_buckets_70_and_85() -> None:
    by_bucket = {bucket(f"tt{i}"): f"tt{i}" for i in range(3000)}
    splits = [split_of(by_bucket[number]) for number in range(100)]
    assert splits == ["train"] * 70 + ["val"] * 15 + ["test"] * 15


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
        assert folder.archive.fingerprint(folder.file(i)) == archive.archive.fingerprint(archive.file(i))


def test_reading_a_zip_leaves_nothing_beside_it(tmp_path: Path) -> None:
    dataset = load_dataset(write_zip(tmp_path / "posters.zip", *sound()))
    dataset.read(0)
    assert [path.name for path in tmp_path.iterdir()] == ["posters.zip"]


def test_a_folder_that_holds_only_a_zip_stands_for_it(tmp_path: Path) -> None:
    write_zip(tmp_path / "posters.zip", *sound())
    assert len(load_dataset(tmp_path)) == 12


def test_labels_are_uint8_in_the_order_of_the_genres_and_cannot_be_written(tmp_path: Path) -> None:
    csv = table(row(A, ["Drama", "N/A"]))
    labels = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()})).labels
    assert labels.dtype == np.uint8
    assert labels.shape == (1, 25)
    assert [GENRES[i] for i in np.flatnonzero(labels[0])] == ["Drama", "N/A"]
    with pytest.raises(ValueError):
        labels[0, 0] = 1


def test_columns_are_found_by_name_and_not_by_place(tmp_path: Path) -> None:
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
def test_a_table_is_read_however_it_was_exported(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    csv, images = sound()
    plain = load_dataset(write_folder(tmp_path / "plain", csv, images))
    other = load_dataset(write_folder(tmp_path / "other", change(csv.encode()), images))
    assert other.ids == plain.ids
    assert (other.labels == plain.labels).all()
    assert other.defects == []


def test_every_kind_of_defect_is_named_and_the_other_rows_stay(tmp_path: Path) -> None:
    csv = table(
        row(A, ["Drama"]),
        row(B, ["War"]),
        row(A, ["Drama"]),
        row(C, ["Drama"], listed=["Comedy"]),
        row("tt0000004", ["Comedy"], listed="Comedy"),
    )
    images = {f"{A}.jpg": jpeg(1), f"{C}.JPG": jpeg(2), "tt0000004.jpeg": jpeg(3), "tt9.jpg": jpeg(4)}
    images |= {"notes.txt": b"text", f"{A}.jpeg": jpeg(5), ".DS_Store": b"", "Thumbs.db": b""}
    folder = write_folder(tmp_path / "set", csv, images)
    assert kinds(folder) == {
        "missing image": [B],
        "image without row": ["tt9"],
        "repeated Id": [A],
        "contradictory genres": [C, "tt0000004"],
        "unexpected file": ["notes.txt", f"{A}.jpeg"],
    }
    dataset = load_dataset(folder)
    assert dataset.ids == [A, A, C, "tt0000004"]
    assert dataset.rows.tolist() == [1, 3, 4, 5]
    assert dataset.labels[2, INDEX["Drama"]] == 1
    assert dataset.labels[2, INDEX["Comedy"]] == 0


def test_a_contradiction_says_which_genres_stand_where(tmp_path: Path) -> None:
    csv = table(row(A, ["Drama", "War"], listed=["Drama", "Comedy"]))
    dataset = load_dataset(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()}))
    assert dataset.defects[0].detail == "row 1, only in the list: Comedy; only in the columns: War"


@given(st.lists(st.sampled_from(GENRES), max_size=6))
def test_a_printed_python_list_of_genres_is_read_back(genres: list[str]) -> None:
    assert parse_genres(str(genres)) == genres
    assert parse_genres(str(genres).replace("'", '"')) == genres


@pytest.mark.parametrize("text", ["", "Drama", "[Drama]", "['Drama'", "['Drama' 'War']", "__import__('os')"])
def test_anything_else_than_a_list_of_names_is_no_list(text: str) -> None:
    assert parse_genres(text) is None


def test_splits_part_the_rows_and_keep_repeats_together(tmp_path: Path) -> None:
    ids = [f"tt{i:07d}" for i in range(60)]
    csv = table(*(row(poster_id, ["Drama"]) for poster_id in [*ids, *ids[:20]]))
    dataset = load_dataset(write_folder(tmp_path / "set", csv, {f"{i}.jpg": b"x" for i in ids}))
    parts = [dataset.split(name) for name in SPLITS]
    assert sum(len(part) for part in parts) == 80
    assert [len(part) for part in parts] == list(dataset.split_sizes().values())
    assert not set(parts[0].ids) & set(parts[1].ids)
    for name, part in zip(SPLITS, parts, strict=True):
        assert {split_of(poster_id) for poster_id in part.ids} == {name}
        assert {split_of(defect.subject) for defect in part.defects} == {name}


def test_one_split_alone_is_a_data_set_and_the_others_are_named_as_absent(tmp_path: Path) -> None:
    ids = [i for i in (f"tt{n}" for n in range(40)) if split_of(i) == "val"]
    csv = table(*(row(poster_id, ["Drama"]) for poster_id in ids))
    dataset = load_dataset(write_folder(tmp_path / "set", csv, {f"{i}.jpg": b"x" for i in ids}))
    assert dataset.split("val").ids == ids
    with pytest.raises(
        PosterGenreError, match=r"no poster of the split test \(rows: train 0, val \d+, test 0\)"
    ):
        dataset.split("test")
    with pytest.raises(PosterGenreError, match="choose from train, val, test"):
        dataset.split("dev")


def test_a_subset_follows_its_indices_or_booleans(tmp_path: Path) -> None:
    dataset = load_dataset(write_folder(tmp_path / "set", *sound()))
    part = dataset.subset([5, 2])
    assert part.ids == [dataset.ids[5], dataset.ids[2]]
    assert (part.labels == dataset.labels[[5, 2]]).all()
    assert part.read(0) == dataset.read(5)
    assert dataset.subset(np.arange(12) % 2 == 0).ids == dataset.ids[::2]
    with pytest.raises(PosterGenreError, match="expected 12 booleans"):
        dataset.subset(np.ones(3, bool))


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
def test_a_table_that_cannot_be_meant_is_refused_in_one_sentence(
    tmp_path: Path, csv: str | bytes, expected: str
) -> None:
    folder = write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()})
    text = refusal(folder)
    assert expected in text
    assert str(folder) in text
    assert "train.csv" in text


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


def test_a_method_of_compression_that_nobody_knows_is_one_sentence(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "posters.zip", *sound())
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\x01\x02")
    while place >= 0:
        data[place + 10] = 99
        place = data.find(b"PK\x01\x02", place + 4)
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
    assert kinds(path) == {"unexpected file": ["more"]}


@pytest.mark.parametrize("header", ["Id,Genre,Drama,", " Drama,Id,Genre,"], ids=["plain", "with a space"])
def test_a_column_that_comes_twice_is_named(tmp_path: Path, header: str) -> None:
    csv = HEADER.replace("Id,Genre,", header, 1) + "\n" + ",".join(["0"] * (len(HEADER.split(",")) + 1))
    said = refusal(write_folder(tmp_path / "set", csv, {f"{A}.jpg": jpeg()}))
    assert "the column 'Drama' more than once" in said
