"""Which convolution runs: for the reason given, and as the environment says."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.kernels import algorithms


@pytest.mark.parametrize(
    ("w_shape", "settings", "dtype", "name"),
    [
        ((3, 3, 32, 64), ((36, 24), (1, 1), (1, 1), 1), np.float32, "winograd"),
        ((3, 3, 32, 64), ((36, 24), (1, 1), (1, 1), 1), np.float64, "patches"),
        ((3, 3, 32, 64), ((36, 24), (2, 2), (1, 1), 1), np.float32, "implicit"),
        ((3, 3, 32, 64), ((36, 24), (1, 1), (2, 1), 1), np.float32, "patches"),
        ((3, 3, 32, 64), ((36, 24), (1, 1), (1, 1), 2), np.float32, "patches"),
        ((3, 3, 32, 64), ((1, 3), (1, 1), (1, 1), 1), np.float32, "implicit"),
        ((3, 3, 3, 64), ((36, 24), (1, 1), (1, 1), 1), np.float32, "implicit"),
        ((1, 1, 32, 64), ((36, 24), (1, 1), (1, 1), 1), np.float32, "patches"),
        ((5, 5, 32, 64), ((36, 24), (1, 1), (1, 1), 1), np.float32, "implicit"),
        ((3, 3, 1, 64), ((36, 24), (1, 1), (1, 1), 64), np.float32, "depthwise"),
    ],
)
def test_the_choice_of_an_algorithm_is_visible(w_shape, settings, dtype, name):
    choice = algorithms.choose(w_shape, *settings, np.dtype(dtype))
    assert choice.name == name
    assert choice.reason


def test_an_algorithm_can_be_forced(monkeypatch):
    ask = ((3, 3, 1, 2), (36, 24), (1, 1), (1, 1), 1, np.dtype(np.float64))
    monkeypatch.setenv(algorithms.FORCED, "winograd")
    assert algorithms.choose(*ask).name == "winograd"
    monkeypatch.setenv(algorithms.FORCED, "patches")
    assert algorithms.choose(*ask).name == "patches"
    monkeypatch.setenv(algorithms.FORCED, "fft")
    with pytest.raises(ValueError, match=r"MINICNN_CONVOLUTION.*fft"):
        algorithms.choose(*ask)
