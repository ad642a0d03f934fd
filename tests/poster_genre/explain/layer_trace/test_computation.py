"""How a number was computed, against the library's own results and against NumPy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, MaxPool2D
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.computation import computation, computation_chain
from tests.poster_genre.explain.layer_trace.small_traces import RNG, sample_positions, trace_of


def test_every_formulas_result_is_the_librarys_number(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for index, position in sample_positions(trace):
        result = computation(trace, index, position)
        assert result["value"] == float(trace.image(index)[position])
        if "computed" in result:
            assert result["computed"] == pytest.approx(result["value"], abs=2e-5, rel=2e-5), result["name"]
            assert result["difference"] == abs(result["computed"] - result["value"])


def test_a_convolutions_patch_kernel_and_sums_are_those_of_nested_loops(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for index, (i, j, o) in sample_positions(trace):
        layer = trace.steps[index].layer
        if not isinstance(layer, Conv2D):
            continue
        x, w = trace.image(trace.steps[index].inputs[0]), layer.weight.data.astype(np.float64)
        (top, _), (left, _) = layer.geometry((1, *x.shape)).padding
        sums = np.zeros(x.shape[2])
        channel = int(RNG.integers(x.shape[2]))
        result = computation(trace, index, (i, j, o), channel)
        for p in range(w.shape[0]):
            for q in range(w.shape[1]):
                h, v = i * layer.stride[0] + p - top, j * layer.stride[1] + q - left
                on = 0 <= h < x.shape[0] and 0 <= v < x.shape[1]
                assert result["on_image"][p][q] == on
                assert result["patch"][p][q] == (float(x[h, v, channel]) if on else 0)
                assert result["kernel"][p][q] == float(layer.weight.data[p, q, channel, o])
                assert result["products"][p][q] == result["patch"][p][q] * result["kernel"][p][q]
                if on:
                    sums += x[h, v].astype(np.float64) * w[p, q, :, o]
        assert result["sum"] == pytest.approx(sums[channel], rel=1e-12, abs=1e-12)
        assert dict(result["channels"]) == pytest.approx(dict(enumerate(sums)), rel=1e-9, abs=1e-12)
        assert result["total"] + (result["bias"] or 0) == pytest.approx(result["value"], abs=2e-5, rel=2e-5)


def test_a_convolution_lists_channels_in_falling_order_and_shows_the_first(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    index = next(s.index for s in trace.steps[2:] if isinstance(s.layer, Conv2D))
    result = computation(trace, index, (1, 1, 1))
    sizes = [abs(value) for _, value in result["channels"]]
    assert sizes == sorted(sizes, reverse=True)
    assert result["input_channel"] == result["channels"][0][0]


def test_a_normalisation_uses_the_layers_running_statistics(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    step = next(s for s in trace.steps if isinstance(s.layer, BatchNorm))
    result, layer = computation(trace, step.index, (1, 1, 2)), step.layer
    x = float(trace.image(step.inputs[0])[1, 1, 2])
    expected = (x - layer.running_mean[2]) / np.sqrt(layer.running_var[2] + layer.eps)
    assert result["normalised"] == pytest.approx(expected, rel=1e-6)
    assert result["value"] == pytest.approx(expected * layer.weight.data[2] + layer.bias.data[2], rel=1e-5)


def test_the_winner_of_a_max_pool_is_the_position_of_the_largest_number(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for index, position in sample_positions(trace):
        if isinstance(trace.steps[index].layer, MaxPool2D):
            result = computation(trace, index, position)
            p, q = result["winner"]
            i, j = result["corner"][0] + p, result["corner"][1] + q
            assert result["patch"][p][q] == max(map(max, result["patch"])) == result["value"]
            assert float(trace.image(trace.steps[index].inputs[0])[i, j, position[2]]) == result["value"]


def test_of_equal_numbers_a_max_pool_takes_the_first() -> None:
    trace = trace_of(Sequential({"pool": MaxPool2D(2)}), np.zeros((4, 4, 3)))
    assert computation(trace, 1, (1, 1, 0))["winner"] == [0, 0]


def test_a_residual_sum_lists_both_addends() -> None:
    body = Sequential({"conv": Conv2D(3, 3, 3, padding="same", rng=1)})
    x = RNG.normal(size=(5, 4, 3))
    trace = trace_of(Sequential({"block": Residual(body)}), x)
    result = computation(trace, 2, (2, 1, 0))
    main, shortcut = result["parts"]
    assert (main["branch"], shortcut["branch"], shortcut["step"]) == ("body", "projection", 0)
    assert shortcut["value"] == float(np.float32(x[2, 1, 0]))
    assert main["value"] + shortcut["value"] == pytest.approx(result["value"], rel=1e-6)


def test_the_chain_of_a_number_is_convolution_normalisation_and_relu(traced_poster: Any) -> None:
    classifier, _, trace = traced_poster
    kinds = [result["kind"] for result in computation_chain(trace, 2, (1, 2, 3))]
    expected = ["convolution", "normalisation", "activation"]
    if classifier.trained_.spec.name == "original":
        expected = ["convolution", "activation", "normalisation"]
    assert kinds == expected


def test_within_a_chain_each_number_is_computed_from_the_one_before(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for index, position in sample_positions(trace, 1):
        result = computation_chain(trace, index, position)
        assert index in [each["step"] for each in result]
        for one, next_one in pairwise(result):
            if "x" in next_one:
                assert next_one["x"] == one["value"]
            else:
                assert one["value"] in [part["value"] for part in next_one["parts"]]


def test_a_convolution_with_groups_dilation_and_strides_gives_the_layers_output() -> None:
    layer = Conv2D(6, 4, 3, stride=2, dilation=2, padding=((3, 1), (0, 2)), groups=2, rng=5)
    layer.bias.data[...] = RNG.normal(size=4)
    trace = trace_of(Sequential({"conv": layer}), RNG.normal(size=(11, 9, 6)))
    for i, j, o in np.ndindex(*trace.steps[1].shape):
        result = computation(trace, 1, (i, j, o))
        assert result["computed"] == pytest.approx(result["value"], abs=1e-5)
        assert {channel for channel, _ in result["channels"]} == set(range(3 * (o // 2), 3 * (o // 2) + 3))
    with pytest.raises(PosterGenreError, match="reads the input channels 0 to 2, not 3"):
        computation(trace, 1, (0, 0, 1), 3)


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU(0.2), SiLU(), Sigmoid(), Tanh()], ids=repr)
def test_an_activations_formula_gives_the_layers_output(layer: Any) -> None:
    trace = trace_of(Sequential({"f": layer}), RNG.normal(size=(4, 4, 3)))
    for position in np.ndindex(4, 4, 3):
        result = computation(trace, 1, position)
        assert result["computed"] == pytest.approx(result["value"], abs=1e-6)


def test_an_average_pool_does_not_count_padding() -> None:
    trace = trace_of(Sequential({"pool": AveragePool2D(3, stride=2, padding=1)}), RNG.normal(size=(6, 5, 3)))
    for position in np.ndindex(*trace.steps[1].shape):
        result = computation(trace, 1, position)
        assert result["computed"] == pytest.approx(result["value"], abs=1e-6)
    assert computation(trace, 1, (0, 0, 0))["count"] == 4


@pytest.mark.parametrize(
    ("merge", "kind"), [("sum", "sum"), ("multiply", "product"), ("concat", "concatenation")]
)
def test_branches_are_merged_as_the_container_does(merge: str, kind: str) -> None:
    branches = {"a": Conv2D(3, 2, 1, rng=1), "b": Conv2D(3, 2, 1, rng=2)}
    model = Sequential({"p": Parallel(branches, merge=merge)})
    x = RNG.normal(size=(3, 3, 3)).astype(np.float32)
    trace = trace_of(model, x)
    np.testing.assert_array_equal(trace.outputs[-1], model.forward(x[None])[0])
    result = computation(trace, 3, (1, 2, 1))
    assert result["kind"] == kind
    if merge == "concat":
        other = computation(trace, 3, (1, 2, 2))
        assert (other["from_step"], other["from"]) == (2, [1, 2, 0])


def test_a_position_outside_a_step_is_refused(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    with pytest.raises(PosterGenreError, match="is outside"):
        computation_chain(trace, 1, (0, 0, 10_000))
    with pytest.raises(PosterGenreError, match="there is no step 999"):
        computation_chain(trace, 999, (0, 0, 0))
