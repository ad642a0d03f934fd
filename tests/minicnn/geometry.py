"""Random geometries for hypothesis: images, windows, strides and paddings that fit together.

Output sizes are computed by PyTorch's formula, not by the library's function.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from minicnn.argument_checks import Pair
from minicnn.shapes import ConvGeometry, Pads, PoolGeometry

BACKENDS = ("naive", "numpy", "numba")
DTYPES = (np.float32, np.float64)

Shape4 = tuple[int, int, int, int]


class Convolution(NamedTuple):
    """A batch of images and the geometry of a convolution of them."""

    images: int
    geometry: ConvGeometry

    @property
    def x_shape(self) -> Shape4:
        return (self.images, *self.geometry.image, self.geometry.in_channels)

    @property
    def w_shape(self) -> Shape4:
        g = self.geometry
        return (*g.kernel, g.in_channels // g.groups, g.out_channels)

    @property
    def y_shape(self) -> Shape4:
        return (self.images, *self.geometry.output, self.geometry.out_channels)


class Pool(NamedTuple):
    """The shape of a batch of images and the geometry of a pooling layer on them."""

    x_shape: Shape4
    geometry: PoolGeometry


def output_side(n: int, kernel: int, stride: int, before: int, after: int, dilation: int) -> int:
    """``floor((n + 2p - d (k - 1) - 1) / s + 1)``, PyTorch's formula with padding p on either side."""
    return int(np.floor((n + before + after - dilation * (kernel - 1) - 1) / stride + 1))


def output(image: Pair, kernel: Pair, stride: Pair, padding: Pads, dilation: Pair = (1, 1)) -> Pair:
    """Height and width of the output."""
    height, width = (
        output_side(n, k, s, *p, d)
        for n, k, s, p, d in zip(image, kernel, stride, padding, dilation, strict=True)
    )
    return height, width


def convolution(
    x_shape: Any,
    w_shape: Any,
    stride: Pair = (1, 1),
    padding: Pads = ((0, 0), (0, 0)),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> ConvGeometry:
    """The geometry of a convolution of images x (N, H, W, C) with filters w (kh, kw, C / groups, O)."""
    image, kernel = x_shape[1:3], w_shape[:2]
    size = output(image, kernel, stride, padding, dilation)
    return ConvGeometry(image, x_shape[3], kernel, stride, padding, dilation, groups, size, w_shape[3])


def pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw: st.DrawFn, symmetric: bool = False) -> Convolution:
    """Any convolution, grouped and depthwise included. PyTorch itself knows symmetric padding alone."""
    kernel, dilation, stride = draw(pairs(1, 3)), draw(pairs(1, 2)), draw(pairs(1, 3))
    if symmetric:
        padding = tuple((p, p) for p in draw(pairs(0, 3)))
    else:
        padding = (draw(pairs(0, 3)), draw(pairs(0, 3)))
    size = tuple(
        draw(st.integers(max(1, (k - 1) * d + 1 - sum(p)), 7))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    )
    groups, depth = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x_shape = (draw(st.integers(1, 3)), *size, groups * depth)
    w_shape = (*kernel, depth, groups * draw(st.integers(1, 3)))
    return Convolution(x_shape[0], convolution(x_shape, w_shape, stride, padding, dilation, groups))


@st.composite
def pools(draw: st.DrawFn, torch_like: bool = False) -> Pool:
    """Any pool whose windows all see a pixel. PyTorch pads symmetrically, by at most half a window."""
    kernel, stride = draw(pairs(1, 4)), draw(pairs(1, 3))
    if torch_like:
        padding = tuple((p, p) for p in (draw(st.integers(0, k // 2)) for k in kernel))
    else:
        padding = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in kernel)
    size = tuple(draw(st.integers(max(1, k - min(p)), 8)) for k, p in zip(kernel, padding, strict=True))
    x_shape = (draw(st.integers(1, 3)), *size, draw(st.integers(1, 4)))
    return Pool(x_shape, PoolGeometry(size, kernel, stride, padding, output(size, kernel, stride, padding)))


def numbers(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def small_integers(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    """Numbers from -2 to 2: full of ties, and exact in every sum."""
    return np.random.default_rng([seed, *shape]).integers(-2, 3, shape).astype(dtype)
