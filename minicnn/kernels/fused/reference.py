"""The readable twins of ``batchnorm_relu_pool.py``: its formulas on whole arrays, one layer after another."""

from __future__ import annotations

import numpy as np

from minicnn.kernels.fused.records import Gradients, Normalization

Slices = tuple[slice, slice, slice]


def _cells(shape: tuple[int, ...]) -> list[Slices]:
    """The four cells of all 2x2 windows of images (N, H, W, C), row by row: which pixels each of them is."""
    height, width = shape[1] // 2, shape[2] // 2
    return [(slice(None), slice(i, 2 * height, 2), slice(j, 2 * width, 2)) for i in (0, 1) for j in (0, 1)]


def forward(z: np.ndarray, n: Normalization, relu: bool, pooled: bool) -> np.ndarray:
    """y, (N, H // 2, W // 2, C) with ``pooled``, else as z (N, H, W, C)."""
    y = (z - n.mean) * (n.gamma * n.inv_std) + n.beta
    if pooled:
        y = np.maximum.reduce([y[cell] for cell in _cells(z.shape)])
    return np.maximum(y, 0) if relu else y


def backward(
    dy: np.ndarray, z: np.ndarray, n: Normalization, relu: bool, relu_before: bool, pooled: bool
) -> Gradients:
    """The gradients where mean and variance were those of z; dy goes to the first of equal cells."""
    v = (z - n.mean) * (n.gamma * n.inv_std) + n.beta
    g = np.zeros_like(v)
    if pooled:
        cells = _cells(z.shape)
        argmax = np.argmax([v[cell] for cell in cells], axis=0)
        for k, cell in enumerate(cells):
            g[cell] = np.where(argmax == k, dy, 0)
    else:
        g[...] = dy
    if relu:
        g[v <= 0] = 0
    axes, pixels = (0, 1, 2), z.size // z.shape[-1]
    x_hat = (z - n.mean) * n.inv_std
    dbeta, dgamma = g.sum(axis=axes), (g * x_hat).sum(axis=axes)
    dz = n.gamma * n.inv_std * (g - dbeta / pixels - x_hat * dgamma / pixels)
    if relu_before:
        dz[z <= 0] = 0
    return Gradients(dz, dz.sum(axis=axes), dgamma, dbeta)
