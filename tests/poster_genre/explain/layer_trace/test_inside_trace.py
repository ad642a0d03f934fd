"""A poster's way through the network is the library's own forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.containers import Container, Parallel, Residual, Sequential
from minicnn.layers.reshape import Identity
from poster_genre.classifier import to_input
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.numbers import account
from poster_genre.explain.layer_trace.trace import follow, lay_out


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
