"""What NaN, infinity and huge numbers do in Winograd's tiles: more than elsewhere, and never less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.containers import Sequential
from minicnn.fusion.rewrite import fuse
from minicnn.kernels import algorithms
from minicnn.kernels.reference import im2col, naive
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.winograd import forward as winograd_forward
from minicnn.kernels.winograd import weight_gradient as winograd_weight_gradient
from minicnn.kernels.winograd.algebra import TILE
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import MaxPool2D
from minicnn.shapes import ConvGeometry
from tests.minicnn.geometry import numbers

SIZE = (14, 11)
GEOMETRY = ConvGeometry.of((1, *SIZE, 16), (3, 3, 16, 24), padding="same")
OUTLIER = 1e6
pixels = st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1))


def image(pixel, value):
    x = numbers((1, *SIZE, 16), np.float32)
    x[(0, *pixel, 5)] = value
    return x


def seen_from(pixel):
    """The outputs under whose 3x3 window the pixel lies, (height, width) bool."""
    away = np.maximum(*(abs(np.indices(SIZE)[axis] - pixel[axis]) for axis in (0, 1)))
    return away <= 1


def tile_of(pixel):
    """Those in reach of it by Winograd's transforms: its tile's, and those that see it."""
    reach = [
        (np.arange(SIZE[axis]) // TILE == pixel[axis] // TILE)
        | (abs(np.arange(SIZE[axis]) - pixel[axis]) <= 1)
        for axis in (0, 1)
    ]
    return reach[0][:, None] & reach[1]


WEIGHTS = numbers((3, 3, 16, 24), np.float32, 1)
CLEAN = numbers((1, *SIZE, 16), np.float32)


@settings(deadline=None, max_examples=30)
@given(pixels, st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_number_that_is_not_finite_spoils_every_output_that_sees_it_and_none_beyond_its_tile(pixel, value):
    y = winograd_forward.forward(image(pixel, value), WEIGHTS, None, GEOMETRY)[0]
    assert not np.isfinite(y[seen_from(pixel)]).any()
    beyond = ~tile_of(pixel)
    np.testing.assert_array_equal(
        y[beyond], winograd_forward.forward(CLEAN, WEIGHTS, None, GEOMETRY)[0][beyond]
    )


@settings(deadline=None, max_examples=30)
@given(pixels)
def test_a_huge_number_costs_the_last_digits_within_its_tile_alone(pixel):
    x = image(pixel, OUTLIER)
    y = winograd_forward.forward(x, WEIGHTS, None, GEOMETRY)[0]
    exact = im2col.conv2d_forward(x.astype(np.float64), WEIGHTS.astype(np.float64), None, GEOMETRY)[0]
    beyond = ~tile_of(pixel)
    np.testing.assert_array_equal(
        y[beyond], winograd_forward.forward(CLEAN, WEIGHTS, None, GEOMETRY)[0][beyond]
    )
    assert np.abs(y - exact)[~beyond].max() < 2e-5 * OUTLIER


@settings(deadline=None, max_examples=20)
@given(pixels, st.sampled_from([np.nan, np.inf]))
def test_gradients_that_are_not_finite_never_vanish_either(pixel, value):
    spoilt, clean = image(pixel, value), numbers((1, *SIZE, 24), np.float32, 2)
    swapped = GEOMETRY._replace(in_channels=24, out_channels=16)
    dx = winograd_forward.backward_input(spoilt, WEIGHTS.transpose(0, 1, 3, 2), swapped)[0]
    assert not np.isfinite(dx[seen_from(pixel)]).any()
    with np.errstate(invalid="ignore"):
        two = GEOMETRY._replace(out_channels=2)
        textbook = naive.conv2d_backward_weight(clean[..., :2], spoilt, two)
    dw = winograd_weight_gradient.backward_weight(clean, spoilt, GEOMETRY)[..., :2]
    assert not np.isfinite(dw[~np.isfinite(textbook)]).any()
    others = [c for c in range(16) if c != 5]
    assert np.isfinite(dw[:, :, others]).all()


@pytest.mark.parametrize("name", ["implicit", "patches"])
@pytest.mark.parametrize("value", [np.nan, OUTLIER])
def test_the_other_algorithms_disturb_only_outputs_that_see_the_number(name, value, monkeypatch):
    monkeypatch.setenv(algorithms.FORCED, name)
    layer = Conv2D(16, 24, 3, padding="same", rng=0)
    assert layer.algorithm((1, *SIZE, 16))[0] == name
    beyond = ~seen_from((5, 6))
    y = layer.forward(image((5, 6), value))[0]
    np.testing.assert_array_equal(y[beyond], layer.forward(CLEAN)[0][beyond])


@pytest.mark.parametrize("relu_first", [True, False])
@pytest.mark.parametrize("pool", [True, False])
@settings(deadline=None, max_examples=10)
@given(pixel=pixels)
def test_no_nan_of_the_textbooks_is_lost_on_the_way_through_a_fused_block(relu_first, pool, pixel):
    def make(backend):
        layers = [Conv2D(16, WIDTH, 3, padding="same", rng=0, backend=backend)]
        layers += [ReLU(), BatchNorm(WIDTH, backend=backend)][:: 1 if relu_first else -1]
        return Sequential(layers + [MaxPool2D(2, backend=backend)] * pool)

    x = image(pixel, np.nan)
    fused = fuse(make("numba"))
    with np.errstate(invalid="ignore"):
        expected = make("numpy").forward(x)
        trained = fused.forward(x, training=True)
    assert np.isnan(expected).any()
    assert np.isnan(fused.forward(x)[np.isnan(expected)]).all()
    # A batch with a NaN has neither mean nor variance.
    assert np.isnan(trained).all()
