"""Every number of the Inside page, against the library itself and against NumPy."""

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
from poster_genre.explain.layer_trace.numbers import account, chain
from tests.poster_genre.explain.layer_trace.looking import STREAM, places, traced


def test_every_account_shows_the_librarys_number_and_its_formula_gives_it(looked_at: Any) -> None:
    _, _, trace = looked_at
    for index, place in places(trace):
        found = account(trace, index, place)
        assert found["value"] == float(trace.image(index)[place])
        if "computed" in found:
            assert found["computed"] == pytest.approx(found["value"], abs=2e-5, rel=2e-5), found["name"]
            assert found["difference"] == abs(found["computed"] - found["value"])


def test_a_convolutions_patch_kernel_and_sums_are_those_of_plain_loops(looked_at: Any) -> None:
    _, _, trace = looked_at
    for index, (i, j, o) in places(trace):
        layer = trace.steps[index].layer
        if not isinstance(layer, Conv2D):
            continue
        x, w = trace.image(trace.steps[index].inputs[0]), layer.weight.data.astype(np.float64)
        (top, _), (left, _) = layer._pads((1, *x.shape))
        sums = np.zeros(x.shape[2])
        wanted = int(STREAM.integers(x.shape[2]))
        found = account(trace, index, (i, j, o), wanted)
        for p in range(w.shape[0]):
            for q in range(w.shape[1]):
                h, v = i * layer.stride[0] + p - top, j * layer.stride[1] + q - left
                on = 0 <= h < x.shape[0] and 0 <= v < x.shape[1]
                assert found["on_image"][p][q] == on
                assert found["patch"][p][q] == (float(x[h, v, wanted]) if on else 0)
                assert found["kernel"][p][q] == float(layer.weight.data[p, q, wanted, o])
                assert found["products"][p][q] == found["patch"][p][q] * found["kernel"][p][q]
                if on:
                    sums += x[h, v].astype(np.float64) * w[p, q, :, o]
        assert found["sum"] == pytest.approx(sums[wanted], rel=1e-12, abs=1e-12)
        assert dict(found["channels"]) == pytest.approx(dict(enumerate(sums)), rel=1e-9, abs=1e-12)
        assert found["total"] + (found["bias"] or 0) == pytest.approx(found["value"], abs=2e-5, rel=2e-5)


def test_a_convolution_lists_channels_by_what_they_add_and_shows_the_first(looked_at: Any) -> None:
    _, _, trace = looked_at
    index = next(s.index for s in trace.steps[2:] if isinstance(s.layer, Conv2D))
    found = account(trace, index, (1, 1, 1))
    sizes = [abs(value) for _, value in found["channels"]]
    assert sizes == sorted(sizes, reverse=True)
    assert found["input_channel"] == found["channels"][0][0]


def test_a_normalisation_shows_the_layers_own_constants(looked_at: Any) -> None:
    _, _, trace = looked_at
    step = next(s for s in trace.steps if isinstance(s.layer, BatchNorm))
    found, layer = account(trace, step.index, (1, 1, 2)), step.layer
    x = float(trace.image(step.inputs[0])[1, 1, 2])
    by_hand = (x - layer.running_mean[2]) / np.sqrt(layer.running_var[2] + layer.eps)
    assert found["normalised"] == pytest.approx(by_hand, rel=1e-6)
    assert found["value"] == pytest.approx(by_hand * layer.weight.data[2] + layer.bias.data[2], rel=1e-5)


def test_the_winner_of_a_pool_is_where_the_largest_number_stands(looked_at: Any) -> None:
    _, _, trace = looked_at
    for index, place in places(trace):
        if isinstance(trace.steps[index].layer, MaxPool2D):
            found = account(trace, index, place)
            p, q = found["winner"]
            i, j = found["corner"][0] + p, found["corner"][1] + q
            assert found["patch"][p][q] == max(map(max, found["patch"])) == found["value"]
            assert float(trace.image(trace.steps[index].inputs[0])[i, j, place[2]]) == found["value"]


def test_of_equal_numbers_the_first_wins_as_in_the_library() -> None:
    trace = traced(Sequential({"pool": MaxPool2D(2)}), np.zeros((4, 4, 3)))
    assert account(trace, 1, (1, 1, 0))["winner"] == [0, 0]


def test_a_residual_sum_shows_both_addends() -> None:
    body = Sequential({"conv": Conv2D(3, 3, 3, padding="same", rng=1)})
    x = STREAM.normal(size=(5, 4, 3))
    trace = traced(Sequential({"block": Residual(body)}), x)
    found = account(trace, 2, (2, 1, 0))
    main, shortcut = found["parts"]
    assert (main["branch"], shortcut["branch"], shortcut["step"]) == ("body", "projection", 0)
    assert shortcut["value"] == float(np.float32(x[2, 1, 0]))
    assert main["value"] + shortcut["value"] == pytest.approx(found["value"], rel=1e-6)


def test_the_chain_runs_from_the_convolution_over_norm_and_relu(looked_at: Any) -> None:
    classifier, _, trace = looked_at
    kinds = [found["kind"] for found in chain(trace, 2, (1, 2, 3))]
    expected = ["convolution", "normalisation", "activation"]
    if classifier.spec_.name == "original":
        expected = ["convolution", "activation", "normalisation"]
    assert kinds == expected


def test_within_a_chain_each_number_is_made_of_the_one_before(looked_at: Any) -> None:
    _, _, trace = looked_at
    for index, place in places(trace, 1):
        found = chain(trace, index, place)
        assert index in [each["step"] for each in found]
        for one, next_one in pairwise(found):
            if "x" in next_one:
                assert next_one["x"] == one["value"]
            else:
                assert one["value"] in [part["value"] for part in next_one["parts"]]


def test_groups_dilation_and_strides_are_read_as_the_layer_reads_them() -> None:
    layer = Conv2D(6, 4, 3, stride=2, dilation=2, padding=((3, 1), (0, 2)), groups=2, rng=5)
    layer.bias.data[...] = STREAM.normal(size=4)
    trace = traced(Sequential({"conv": layer}), STREAM.normal(size=(11, 9, 6)))
    for i, j, o in np.ndindex(*trace.steps[1].shape):
        found = account(trace, 1, (i, j, o))
        assert found["computed"] == pytest.approx(found["value"], abs=1e-5)
        assert {channel for channel, _ in found["channels"]} == set(range(3 * (o // 2), 3 * (o // 2) + 3))
    with pytest.raises(PosterGenreError, match="reads the input channels 0 to 2, not 3"):
        account(trace, 1, (0, 0, 1), 3)


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU(0.2), SiLU(), Sigmoid(), Tanh()], ids=repr)
def test_activations_are_computed_again(layer: Any) -> None:
    trace = traced(Sequential({"f": layer}), STREAM.normal(size=(4, 4, 3)))
    for place in np.ndindex(4, 4, 3):
        found = account(trace, 1, place)
        assert found["computed"] == pytest.approx(found["value"], abs=1e-6)


def test_an_average_pool_leaves_padding_out() -> None:
    trace = traced(Sequential({"pool": AveragePool2D(3, stride=2, padding=1)}), STREAM.normal(size=(6, 5, 3)))
    for place in np.ndindex(*trace.steps[1].shape):
        found = account(trace, 1, place)
        assert found["computed"] == pytest.approx(found["value"], abs=1e-6)
    assert account(trace, 1, (0, 0, 0))["count"] == 4


@pytest.mark.parametrize(("merge", "kind"), [("sum", "sum"), ("multiply", "product"), ("concat", "joined")])
def test_branches_meet_as_the_container_says(merge: str, kind: str) -> None:
    branches = {"a": Conv2D(3, 2, 1, rng=1), "b": Conv2D(3, 2, 1, rng=2)}
    model = Sequential({"p": Parallel(branches, merge=merge)})
    x = STREAM.normal(size=(3, 3, 3)).astype(np.float32)
    trace = traced(model, x)
    np.testing.assert_array_equal(trace.outputs[-1], model.forward(x[None])[0])
    found = account(trace, 3, (1, 2, 1))
    assert found["kind"] == kind
    if merge == "concat":
        other = account(trace, 3, (1, 2, 2))
        assert (other["from_step"], other["from"]) == (2, [1, 2, 0])


def test_there_is_no_number_outside_a_step(looked_at: Any) -> None:
    _, _, trace = looked_at
    with pytest.raises(PosterGenreError, match="there is none at"):
        chain(trace, 1, (0, 0, 10_000))
    with pytest.raises(PosterGenreError, match="there is no step 999"):
        chain(trace, 999, (0, 0, 0))
