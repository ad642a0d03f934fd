"""What the steps and their groups are called."""

from __future__ import annotations

from typing import Any

from poster_genre.explain.layer_trace.trace import lay_out
from poster_genre.explain.layer_trace.words import group_titles, sentence_of, title_of, trunk_title
from poster_genre.model.networks import SPECS, build_model
from tests.poster_genre.model.ensembles import SIZE, ensemble, joined_images


def test_every_step_has_a_title_and_a_sentence(looked_at: Any) -> None:
    _, _, trace = looked_at
    for step in trace.steps:
        assert title_of(trace.steps, step)
        assert sentence_of(trace.steps, step).endswith((".", "?"))


def test_the_groups_follow_the_networks_blocks() -> None:
    compact = lay_out(build_model("compact"), SPECS["compact"].input_size)
    assert group_titles(compact)[:3] == ["The poster", "First look", "Residual block 1"]
    assert group_titles(compact)[-2:] == ["The summary", "The genres"]
    original = lay_out(build_model("original"), SPECS["original"].input_size)
    assert group_titles(original)[1:5] == [f"Convolution block {i}" for i in range(1, 5)]
    assert group_titles(original)[-3:] == ["Hidden layer 1", "Hidden layer 2", "The genres"]


def test_every_network_counts_its_own_blocks() -> None:
    steps = lay_out(ensemble(), SIZE)
    titles = group_titles(steps)
    assert titles[:3] == ["The poster", "Network 1: first look", "Network 1: residual block 1"]
    assert [title for title in titles if "Network 2" in title] == [
        f"Network 2: {part}"
        for part in ("first look", "residual block 1", "residual block 2", "last look", "the summary")
    ]
    assert titles[-4:] == [
        "Network 3: convolution block 1",
        "Network 3: hidden layer 1",
        "All networks",
        "The genres",
    ]
    joined = next(step for step in steps if step.name == "networks")
    assert "all 3 networks side by side" in sentence_of(steps, joined)


def test_networks_that_join_their_images_share_the_summary() -> None:
    titles = group_titles(lay_out(joined_images(), SIZE))
    assert titles[-4:] == ["Network 2: residual block 2", "All networks", "The summary", "The genres"]


def test_a_step_of_one_network_belongs_to_it() -> None:
    steps = lay_out(joined_images(), SIZE)
    assert {trunk_title(steps, step.trunk) for step in steps} == {"", "Network 1", "Network 2"}
    assert {step.branch for step in steps if step.trunk} == {"", "body", "projection"}
