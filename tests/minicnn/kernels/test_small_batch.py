"""Convolution of a small batch: against im2col, inside its arrays, and chosen where it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels import algorithms
from minicnn.kernels.reference import im2col
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.simd import small_batch
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.layers.conv import Conv2D
from minicnn.shapes import ConvGeometry
from tests.minicnn.geometry import convolution, numbers
from tests.minicnn.kernels.canaries import Walled


@st.composite
def cases(draw):
    """(x, w, geometry) in float64: odd sizes, one to five panels of channels."""
    kernel, stride = (tuple(draw(st.integers(1, most)) for _ in range(2)) for most in (3, 2))
    pads = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(2))
    size = tuple(draw(st.integers(max(1, k - sum(p)), 5)) for k, p in zip(kernel, pads, strict=True))
    n, c, o = draw(st.integers(1, 2)), draw(st.sampled_from([1, 5, 16, 40])), WIDTH * draw(st.integers(1, 5))
    x, w = numbers((n, *size, c), np.float64), numbers((*kernel, c, o), np.float64, 1)
    return x, w, convolution(x.shape, w.shape, stride, pads)


@settings(deadline=None, max_examples=40)
@given(cases(), st.booleans(), st.booleans())
def test_the_kernel_agrees_with_im2col_and_stays_inside_its_arrays(case, relu, with_bias):
    x, w, geometry = case
    walled = Walled()
    b = numbers((w.shape[3],), np.float64, 2) if with_bias else None
    y = walled(np.zeros(geometry.y_shape(len(x))))
    small_batch.forward(walled(x), walled(w), b, geometry, relu, y)
    expected = im2col.conv2d_forward(x, w, b, geometry)
    np.testing.assert_allclose(y, np.maximum(expected, 0) if relu else expected, atol=1e-11)
    assert walled.stand()


def test_threads_change_no_bit_of_a_small_batch():
    x, w = numbers((1, 4, 5, 40), np.float32), numbers((3, 3, 40, 8 * WIDTH), np.float32, 1)
    geometry = ConvGeometry.of(x.shape, w.shape, padding="same")
    before = thread_pool.size()
    try:
        thread_pool.resize(1)
        alone = small_batch.forward(x, w, None, geometry)
        thread_pool.resize(3)
        together = small_batch.forward(x, w, None, geometry)
    finally:
        thread_pool.resize(before)
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize(
    ("images", "size", "expected"),
    [(1, (6, 4), "small_batch"), (2, (6, 4), "winograd"), (1, (7, 5), "winograd")],
)
def test_the_kernel_is_chosen_by_the_pixels_of_the_batch(images, size, expected):
    geometry = ConvGeometry.of((images, *size, 512), (3, 3, 512, 512), padding="same")
    assert algorithms.choose(geometry, np.dtype(np.float32), images).name == expected


def test_a_layer_computes_one_image_alone_as_it_does_in_a_batch():
    layer = Conv2D(512, 256, 3, padding="same", rng=0)
    layer.bias.data[...] = numbers((256,), np.float32)
    x = numbers((3, 5, 4, 512), np.float32, 1)
    together = layer.forward(x)
    for image, y in zip(x, together, strict=True):
        np.testing.assert_allclose(layer.forward(image[None])[0], y, rtol=1e-3, atol=2e-4)
