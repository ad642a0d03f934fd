"""Facts about the public data set, checked on the copy that POSTER_GENRE_DATA names, whole or some splits."""

from __future__ import annotations

import os

import numpy as np
import pytest

from poster_genre.data.cache import cached_posters
from poster_genre.data.dataset import load_dataset
from poster_genre.data.inspection import Inspection, inspect_dataset
from poster_genre.data.splits import SPLITS, split_of
from poster_genre.data.transforms import load_poster
from poster_genre.genres import INDEX

SIZES = {"train": 5029, "val": 1109, "test": 1116}
REPEATED = "tt0092644"
TWINS = ("tt0420286", "tt0402577")

pytestmark = [
    pytest.mark.posters,
    pytest.mark.skipif(not os.environ.get("POSTER_GENRE_DATA"), reason="POSTER_GENRE_DATA is not set"),
]


@pytest.fixture(scope="module")
def inspection() -> Inspection:
    return inspect_dataset(load_dataset(os.environ["POSTER_GENRE_DATA"]), progress=False)


def test_each_split_is_there_whole_or_not_at_all(inspection: Inspection) -> None:
    splits = [split_of(poster_id) for poster_id in inspection.dataset.table_ids]
    sizes = {split: splits.count(split) for split in SPLITS}
    assert all(sizes[split] in (0, SIZES[split]) for split in SPLITS)
    if not sizes["test"]:
        assert (inspection.n_rows, inspection.n_ids, inspection.n_images) == (6138, 6130, 6150)
    elif all(sizes.values()):
        assert (inspection.n_rows, inspection.n_ids, inspection.n_images) == (7254, 7242, 7867)


def test_train_and_val_are_sound_but_for_repeats(inspection: Inspection) -> None:
    kinds = {d.kind for d in inspection.defects if split_of(d.subject) != "test"}
    assert kinds == {"image without row", "repeated Id", "identical posters"}
    assert inspection.defect_counts["missing image"] == 0
    assert REPEATED in {d.subject for d in inspection.defects if d.kind == "repeated Id"}


def test_two_ids_hold_the_same_poster(inspection: Inspection) -> None:
    pairs = [
        {d.subject, d.detail.split()[4].rstrip(",")}
        for d in inspection.defects
        if d.kind == "identical posters"
    ]
    assert set(TWINS) in pairs
    assert split_of(TWINS[0]) == split_of(TWINS[1]) == "train"


def test_genres_are_about_as_frequent_as_published(inspection: Inspection) -> None:
    frequency = inspection.genre_frequency
    assert max(frequency, key=lambda genre: frequency[genre]) == "Drama"
    assert frequency["Reality-TV"] == min(frequency.values())
    assert 1 <= frequency["N/A"] <= 10
    mean = inspection.dataset.labels.sum() / inspection.n_rows
    assert mean == pytest.approx(2.33, abs=0.03)
    assert set(inspection.genres_per_movie) == {1, 2, 3}
    if all(inspection.dataset.split_sizes().values()):
        assert (frequency["Drama"], frequency["Comedy"], frequency["N/A"]) == (3619, 2900, 10)


def test_predicting_no_genre_is_right_nine_times_in_ten(inspection: Inspection) -> None:
    assert 1 - inspection.dataset.labels.mean() == pytest.approx(0.907, abs=0.004)


def test_posters_become_inputs_through_the_cache(inspection: Inspection) -> None:
    part = inspection.dataset.split("val").subset(np.arange(0, 200, 10))
    cached = cached_posters(part, (120, 80), progress=False)
    assert cached.readable.all()
    assert cached.images.shape == (20, 120, 80, 3)
    assert (cached.images[7] == load_poster(part.read(7), (120, 80))).all()
    assert cached.dataset.labels[:, INDEX["Drama"]].any()
