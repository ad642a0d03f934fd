"""Winograd's convolution: its algebra against the textbook loops, its kernels against its algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.kernels import dispatch
from minicnn.kernels.reference import im2col, naive
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.winograd import algebra, reference
from minicnn.kernels.winograd import forward as winograd_forward
from minicnn.kernels.winograd import weight_gradient as winograd_weight_gradient
from minicnn.layers.conv import Conv2D
from minicnn.shapes import ConvGeometry
from tests.minicnn.geometry import DTYPES, convolution, numbers
from tests.minicnn.kernels.canaries import Walled


def same(x, w):
    """The geometry of a convolution that keeps the image's size."""
    return ConvGeometry.of(x.shape, w.shape, padding="same")


def relative_error(actual, exact):
    """Root of the mean squared error, over that of the exact numbers."""
    return np.sqrt(np.mean((actual - exact) ** 2)) / max(np.sqrt(np.mean(exact**2)), 1e-30)


@st.composite
def cases(draw):
    """(x, w, geometry, dy) in float64: odd sizes, borders, channels around and off the vector width."""
    pads = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(2))
    height, width = (draw(st.integers(max(1, 3 - sum(p)), 14)) for p in pads)
    channels = st.sampled_from([1, 3, 5, 15, 16, 17, 25, 32, 33, 48])
    c, o, n = draw(channels), draw(channels), draw(st.integers(1, 3))
    geometry = convolution((n, height, width, c), (3, 3, c, o), padding=pads)
    return (
        numbers((n, height, width, c), np.float64),
        numbers((3, 3, c, o), np.float64, 1),
        geometry,
        numbers((n, *geometry.output, o), np.float64, 2),
    )


@settings(deadline=None, max_examples=20)
@given(cases())
def test_the_algebra_is_convolution_and_its_gradient(case):
    x, w, geometry, dy = case
    x, w, dy = x[..., :3], w[:, :, :3, :2], dy[..., :2]
    geometry = geometry._replace(in_channels=x.shape[3], out_channels=w.shape[3])
    expected = naive.conv2d_forward(x, w, None, geometry)
    np.testing.assert_allclose(reference.forward(x, w, geometry), expected, atol=1e-11)
    expected = naive.conv2d_backward_weight(dy, x, geometry)
    actual = reference.backward_weight(dy, x, geometry)
    np.testing.assert_allclose(actual, expected, atol=1e-11)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_kernels_in_float64_are_exact_and_stay_inside_their_arrays(case):
    walled = Walled()
    x, w, dy = (walled(a) for a in (case[0], case[1], case[3]))
    geometry = case[2]
    b = numbers((w.shape[3],), np.float64, 3)
    y, dx = walled(np.zeros_like(dy)), walled(np.zeros_like(x))
    winograd_forward.forward(x, w, b, geometry, out=y)
    winograd_forward.backward_input(dy, w, geometry, out=dx)
    dw = winograd_weight_gradient.backward_weight(dy, x, geometry)
    np.testing.assert_allclose(y, im2col.conv2d_forward(x, w, b, geometry), atol=1e-11)
    np.testing.assert_allclose(dx, im2col.conv2d_backward_input(dy, w, geometry), atol=1e-11)
    np.testing.assert_allclose(dw, im2col.conv2d_backward_weight(dy, x, geometry), atol=1e-11)
    assert walled.stand()


@settings(deadline=None, max_examples=25)
@given(cases())
def test_kernels_in_float32_lose_little(case):
    x64, w64, geometry, dy64 = case
    x, w, dy = (a.astype(np.float32) for a in (x64, w64, dy64))
    x64, w64, dy64 = (a.astype(np.float64) for a in (x, w, dy))
    y, exact = winograd_forward.forward(x, w, None, geometry), im2col.conv2d_forward(x64, w64, None, geometry)
    assert y.dtype == np.float32
    assert relative_error(y, exact) < 1e-5
    dx = winograd_forward.backward_input(dy, w, geometry)
    assert relative_error(dx, im2col.conv2d_backward_input(dy64, w64, geometry)) < 1e-5
    dw = winograd_weight_gradient.backward_weight(dy, x, geometry)
    assert relative_error(dw, im2col.conv2d_backward_weight(dy64, x64, geometry)) < 1e-5


@pytest.mark.parametrize(("o", "limit"), [(32, "SUM_NUMBERS"), (40, "RUN_NUMBERS")])
def test_both_ways_of_summing_the_weight_gradient_agree(monkeypatch, o, limit):
    x, dy = numbers((5, 22, 17, 24), np.float64), numbers((5, 22, 17, o), np.float64, 1)
    geometry = ConvGeometry.of(x.shape, (3, 3, 24, o), padding="same")
    monkeypatch.setattr(winograd_weight_gradient, "SUM_NUMBERS", 2**30)
    blocks = winograd_weight_gradient.backward_weight(dy, x, geometry)
    monkeypatch.setattr(winograd_weight_gradient, "SUM_NUMBERS", 0)
    if limit == "RUN_NUMBERS":
        monkeypatch.setattr(winograd_weight_gradient, "RUN_NUMBERS", 36 * 72 * 40)
    runs = winograd_weight_gradient.backward_weight(dy, x, geometry)
    np.testing.assert_allclose(blocks, runs, atol=1e-11)


def matrix(transform, size):
    """The matrix of a linear transform."""
    return np.array([transform(column) for column in np.eye(size)]).T


def test_the_matrices_are_those_of_polynomial_products_transposed():
    # Rows 1, p, p2, ... for each finite point, and the leading coefficient for infinity.
    points = [0, algebra.POINT_A, -algebra.POINT_A, algebra.POINT_B, -algebra.POINT_B]

    def evaluate(n):
        return np.vstack([np.vander(points, n, increasing=True), np.eye(n)[-1]])

    interpolate, divisors = np.linalg.inv(evaluate(6)), np.polyval(np.polyder(np.poly(points)), points)
    divisors = np.append(divisors, 1)[:, None]
    np.testing.assert_allclose(matrix(algebra.output_values, 6), evaluate(4).T, atol=1e-12)
    np.testing.assert_allclose(matrix(algebra.input_points, 6), divisors * interpolate.T, atol=1e-12)
    np.testing.assert_allclose(matrix(algebra.filter_points, 3), evaluate(3) / divisors, atol=1e-12)
    np.testing.assert_allclose(matrix(algebra.output_gradient_points, 4), evaluate(4), atol=1e-12)
    np.testing.assert_allclose(
        matrix(algebra.filter_gradient_values, 6), (evaluate(3) / divisors).T, atol=1e-12
    )


def test_the_points_chosen_err_half_as_much_as_the_usual_ones(monkeypatch):
    x, w = numbers((1, 24, 24, 32), np.float32), numbers((3, 3, 32, 16), np.float32, 1)
    exact = im2col.conv2d_forward(x.astype(np.float64), w.astype(np.float64), None, same(x, w))
    chosen = relative_error(reference.forward(x, w, same(x, w)), exact)
    a, b = 1.0, 2.0
    for name, value in {
        "POINT_A": a,
        "POINT_B": b,
        "_A2": a**2,
        "_B2": b**2,
        "_GA": 1 / (2 * a**2 * (a**2 - b**2)),
        "_GB": 1 / (2 * b**2 * (b**2 - a**2)),
        "_G0": 1 / (a * b) ** 2,
    }.items():
        monkeypatch.setattr(algebra, name, value)
    usual = relative_error(reference.forward(x, w, same(x, w)), exact)
    assert chosen < 0.6 * usual


@pytest.mark.oracle
def test_float32_errors_stay_within_five_times_pytorchs():
    torch = pytest.importorskip("torch")
    x, w = numbers((2, 36, 24, 64), np.float32), numbers((3, 3, 64, 64), np.float32, 1)
    exact = im2col.conv2d_forward(x.astype(np.float64), w.astype(np.float64), None, same(x, w))
    theirs = torch.nn.functional.conv2d(
        torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(w.transpose(3, 2, 0, 1)), padding=1
    )
    error = relative_error(theirs.numpy().transpose(0, 2, 3, 1), exact)
    assert relative_error(winograd_forward.forward(x, w, None, same(x, w)), exact) < 5 * error


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_change_no_bit(dtype):
    x, w, dy = (numbers(s, dtype) for s in ((3, 30, 22, 40), (3, 3, 40, 24), (3, 30, 22, 24)))

    def everything():
        return (
            winograd_forward.forward(x, w, None, same(x, w)),
            winograd_forward.backward_input(dy, w, same(x, w)),
            winograd_weight_gradient.backward_weight(dy, x, same(x, w)),
        )

    before = thread_pool.size()
    try:
        thread_pool.resize(1)
        alone = everything()
        thread_pool.resize(3)
        together = everything()
    finally:
        thread_pool.resize(before)
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


def test_strided_and_read_only_arrays_are_taken_as_they_are():
    x = numbers((2, 9, 9, 32), np.float32)[:, :, ::-1, ::2]
    w = numbers((3, 3, 32, 16), np.float32)[:, :, ::2]
    geometry = same(x, w)
    expected = winograd_forward.forward(x.copy(), w.copy(), None, geometry)
    x.flags.writeable = w.flags.writeable = False
    np.testing.assert_array_equal(winograd_forward.forward(x, w, None, geometry), expected)
    np.testing.assert_array_equal(
        winograd_weight_gradient.backward_weight(expected, x, geometry),
        winograd_weight_gradient.backward_weight(expected, x.copy(), geometry),
    )


def test_a_nan_stays_within_its_tile():
    x = numbers((1, 16, 16, 16), np.float32)
    x[0, 0, 0, 0] = np.nan
    w = numbers((3, 3, 16, 16), np.float32)
    y = winograd_forward.forward(x, w, None, same(x, w))
    assert np.isnan(y[0, :2, :2]).all()
    assert not np.isnan(y[0, 4:]).any()
    assert not np.isnan(y[0, :, 4:]).any()


def test_a_layer_computes_the_same_with_winograd_and_without():
    x, dy = numbers((2, 12, 9, 16), np.float32), numbers((2, 12, 9, 24), np.float32, 1)
    results = []
    for name in ("numba", "numpy"):
        layer = Conv2D(16, 24, 3, padding="same", rng=0, backend=dispatch.current_backend(name))
        y = layer.forward(x, training=True)
        results.append((y, layer.backward(dy), layer.weight.grad, layer.bias.grad))
    for fast, plain in zip(*results, strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-4)
