"""The way back: gradients of log-odds, against the library's own backward pass and central differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity
from minicnn.saliency import input_gradient
from minicnn.serialize import model_arrays
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.contributions import last_dense
from poster_genre.explain.layer_trace.gradient_computation import gradient_chain, gradient_computation
from poster_genre.explain.layer_trace.gradients import genre_gradients, gradient_sizes
from poster_genre.explain.layer_trace.trace import Trace
from poster_genre.genres import N_GENRES
from tests.poster_genre.explain.layer_trace.small_traces import RNG, sample_positions, trace_of

GENRE = 7


@pytest.fixture(scope="module")
def way_back(traced_poster: Any) -> tuple[Layer, Trace]:
    """The network of each architecture, and a trace with the gradients of one genre."""
    classifier, _, trace = traced_poster
    network = classifier.trained_.network
    return network, with_gradients(trace, network)


def with_gradients(trace: Trace, network: Layer) -> Trace:
    return replace(trace, gradients=genre_gradients(trace, network, GENRE))


def gradient(trace: Trace, index: int) -> np.ndarray:
    assert trace.gradients is not None
    result = trace.gradients.arrays[index]
    assert result is not None
    return result


def test_the_inputs_gradient_is_the_librarys_bit_for_bit(way_back: tuple[Layer, Trace]) -> None:
    network, trace = way_back
    last, _ = last_dense(trace)
    one_hot = np.zeros((1, N_GENRES), np.float32)
    one_hot[0, GENRE] = 1
    layers = [layer for layer in network.children().values() if not isinstance(layer, Sigmoid)]
    _, expected = input_gradient(layers, trace.outputs[0][None], one_hot)
    np.testing.assert_array_equal(gradient(trace, 0), expected[0])
    assert all(gradient(trace, step.index).shape == step.shape for step in trace.steps[: last + 1])


def test_every_gradient_is_the_sum_of_what_its_readers_pass_back(way_back: tuple[Layer, Trace]) -> None:
    _, trace = way_back
    last, _ = last_dense(trace)
    for index, position in sample_positions(trace):
        if index > last:
            continue
        result = gradient_computation(trace, index, position)
        largest = float(np.abs(gradient(trace, index)).max())
        assert result["value"] == float(gradient(trace, index).reshape(trace.image(index).shape)[position])
        assert result["computed"] == pytest.approx(result["value"], abs=2e-5 * largest), result["name"]
        assert result["difference"] == abs(result["computed"] - result["value"])
        assert sum(term["computed"] for term in result["terms"]) == pytest.approx(result["computed"]) or (
            index == last and not result["terms"]
        )


def conv(a: int, b: int, *args: Any, **kwargs: Any) -> Conv2D:
    return Conv2D(a, b, *args, rng=RNG, dtype=np.float64, **kwargs)


def norm(features: int) -> BatchNorm:
    layer = BatchNorm(features, dtype=np.float64)
    layer.weight.data[...] = RNG.normal(size=features)
    layer.running_var[...] = RNG.uniform(0.5, 2, features)
    return layer


def gate(channels: int) -> Sequential:
    return Sequential([GlobalAveragePool2D(keepdims=True), conv(channels, channels, 1), Sigmoid()])


BODIES: dict[str, list[Layer]] = {
    "strided, dilated and grouped convolutions": [
        conv(3, 4, 3, stride=2, padding="same"),
        conv(4, 6, 3, dilation=2, groups=2, padding=2),
        conv(6, 4, (1, 2), padding=((1, 0), (0, 2))),
    ],
    "every activation": [
        conv(3, 4, 3),
        Tanh(),
        SiLU(),
        LeakyReLU(0.2),
        Sigmoid(),
        ReLU(),
        Dropout(0.3, rng=0),
    ],
    "overlapping max pooling": [conv(3, 4, 3), MaxPool2D(3, stride=2, padding=1), conv(4, 4, 2)],
    "overlapping average pooling": [conv(3, 4, 3), AveragePool2D(3, stride=2, padding=1), norm(4)],
    "a residual block": [Residual(Sequential([conv(3, 3, 3, padding="same"), ReLU()])), Tanh()],
    "a gate that multiplies": [
        conv(3, 4, 3),
        Parallel({"x": Identity(), "gate": gate(4)}, merge="multiply"),
    ],
    "a product of a number with itself": [Parallel([Identity(), Identity()], merge="multiply")],
    "concatenated branches": [Parallel([conv(3, 2, 1), Identity(), conv(3, 3, 1)], merge="concat")],
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("pool", [Flatten, GlobalAveragePool2D, GlobalMaxPool2D])
def test_gradients_and_their_sums_are_central_differences(body: list[Layer], pool: type[Layer]) -> None:
    below = Sequential([*body, pool()])
    features = below.output_shape((1, 7, 6, 3))[1]
    network = Sequential([*body, pool(), Dense(features, N_GENRES, rng=RNG, dtype=np.float64)])
    x = RNG.normal(size=(7, 6, 3))
    trace = with_gradients(trace_of(network, x, np.float64), network)
    for index, position in sample_positions(trace, count=2):
        result = gradient_computation(trace, index, position)
        slope = (score(trace, index, position, 1e-6) - score(trace, index, position, -1e-6)) / 2e-6
        assert result["value"] == pytest.approx(slope, rel=1e-5, abs=1e-7), result
        assert result["computed"] == pytest.approx(slope, rel=1e-5, abs=1e-7), result


def score(trace: Trace, index: int, position: tuple[int, int, int], change: float) -> float:
    """The genre's log-odds with one number of one step's output changed."""
    outputs = [y[None].copy() for y in trace.outputs[: index + 1]]
    outputs[index].reshape(trace.image(index).shape)[position] += change
    for step in trace.steps[index + 1 :]:
        inputs = [outputs[i] for i in step.inputs]
        is_merge = isinstance(step.layer, Parallel)
        outputs.append(step.layer.merge_outputs(inputs) if is_merge else step.layer.forward(inputs[0]))
    return float(outputs[-1][0, GENRE])


def test_a_convolutions_cells_are_the_outputs_whose_window_covers_the_number() -> None:
    layer = Conv2D(2, 3, 3, stride=2, padding=1, rng=RNG)
    network = Sequential([layer, Flatten(), Dense(3 * 4 * 3, N_GENRES, rng=RNG)])
    trace = with_gradients(trace_of(network, RNG.normal(size=(7, 6, 2))), network)
    [term] = gradient_computation(trace, 0, (3, 2, 1), output_channel=2)["terms"]
    assert term["output_channel"] == 2
    for p in range(3):
        for q in range(3):
            weight = float(layer.weight.data[2 - p, 2 - q, 1, 2])
            assert term["kernel"][p][q] == weight
            i, j = (3 + 1 - (2 - p)) / 2, (2 + 1 - (2 - q)) / 2
            if i % 1 or j % 1:
                assert (term["at"][p][q], term["products"][p][q]) == (None, 0)
            else:
                assert term["at"][p][q] == [i, j]
                assert term["upstream"][p][q] == float(gradient(trace, 1)[int(i), int(j), 2])
                assert term["products"][p][q] == term["upstream"][p][q] * weight
    with pytest.raises(PosterGenreError, match="read by the output channels 0 to 2, not 3"):
        gradient_computation(trace, 0, (3, 2, 1), output_channel=3)


def test_the_chain_ends_where_many_numbers_come_together() -> None:
    network = Sequential(
        [
            Conv2D(3, 4, 3, rng=RNG),
            BatchNorm(4),
            ReLU(),
            Conv2D(4, 4, 3, rng=RNG),
            Flatten(),
            Dense(4 * 3 * 2, N_GENRES, rng=RNG),
        ]
    )
    trace = with_gradients(trace_of(network, RNG.normal(size=(7, 6, 3))), network)
    chain = gradient_chain(trace, 1, (2, 2, 3))
    assert [each["step"] for each in chain] == [1, 2, 3]
    assert [each["terms"][0]["kind"] for each in chain] == ["normalisation", "activation", "convolution"]
    assert [each["position"] for each in chain] == [[2, 2, 3]] * 3


def test_the_log_odds_of_the_genre_have_gradient_1_and_the_others_0(way_back: tuple[Layer, Trace]) -> None:
    _, trace = way_back
    last, _ = last_dense(trace)
    own, other = (gradient_computation(trace, last, (0, 0, g)) for g in (GENRE, GENRE + 1))
    assert (own["value"], own["computed"], own["terms"]) == (1.0, 1.0, [])
    assert (other["value"], other["computed"], other["terms"]) == (0.0, 0.0, [])


def test_the_sizes_are_those_of_numpy(way_back: tuple[Layer, Trace]) -> None:
    _, trace = way_back
    assert trace.gradients is not None
    for size in gradient_sizes(trace.steps, trace.gradients):
        dy = gradient(trace, size["step"]).astype(np.float64)
        assert size["rms"] == pytest.approx(np.sqrt((dy**2).mean()))
        by_channel = (dy.reshape(-1, dy.shape[-1]) ** 2).sum(axis=0)
        assert by_channel[size["strongest"]] == pytest.approx(by_channel.max())
        assert size["largest"] == np.abs(dy).max()
        assert size["zeros"] == pytest.approx(np.count_nonzero(dy == 0) / dy.size)
        assert 0 < size["scale"] <= max(size["largest"], 1e-30)


def test_the_networks_parameters_and_gradients_stay_as_they_are(traced_poster: Any) -> None:
    classifier, _, trace = traced_poster
    network = classifier.trained_.network
    before = {name: array.copy() for name, array in model_arrays(network).items()}
    genre_gradients(trace, network, GENRE)
    for name, array in model_arrays(network).items():
        np.testing.assert_array_equal(array, before[name])
    assert not any(parameter.grad.any() for parameter in network.parameters().values())


def test_without_gradients_there_is_one_sentence(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    with pytest.raises(PosterGenreError, match="has no gradient"):
        gradient_computation(trace, 0, (0, 0, 0))
