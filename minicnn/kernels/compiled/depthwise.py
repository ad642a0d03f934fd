"""Depthwise convolution: every filter sees one channel, so that there is nothing to make a matrix of.

Direct loops, the channels innermost: ``y[o] += x[c] * w[p, q, 0, o]`` for one pixel and one cell of the
kernel is one vector operation. Filter o belongs to channel c = o // m, where m filters share a channel.
"""

from __future__ import annotations

import numpy as np

from minicnn.kernels.runtime import workers
from minicnn.kernels.runtime.aligned import empty
from minicnn.kernels.runtime.jit import jit, plain
from minicnn.shapes import Pads, Pair, output_size

# Partial sums of the weight gradient, added up in a fixed order.
PARTIAL_SUMS = 16


def applies(w_shape: tuple[int, ...], groups: int) -> bool:
    """Whether these weights are depthwise: more than one group, of one channel each."""
    return groups > 1 and w_shape[2] == 1


@jit
def forward_rows(x, w, y, first, last, geometry):  # type: ignore[no-untyped-def]
    """Rows first..last-1 of y (N, OH, OW, C * m), which must be set to the bias or 0; w (kh * kw, C * m)."""
    kh, kw, sh, sw, top, left, dh, dw = geometry
    _, height, width, channels = x.shape
    _, oh, ow, filters = y.shape
    m = filters // channels
    nine = kh == 3 and kw == 3 and m == 1
    for r in range(first, last):
        n, i = r // oh, r % oh
        up, low = i * sh - top, i * sh + 2 * dh - top
        for j in range(ow):
            target = y[n, i, j]
            west, east = j * sw - left, j * sw + 2 * dw - left
            if nine and up >= 0 and low < height and west >= 0 and east < width:
                # All nine pixels are there: each sum is read and written once, not nine times.
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
    kh, kw, sh, sw, top, left, dh, dw = geometry
    _, height, width, channels = dx.shape
    _, oh, ow, filters = dy.shape
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
def backward_weight_rows(dy, x, dw, first, last, geometry):  # type: ignore[no-untyped-def]
    """Add what rows first..last-1 of dy (N, OH, OW, C * m) contribute to dw (kh * kw, C * m)."""
    kh, kw, sh, sw, top, left, dh, dw_step = geometry
    _, height, width, channels = x.shape
    _, oh, ow, filters = dy.shape
    m = filters // channels
    for r in range(first, last):
        n, i = r // oh, r % oh
        for p in range(kh):
            h = i * sh + p * dh - top
            if 0 <= h < height:
                for j in range(ow):
                    upstream = dy[n, i, j]
                    for q in range(kw):
                        v = j * sw + q * dw_step - left
                        if 0 <= v < width:
                            target, source = dw[p * kw + q], x[n, h, v]
                            if m == 1:
                                for c in range(channels):
                                    target[c] += upstream[c] * source[c]
                            else:
                                for o in range(filters):
                                    target[o] += upstream[o] * source[o // m]


def _geometry(kernel: Pair, stride: Pair, pads: Pads, dilation: Pair) -> tuple[int, ...]:
    return *kernel, *stride, pads[0][0], pads[1][0], *dilation


def conv2d_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``y[n,i,j,o] = b[o] + sum over p,q of x[n,h,v,o // m] * w[p,q,0,o]``."""
    x, w = plain(x), plain(w)
    kernel = (w.shape[0], w.shape[1])
    out = output_size("conv2d", (x.shape[1], x.shape[2]), kernel, stride, pads, dilation)
    y = empty((len(x), *out, w.shape[3]), x.dtype)
    weights, geometry = w.reshape(-1, w.shape[3]), _geometry(kernel, stride, pads, dilation)

    def task(first: int, last: int) -> None:
        y.reshape(-1, *y.shape[2:])[first:last] = 0 if b is None else b
        forward_rows(x, weights, y, first, last, geometry)

    rows = len(x) * out[0]
    workers.run_stretches(task, rows, workers.stretch(rows, y.nbytes))
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
    """``dx[n,h,v,c] = sum of dy[n,i,j,o] * w[p,q,0,o]`` over the pixels of y that saw (h, v)."""
    dy, w = plain(dy), plain(w)
    (top, bottom), (left, right) = pads
    kh, kw = w.shape[:2]
    if stride == dilation == (1, 1) and w.shape[3] == x_shape[3] and max(pads[0]) < kh and max(pads[1]) < kw:
        # The same convolution of dy, with the filters turned by 180 degrees and the padding inside out.
        inside_out = ((kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right))
        return conv2d_forward(dy, w[::-1, ::-1], None, stride, inside_out, dilation, groups)
    dx = np.zeros(x_shape, dy.dtype)
    weights = w.reshape(-1, w.shape[3])
    geometry = _geometry((w.shape[0], w.shape[1]), stride, pads, dilation)

    def task(first: int, last: int) -> None:
        backward_input_images(dy, weights, dx, first, last, geometry)

    workers.run_stretches(task, len(dx), 1)
    return dx


def conv2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    w_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """``dw[p,q,0,o] = sum over n,i,j of dy[n,i,j,o] * x[n,h,v,o // m]``."""
    dy, x = plain(dy), plain(x)
    geometry = _geometry((w_shape[0], w_shape[1]), stride, pads, dilation)
    rows = len(dy) * dy.shape[1]
    step = -(-rows // PARTIAL_SUMS)
    partial = np.zeros((-(-rows // step), w_shape[0] * w_shape[1], w_shape[3]), dy.dtype)

    def task(first: int, last: int) -> None:
        backward_weight_rows(dy, x, partial[first // step], first, last, geometry)

    workers.run_stretches(task, rows, step)
    return partial.sum(axis=0).reshape(w_shape)
