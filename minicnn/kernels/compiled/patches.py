"""Convolution as compiled im2col and BLAS, a few rows of the output image at a time.

``reference/im2col.py`` has the idea: one row of numbers for the patch under each output pixel, then a matrix
product. The patch matrix never exists as a whole. A task lays out the patches of some output rows, few enough
to stay in the cache, and multiplies them at once; the tasks run side by side, each product on one thread.

    forward           y    = patches @ filters            rows of the output are cut into tasks
    gradient of w     dw   = sum of patches.T @ dy        one partial sum a task, added in the tasks' order
    gradient of x     dpatches = dy @ filters.T           images are cut into tasks, as neighbouring
                      added back to their pixels          patches share pixels

A depthwise convolution has no matrix product in it: see ``depthwise.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.blas import run_products
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.shapes import ConvGeometry

# Patches that one product reads: few enough for the cache, enough to be worth BLAS's preparations.
PATCH_BYTES = 2**21
# Partial sums of the weight gradient: enough for as many threads, few enough to add up quickly.
PARTIAL_SUMS = 16


@jit
def gather(x, patches, first, last, geometry, group):  # type: ignore[no-untyped-def]
    """Lay the patches of output rows first..last-1 out in ``patches`` (pixels, kh * kw * depth).

    x (N, H, W * C). Row r is row r % OH of image r // OH. ``depth`` is the number of channels of a group.
    """
    geometry = ConvGeometry(*geometry)
    (height, width), (oh, ow), channels = geometry.image, geometry.output, geometry.in_channels
    (kh, kw), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    (top, _), (left, _) = geometry.padding
    depth = channels // geometry.groups
    channel = group * depth
    for r in range(first, last):
        n, i = r // oh, r % oh
        for p in range(kh):
            h = i * sh + p * dh - top
            for j in range(ow):
                patch = patches[(r - first) * ow + j, p * kw * depth : (p + 1) * kw * depth]
                v = j * sw - left
                if h < 0 or h >= height:
                    patch[:] = 0
                elif dw == 1 and depth == channels:
                    # The kernel's row lies over one stretch of memory, cut off at the image's edges.
                    before = min(max(-v, 0), kw) * channels
                    after = max(min(width - v, kw) * channels, before)
                    source = x[n, h, v * channels + before : v * channels + after]
                    for k in range(before):
                        patch[k] = 0
                    target = patch[before:after]
                    for k in range(after - before):
                        target[k] = source[k]
                    for k in range(after, kw * channels):
                        patch[k] = 0
                else:
                    for q in range(kw):
                        target = patch[q * depth : (q + 1) * depth]
                        u = v + q * dw
                        if 0 <= u < width:
                            source = x[n, h, u * channels + channel : u * channels + channel + depth]
                            for k in range(depth):
                                target[k] = source[k]
                        else:
                            target[:] = 0


@jit
def scatter(dx, patches, first, last, geometry, group):  # type: ignore[no-untyped-def]
    """The reverse of ``gather``: add every number of a patch to its pixel of dx (N, H, W * C)."""
    geometry = ConvGeometry(*geometry)
    (height, width), (oh, ow), channels = geometry.image, geometry.output, geometry.in_channels
    (kh, kw), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    (top, _), (left, _) = geometry.padding
    depth = channels // geometry.groups
    channel = group * depth
    for r in range(first, last):
        n, i = r // oh, r % oh
        for p in range(kh):
            h = i * sh + p * dh - top
            if 0 <= h < height:
                for j in range(ow):
                    patch = patches[(r - first) * ow + j, p * kw * depth : (p + 1) * kw * depth]
                    for q in range(kw):
                        u = j * sw - left + q * dw
                        if 0 <= u < width:
                            source = patch[q * depth : (q + 1) * depth]
                            target = dx[n, h, u * channels + channel : u * channels + channel + depth]
                            for k in range(depth):
                                target[k] += source[k]


def lay_out(x: np.ndarray, patches: np.ndarray, geometry: ConvGeometry) -> None:
    """All patches of x (N, H, W, C), those of pixel i in row i of ``patches`` (N * OH * OW, kh * kw * C)."""
    gather(_rows_of(x), patches, 0, len(x) * geometry.output[0], tuple(geometry), 0)


def _rows_of(x: np.ndarray) -> np.ndarray:
    """(N, H, W * C): a view of images x (N, H, W, C)."""
    n, height, width, channels = x.shape
    return x.reshape(n, height, width * channels)


def _is_pointwise(geometry: ConvGeometry) -> bool:
    """Whether this is a 1x1 convolution of stride 1: its patches are the pixels themselves."""
    return geometry.kernel == geometry.stride == (1, 1) and geometry.padding == ((0, 0), (0, 0))


def _spans(total: int, step: int) -> list[tuple[int, int]]:
    """0..total in stretches of ``step``."""
    return [(start, min(start + step, total)) for start in range(0, total, step)]


def _group(columns: np.ndarray, g: int, groups: int) -> np.ndarray:
    """The columns that belong to group g, as a view."""
    size = columns.shape[1] // groups
    return columns[:, g * size : (g + 1) * size]


class _Patches:
    """Patches of output rows first..last-1, group by group: ``for g, patches in patches_of(x, first, last)``.

    ``k`` numbers make a patch of one group; ``rows`` rows of the output have patches that fit the cache.
    """

    def __init__(self, geometry: ConvGeometry, itemsize: int) -> None:
        kh, kw, depth, _ = geometry.w_shape
        self.geometry = geometry
        self.k = kh * kw * depth
        self.rows = max(1, PATCH_BYTES // (geometry.output[1] * self.k * itemsize))

    def __call__(self, x: np.ndarray, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
        geometry, width = self.geometry, self.geometry.output[1]
        if _is_pointwise(geometry):
            pixels = x.reshape(-1, geometry.in_channels)[first * width : last * width]
            for g in range(geometry.groups):
                yield g, _group(pixels, g, geometry.groups)
            return
        patches = np.empty(((last - first) * width, self.k), x.dtype)
        for g in range(geometry.groups):
            gather(_rows_of(x), patches, first, last, tuple(geometry), g)
            yield g, patches


def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray | None, geometry: ConvGeometry) -> np.ndarray:
    """``y = patches @ filters + b``."""
    x, w = plain(x), plain(w)
    (oh, ow), groups, filters = geometry.output, geometry.groups, geometry.out_channels
    y = empty(geometry.y_shape(len(x)), x.dtype)
    patches_of = _Patches(geometry, x.itemsize)
    spans = _spans(len(x) * oh, patches_of.rows)

    def task(t: int) -> None:
        first, last = spans[t]
        target = y.reshape(-1, filters)[first * ow : last * ow]
        for g, patches in patches_of(x, first, last):
            np.matmul(patches, _group(w.reshape(-1, filters), g, groups), out=_group(target, g, groups))
        if b is not None:
            target += b

    run_products(task, len(spans))
    return y


def conv2d_backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dw = sum of patches.T @ dy``."""
    x, dy = plain(x), plain(dy)
    (oh, ow), groups, filters = geometry.output, geometry.groups, geometry.out_channels
    patches_of = _Patches(geometry, x.itemsize)
    spans = _spans(len(x) * oh, patches_of.rows)
    shares = _spans(len(spans), -(-len(spans) // PARTIAL_SUMS))
    partial = np.empty((len(shares), patches_of.k, filters), dy.dtype)

    def task(t: int) -> None:
        product = np.empty_like(partial[t])
        for s in range(*shares[t]):
            first, last = spans[s]
            upstream = dy.reshape(-1, filters)[first * ow : last * ow]
            target = partial[t] if s == shares[t][0] else product
            for g, patches in patches_of(x, first, last):
                np.matmul(patches.T, _group(upstream, g, groups), out=_group(target, g, groups))
            if target is product:
                partial[t] += product

    run_products(task, len(shares))
    return partial.sum(axis=0).reshape(geometry.w_shape)


def conv2d_backward_input(dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dpatches = dy @ filters.T``, then every number of a patch is added to its pixel."""
    dy, w = plain(dy), plain(w)
    (oh, ow), groups, filters = geometry.output, geometry.groups, geometry.out_channels
    pointwise, patches_of = _is_pointwise(geometry), _Patches(geometry, dy.itemsize)
    shape = geometry.x_shape(len(dy))
    dx = empty(shape, dy.dtype) if pointwise else np.zeros(shape, dy.dtype)

    def task(image: int) -> None:
        patches = np.empty((0 if pointwise else min(patches_of.rows, oh) * ow, patches_of.k), dy.dtype)
        for start, stop in _spans(oh, patches_of.rows):
            first, last = image * oh + start, image * oh + stop
            pixels = slice(first * ow, last * ow)
            for g in range(groups):
                upstream = _group(dy.reshape(-1, filters)[pixels], g, groups)
                filters_t = _group(w.reshape(-1, filters), g, groups).T
                if pointwise:
                    target = dx.reshape(-1, geometry.in_channels)[pixels]
                    np.matmul(upstream, filters_t, out=_group(target, g, groups))
                else:
                    product = np.matmul(upstream, filters_t, out=patches[: len(upstream)])
                    scatter(_rows_of(dx), product, first, last, tuple(geometry), g)

    run_products(task, len(dy))
    return dx
