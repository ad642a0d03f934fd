"""The trace of a poster is the library's own forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.containers import Container, Parallel, Residual, Sequential
from minicnn.layers.reshape import Identity
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.computation import computation
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.explain.layer_trace.trace import trace_poster
from tests.poster_genre.explain.shape_posters import averaging_model


def test_the_last_steps_output_is_bit_for_bit_the_networks(traced_poster: Any) -> None:
    classifier, pixels, trace = traced_poster
    expected = classifier.trained_.network.forward(classifier.trained_.spec.to_input(pixels[None]))[0]
    np.testing.assert_array_equal(trace.outputs[-1], expected)


def test_every_step_is_its_layers_own_forward_of_its_inputs(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    for step in trace.steps[1:]:
        inputs = [trace.outputs[i][None] for i in step.inputs]
        if isinstance(step.layer, Residual):
            expected = inputs[0] + inputs[1]
        elif isinstance(step.layer, Parallel):
            expected = np.concatenate(inputs, axis=-1)
        else:
            expected = step.layer.forward(inputs[0])
        np.testing.assert_array_equal(trace.outputs[step.index], expected[0], err_msg=step.name)


def test_every_layer_of_the_network_but_identities_is_a_step_of_its_own(traced_poster: Any) -> None:
    classifier, _, trace = traced_poster
    layers = [name for name, layer in classifier.trained_.network.layers() if not isinstance(layer, Identity)]
    leaves = [step.name for step in trace.steps[1:] if not isinstance(step.layer, Parallel)]
    assert leaves == layers


def test_a_steps_shape_is_that_of_its_output(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    assert [step.shape for step in trace.steps] == [y.shape for y in trace.outputs]


def test_tracing_a_poster_writes_nothing_into_the_network(traced_poster: Any) -> None:
    classifier, pixels, trace = traced_poster
    trace_poster(trace.steps, classifier.trained_, pixels)
    assert all(layer._recorded is None for _, layer in classifier.trained_.network.layers())


def test_a_container_that_cannot_be_traced_is_refused_by_name() -> None:
    with pytest.raises(PosterGenreError, match="cannot trace a Container"):
        network_steps(Sequential([Container([Identity()])]), (4, 4))


def test_the_fused_networks_outputs_agree_with_the_plain_ones(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    pairs = [(fused, y) for fused, y in zip(trace.fused, trace.outputs, strict=True) if fused is not None]
    assert len(pairs) >= len(trace.outputs) // 3
    for fused, plain in pairs:
        np.testing.assert_allclose(fused, plain, atol=2e-4, rtol=2e-4)


def test_a_computation_gives_the_distance_from_the_fused_networks_number(traced_poster: Any) -> None:
    _, _, trace = traced_poster
    last = len(trace.steps) - 1
    result = computation(trace, last, (0, 0, 2))
    assert result["fused"] == float(trace.fused[last][2])
    assert result["fused_difference"] == abs(result["fused"] - float(trace.outputs[last][2]))


def test_a_network_whose_output_is_not_finite_is_an_error() -> None:
    model = averaging_model()
    model.network[3].weight.data[...] = np.inf
    steps = network_steps(model.network, model.spec.input_size)
    with np.errstate(all="ignore"), pytest.raises(PosterGenreError, match="not a finite number"):
        trace_poster(steps, model, np.full((*model.spec.input_size, 3), 9, np.uint8))
