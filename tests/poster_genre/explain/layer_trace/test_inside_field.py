"""Receptive fields, against every pixel tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D
from minicnn.layers.reshape import Flatten
from poster_genre.explain.layer_trace.field import Region, receptive_field
from poster_genre.explain.layer_trace.numbers import account
from poster_genre.explain.layer_trace.trace import Step, image_shape, lay_out, run_batch
from tests.poster_genre.explain.layer_trace.looking import STREAM, traced


def seen_by(steps: list[Step], index: int, place: tuple[int, int, int]) -> set[tuple[int, int]]:
    """The pixels of an image that change one number when they change: every pixel is tried."""
    height, width, _ = steps[0].shape
    pixels = list(np.ndindex(height, width))
    x = np.repeat(STREAM.uniform(1, 2, (1, height, width, 3)), len(pixels) + 1, axis=0).astype(np.float32)
    for each, (i, j) in zip(x, pixels, strict=False):
        each[i, j] += 1e4
    outputs = run_batch(steps, x)[index]
    values = outputs.reshape(len(x), *image_shape(steps[index].shape))[:, *place]
    return {pixel for pixel, value in zip(pixels, values, strict=False) if abs(value - values[-1]) > 0.05}


def pixels_of(region: Region) -> set[tuple[int, int]]:
    return {(i, j) for i in range(region.top, region.bottom) for j in range(region.left, region.right)}


def positive(rng: np.random.Generator, c_in: int, c_out: int, k: int, **more: Any) -> Conv2D:
    """A convolution of which nothing cancels."""
    layer = Conv2D(c_in, c_out, k, rng=rng, padding="same", **more)
    layer.weight.data[...] = rng.uniform(0.1, 1, layer.weight.data.shape)
    return layer


def blocks(rng: np.random.Generator) -> Sequential:
    body = Sequential({"one": positive(rng, 2, 2, 3), "relu": ReLU(), "two": positive(rng, 2, 2, 3)})
    return Sequential(
        {
            "stem": positive(rng, 3, 2, int(rng.integers(2, 4)), stride=int(rng.integers(1, 3))),
            "pool": AveragePool2D(2),
            "block": Residual(body, positive(rng, 2, 2, 1)),
            "norm": BatchNorm(2),
        }
    )


def side_by_side(rng: np.random.Generator) -> Sequential:
    """Three trunks that see more and more, joined."""
    trunks = {
        f"trunk{k}": Sequential({"conv": positive(rng, 3, 2, k), "pool": AveragePool2D(2)}) for k in (1, 3, 5)
    }
    return Sequential({"trunks": Parallel(trunks, merge="concat"), "relu": ReLU(), "norm": BatchNorm(6)})


@pytest.mark.parametrize("build", [blocks, side_by_side])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_receptive_field_is_exactly_the_pixels_that_a_number_reacts_to(build: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = build(rng)
    size = (int(rng.integers(8, 13)), int(rng.integers(8, 13)))
    steps = lay_out(model, size)
    index = int(rng.integers(1, len(steps)))
    place = tuple(int(rng.integers(n)) for n in image_shape(steps[index].shape))
    assert pixels_of(receptive_field(steps, index, *place)) == seen_by(steps, index, place)


def test_a_joined_number_sees_what_its_trunk_sees_and_no_more() -> None:
    steps = lay_out(side_by_side(np.random.default_rng(1)), (12, 12))
    for channel, side in ((0, 2), (3, 4), (5, 6)):
        top, left, bottom, right = receptive_field(steps, len(steps) - 1, 3, 3, channel)
        assert (bottom - top, right - left) == (side, side)


def test_channels_that_are_read_together_see_what_any_of_them_sees() -> None:
    rng = np.random.default_rng(1)
    model = Sequential({**side_by_side(rng).children(), "mix": positive(rng, 6, 1, 1)})
    steps = lay_out(model, (12, 12))
    assert receptive_field(steps, len(steps) - 1, 3, 3, 0) == (4, 4, 10, 10)


def test_behind_a_global_pool_a_number_sees_everything(looked_at: Any) -> None:
    classifier, _, trace = looked_at
    if classifier.spec_.name == "compact":
        assert receptive_field(trace.steps, len(trace.steps) - 1, 0, 0, 4) == (
            0,
            0,
            *classifier.spec_.input_size,
        )


def test_a_flattened_number_sees_what_its_pixel_sees() -> None:
    model = Sequential({"conv": Conv2D(3, 2, 3, rng=1), "flat": Flatten(), "relu": ReLU()})
    steps = lay_out(model, (6, 5))
    at = (2 * 3 + 1) * 2 + 1  # row 2, column 1, channel 1 of (4, 3, 2)
    assert receptive_field(steps, 3, 0, 0, at) == receptive_field(steps, 1, 2, 1, 1) == (2, 1, 5, 4)
    trace = traced(model, STREAM.normal(size=(6, 5, 3)))
    assert account(trace, 2, (0, 0, at))["from"] == [2, 1, 1]
