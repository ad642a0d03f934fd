"""Random geometries for hypothesis: images, windows, strides and paddings that fit together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from minicnn.shapes import Pads, Pair, output_size

BACKENDS = ("naive", "numpy", "numba")
DTYPES = (np.float32, np.float64)


@dataclass(frozen=True)
class Geometry:
    x_shape: tuple[int, int, int, int]
    kernel: Pair
    stride: Pair
    pads: Pads
    dilation: Pair
    groups: int
    filters: int

    @property
    def w_shape(self) -> tuple[int, int, int, int]:
        return (*self.kernel, self.x_shape[3] // self.groups, self.filters)

    @property
    def settings(self) -> tuple[Pair, Pads, Pair, int]:
        return self.stride, self.pads, self.dilation, self.groups


def pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw: st.DrawFn, symmetric: bool = False) -> Geometry:
    """Any convolution, grouped and depthwise included. PyTorch itself knows symmetric padding alone."""
    kernel, dilation, stride = draw(pairs(1, 3)), draw(pairs(1, 2)), draw(pairs(1, 3))
    if symmetric:
        pads = tuple((p, p) for p in draw(pairs(0, 3)))
    else:
        pads = (draw(pairs(0, 3)), draw(pairs(0, 3)))
    size = tuple(
        draw(st.integers(max(1, (k - 1) * d + 1 - sum(p)), 7))
        for k, d, p in zip(kernel, dilation, pads, strict=True)
    )
    groups, depth = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x_shape = (draw(st.integers(1, 3)), *size, groups * depth)
    return Geometry(x_shape, kernel, stride, pads, dilation, groups, groups * draw(st.integers(1, 3)))


@st.composite
def pools(draw: st.DrawFn, torch_like: bool = False) -> Geometry:
    """Any pool whose windows all see a pixel. PyTorch pads symmetrically, by at most half a window."""
    kernel, stride = draw(pairs(1, 4)), draw(pairs(1, 3))
    if torch_like:
        pads = tuple((p, p) for p in (draw(st.integers(0, k // 2)) for k in kernel))
    else:
        pads = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in kernel)
    size = tuple(draw(st.integers(max(1, k - min(p)), 8)) for k, p in zip(kernel, pads, strict=True))
    channels = draw(st.integers(1, 4))
    x_shape = (draw(st.integers(1, 3)), *size, channels)
    return Geometry(x_shape, kernel, stride, pads, (1, 1), 1, channels)


def numbers(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def small_integers(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    """Numbers from -2 to 2: full of ties, and exact in every sum."""
    return np.random.default_rng([seed, *shape]).integers(-2, 3, shape).astype(dtype)


def output_shape(g: Geometry) -> tuple[int, int, int, int]:
    return (g.x_shape[0], *output_size("", g.x_shape[1:3], g.kernel, g.stride, g.pads, g.dilation), g.filters)
