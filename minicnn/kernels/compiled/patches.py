"""Convolution as compiled im2col and BLAS, a few rows of the output image at a time.

``im2col.py`` has the idea: one row of numbers for the patch under each output pixel, then a matrix product.
Here the patch matrix never exists as a whole. A task lays out the patches of some output rows, small enough
to stay in the cache, and multiplies them at once; the tasks run side by side, each product on one thread.

    forward           y    = patches @ filters            rows of the output are cut into tasks
    gradient of w     dw   = sum of patches.T @ dy        one partial sum a task, added in the tasks' order
    gradient of x     dpatches = dy @ filters.T           images are cut into tasks, as neighbouring
                      added back to their pixels          patches share pixels

A depthwise convolution has no matrix product in it and goes to ``depthwise.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minicnn.kernels.compiled import depthwise
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.blas import run_products
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.shapes import Pads, Pair, output_size

# Patches that one product reads: few enough for the cache, enough to be worth BLAS's preparations.
PATCH_BYTES = 2**21
# Partial sums of the weight gradient: enough for as many threads, few enough to add up quickly.
PARTIAL_SUMS = 16


@jit
def gather(x, patches, first, last, geometry):  # type: ignore[no-untyped-def]
    """Lay the patches of output rows first..last-1 out in ``patches`` (pixels, kh * kw * depth).

    x (N, H, W * C). Row r is row r % OH of image r // OH. ``geometry`` is that of ``_geometry``.
    """
    oh, ow, kh, kw, sh, sw, top, left, dh, dw, channels, depth, channel = geometry
    height, width = x.shape[1], x.shape[2] // channels
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
def scatter(dx, patches, first, last, geometry):  # type: ignore[no-untyped-def]
    """The reverse of ``gather``: add every number of a patch to its pixel of dx (N, H, W * C)."""
    oh, ow, kh, kw, sh, sw, top, left, dh, dw, channels, depth, channel = geometry
    height, width = dx.shape[1], dx.shape[2] // channels
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


def _geometry(
    out: Pair,
    kernel: Pair,
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    channels: int,
    depth: int,
    group: int = 0,
) -> tuple[int, ...]:
    """What the compiled loops must know, as a tuple of 13 numbers."""
    return *out, *kernel, *stride, pads[0][0], pads[1][0], *dilation, channels, depth, group * depth


def lay_out(x: np.ndarray, patches: np.ndarray, out: Pair, kernel: Pair, stride: Pair, pads: Pads) -> None:
    """All patches of x (N, H, W, C), those of pixel i in row i of ``patches`` (N * OH * OW, kh * kw * C)."""
    n, height, width, channels = x.shape
    geometry = _geometry(out, kernel, stride, pads, (1, 1), channels, channels)
    gather(x.reshape(n, height, width * channels), patches, 0, n * out[0], geometry)


def _is_pointwise(kernel: Pair, stride: Pair, pads: Pads) -> bool:
    """A 1x1 convolution's patches are the pixels themselves."""
    return kernel == (1, 1) and stride == (1, 1) and pads == ((0, 0), (0, 0))


def _spans(total: int, step: int) -> list[tuple[int, int]]:
    """0..total in stretches of ``step``."""
    return [(start, min(start + step, total)) for start in range(0, total, step)]


def _rows_a_product(out_w: int, k: int, itemsize: int) -> int:
    return max(1, PATCH_BYTES // (out_w * k * itemsize))


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
    if depthwise.applies(w.shape, groups):
        return depthwise.conv2d_forward(x, w, b, stride, pads, dilation, groups)
    x, w = plain(x), plain(w)
    kernel, filters = (w.shape[0], w.shape[1]), w.shape[3]
    out = output_size("conv2d", (x.shape[1], x.shape[2]), kernel, stride, pads, dilation)
    y = empty((len(x), *out, filters), x.dtype)
    patches_of = _Patches(x, out, kernel, stride, pads, dilation, groups)
    spans = _spans(len(x) * out[0], patches_of.rows)

    def task(t: int) -> None:
        first, last = spans[t]
        target = y.reshape(-1, filters)[first * out[1] : last * out[1]]
        for g, patches in patches_of(first, last):
            np.matmul(patches, _group(w.reshape(-1, filters), g, groups), out=_group(target, g, groups))
        if b is not None:
            target += b

    run_products(task, len(spans))
    return y


def conv2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    w_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``dw = sum of patches.T @ dy``."""
    if depthwise.applies(w_shape, groups):
        return depthwise.conv2d_backward_weight(dy, x, w_shape, stride, pads, dilation, groups)
    x, dy = plain(x), plain(dy)
    kh, kw, depth, filters = w_shape
    out = (dy.shape[1], dy.shape[2])
    patches_of = _Patches(x, out, (kh, kw), stride, pads, dilation, groups)
    spans = _spans(len(x) * out[0], patches_of.rows)
    shares = _spans(len(spans), -(-len(spans) // PARTIAL_SUMS))
    partial = np.empty((len(shares), kh * kw * depth, filters), dy.dtype)

    def task(t: int) -> None:
        product = np.empty_like(partial[t])
        for s in range(*shares[t]):
            first, last = spans[s]
            upstream = dy.reshape(-1, filters)[first * out[1] : last * out[1]]
            target = partial[t] if s == shares[t][0] else product
            for g, patches in patches_of(first, last):
                np.matmul(patches.T, _group(upstream, g, groups), out=_group(target, g, groups))
            if target is product:
                partial[t] += product

    run_products(task, len(shares))
    return partial.sum(axis=0).reshape(w_shape)


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
    if depthwise.applies(w.shape, groups):
        return depthwise.conv2d_backward_input(dy, w, x_shape, stride, pads, dilation, groups)
    dy, w = plain(dy), plain(w)
    n, height, width, channels = x_shape
    kh, kw, depth, filters = w.shape
    oh, ow = dy.shape[1:3]
    k = kh * kw * depth
    pointwise = _is_pointwise((kh, kw), stride, pads)
    dx = empty(x_shape, dy.dtype) if pointwise else np.zeros(x_shape, dy.dtype)
    step = _rows_a_product(ow, k, dy.itemsize)

    def task(image: int) -> None:
        patches = np.empty((0 if pointwise else min(step, oh) * ow, k), dy.dtype)
        for start, stop in _spans(oh, step):
            first, last = image * oh + start, image * oh + stop
            pixels = slice(first * ow, last * ow)
            for g in range(groups):
                upstream = _group(dy.reshape(-1, filters)[pixels], g, groups)
                filters_t = _group(w.reshape(-1, filters), g, groups).T
                if pointwise:
                    np.matmul(upstream, filters_t, out=_group(dx.reshape(-1, channels)[pixels], g, groups))
                    continue
                product = np.matmul(upstream, filters_t, out=patches[: len(upstream)])
                geometry = _geometry((oh, ow), (kh, kw), stride, pads, dilation, channels, depth, g)
                scatter(dx.reshape(n, height, width * channels), product, first, last, geometry)

    run_products(task, n)
    return dx


class _Patches:
    """The patches of a stretch of output rows, group by group: ``for g, patches in patches_of(a, b)``."""

    def __init__(
        self,
        x: np.ndarray,
        out: Pair,
        kernel: Pair,
        stride: Pair,
        pads: Pads,
        dilation: Pair,
        groups: int,
    ) -> None:
        self.x, self.out, self.groups = x, out, groups
        self.settings = (out, kernel, stride, pads, dilation)
        self.channels = x.shape[3]
        self.depth = self.channels // groups
        self.k = kernel[0] * kernel[1] * self.depth
        self.rows = _rows_a_product(out[1], self.k, x.itemsize)
        self.pointwise = _is_pointwise(kernel, stride, pads)

    def __call__(self, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
        n, height, width, channels = self.x.shape
        pixels = slice(first * self.out[1], last * self.out[1])
        if self.pointwise:
            for g in range(self.groups):
                yield g, _group(self.x.reshape(-1, channels)[pixels], g, self.groups)
            return
        patches = np.empty(((last - first) * self.out[1], self.k), self.x.dtype)
        for g in range(self.groups):
            geometry = _geometry(*self.settings, channels, self.depth, g)
            gather(self.x.reshape(n, height, width * channels), patches, first, last, geometry)
            yield g, patches


def _group(columns: np.ndarray, g: int, groups: int) -> np.ndarray:
    """The columns that belong to group g, as a view."""
    size = columns.shape[1] // groups
    return columns[:, g * size : (g + 1) * size]
