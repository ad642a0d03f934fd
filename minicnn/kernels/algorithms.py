"""Which of the compiled convolutions runs, and why: never hidden, and it can be forced.

    depthwise   one filter a channel (``depthwise.py``)
    few_pixels  forward, a batch of few output pixels and many weights (``few_pixels.py``)
    winograd    3x3, stride 1, float32: a quarter of the multiplications (``winograd.py``)
    implicit    larger than 1x1: a product with rows of the image that overlap (``implicit_gemm.py``)
    patches     everything else: patches in the cache and BLAS (``patches.py``)

``choose`` says it for a layer's settings and image size. ``MINICNN_CONVOLUTION`` in the environment names one
to use wherever it applies: "implicit" or "patches" for images in which single numbers are NaN, infinite or
a million times larger than the others, which Winograd's tiles of 4x4 outputs let their neighbours feel.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numba
import numpy as np

from minicnn.kernels.compiled import depthwise, patches
from minicnn.kernels.runtime import workers
from minicnn.kernels.runtime.row_consumer import RowConsumer
from minicnn.kernels.simd import implicit_gemm
from minicnn.kernels.simd import small_batch as few_pixels
from minicnn.kernels.winograd import forward as winograd
from minicnn.kernels.winograd import weight_gradient as winograd_gradient
from minicnn.shapes import Pads, Pair, output_size

FORCED = "MINICNN_CONVOLUTION"
# A tile of 16 outputs costs 36 multiplications; for an image that fills little of its tiles that is no gain.
LEAST_FILLING = 0.4
# With fewer channels most of the transforms' lanes are zeros.
LEAST_CHANNELS = 8
# Algorithms that want weights transformed or packed, which is worth keeping for the next call.
PREPARING = ("winograd", "implicit")


class Choice(NamedTuple):
    """The name of an algorithm and the reason for it, in a few words."""

    name: str
    reason: str


def choose(
    w_shape: tuple[int, ...],
    out: Pair,
    stride: Pair,
    dilation: Pair,
    groups: int,
    dtype: np.dtype,
    images: int | None = None,
) -> Choice:
    """The algorithm for a weight (kh, kw, C / groups, O) and an output of ``out`` = (height, width) pixels.

    ``images``: how many the batch of a forward pass has; without it the answer is that for many.

    Raises ValueError where ``MINICNN_CONVOLUTION`` holds an unknown name.
    """
    forced = os.environ.get(FORCED, "")
    if forced not in ("", "patches", "implicit", "winograd"):
        raise ValueError(
            f'the environment variable {FORCED} must be "patches", "implicit" or "winograd", got {forced!r}'
        )
    if depthwise.applies(w_shape, groups):
        return Choice("depthwise", "one filter a channel")
    if groups != 1 or dilation != (1, 1):
        return Choice("patches", "groups and dilation are for patches")
    if getattr(numba.config, "DISABLE_JIT", False):
        return Choice("patches", "NUMBA_DISABLE_JIT is set, and the others are made of machine instructions")
    square = w_shape[:2] == (3, 3) and stride == (1, 1)
    if forced and (square or forced != "winograd"):
        return Choice(forced, f"{FORCED} says so")
    if dtype != np.float32:
        return Choice("patches", f"{dtype} asks for precision")
    if images is not None and few_pixels.applies(images * out[0] * out[1], w_shape):
        return Choice("few_pixels", "few pixels, many weights: to read each weight once is the work")
    if w_shape[:2] == (1, 1):
        return Choice("patches", "1x1: the pixels are the patches")
    if not square:
        return Choice("implicit", "Winograd is for 3x3 and stride 1")
    if min(w_shape[2:]) < LEAST_CHANNELS:
        return Choice("implicit", f"fewer than {LEAST_CHANNELS} channels")
    filling = out[0] * out[1] / (-(-out[0] // 4) * -(-out[1] // 4) * 16)
    if filling < LEAST_FILLING:
        return Choice("implicit", f"{out[0]}x{out[1]} pixels hardly fill 4x4 tiles")
    return Choice("winograd", "a quarter of the multiplications")


def conv2d_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (kh, kw, C / groups, O) and b (O,) or None."""
    name = algorithm(x, w, stride, pads, dilation, groups)
    if name == "winograd":
        return winograd.forward(x, w, b, pads)
    if name == "implicit":
        return implicit_gemm.forward(x, w, b, stride, pads)
    if name == "few_pixels":
        size = _size(x, w, stride, pads, dilation)
        return few_pixels.forward(x, w, b, stride, pads, (len(x), *size, w.shape[3]))
    return patches.conv2d_forward(x, w, b, stride, pads, dilation, groups)


def algorithm(x: np.ndarray, w: np.ndarray, stride: Pair, pads: Pads, dilation: Pair, groups: int) -> str:
    """The name of the algorithm for images like x."""
    size = _size(x, w, stride, pads, dilation)
    return choose(w.shape, size, stride, dilation, groups, x.dtype, len(x)).name


def _size(x: np.ndarray, w: np.ndarray, stride: Pair, pads: Pads, dilation: Pair) -> Pair:
    """Height and width of the output."""
    return output_size("conv2d", (x.shape[1], x.shape[2]), (w.shape[0], w.shape[1]), stride, pads, dilation)


class Prepared(NamedTuple):
    """Weights as an algorithm wants them: transformed, packed, or as they are."""

    algorithm: str
    weights: np.ndarray


def prepare(x: np.ndarray, w: np.ndarray, stride: Pair, pads: Pads, dilation: Pair, groups: int) -> Prepared:
    """What ``conv2d_rows`` needs of w, for images like x; w itself where that is all."""
    name = algorithm(x, w, stride, pads, dilation, groups)
    if name == "winograd":
        return Prepared(name, winograd.Filters(w).all())
    if name == "implicit":
        return Prepared(name, implicit_gemm.packed_weights(w))
    return Prepared(name, w)


def conv2d_rows(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
    *,
    relu: bool = False,
    prepared: Prepared | None = None,
    out: np.ndarray | None = None,
    consumer: RowConsumer,
) -> None:
    """The rows of ``conv2d_forward``, max(y, 0) with ``relu``, go to ``consumer`` while they are cached.

    See ``rows.py``. They go to ``out`` too where that is given. ``prepared`` is what ``prepare`` made of w.
    """
    name = prepared.algorithm if prepared else algorithm(x, w, stride, pads, dilation, groups)
    size = _size(x, w, stride, pads, dilation)
    y_shape = (len(x), *size, w.shape[3])
    if name == "winograd":
        # Filters that nobody keeps need not exist all at a time: each task may transform its own.
        filters = prepared.weights if prepared else winograd.Filters(w)
        winograd.compute(x, filters, b, (pads[0][0], pads[1][0]), y_shape, relu, out, consumer)
    elif name == "implicit":
        weights = prepared.weights if prepared else implicit_gemm.packed_weights(w)
        implicit_gemm.compute(x, weights, b, w.shape, stride, pads, y_shape, relu, out, consumer)
    elif name == "few_pixels":
        y = few_pixels.forward(x, w, b, stride, pads, y_shape, relu, out)
        consumer.expect(1)
        consumer(0, 0, len(x) * size[0], y.reshape(-1))
    else:
        y = patches.conv2d_forward(x, w, b, stride, pads, dilation, groups)
        if out is not None or relu:
            y = np.maximum(y, 0 if relu else -np.inf, out=y if out is None else out)
        rows = size[0]
        consumer.expect(len(x))
        flat = y.reshape(len(x), -1)
        workers.run(lambda n: consumer(n, n * rows, (n + 1) * rows, flat[n]), len(x))


def conv2d_backward_input(
    dy: np.ndarray,
    w: np.ndarray,
    x_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """dx (N, H, W, C) of dy (N, OH, OW, O). ``out`` may become dx, or be left unused."""
    size = (dy.shape[1], dy.shape[2])
    name = choose(w.shape, size, stride, dilation, groups, dy.dtype).name
    if name == "winograd":
        return winograd.backward_input(dy, w, x_shape, pads, out)
    if name == "implicit" and implicit_gemm.has_input_gradient(w.shape, stride, pads):
        return implicit_gemm.backward_input(dy, w, x_shape, pads, out)
    return patches.conv2d_backward_input(dy, w, x_shape, stride, pads, dilation, groups)


def conv2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    w_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """dw (kh, kw, C / groups, O) of dy (N, OH, OW, O) and x (N, H, W, C)."""
    out = (dy.shape[1], dy.shape[2])
    name = choose(w_shape, out, stride, dilation, groups, dy.dtype).name
    if name == "winograd":
        return winograd_gradient.backward_weight(dy, x, pads)
    if name == "implicit":
        return implicit_gemm.backward_weight(dy, x, w_shape, stride, pads)
    return patches.conv2d_backward_weight(dy, x, w_shape, stride, pads, dilation, groups)
