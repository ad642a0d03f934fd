"""Every number of the Inside page, against the library itself and against NumPy."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.containers import Container, Parallel, Residual, Sequential
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity
from poster_genre.classifier import PosterGenreClassifier, to_input
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.inside.fast import fast_outputs
from poster_genre.inside.field import Region, receptive_field
from poster_genre.inside.numbers import account, chain
from poster_genre.inside.trace import Trace, follow, image_shape, lay_out, run
from poster_genre.inside.verdict import contributions, verdict
from poster_genre.inside.words import group_titles, sentence_of, title_of
from poster_genre.models import SPECS, ModelSpec, build_model

STREAM = np.random.default_rng(20)
SIZES = {"compact": (32, 24), "original": (62, 62)}


def classifier_of(spec: ModelSpec, seed: int = 3) -> PosterGenreClassifier:
    """An untrained classifier whose every number is drawn, so that no step is trivial."""
    classifier = PosterGenreClassifier(spec, seed=seed)
    network = classifier.initial_network()
    rng = np.random.default_rng(seed)
    for name, parameter in network.parameters().items():
        if parameter.data.ndim == 1:
            parameter.data[...] = rng.normal(0.5 if "norm" in name else 0, 0.5, parameter.data.shape)
    for name, array in network.state().items():
        array[...] = (
            rng.uniform(0.5, 2, array.shape) if name.endswith("var") else rng.normal(size=array.shape)
        )
    classifier.spec_, classifier.model_, classifier.genres_ = spec, network, GENRES
    classifier.calibration_ = None
    return classifier


@pytest.fixture(scope="module", params=["compact", "original"])
def looked_at(request: pytest.FixtureRequest) -> tuple[PosterGenreClassifier, np.ndarray, Trace]:
    """A classifier of each structure, a poster's pixels, and its trace."""
    name = request.param
    small = {"widths": [8, 12, 16], "blocks": [2, 1, 1], "stem_stride": 2, "dropout": 0.2}
    spec = replace(
        SPECS[name], input_size=SIZES[name], arguments=small if name == "compact" else SPECS[name].arguments
    )
    classifier = classifier_of(spec)
    pixels = STREAM.integers(0, 256, (*spec.input_size, 3)).astype(np.uint8)
    steps = lay_out(classifier.model_, spec.input_size)
    trace = follow(steps, classifier, pixels)
    return classifier, pixels, replace(trace, fast=fast_outputs(steps, classifier, pixels))


def places(trace: Trace, count: int = 3) -> list[tuple[int, tuple[int, int, int]]]:
    """Some numbers of every step, the corners among them."""
    found = []
    for step in trace.steps:
        h, w, c = image_shape(step.shape)
        found += [(step.index, (0, 0, 0)), (step.index, (h - 1, w - 1, c - 1))]
        for _ in range(count):
            found.append(
                (step.index, (int(STREAM.integers(h)), int(STREAM.integers(w)), int(STREAM.integers(c))))
            )
    return found


# The trace is the library's own forward pass.


def test_the_last_step_is_bit_for_bit_what_the_network_puts_out(looked_at: Any) -> None:
    classifier, pixels, trace = looked_at
    expected = classifier.model_.forward(to_input(classifier.spec_, pixels[None]))[0]
    np.testing.assert_array_equal(trace.outputs[-1], expected)


def test_every_step_is_its_layers_own_forward_of_its_inputs(looked_at: Any) -> None:
    _, _, trace = looked_at
    for step in trace.steps[1:]:
        read = [trace.outputs[i][None] for i in step.inputs]
        if isinstance(step.layer, Residual):
            expected = read[0] + read[1]
        elif isinstance(step.layer, Parallel):
            expected = np.concatenate(read, axis=-1)
        else:
            expected = step.layer.forward(read[0])
        np.testing.assert_array_equal(trace.outputs[step.index], expected[0], err_msg=step.name)


def test_every_layer_of_the_network_but_identities_is_a_step_of_its_own(looked_at: Any) -> None:
    classifier, _, trace = looked_at
    layers = [name for name, layer in classifier.model_.layers() if not isinstance(layer, Identity)]
    leaves = [step.name for step in trace.steps[1:] if not isinstance(step.layer, Parallel)]
    assert leaves == layers


def test_a_steps_shape_is_that_of_its_output(looked_at: Any) -> None:
    _, _, trace = looked_at
    assert [step.shape for step in trace.steps] == [y.shape for y in trace.outputs]


def test_following_a_poster_writes_nothing_into_the_network(looked_at: Any) -> None:
    classifier, pixels, trace = looked_at
    follow(trace.steps, classifier, pixels)
    assert all(layer._recorded is None for _, layer in classifier.model_.layers())


def test_a_container_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(PosterGenreError, match="view into a Container"):
        lay_out(Sequential([Container([Identity()])]), (4, 4))


# The fused network.


def test_the_fused_network_agrees_wherever_it_has_numbers(looked_at: Any) -> None:
    _, _, trace = looked_at
    have = [(fast, plain) for fast, plain in zip(trace.fast, trace.outputs, strict=True) if fast is not None]
    assert len(have) >= len(trace.outputs) // 3
    for fast, plain in have:
        np.testing.assert_allclose(fast, plain, atol=2e-4, rtol=2e-4)


def test_an_account_states_its_distance_from_the_fused_network(looked_at: Any) -> None:
    _, _, trace = looked_at
    last = len(trace.steps) - 1
    found = account(trace, last, (0, 0, 2))
    assert found["fast"] == float(trace.fast[last][2])
    assert found["fast_difference"] == abs(found["fast"] - float(trace.outputs[last][2]))


# Accounts.


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


# Receptive fields.


def seen_by(
    model: Sequential, size: tuple[int, int], index: int, place: tuple[int, int, int]
) -> set[tuple[int, int]]:
    """The pixels of an image that change one number when they change: every pixel is tried."""
    steps = lay_out(model, size)
    base = STREAM.uniform(1, 2, (1, *size, 3)).astype(np.float32)

    def value(x: np.ndarray) -> float:
        return float(traced(model, x[0], steps).image(index)[place])

    before, found = value(base), set()
    for i, j in np.ndindex(*size):
        x = base.copy()
        x[0, i, j] += 1
        if value(x) != before:
            found.add((i, j))
    return found


def pixels_of(region: Region) -> set[tuple[int, int]]:
    return {(i, j) for i in range(region.top, region.bottom) for j in range(region.left, region.right)}


@given(st.integers(0, 10_000))
@settings(max_examples=12)
def test_the_receptive_field_is_exactly_the_pixels_that_a_number_reacts_to(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def conv(c_in: int, c_out: int, k: int, **more: Any) -> Conv2D:
        layer = Conv2D(c_in, c_out, k, rng=rng, padding="same", **more)
        layer.weight.data[...] = rng.uniform(0.1, 1, layer.weight.data.shape)  # so that nothing cancels
        return layer

    body = Sequential({"one": conv(2, 2, 3), "relu": ReLU(), "two": conv(2, 2, 3)})
    model = Sequential(
        {
            "stem": conv(3, 2, int(rng.integers(2, 4)), stride=int(rng.integers(1, 3))),
            "pool": AveragePool2D(2),
            "block": Residual(body, conv(2, 2, 1)),
            "norm": BatchNorm(2),
        }
    )
    size = (int(rng.integers(8, 13)), int(rng.integers(8, 13)))
    steps = lay_out(model, size)
    index = int(rng.integers(1, len(steps)))
    place = tuple(int(rng.integers(n)) for n in image_shape(steps[index].shape))
    assert pixels_of(receptive_field(steps, index, *place)) == seen_by(model, size, index, place)


def test_behind_a_global_pool_a_number_sees_everything(looked_at: Any) -> None:
    classifier, _, trace = looked_at
    height, width = classifier.spec_.input_size
    if classifier.spec_.name == "compact":
        assert receptive_field(trace.steps, len(trace.steps) - 1, 0, 0, 4) == (0, 0, height, width)


def test_a_flattened_number_sees_what_its_pixel_sees() -> None:
    model = Sequential({"conv": Conv2D(3, 2, 3, rng=1), "flat": Flatten(), "relu": ReLU()})
    steps = lay_out(model, (6, 5))
    at = (2 * 3 + 1) * 2 + 1  # row 2, column 1, channel 1 of (4, 3, 2)
    assert receptive_field(steps, 3, 0, 0, at) == receptive_field(steps, 1, 2, 1, 1) == (2, 1, 5, 4)
    trace = traced(model, STREAM.normal(size=(6, 5, 3)))
    assert account(trace, 2, (0, 0, at))["from"] == [2, 1, 1]


# The genres.


def test_contributions_and_bias_add_up_to_the_genres_score(looked_at: Any) -> None:
    _, _, trace = looked_at
    for genre in range(0, N_GENRES, 6):
        found = contributions(trace, genre)
        layer, x = trace.steps[found["step"]].layer, trace.outputs[trace.steps[found["step"]].inputs[0]]
        assert isinstance(layer, Dense)
        by_hand = {i: float(x[i]) * float(layer.weight.data[i, genre]) for i in range(len(x))}
        assert {each["feature"]: each["product"] for each in found["features"]} == pytest.approx(by_hand)
        assert sum(by_hand.values()) + found["bias"] == pytest.approx(found["log_odds"], abs=1e-4)
        products = [each["product"] for each in found["features"]]
        assert products == sorted(products, reverse=True)


def test_a_feature_comes_from_the_map_that_it_pools(looked_at: Any) -> None:
    classifier, _, trace = looked_at
    for each in contributions(trace, 0)["features"]:
        origin = each["origin"]
        image = trace.image(origin["step"])[:, :, origin["channel"]]
        pooled = {"average": image.mean(), "maximum": image.max(), "unit": image[0, 0]}[origin["how"]]
        assert each["x"] == pytest.approx(float(pooled), rel=1e-5, abs=1e-6)
        assert (origin["how"] == "unit") == (classifier.spec_.name == "original")


def test_the_way_to_the_answer_ends_in_the_classifiers_answer(looked_at: Any) -> None:
    classifier, pixels, trace = looked_at
    answers = verdict(classifier, trace, pixels)
    expected = classifier.predict_proba(pixels[None])[0]
    np.testing.assert_allclose([each["probability"] for each in answers], expected, atol=1e-6)
    for each in answers:
        assert each["fast_difference"] == abs(each["probability"] - each["fast"]) < 1e-5
        assert each["p"] == pytest.approx(1 / (1 + np.exp(-each["log_odds"])), abs=1e-6)


def test_a_calibrated_answer_is_slope_and_offset_of_the_mean_log_odds(fitted: PosterGenreClassifier) -> None:
    pixels = STREAM.integers(0, 256, (*fitted.spec_.input_size, 3)).astype(np.uint8)
    trace = follow(lay_out(fitted.model_, fitted.spec_.input_size), fitted, pixels)
    for each in verdict(fitted, trace, pixels):
        assert each["mean"] == pytest.approx((each["p"] + each["mirrored_p"]) / 2, abs=1e-7)
        odds = each["slope"] * np.log(each["mean"] / (1 - each["mean"])) + each["offset"]
        assert each["probability"] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-6)


def test_a_network_without_a_dense_end_has_no_contributions() -> None:
    trace = traced(Sequential({"pool": GlobalAveragePool2D()}), np.ones((4, 4, 3)))
    with pytest.raises(PosterGenreError, match="does not end in a dense layer"):
        contributions(trace, 0)


# Words.


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


def traced(model: Sequential, x: np.ndarray, steps: Any = None) -> Trace:
    """A trace of any chain over an image, without a classifier."""
    return run(steps or lay_out(model, x.shape[:2], x.shape[2]), x.astype(np.float32))
