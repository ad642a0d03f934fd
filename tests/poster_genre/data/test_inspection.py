from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from poster_genre.data.dataset import load_dataset
from poster_genre.data.defects import DEFECT_KINDS
from poster_genre.data.inspection import inspect_dataset
from poster_genre.data.inspection_report import as_text, describe_dataset, to_dict
from poster_genre.data.splits import split_of
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.genres import GENRES, INDEX
from tests.poster_genre.data.layouts import jpeg, row, sound, table, write_folder, write_zip

A, B, C, D = "tt0000001", "tt0000002", "tt0000003", "tt0000004"
WHOLE = jpeg(1, (40, 60))


@pytest.fixture(params=["folder", "zip"])
def faulty(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Every kind of defect once or twice."""
    lines = [
        row(A, ["Drama", "War"]),
        row(A, ["Drama", "War"]),
        row(B, ["Comedy"]),
        row(C, ["Comedy", "Drama"]),
    ]
    lines += [row(D, ["N/A"], listed=["News"]), row("tt0000005", ["Short"]), row("tt0000006", ["Drama"])]
    images = {f"{A}.jpg": WHOLE, f"{B}.jpg": b"text instead of a poster", f"{C}.jpg": jpeg(3, (50, 70))}
    images |= {f"{D}.jpg": WHOLE, "tt0000006.jpg": jpeg(6)[:300], "tt9.jpg": jpeg(9), "more.txt": b""}
    if request.param == "zip":
        return write_zip(tmp_path / "set.zip", table(*lines), images, "wrapped/")
    return write_folder(tmp_path / "set", table(*lines), images)


def test_every_defect_is_listed_under_its_kind(faulty: Path) -> None:
    inspection = inspect_dataset(load_dataset(faulty), progress=False)
    subjects = {kind: [d.subject for d in inspection.defects if d.kind == kind] for kind in DEFECT_KINDS}
    assert subjects == {
        "missing image": ["tt0000005"],
        "unreadable image": [B, "tt0000006"],
        "image without row": ["tt9"],
        "repeated Id": [A],
        "identical posters": [A],
        "contradictory genres": [D],
        "unexpected file": ["more.txt"],
    }
    assert inspection.defect_counts == {kind: len(names) for kind, names in subjects.items()}
    twins = next(d for d in inspection.defects if d.kind == "identical posters")
    assert D in twins.detail
    assert all(split_of(poster_id) in twins.detail for poster_id in (A, D))


def test_the_numbers_are_those_of_the_rows_that_have_a_readable_image(faulty: Path) -> None:
    inspection = inspect_dataset(load_dataset(faulty), progress=False)
    assert (inspection.n_rows, inspection.n_ids, inspection.n_images, len(inspection.dataset)) == (7, 6, 6, 4)
    assert inspection.genres_per_movie == {1: 1, 2: 3}
    assert {genre: n for genre, n in inspection.genre_frequency.items() if n} == {
        "Comedy": 1,
        "Drama": 3,
        "N/A": 1,
        "War": 2,
    }
    together = inspection.co_occurrence
    assert (together == together.T).all()
    assert together[INDEX["Drama"], INDEX["War"]] == 2
    assert together[INDEX["Drama"], INDEX["Comedy"]] == 1
    assert sorted(zip(inspection.widths, inspection.heights, strict=True)) == [
        (20, 30),
        (40, 60),
        (40, 60),
        (50, 70),
    ]


def test_co_occurrence_is_counted_pair_by_pair(tmp_path: Path) -> None:
    inspection = inspect_dataset(load_dataset(write_folder(tmp_path / "set", *sound(20))), progress=False)
    labels = inspection.dataset.labels
    for i in range(0, 25, 4):
        for j in range(25):
            assert inspection.co_occurrence[i, j] == sum(1 for y in labels if y[i] and y[j])


def test_the_text_states_the_numbers_and_the_defects(faulty: Path) -> None:
    text = as_text(inspect_dataset(load_dataset(faulty), progress=False))
    assert "7 rows with 6 distinct Ids; 6 images" in text
    assert "image width   20 to 50 pixels" in text
    assert "Drama and War: 2" in text
    for kind in DEFECT_KINDS:
        assert f"  {kind}: " in text
    assert f"{B}: split {split_of(B)}: {B}.jpg is a text file" in text
    for genre in GENRES:
        assert genre in text


def test_many_defects_of_one_kind_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    csv_text, images = sound()
    images |= {f"nm{i:02d}.jpg": jpeg(100 + i) for i in range(9)}
    dataset = load_dataset(write_folder(tmp_path / "set", csv_text, images))
    text = as_text(inspect_dataset(dataset, progress=False))
    assert "image without row: 9" in text
    assert "nm04" in text
    assert "nm05" not in text
    assert "... and 4 more" in text


def test_a_sound_data_set_has_no_defects(tmp_path: Path) -> None:
    text = as_text(inspect_dataset(load_dataset(write_folder(tmp_path / "set", *sound())), progress=False))
    assert text.endswith("No defects.")


def test_the_report_folder_gets_a_picture_all_defects_and_all_numbers(faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report"
    text = describe_dataset(faulty, out)
    assert sorted(path.name for path in out.iterdir()) == ["dataset.json", "dataset.png", "defects.csv"]
    for path in out.iterdir():
        assert str(path) in text
    with Image.open(out / "dataset.png") as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("L"))
    assert min(pixels.shape) > 1000
    assert 0.02 < (pixels < 200).mean() < 0.6
    inspection = inspect_dataset(load_dataset(faulty), progress=False)
    with (out / "defects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"kind": d.kind, "subject": d.subject, "detail": d.detail} for d in inspection.defects]
    document = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    assert document == to_dict(inspection)
    assert document["n_rows"] == 7
    assert document["defects"] == rows
    assert sum(document["split_sizes"].values()) == 4


def test_a_data_set_without_a_readable_image_is_described(tmp_path: Path) -> None:
    csv_text, images = sound(3)
    folder = write_folder(tmp_path / "set", csv_text, dict.fromkeys(images, b"no picture, only text"))
    text = describe_dataset(folder, tmp_path / "report")
    assert "unreadable image: 3" in text
    assert "identical posters: 1" in text
    document = json.loads((tmp_path / "report" / "dataset.json").read_text(encoding="utf-8"))
    assert document["image_width"] == {"min": None, "median": None, "max": None}


def test_decoding_prints_nothing_where_there_is_no_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    describe_dataset(write_folder(tmp_path / "set", *sound()))
    assert capfd.readouterr() == ("", "")


def test_an_impossible_report_folder_is_refused_before_the_images_are_decoded(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", *sound())
    with pytest.raises(PosterGenreError, match="cannot be a folder"):
        describe_dataset(folder, folder / "train.csv")


def test_a_path_that_holds_no_data_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(PosterGenreError):
        describe_dataset(tmp_path / "nowhere", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_report_replaces_its_own_files_and_no_others(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "set", *sound())
    out = tmp_path / "out"
    out.mkdir()
    (out / "defects.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"defects.csv was not written by"):
        describe_dataset(data, out)
    assert (out / "defects.csv").read_text() == "mine"
    (out / "defects.csv").unlink()
    describe_dataset(data, out)
    describe_dataset(data, out)
    assert len(list(out.iterdir())) == 3


def test_rows_whose_image_is_unreadable_are_not_counted(tmp_path: Path) -> None:
    csv, images = sound()
    images["tt0000003.jpg"] = b"broken"
    inspection = inspect_dataset(load_dataset(write_folder(tmp_path / "set", csv, images)), progress=False)
    assert len(inspection.dataset) == sum(inspection.genres_per_movie.values()) == 11
    assert (inspection.n_rows, inspection.n_images) == (12, 12)
