"""Winograd's minimal filtering F(4x4, 3x3): sixteen outputs for 36 products instead of 144.

In one dimension: four outputs y of a filter g with three taps over six inputs d,

    y[i] = d[i] g[0] + d[i+1] g[1] + d[i+2] g[2]        i = 0..3, twelve products

are the middle coefficients of a product of polynomials, and a polynomial of degree 5 is known from its values
at six points. So: evaluate, multiply point by point (six products), interpolate:

    y = A^T [ (G g) * (B^T d) ]

with the points 0, a, -a, b, -b and infinity. Their powers make A; G evaluates the filter and divides by what
interpolation divides by; B^T holds the coefficients of the polynomials that vanish at all points but one:

    A^T = | 1  1   1   1   1  0 |        B^T = | a2b2    0  -(a2+b2)    0    1  0 |
          | 0  a  -a   b  -b  0 |              |    0 -ab2     -b2      a    1  0 |
          | 0  a2  a2  b2  b2 0 |              |    0  ab2     -b2     -a    1  0 |
          | 0  a3 -a3  b3 -b3 1 |              |    0 -ba2     -a2      b    1  0 |
                                               |    0  ba2     -a2     -b    1  0 |
    G = | 1/a2b2   0    0    |                 |    0  a2b2     0  -(a2+b2)  0  1 |
        | ga       ga a  ga a2 |
        | ga      -ga a  ga a2 |    ga = 1 / 2a2(a2-b2)
        | gb       gb b  gb b2 |    gb = 1 / 2b2(b2-a2)
        | gb      -gb b  gb b2 |
        | 0        0    1    |                                       (a2 stands for a squared, and so on)

In two dimensions the same along rows and columns: Y = A^T [ (G g G^T) * (B^T d B) ] A. Summed over the input
channels, the products at each of the 36 positions are a matrix product; the transforms are additions, shared
by all output channels (B), all input channels (A) and all tiles (G).

The formula is bilinear in d and g, so its derivative is the same three matrices turned around:

    gradient of g:   dg = G^T [ sum over tiles of (B^T d B) * (A dY A^T) ] G
    gradient of d:   the same forward formula on dY, with the filter rotated by 180 degrees

Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4; the matrices for points
of one's own choice: Winograd 1980, or Blahut 2010, chapter 5. Entries of unlike size cost precision: the
usual points 1 and 2 lose 2.2 times more of it than 5/8 and 3/2, whose powers float32 holds exactly as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minicnn.shapes import ConvGeometry

TILE = 4
PATCH = 6
PRODUCTS = PATCH * PATCH

POINT_A = 5 / 8
POINT_B = 3 / 2
_AA = POINT_A**2
_BB = POINT_B**2
_GA = 1 / (2 * _AA * (_AA - _BB))
_GB = 1 / (2 * _BB * (_BB - _AA))
_G0 = 1 / (_AA * _BB)

Values = Sequence[Any]


# One-dimensional transforms. The elements may be numbers, arrays or vectors being emitted: anything that
# adds and multiplies. The points come in pairs +p, -p, so half of every row's work is shared: the even powers
# of both are equal, the odd powers differ in sign.


def input_points(d: Values) -> list[Any]:
    """B^T d: 6 -> 6."""
    even_a, odd_a = d[4] - _BB * d[2], POINT_A * (d[3] - _BB * d[1])
    even_b, odd_b = d[4] - _AA * d[2], POINT_B * (d[3] - _AA * d[1])
    return [
        _AA * _BB * d[0] - (_AA + _BB) * d[2] + d[4],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        _AA * _BB * d[1] - (_AA + _BB) * d[3] + d[5],
    ]


def filter_points(g: Values) -> list[Any]:
    """G g: 3 -> 6."""
    even_a, odd_a = _GA * g[0] + (_GA * _AA) * g[2], (_GA * POINT_A) * g[1]
    even_b, odd_b = _GB * g[0] + (_GB * _BB) * g[2], (_GB * POINT_B) * g[1]
    return [_G0 * g[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g[2]]


def output_values(m: Values) -> list[Any]:
    """A^T m: 6 -> 4."""
    sum_a, difference_a = m[1] + m[2], m[1] - m[2]
    sum_b, difference_b = m[3] + m[4], m[3] - m[4]
    return [
        m[0] + sum_a + sum_b,
        POINT_A * difference_a + POINT_B * difference_b,
        _AA * sum_a + _BB * sum_b,
        POINT_A**3 * difference_a + POINT_B**3 * difference_b + m[5],
    ]


def output_gradient_points(y: Values) -> list[Any]:
    """A y: 4 -> 6, the transpose of ``output_values``."""
    even_a, odd_a = y[0] + _AA * y[2], POINT_A * y[1] + POINT_A**3 * y[3]
    even_b, odd_b = y[0] + _BB * y[2], POINT_B * y[1] + POINT_B**3 * y[3]
    return [y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]]


def filter_gradient_values(m: Values) -> list[Any]:
    """G^T m: 6 -> 3, the transpose of ``filter_points``."""
    sum_a, difference_a = _GA * (m[1] + m[2]), _GA * (m[1] - m[2])
    sum_b, difference_b = _GB * (m[3] + m[4]), _GB * (m[3] - m[4])
    return [
        _G0 * m[0] + sum_a + sum_b,
        POINT_A * difference_a + POINT_B * difference_b,
        _AA * sum_a + _BB * sum_b + m[5],
    ]


def along_both(transform: Callable[[Values], list[Any]], square: Any) -> list[list[Any]]:
    """T d T^T for a transform d -> T d: along the columns, then along the rows."""
    columns = [transform([row[j] for row in square]) for j in range(len(square[0]))]
    return [transform([column[i] for column in columns]) for i in range(len(columns[0]))]


# The readable twins: whole arrays, one einsum for the 36 products. Tests hold the fast kernels against them.


def _tiles(x: np.ndarray, top: int, left: int, rows: int, columns: int, size: int) -> np.ndarray:
    """(size, size, N, rows, columns, C): windows of x, 4 apart, from (-top, -left) on; zeros outside of x."""
    n, h, w, c = x.shape
    padded = np.zeros((n, top + h + 4 * rows + 8, left + w + 4 * columns + 8, c), x.dtype)
    padded[:, top : top + h, left : left + w] = x
    tiles = np.empty((size, size, n, rows, columns, c), x.dtype)
    for i in range(size):
        for j in range(size):
            tiles[i, j] = padded[:, i : i + 4 * rows : 4, j : j + 4 * columns : 4]
    return tiles


def reference_forward(x: np.ndarray, w: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C) and w (3, 3, C, O), by the formula above."""
    ((top, _), (left, _)), (oh, ow) = geometry.padding, geometry.output
    rows, columns = -(-oh // TILE), -(-ow // TILE)
    points = np.array(along_both(input_points, _tiles(x, top, left, rows, columns, PATCH)))
    filters = np.array(along_both(filter_points, w))
    products = np.einsum("ijnrqc,ijco->ijnrqo", points, filters)
    values = np.array(along_both(output_values, products))
    y = values.transpose(2, 3, 0, 4, 1, 5).reshape(len(x), rows * TILE, columns * TILE, -1)
    return np.ascontiguousarray(y[:, :oh, :ow])


def reference_backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """dw (3, 3, C, O) of dy (N, OH, OW, O), by the formula above."""
    ((top, _), (left, _)), (oh, ow) = geometry.padding, geometry.output
    rows, columns = -(-oh // TILE), -(-ow // TILE)
    points = np.array(along_both(input_points, _tiles(x, top, left, rows, columns, PATCH)))
    gradients = np.array(along_both(output_gradient_points, _tiles(dy, 0, 0, rows, columns, TILE)))
    sums = np.einsum("ijnrqc,ijnrqo->ijco", points, gradients)
    return np.array(along_both(filter_gradient_values, sums))
