"""The patches at which maps are largest, against a search of every poster by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from poster_genre.explain.layer_trace.receptive_field import receptive_field
from poster_genre.explain.layer_trace.strongest_patches import (
    BATCH,
    PATCHES,
    StrongestPatches,
    find_strongest_patches,
    has_patches,
)
from poster_genre.explain.layer_trace.trace import trace_poster
from tests.poster_genre.explain.layer_trace.small_traces import RNG

POSTERS = BATCH + 5


@pytest.fixture(scope="module")
def searched(traced_poster: Any) -> tuple[Any, np.ndarray, StrongestPatches]:
    classifier, _, trace = traced_poster
    model = classifier.trained_
    pixels = RNG.integers(0, 256, (POSTERS, *model.spec.input_size, 3)).astype(np.uint8)
    return model, pixels, find_strongest_patches(trace.steps, model, pixels)


def test_the_patches_are_those_of_a_search_of_every_poster_by_itself(searched: Any) -> None:
    model, pixels, found = searched
    traces = [trace_poster(found.steps, model, each) for each in pixels]
    steps = [step.index for step in found.steps if has_patches(step)]
    for index in RNG.choice(steps, 4):
        channel = int(RNG.integers(found.steps[index].shape[2]))
        maps = np.stack([trace.image(index)[:, :, channel] for trace in traces])
        largest = maps.max(axis=(1, 2))
        expected = [i for i in np.argsort(-largest, kind="stable")[:PATCHES] if largest[i] > 0]
        patches = found.of(index, channel)
        np.testing.assert_allclose([patch.value for patch in patches], largest[expected], rtol=1e-5)
        for patch in patches:
            number = maps[patch.poster, patch.row, patch.column]
            assert patch.value == pytest.approx(number, rel=1e-5)
            assert patch.region == receptive_field(found.steps, index, patch.row, patch.column, channel)
            top, left, bottom, right = patch.region
            np.testing.assert_array_equal(found.picture(patch), pixels[patch.poster, top:bottom, left:right])


def test_a_poster_has_one_patch_of_a_map_at_most(searched: Any) -> None:
    _, _, found = searched
    for index in [step.index for step in found.steps if has_patches(step)]:
        posters = [patch.poster for patch in found.of(index, 0)]
        assert len(posters) == len(set(posters)) <= PATCHES


def test_the_share_of_posters_done_grows_to_one(traced_poster: Any) -> None:
    classifier, pixels, trace = traced_poster
    shares: list[float] = []
    find_strongest_patches(trace.steps, classifier.trained_, np.stack([pixels] * POSTERS), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
