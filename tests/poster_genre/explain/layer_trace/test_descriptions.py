"""Titles and descriptions of the steps and their groups."""

from __future__ import annotations

from typing import Any

from poster_genre.explain.layer_trace.descriptions import (
    group_titles,
    member_title,
    step_description,
    step_title,
)
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.model.networks import SPECS, build_model
from tests.poster_genre.model.ensembles import SIZE, concatenated_images, ensemble


def test_every_step_has_a_title_and_a_description(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for step in trace.steps:
        assert step_title(trace.steps, step)
        assert step_description(trace.steps, step).endswith(".")


def test_the_group_titles_follow_the_networks_blocks() -> None:
    compact = network_steps(build_model("compact"), SPECS["compact"].input_size)
    assert group_titles(compact)[:3] == ["The poster", "First convolution", "Residual block 1"]
    assert group_titles(compact)[-2:] == ["The summary", "The genres"]
    original = network_steps(build_model("original"), SPECS["original"].input_size)
    assert group_titles(original)[1:5] == [f"Convolution block {i}" for i in range(1, 5)]
    assert group_titles(original)[-3:] == ["Hidden layer 1", "Hidden layer 2", "The genres"]


def test_every_member_of_an_ensemble_numbers_its_own_blocks() -> None:
    steps = network_steps(ensemble(), SIZE)
    titles = group_titles(steps)
    assert titles[:3] == ["The poster", "Network 1: first convolution", "Network 1: residual block 1"]
    assert [title for title in titles if "Network 2" in title] == [
        f"Network 2: {part}"
        for part in (
            "first convolution",
            "residual block 1",
            "residual block 2",
            "last convolution",
            "the summary",
        )
    ]
    assert titles[-4:] == [
        "Network 3: convolution block 1",
        "Network 3: hidden layer 1",
        "All networks",
        "The genres",
    ]
    merged = next(step for step in steps if step.name == "networks")
    assert "all 3 networks side by side" in step_description(steps, merged)


def test_members_whose_images_are_concatenated_share_the_summary() -> None:
    titles = group_titles(network_steps(concatenated_images(), SIZE))
    assert titles[-4:] == ["Network 2: residual block 2", "All networks", "The summary", "The genres"]


def test_only_the_steps_of_members_have_a_members_title() -> None:
    steps = network_steps(concatenated_images(), SIZE)
    assert {member_title(steps, step.member) for step in steps} == {"", "Network 1", "Network 2"}
    assert {step.branch for step in steps if step.member} == {"", "body", "projection"}
