"""The readable twins of Winograd's kernels: whole arrays, one einsum for the 36 products (``algebra.py``)."""

from __future__ import annotations

import numpy as np

from minicnn.kernels.winograd.algebra import (
    PATCH,
    TILE,
    along_both,
    filter_gradient_values,
    filter_points,
    input_points,
    output_gradient_points,
    output_values,
)
from minicnn.shapes import ConvGeometry


def _tiles(x: np.ndarray, top: int, left: int, rows: int, columns: int, size: int) -> np.ndarray:
    """(size, size, N, rows, columns, C): windows of x, TILE apart, from (-top, -left) on; zeros outside x."""
    n, h, w, c = x.shape
    padded = np.zeros((n, top + h + 4 * rows + 8, left + w + 4 * columns + 8, c), x.dtype)
    padded[:, top : top + h, left : left + w] = x
    tiles = np.empty((size, size, n, rows, columns, c), x.dtype)
    for i in range(size):
        for j in range(size):
            tiles[i, j] = padded[:, i : i + 4 * rows : 4, j : j + 4 * columns : 4]
    return tiles


def forward(x: np.ndarray, w: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C) and w (3, 3, C, O)."""
    ((top, _), (left, _)), (oh, ow) = geometry.padding, geometry.output
    rows, columns = -(-oh // TILE), -(-ow // TILE)
    points = np.array(along_both(input_points, _tiles(x, top, left, rows, columns, PATCH)))
    filters = np.array(along_both(filter_points, w))
    products = np.einsum("ijnrqc,ijco->ijnrqo", points, filters)
    values = np.array(along_both(output_values, products))
    y = values.transpose(2, 3, 0, 4, 1, 5).reshape(len(x), rows * TILE, columns * TILE, -1)
    return np.ascontiguousarray(y[:, :oh, :ow])


def backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """dw (3, 3, C, O) of dy (N, OH, OW, O)."""
    ((top, _), (left, _)), (oh, ow) = geometry.padding, geometry.output
    rows, columns = -(-oh // TILE), -(-ow // TILE)
    points = np.array(along_both(input_points, _tiles(x, top, left, rows, columns, PATCH)))
    gradients = np.array(along_both(output_gradient_points, _tiles(dy, 0, 0, rows, columns, TILE)))
    sums = np.einsum("ijnrqc,ijnrqo->ijco", points, gradients)
    return np.array(along_both(filter_gradient_values, sums))
