"""Winograd's minimal filtering F(4x4, 3x3): sixteen outputs for 36 products instead of 144.

In one dimension: four outputs y of a filter g with three taps over six inputs d,

    y[i] = d[i] g[0] + d[i+1] g[1] + d[i+2] g[2]        i = 0..3, twelve products

can be had for six. Filtering is the transpose of a product of polynomials, and that product is cheap.

The product. Let u be a polynomial of degree 3 and g one of degree 2. Their product s has degree 5,

    s[k] = sum over i + j = k of u[i] g[j]              k = 0..5

and is known from its values at six points, each the product of a value of u and a value of g. So: evaluate
both, multiply point by point, interpolate (Toom 1963, Cook 1966). With ``*`` number by number:

    s = C [ (E3 g) * (E4 u) ]

The points are p = 0, a, -a, b, -b and infinity, where the value of a polynomial is its leading coefficient.
Row p of E4 is 1, p, p2, p3, that of infinity 0, 0, 0, 1; E3 is the same for degree 2. Lagrange's formula
gives C: column p holds the coefficients of N(x) / (x - p) / N'(p), where N(x) = x (x2 - a2) (x2 - b2), a
polynomial that is 1 at p and 0 at the other five points, for its degree is 4; the column of infinity holds
those of N(x), of degree 5, which is 0 at the five finite points.

The transposition. For a fixed g the product is linear in u: s = M u, where M[k, i] = g[k - i]. Filtering is
y = M^T d, since for all u and d

    sum over k of d[k] s[k]  =  sum over i, j of d[i+j] g[j] u[i]  =  sum over i of u[i] y[i]

Now M = C diag(E3 g) E4, six products between two fixed matrices, and to transpose a matrix product is to
transpose its factors and reverse their order. The six products remain six products:

    y = M^T d = E4^T diag(E3 g) C^T d = A^T [ (G g) * (B^T d) ]

with A = E4, B = C and G = E3, except that the divisor N'(p) of column p of C moves into row p of G, where it
is applied once for each filter:

    A^T = | 1  1   1   1   1  0 |        B^T = | a2b2    0  -(a2+b2)    0    1  0 |
          | 0  a  -a   b  -b  0 |              |    0 -ab2     -b2      a    1  0 |
          | 0  a2  a2  b2  b2 0 |              |    0  ab2     -b2     -a    1  0 |
          | 0  a3 -a3  b3 -b3 1 |              |    0 -ba2     -a2      b    1  0 |
                                               |    0  ba2     -a2     -b    1  0 |
    G = | 1/a2b2   0    0    |                 |    0  a2b2     0  -(a2+b2)  0  1 |
        | ga       ga a  ga a2 |
        | ga      -ga a  ga a2 |    ga = 1 / N'(a) = 1 / 2a2(a2-b2)
        | gb       gb b  gb b2 |    gb = 1 / N'(b) = 1 / 2b2(b2-a2)
        | gb      -gb b  gb b2 |
        | 0        0    1    |                                       (a2 stands for a squared, and so on)

In two dimensions the same along rows and columns: Y = A^T [ (G g G^T) * (B^T d B) ] A. Summed over the input
channels, the products at each of the 36 positions are a matrix product; the transforms are additions, shared
by all output channels (B), all input channels (A) and all tiles (G).

The formula is bilinear in d and g, so its derivatives are made of the same three matrices:

    gradient of g:   dg = G^T [ sum over tiles of (B^T d B) * (A dY A^T) ] G
    gradient of d:   the same forward formula on dY, with the filter rotated by 180 degrees

Winograd 1980, "Arithmetic Complexity of Computations", and Blahut 2010, "Fast Algorithms for Signal
Processing", chapter 5, have the theory for any points; Lavin and Gray 2016, "Fast Algorithms for
Convolutional Neural Networks", section 4, the algorithm. Entries of unlike size cost precision: the usual
points 1 and 2 lose 2.2 times more of it than 5/8 and 3/2, whose powers float32 holds exactly as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

TILE = 4
PATCH = 6
PRODUCTS = PATCH * PATCH

# The points 0, POINT_A, -POINT_A, POINT_B, -POINT_B and infinity; the squares, and the divisors of G.
POINT_A = 5 / 8
POINT_B = 3 / 2
_A2 = POINT_A**2
_B2 = POINT_B**2
_GA = 1 / (2 * _A2 * (_A2 - _B2))
_GB = 1 / (2 * _B2 * (_B2 - _A2))
_G0 = 1 / (_A2 * _B2)

Values = Sequence[Any]


# One-dimensional transforms. The elements may be numbers, arrays or vectors being emitted: anything that
# adds and multiplies. The points come in pairs p, -p, so half of every row's work is shared: the even powers
# of both are equal, the odd powers differ in sign.


def input_points(d: Values) -> list[Any]:
    """B^T d: 6 -> 6."""
    even_a, odd_a = d[4] - _B2 * d[2], POINT_A * (d[3] - _B2 * d[1])
    even_b, odd_b = d[4] - _A2 * d[2], POINT_B * (d[3] - _A2 * d[1])
    return [
        _A2 * _B2 * d[0] - (_A2 + _B2) * d[2] + d[4],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        _A2 * _B2 * d[1] - (_A2 + _B2) * d[3] + d[5],
    ]


def filter_points(g: Values) -> list[Any]:
    """G g: 3 -> 6."""
    even_a, odd_a = _GA * g[0] + (_GA * _A2) * g[2], (_GA * POINT_A) * g[1]
    even_b, odd_b = _GB * g[0] + (_GB * _B2) * g[2], (_GB * POINT_B) * g[1]
    return [_G0 * g[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g[2]]


def output_values(m: Values) -> list[Any]:
    """A^T m: 6 -> 4."""
    sum_a, difference_a = m[1] + m[2], m[1] - m[2]
    sum_b, difference_b = m[3] + m[4], m[3] - m[4]
    return [
        m[0] + sum_a + sum_b,
        POINT_A * difference_a + POINT_B * difference_b,
        _A2 * sum_a + _B2 * sum_b,
        POINT_A**3 * difference_a + POINT_B**3 * difference_b + m[5],
    ]


def output_gradient_points(y: Values) -> list[Any]:
    """A y: 4 -> 6, the transpose of ``output_values``."""
    even_a, odd_a = y[0] + _A2 * y[2], POINT_A * y[1] + POINT_A**3 * y[3]
    even_b, odd_b = y[0] + _B2 * y[2], POINT_B * y[1] + POINT_B**3 * y[3]
    return [y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]]


def filter_gradient_values(m: Values) -> list[Any]:
    """G^T m: 6 -> 3, the transpose of ``filter_points``."""
    sum_a, difference_a = _GA * (m[1] + m[2]), _GA * (m[1] - m[2])
    sum_b, difference_b = _GB * (m[3] + m[4]), _GB * (m[3] - m[4])
    return [
        _G0 * m[0] + sum_a + sum_b,
        POINT_A * difference_a + POINT_B * difference_b,
        _A2 * sum_a + _B2 * sum_b + m[5],
    ]


def along_both(transform: Callable[[Values], list[Any]], square: Any) -> list[list[Any]]:
    """T d T^T for a transform d -> T d: along the columns, then along the rows."""
    columns = [transform([row[j] for row in square]) for j in range(len(square[0]))]
    return [transform([column[i] for column in columns]) for i in range(len(columns[0]))]
