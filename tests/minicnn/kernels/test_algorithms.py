"""Which convolution runs, and that the environment can force one."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.kernels import algorithms
from minicnn.shapes import ConvGeometry


@pytest.mark.parametrize(
    ("w_shape", "output", "settings", "dtype", "name"),
    [
        ((3, 3, 32, 64), (36, 24), {}, np.float32, "winograd"),
        ((3, 3, 32, 64), (36, 24), {}, np.float64, "patches"),
        ((3, 3, 32, 64), (36, 24), {"stride": 2}, np.float32, "implicit"),
        ((3, 3, 32, 64), (2, 2), {"stride": 9}, np.float32, "patches"),
        ((3, 3, 32, 64), (36, 24), {"dilation": (2, 1)}, np.float32, "patches"),
        ((3, 3, 32, 64), (36, 24), {"groups": 2}, np.float32, "patches"),
        ((3, 3, 32, 64), (1, 3), {}, np.float32, "implicit"),
        ((3, 3, 3, 64), (36, 24), {}, np.float32, "implicit"),
        ((1, 1, 32, 64), (36, 24), {}, np.float32, "patches"),
        ((5, 5, 32, 64), (36, 24), {}, np.float32, "implicit"),
        ((3, 3, 1, 64), (36, 24), {"groups": 64}, np.float32, "depthwise"),
    ],
)
def test_the_choice_of_an_algorithm_is_visible(w_shape, output, settings, dtype, name):
    stride = settings.get("stride", 1)
    x_shape = (1, output[0] * stride, output[1] * stride, w_shape[2] * settings.get("groups", 1))
    geometry = ConvGeometry.of(x_shape, w_shape, padding="same", **settings)
    assert geometry.output == output
    choice = algorithms.choose(geometry, np.dtype(dtype))
    assert choice.name == name
    assert choice.reason


def test_an_algorithm_can_be_forced(monkeypatch):
    geometry = ConvGeometry.of((1, 38, 26, 1), (3, 3, 1, 2))
    monkeypatch.setenv(algorithms.FORCED, "winograd")
    assert algorithms.choose(geometry, np.dtype(np.float64)).name == "winograd"
    monkeypatch.setenv(algorithms.FORCED, "patches")
    assert algorithms.choose(geometry, np.dtype(np.float64)).name == "patches"
    monkeypatch.setenv(algorithms.FORCED, "fft")
    with pytest.raises(ValueError, match=r"MINICNN_CONVOLUTION.*fft"):
        algorithms.choose(geometry, np.dtype(np.float64))
