"""Convolution as one matrix product: lay the patch under every output pixel out as a row, multiply.

    patches  (groups, N*OH*OW, K)   K = kh * kw * C/groups numbers under the kernel, row by row
    filters  (groups, K, O/groups)  the weights in the same order
    y = patches @ filters,   dfilters = patches.T @ dy,   dpatches = dy @ filters.T

and the gradient of x is every number of dpatches added to the pixel that it was copied from (col2im). NumPy
only. A patch matrix has OH * OW * kh * kw numbers for the H * W of a channel: nearly kh * kw times as many
for stride 1 and a large image. So a few images at a time are laid out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minicnn.shapes import ConvGeometry, Geometry, Pads

PATCH_BYTES = 32 * 2**20


def pad(x: np.ndarray, padding: Pads, value: float = 0) -> np.ndarray:
    """x (N, H, W, C) with a border of ``value``; x itself where there is nothing to add."""
    if padding == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def windows(padded: np.ndarray, geometry: Geometry) -> np.ndarray:
    """A read-only view (N, OH, OW, kh, kw, C): ``view[n,i,j,p,q,c]`` is the number under cell (p, q) of
    the kernel at output pixel (i, j). No number is copied; neighbouring windows share theirs.
    """
    n, _, _, c = padded.shape
    sn, sh, sw, sc = padded.strides
    stride, dilation = geometry.stride, geometry.dilation
    return as_strided(
        padded,
        (n, *geometry.output, *geometry.kernel, c),
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


def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray | None, geometry: ConvGeometry) -> np.ndarray:
    """``y = patches @ filters + b``."""
    filters = _filters(w, geometry.groups)
    y = np.empty(geometry.y_shape(len(x)), x.dtype)
    view = windows(pad(x, geometry.padding), geometry)
    for block in _blocks(len(x), view[0].size * x.itemsize):
        product = _patches(view[block], geometry.groups) @ filters
        y[block] = product.transpose(1, 0, 2).reshape(y[block].shape)
    if b is not None:
        y += b
    return y


def conv2d_backward_input(dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dpatches = dy @ filters.T``, then every number of a patch is added to its pixel."""
    (height, width), (kh, kw), (oh, ow) = geometry.image, geometry.kernel, geometry.output
    (top, bottom), (left, right) = geometry.padding
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    channels, groups = geometry.in_channels, geometry.groups
    filters_t = _filters(w, groups).transpose(0, 2, 1)
    padded = np.zeros((len(dy), height + top + bottom, width + left + right, channels), dy.dtype)
    for block in _blocks(len(dy), oh * ow * kh * kw * channels * dy.itemsize):
        dpatches = _by_group(dy[block], groups) @ filters_t
        cells = dpatches.reshape(groups, -1, oh, ow, kh, kw, channels // groups)
        for p in range(kh):
            for q in range(kw):
                rows = slice(p * dh, p * dh + (oh - 1) * sh + 1, sh)
                columns = slice(q * dw, q * dw + (ow - 1) * sw + 1, sw)
                cell = np.moveaxis(cells[:, :, :, :, p, q], 0, 3)
                padded[block, rows, columns] += cell.reshape(*cell.shape[:3], channels)
    return padded[:, top : top + height, left : left + width]


def conv2d_backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dfilters = patches.T @ dy``."""
    kh, kw, depth, filters = geometry.w_shape
    groups = geometry.groups
    dfilters = np.zeros((groups, kh * kw * depth, filters // groups), dy.dtype)
    view = windows(pad(x, geometry.padding), geometry)
    for block in _blocks(len(x), view[0].size * x.itemsize):
        dfilters += _patches(view[block], groups).transpose(0, 2, 1) @ _by_group(dy[block], groups)
    return dfilters.transpose(1, 0, 2).reshape(geometry.w_shape)
