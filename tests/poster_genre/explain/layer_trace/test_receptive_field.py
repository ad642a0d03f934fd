"""Receptive fields, against the pixels whose change changes a number."""

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
from poster_genre.explain.layer_trace.computation import computation
from poster_genre.explain.layer_trace.receptive_field import Region, receptive_field
from poster_genre.explain.layer_trace.steps import Step, image_shape, network_steps
from poster_genre.explain.layer_trace.trace import run_steps
from tests.poster_genre.explain.layer_trace.small_traces import RNG, trace_of


def influencing_pixels(steps: list[Step], index: int, position: tuple[int, int, int]) -> set[tuple[int, int]]:
    """The pixels of an image that change a number of step ``index`` when they change; each is tried."""
    height, width, _ = steps[0].shape
    pixels = list(np.ndindex(height, width))
    x = np.repeat(RNG.uniform(1, 2, (1, height, width, 3)), len(pixels) + 1, axis=0).astype(np.float32)
    for each, (i, j) in zip(x, pixels, strict=False):
        each[i, j] += 1e4
    outputs = run_steps(steps, x)[index]
    values = outputs.reshape(len(x), *image_shape(steps[index].shape))[:, *position]
    return {pixel for pixel, value in zip(pixels, values, strict=False) if abs(value - values[-1]) > 0.05}


def pixels_of(region: Region) -> set[tuple[int, int]]:
    return {(i, j) for i in range(region.top, region.bottom) for j in range(region.left, region.right)}


def positive(rng: np.random.Generator, c_in: int, c_out: int, k: int, **more: Any) -> Conv2D:
    """A convolution with positive weights, in whose sums nothing cancels."""
    layer = Conv2D(c_in, c_out, k, rng=rng, padding="same", **more)
    layer.weight.data[...] = rng.uniform(0.1, 1, layer.weight.data.shape)
    return layer


def residual_network(rng: np.random.Generator) -> Sequential:
    body = Sequential({"one": positive(rng, 2, 2, 3), "relu": ReLU(), "two": positive(rng, 2, 2, 3)})
    return Sequential(
        {
            "stem": positive(rng, 3, 2, int(rng.integers(2, 4)), stride=int(rng.integers(1, 3))),
            "pool": AveragePool2D(2),
            "block": Residual(body, positive(rng, 2, 2, 1)),
            "norm": BatchNorm(2),
        }
    )


def three_branches(rng: np.random.Generator) -> Sequential:
    """Three concatenated branches with kernels of 1, 3 and 5 pixels."""
    branches = {
        f"branch{k}": Sequential({"conv": positive(rng, 3, 2, k), "pool": AveragePool2D(2)})
        for k in (1, 3, 5)
    }
    return Sequential({"branches": Parallel(branches, merge="concat"), "relu": ReLU(), "norm": BatchNorm(6)})


@pytest.mark.parametrize("build_model", [residual_network, three_branches])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_receptive_field_is_exactly_the_pixels_that_change_a_number(build_model: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = build_model(rng)
    size = (int(rng.integers(8, 13)), int(rng.integers(8, 13)))
    steps = network_steps(model, size)
    index = int(rng.integers(1, len(steps)))
    position = tuple(int(rng.integers(n)) for n in image_shape(steps[index].shape))
    assert pixels_of(receptive_field(steps, index, *position)) == influencing_pixels(steps, index, position)


def test_a_concatenated_channel_has_the_receptive_field_of_its_branch() -> None:
    steps = network_steps(three_branches(np.random.default_rng(1)), (12, 12))
    for channel, side in ((0, 2), (3, 4), (5, 6)):
        top, left, bottom, right = receptive_field(steps, len(steps) - 1, 3, 3, channel)
        assert (bottom - top, right - left) == (side, side)


def test_a_convolution_over_branches_has_the_largest_of_their_receptive_fields() -> None:
    rng = np.random.default_rng(1)
    model = Sequential({**three_branches(rng).children(), "mix": positive(rng, 6, 1, 1)})
    steps = network_steps(model, (12, 12))
    assert receptive_field(steps, len(steps) - 1, 3, 3, 0) == (4, 4, 10, 10)


def test_behind_a_global_pool_the_receptive_field_is_the_whole_poster(traced_poster: Any) -> None:
    classifier, _, trace = traced_poster
    if classifier.trained_.spec.name == "compact":
        assert receptive_field(trace.steps, len(trace.steps) - 1, 0, 0, 4) == (
            0,
            0,
            *classifier.trained_.spec.input_size,
        )


def test_a_flattened_number_has_the_receptive_field_of_its_pixel() -> None:
    model = Sequential({"conv": Conv2D(3, 2, 3, rng=1), "flat": Flatten(), "relu": ReLU()})
    steps = network_steps(model, (6, 5))
    feature = (2 * 3 + 1) * 2 + 1  # row 2, column 1, channel 1 of (4, 3, 2)
    assert receptive_field(steps, 3, 0, 0, feature) == receptive_field(steps, 1, 2, 1, 1) == (2, 1, 5, 4)
    trace = trace_of(model, RNG.normal(size=(6, 5, 3)))
    assert computation(trace, 2, (0, 0, feature))["from"] == [2, 1, 1]
