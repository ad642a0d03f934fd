"""Convolution as one matrix product: lay the patch under every output pixel out as a row, multiply.

    patches  (groups, N*OH*OW, K)   K = kh * kw * C/groups numbers under the kernel, row by row
    filters  (groups, K, O/groups)  the weights in the same order
    y = patches @ filters,   dfilters = patches.T @ dy,   dpatches = dy @ filters.T

and the gradient of x is dpatches added back to where the patches came from (col2im). NumPy only. A patch
matrix is kh * kw times as large as its image, so that a few images at a time are laid out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minicnn.shapes import Pads, Pair, output_size

PATCH_BYTES = 32 * 2**20


def pad(x: np.ndarray, pads: Pads, value: float = 0) -> np.ndarray:
    """x (N, H, W, C) with a border of ``value``; x itself where there is nothing to add."""
    if pads == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=value)


def windows(padded: np.ndarray, kernel: Pair, stride: Pair, out: Pair, dilation: Pair = (1, 1)) -> np.ndarray:
    """A read-only view (N, OH, OW, kh, kw, C): ``view[n,i,j,p,q,c]`` is the number under cell (p, q) of
    the kernel at output pixel (i, j). No number is copied; neighbouring windows share theirs.
    """
    n, _, _, c = padded.shape
    sn, sh, sw, sc = padded.strides
    return as_strided(
        padded,
        (n, *out, *kernel, c),
        (sn, sh * stride[0], sw * stride[1], sh * dilation[0], sw * dilation[1], sc),
        writeable=False,
    )


def _blocks(n_images: int, bytes_per_image: int) -> Iterator[slice]:
    step = max(1, PATCH_BYTES // bytes_per_image)
    for start in range(0, n_images, step):
        yield slice(start, min(start + step, n_images))


def _patches(view: np.ndarray, groups: int) -> np.ndarray:
    """(groups, rows, K) from the window view of some images."""
    n, oh, ow, kh, kw, c = view.shape
    split = view.reshape(n, oh, ow, kh, kw, groups, c // groups)
    return np.moveaxis(split, 5, 0).reshape(groups, n * oh * ow, kh * kw * (c // groups))


def _filters(w: np.ndarray, groups: int) -> np.ndarray:
    """(groups, K, O/groups) from w (kh, kw, C/groups, O)."""
    k, o = w.shape[0] * w.shape[1] * w.shape[2], w.shape[3]
    return w.reshape(k, groups, o // groups).transpose(1, 0, 2)


def _by_group(dy: np.ndarray, groups: int) -> np.ndarray:
    """(groups, rows, O/groups) from dy (N, OH, OW, O)."""
    return dy.reshape(-1, groups, dy.shape[-1] // groups).transpose(1, 0, 2)


def conv2d_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``y = patches @ filters + b``."""
    kernel = (w.shape[0], w.shape[1])
    out = output_size("conv2d", (x.shape[1], x.shape[2]), kernel, stride, pads, dilation)
    filters = _filters(w, groups)
    y = np.empty((len(x), *out, w.shape[3]), x.dtype)
    view = windows(pad(x, pads), kernel, stride, out, dilation)
    for block in _blocks(len(x), view[0].size * x.itemsize):
        product = _patches(view[block], groups) @ filters
        y[block] = product.transpose(1, 0, 2).reshape(y[block].shape)
    if b is not None:
        y += b
    return y


def conv2d_backward_input(
    dy: np.ndarray,
    w: np.ndarray,
    x_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``dpatches = dy @ filters.T``, then every number of a patch goes back to its pixel."""
    n, height, width, channels = x_shape
    kh, kw = w.shape[:2]
    oh, ow = dy.shape[1:3]
    (top, bottom), (left, right) = pads
    filters_t = _filters(w, groups).transpose(0, 2, 1)
    padded = np.zeros((n, height + top + bottom, width + left + right, channels), dy.dtype)
    for block in _blocks(n, oh * ow * kh * kw * channels * dy.itemsize):
        dpatches = _by_group(dy[block], groups) @ filters_t
        cells = dpatches.reshape(groups, -1, oh, ow, kh, kw, channels // groups)
        for p in range(kh):
            for q in range(kw):
                h, v = p * dilation[0], q * dilation[1]
                rows = slice(h, h + (oh - 1) * stride[0] + 1, stride[0])
                columns = slice(v, v + (ow - 1) * stride[1] + 1, stride[1])
                cell = np.moveaxis(cells[:, :, :, :, p, q], 0, 3)
                padded[block, rows, columns] += cell.reshape(*cell.shape[:3], channels)
    return padded[:, top : top + height, left : left + width]


def conv2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    w_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``dfilters = patches.T @ dy``."""
    kernel = (w_shape[0], w_shape[1])
    out = (dy.shape[1], dy.shape[2])
    k, o = w_shape[0] * w_shape[1] * w_shape[2], w_shape[3]
    dfilters = np.zeros((groups, k, o // groups), dy.dtype)
    view = windows(pad(x, pads), kernel, stride, out, dilation)
    for block in _blocks(len(x), view[0].size * x.itemsize):
        dfilters += _patches(view[block], groups).transpose(0, 2, 1) @ _by_group(dy[block], groups)
    return dfilters.transpose(1, 0, 2).reshape(w_shape)
