"""Depthwise convolution: every filter reads one channel, so that there is no sum over channels to make a
matrix product of.

Direct loops, the channels innermost: ``y[o] += x[c] * w[p, q, 0, o]`` for one pixel and one cell of the
kernel is one vector operation. Filter o belongs to channel c = o // m, where m filters share a channel.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.shapes import ConvGeometry

# Partial sums of the weight gradient, added up in a fixed order.
PARTIAL_SUMS = 16


def applies(geometry: ConvGeometry) -> bool:
    """Whether the convolution is depthwise: more than one group, of one channel each."""
    return geometry.groups > 1 and geometry.groups == geometry.in_channels


@jit
def forward_rows(x, w, y, first, last, geometry):  # type: ignore[no-untyped-def]
    """Rows first..last-1 of y (N, OH, OW, C * m), which must be set to the bias or 0; w (kh * kw, C * m)."""
    geometry = ConvGeometry(*geometry)
    (height, width), channels = geometry.image, geometry.in_channels
    (oh, ow), filters = geometry.output, geometry.out_channels
    (kh, kw), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    (top, _), (left, _) = geometry.padding
    m = filters // channels
    nine = kh == 3 and kw == 3 and m == 1
    for r in range(first, last):
        n, i = r // oh, r % oh
        up, low = i * sh - top, i * sh + 2 * dh - top
        for j in range(ow):
            target = y[n, i, j]
            west, east = j * sw - left, j * sw + 2 * dw - left
            if nine and up >= 0 and low < height and west >= 0 and east < width:
                # All nine pixels are on the image: each sum is read and written once, not nine times.
                a, b, c = x[n, up], x[n, up + dh], x[n, low]
                v = west + dw
                a0, a1, a2, b0, b1, b2, c0, c1, c2 = (
                    a[west], a[v], a[east], b[west], b[v], b[east], c[west], c[v], c[east]
                )  # fmt: skip
                w0, w1, w2, w3, w4, w5, w6, w7, w8 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]
                for k in range(channels):
                    target[k] += (
                        (a0[k] * w0[k] + a1[k] * w1[k] + a2[k] * w2[k])
                        + (b0[k] * w3[k] + b1[k] * w4[k] + b2[k] * w5[k])
                        + (c0[k] * w6[k] + c1[k] * w7[k] + c2[k] * w8[k])
                    )
                continue
            for p in range(kh):
                h = i * sh + p * dh - top
                if 0 <= h < height:
                    for q in range(kw):
                        v = j * sw + q * dw - left
                        if 0 <= v < width:
                            source, weights = x[n, h, v], w[p * kw + q]
                            if m == 1:
                                for c in range(channels):
                                    target[c] += source[c] * weights[c]
                            else:
                                for o in range(filters):
                                    target[o] += source[o // m] * weights[o]


@jit
def backward_input_images(dy, w, dx, first, last, geometry):  # type: ignore[no-untyped-def]
    """Images first..last-1 of dx (N, H, W, C), which must be 0; dy (N, OH, OW, C * m), w (kh * kw, C * m)."""
    geometry = ConvGeometry(*geometry)
    (height, width), channels = geometry.image, geometry.in_channels
    (oh, ow), filters = geometry.output, geometry.out_channels
    (kh, kw), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    (top, _), (left, _) = geometry.padding
    m = filters // channels
    for n in range(first, last):
        for i in range(oh):
            for j in range(ow):
                upstream = dy[n, i, j]
                for p in range(kh):
                    h = i * sh + p * dh - top
                    if 0 <= h < height:
                        for q in range(kw):
                            v = j * sw + q * dw - left
                            if 0 <= v < width:
                                target, weights = dx[n, h, v], w[p * kw + q]
                                if m == 1:
                                    for c in range(channels):
                                        target[c] += upstream[c] * weights[c]
                                else:
                                    for o in range(filters):
                                        target[o // m] += upstream[o] * weights[o]


@jit
def backward_weight_rows(dy, x, weight_gradient, first, last, geometry):  # type: ignore[no-untyped-def]
    """Add what rows first..last-1 of dy (N, OH, OW, C * m) contribute to the gradient (kh * kw, C * m)."""
    geometry = ConvGeometry(*geometry)
    (height, width), channels = geometry.image, geometry.in_channels
    (oh, ow), filters = geometry.output, geometry.out_channels
    (kh, kw), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    (top, _), (left, _) = geometry.padding
    m = filters // channels
    for r in range(first, last):
        n, i = r // oh, r % oh
        for p in range(kh):
            h = i * sh + p * dh - top
            if 0 <= h < height:
                for j in range(ow):
                    upstream = dy[n, i, j]
                    for q in range(kw):
                        v = j * sw + q * dw - left
                        if 0 <= v < width:
                            target, source = weight_gradient[p * kw + q], x[n, h, v]
                            if m == 1:
                                for c in range(channels):
                                    target[c] += upstream[c] * source[c]
                            else:
                                for o in range(filters):
                                    target[o] += upstream[o] * source[o // m]


def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray | None, geometry: ConvGeometry) -> np.ndarray:
    """``y[n,i,j,o] = b[o] + sum over p,q of x[n,h,v,o // m] * w[p,q,0,o]``."""
    x, w = plain(x), plain(w)
    y = empty(geometry.y_shape(len(x)), x.dtype)
    weights, numbers = w.reshape(-1, w.shape[3]), tuple(geometry)

    def task(first: int, last: int) -> None:
        y.reshape(-1, *y.shape[2:])[first:last] = 0 if b is None else b
        forward_rows(x, weights, y, first, last, numbers)

    rows = len(x) * geometry.output[0]
    thread_pool.run_stretches(task, rows, thread_pool.stretch(rows, y.nbytes))
    return y


def conv2d_backward_input(dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dx[n,h,v,c] = sum of dy[n,i,j,o] * w[p,q,0,o]`` over the pixels of y that (h, v) is part of."""
    dy, w = plain(dy), plain(w)
    if (
        geometry.stride == geometry.dilation == (1, 1)
        and geometry.out_channels == geometry.in_channels
        and all(max(pads) < k for pads, k in zip(geometry.padding, geometry.kernel, strict=True))
    ):
        return conv2d_forward(dy, w[::-1, ::-1], None, geometry.transposed())
    dx = np.zeros(geometry.x_shape(len(dy)), dy.dtype)
    weights, numbers = w.reshape(-1, w.shape[3]), tuple(geometry)

    def task(first: int, last: int) -> None:
        backward_input_images(dy, weights, dx, first, last, numbers)

    thread_pool.run_stretches(task, len(dx), 1)
    return dx


def conv2d_backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """``dw[p,q,0,o] = sum over n,i,j of dy[n,i,j,o] * x[n,h,v,o // m]``."""
    dy, x = plain(dy), plain(x)
    (kh, kw, _, filters), numbers = geometry.w_shape, tuple(geometry)
    rows = len(dy) * geometry.output[0]
    step = -(-rows // PARTIAL_SUMS)
    partial = np.zeros((-(-rows // step), kh * kw, filters), dy.dtype)

    def task(first: int, last: int) -> None:
        backward_weight_rows(dy, x, partial[first // step], first, last, numbers)

    thread_pool.run_stretches(task, rows, step)
    return partial.sum(axis=0).reshape(geometry.w_shape)
