"""The data set: splits, subsets and defects."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poster_genre.data.dataset import load_dataset
from poster_genre.data.splits import SPLITS, bucket, split_of
from poster_genre.errors import PosterGenreError
from poster_genre.genres import INDEX
from tests.poster_genre.data.layouts import (
    defects_by_kind,
    jpeg,
    row,
    sound,
    table,
    write_folder,
)

A, B, C = "tt0000001", "tt0000002", "tt0000003"


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_the_bucket_is_the_sha1_of_the_id_modulo_100(poster_id: str) -> None:
    number = sum(byte * 256**i for i, byte in enumerate(reversed(hashlib.sha1(poster_id.encode()).digest())))
    assert bucket(poster_id) == number % 100


def test_the_split_changes_at_the_buckets_70_and_85() -> None:
    by_bucket = {bucket(f"tt{i}"): f"tt{i}" for i in range(3000)}
    splits = [split_of(by_bucket[number]) for number in range(100)]
    assert splits == ["train"] * 70 + ["val"] * 15 + ["test"] * 15


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
    assert defects_by_kind(folder) == {
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
