"""Output sizes, padding and geometries against brute force and PyTorch, and errors about shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minicnn.kernels.reference import im2col
from minicnn.shapes import (
    ConvGeometry,
    PoolGeometry,
    check_padding,
    effective_kernel,
    output_size,
    resolve_padding,
)
from tests.minicnn.geometry import Convolution, Pool, convolution, convolutions, numbers, pools

SMALL = st.integers(1, 5)


def positions(n: int, kernel: int, stride: int, before: int, after: int, dilation: int) -> int:
    """How many positions a kernel has in a padded row, by trying them all."""
    last_cell = (kernel - 1) * dilation
    return sum(1 for start in range(0, before + n + after, stride) if start + last_cell < before + n + after)


@given(st.integers(1, 20), SMALL, SMALL, st.integers(0, 3), st.integers(0, 3), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_the_output_size_is_the_number_of_positions_of_the_kernel(
    n: int, kernel: int, stride: int, before: int, after: int, dilation: int
) -> None:
    expected = positions(n, kernel, stride, before, after, dilation)
    assume(expected > 0)
    pads = ((before, after), (after, before))
    mirrored = positions(n, kernel, stride, after, before, dilation)
    actual = output_size("Conv2D", (n, n), (kernel, kernel), (stride, stride), pads, (dilation, dilation))
    assert actual == (expected, mirrored)


@pytest.mark.oracle
@given(st.integers(1, 20), SMALL, SMALL, st.integers(0, 3), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_the_output_size_is_that_of_pytorch(
    n: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    torch = pytest.importorskip("torch")
    assume(n + 2 * padding >= effective_kernel(kernel, dilation))
    conv = torch.nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    pads = resolve_padding(padding, (n, n), (kernel, kernel), (stride, stride), (dilation, dilation))
    actual = output_size("Conv2D", (n, n), (kernel, kernel), (stride, stride), pads, (dilation, dilation))
    assert actual == tuple(conv(torch.zeros(1, 1, n, n)).shape[2:])


@given(st.integers(1, 20), SMALL, SMALL, st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_same_padding_gives_the_size_over_the_stride_rounded_up(
    n: int, kernel: int, stride: int, dilation: int
) -> None:
    both = (kernel, kernel), (stride, stride)
    pads = resolve_padding("same", (n, n), *both, (dilation, dilation))
    out = math.ceil(n / stride)
    assert output_size("Conv2D", (n, n), *both, pads, (dilation, dilation)) == (out, out)
    (top, bottom), _ = pads
    assert 0 <= bottom - top <= 1


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "expected"),
    [(5, 3, 1, (1, 1)), (4, 3, 2, (0, 1)), (5, 3, 2, (1, 1)), (5, 2, 1, (0, 1)), (6, 1, 2, (0, 0))],
)
def test_same_padding_puts_the_odd_pixel_at_the_end_as_keras_does(
    n: int, kernel: int, stride: int, expected: tuple[int, int]
) -> None:
    pads = resolve_padding("same", (n, n), (kernel, kernel), (stride, stride))
    assert pads == (expected, expected)


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("valid", ((0, 0), (0, 0))),
        (2, ((2, 2), (2, 2))),
        ((1, 2), ((1, 1), (2, 2))),
        (((1, 2), (3, 4)), ((1, 2), (3, 4))),
    ],
)
def test_padding_may_be_given_for_all_sides_for_axes_or_for_each_side(padding: Any, expected: Any) -> None:
    checked = check_padding("Conv2D", padding)
    assert resolve_padding(checked, (9, 9), (3, 3), (1, 1)) == expected


@pytest.mark.parametrize("padding", ["full", -1, (1, -1), ((0, -1), (0, 0))])
def test_paddings_that_do_not_exist_are_value_errors(padding: Any) -> None:
    with pytest.raises(ValueError, match="Conv2D: padding must be"):
        check_padding("Conv2D", padding)


@pytest.mark.parametrize("padding", [1.5, None, (1, 2, 3), ((1, 2), 3), ((1, 2, 3), (1, 2)), True])
def test_paddings_of_the_wrong_kind_are_type_errors(padding: Any) -> None:
    with pytest.raises(TypeError, match="Conv2D: padding must be"):
        check_padding("Conv2D", padding)


def test_a_kernel_larger_than_the_padded_image_is_a_value_error_with_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"Conv2D: the kernel spans 5x1 pixels.* only 4x6;"):
        output_size("Conv2D", (2, 6), (3, 1), (1, 1), ((1, 1), (0, 0)), (2, 1))


@given(convolutions())
@settings(max_examples=100, deadline=None)
def test_a_convolutions_geometry_follows_from_the_shapes_and_settings(case: Convolution) -> None:
    g = case.geometry
    settings = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}
    assert ConvGeometry.of(case.x_shape, case.w_shape, **settings) == g
    assert (g.x_shape(case.images), g.w_shape, g.y_shape(case.images)) == (
        case.x_shape,
        case.w_shape,
        case.y_shape,
    )


@pytest.mark.oracle
@given(convolutions(symmetric=True))
@settings(max_examples=30, deadline=None)
def test_a_convolutions_output_has_the_shape_of_pytorchs(case: Convolution) -> None:
    torch, g = pytest.importorskip("torch"), case.geometry
    padding = tuple(before for before, _ in g.padding)
    conv = torch.nn.Conv2d(
        g.in_channels, g.out_channels, g.kernel, g.stride, padding, g.dilation, g.groups, dtype=torch.float64
    )
    y = conv(torch.zeros(case.images, g.in_channels, *g.image, dtype=torch.float64))
    settings = {"stride": g.stride, "padding": padding, "dilation": g.dilation, "groups": g.groups}
    n, channels, height, width = y.shape
    assert ConvGeometry.of(case.x_shape, case.w_shape, **settings).y_shape(case.images) == (
        n,
        height,
        width,
        channels,
    )


@given(pools())
@settings(max_examples=100, deadline=None)
def test_a_pools_geometry_follows_from_the_shape_and_settings(case: Pool) -> None:
    g = case.geometry
    assert PoolGeometry.of(case.x_shape, g.kernel, stride=g.stride, padding=g.padding) == g


@pytest.mark.oracle
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (0, 1))])
def test_the_transposed_geometry_with_rotated_filters_computes_the_input_gradient(
    dilation: tuple[int, int], padding: Any
) -> None:
    torch = pytest.importorskip("torch")
    w, geometry = (
        numbers((3, 2, 4, 5), np.float64),
        convolution((2, 9, 8, 4), (3, 2, 4, 5), (1, 1), padding, dilation),
    )
    dy = numbers(geometry.y_shape(2), np.float64, 1)
    rotated = w[::-1, ::-1].transpose(0, 1, 3, 2)
    dx = im2col.conv2d_forward(dy, rotated, None, geometry.transposed())
    padded = torch.nn.grad.conv2d_input(
        (2, 4, 9 + sum(padding[0]), 8 + sum(padding[1])),
        torch.tensor(w.transpose(3, 2, 0, 1).copy()),
        torch.tensor(dy.transpose(0, 3, 1, 2).copy()),
        dilation=dilation,
    ).numpy()
    (top, _), (left, _) = padding
    expected = padded[:, :, top : top + 9, left : left + 8].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(dx, expected, atol=1e-12)


def test_a_geometry_describes_itself_in_one_line() -> None:
    conv = ConvGeometry.of((1, 9, 8, 4), (3, 3, 2, 6), stride=2, padding="same", groups=2)
    assert conv.describe() == (
        "4 -> 6 channels, 9x8 -> 5x4 pixels, 3x3, stride=(2, 2), padding=((1, 1), (0, 1)), groups=2"
    )
    assert PoolGeometry.of((1, 9, 8, 4), 3, stride=1).describe() == "9x8 -> 7x6 pixels, 3x3"


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "settings", "error", "message"),
    [
        (
            (1, 5, 5, 3),
            (3, 3, 2, 4),
            {},
            ValueError,
            r"Net: expected shape \(N, H, W, 2\), got \(1, 5, 5, 3\)",
        ),
        ((1, 5, 5, 3), (3, 3, 3), {}, ValueError, r"Net, weight: expected shape"),
        (
            (1, 5, 5, 4),
            (3, 3, 2, 3),
            {"groups": 2},
            ValueError,
            "Net: groups must divide both channel counts",
        ),
        ((1, 5, 5, 2), (3, 3, 2, 3), {"groups": 0}, ValueError, "Net: groups must be at least 1"),
        ((1, 5, 5, 2), (3, 3, 2, 3), {"stride": 0}, ValueError, "Net: stride must be at least 1"),
        (
            (1, 5, 5, 2),
            (3, 3, 2, 3),
            {"dilation": 1.5},
            TypeError,
            "Net: dilation must be an integer or a pair",
        ),
        ((1, 5, 5, 2), (3, 3, 2, 3), {"padding": "full"}, ValueError, "Net: padding must be"),
        ((1, 2, 5, 2), (3, 3, 2, 3), {}, ValueError, "Net: the kernel spans 3x3 pixels .* only 2x5"),
    ],
)
def test_settings_and_shapes_that_do_not_fit_are_errors_that_name_the_layer(
    x_shape: Any, w_shape: Any, settings: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ConvGeometry.of(x_shape, w_shape, **settings, name="Net")


def test_a_geometry_holds_python_integers_for_one_compiled_signature() -> None:
    geometry = ConvGeometry.of(
        np.zeros((1, 5, 5, 2)).shape, (np.int64(3), 3, 2, 4), stride=np.int32(2), padding=(np.int64(1), 0)
    )

    def leaves(value: Any) -> list[Any]:
        return [leaf for each in value for leaf in leaves(each)] if isinstance(value, tuple) else [value]

    assert {type(leaf) for leaf in leaves(geometry)} == {int}


def test_a_dilated_kernel_spans_its_gaps() -> None:
    assert [effective_kernel(3, dilation) for dilation in (1, 2, 3)] == [3, 5, 7]
    assert effective_kernel(1, 7) == 1
