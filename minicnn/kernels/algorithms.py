"""Which compiled convolution algorithm runs, and why.

    depthwise    one filter a channel (``compiled/depthwise.py``)
    small_batch  forward, a batch of few output pixels and many weights (``simd/small_batch.py``)
    winograd     3x3, stride 1, float32: a quarter of the multiplications (``winograd/``)
    implicit     larger than 1x1: a product with rows of the image that overlap (``simd/implicit_gemm.py``)
    patches      everything else: patches in the cache and BLAS (``compiled/patches.py``)

``choose`` names the algorithm for a geometry. ``MINICNN_CONVOLUTION`` in the environment names one to use
wherever it applies: "implicit" or "patches" for images in which single numbers are NaN, infinite or a million
times larger than the others, which disturb all 4x4 outputs of a Winograd tile (``winograd/forward.py``).
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numba
import numpy as np

from minicnn.kernels.compiled import depthwise, patches
from minicnn.kernels.runtime import thread_pool
from minicnn.kernels.runtime.row_consumer import RowConsumer
from minicnn.kernels.simd import implicit_gemm, small_batch
from minicnn.kernels.winograd import forward as winograd_forward
from minicnn.kernels.winograd import weight_gradient as winograd_weight_gradient
from minicnn.kernels.winograd.filters import Filters
from minicnn.shapes import ConvGeometry

FORCED = "MINICNN_CONVOLUTION"
# A tile of 16 outputs costs 36 multiplications; for an image that fills little of its tiles that is no gain.
LEAST_FILLING = 0.4
# With fewer channels most of the transforms' lanes are zeros.
LEAST_CHANNELS = 8
# A strip that implicit GEMM copies grows with the square of the stride.
LARGEST_STRIDE = 8
# Algorithms that use weights transformed or packed, which are worth storing for the next call.
PREPARING = ("winograd", "implicit")


class Choice(NamedTuple):
    """The name of an algorithm and the reason for it, in a few words."""

    name: str
    reason: str


def choose(geometry: ConvGeometry, dtype: np.dtype, images: int | None = None) -> Choice:
    """The algorithm for a convolution of float32 or float64 arrays.

    ``images``: how many the batch of a forward pass has; None: a batch large enough for every algorithm.

    Raises ValueError where ``MINICNN_CONVOLUTION`` holds an unknown name.
    """
    forced = os.environ.get(FORCED, "")
    if forced not in ("", "patches", "implicit", "winograd"):
        raise ValueError(
            f'the environment variable {FORCED} must be "patches", "implicit" or "winograd", got {forced!r}'
        )
    if depthwise.applies(geometry):
        return Choice("depthwise", "one filter a channel")
    if geometry.groups != 1 or geometry.dilation != (1, 1):
        return Choice("patches", "groups and dilation are for patches")
    if getattr(numba.config, "DISABLE_JIT", False):
        return Choice("patches", "NUMBA_DISABLE_JIT is set, and the others are made of machine instructions")
    square = geometry.kernel == (3, 3) and geometry.stride == (1, 1)
    if forced and (square or forced != "winograd"):
        return Choice(forced, f"{FORCED} is set")
    if dtype != np.float32:
        return Choice("patches", f"{dtype} is for precision, not speed")
    if images is not None and small_batch.applies(geometry, images):
        return Choice("small_batch", "few pixels, many weights: reading the weights takes most of the time")
    if geometry.kernel == (1, 1):
        return Choice("patches", "1x1: the pixels are the patches")
    if max(geometry.stride) > LARGEST_STRIDE:
        return Choice("patches", "its stride leaves most of a copied strip unused")
    if not square:
        return Choice("implicit", "Winograd is for 3x3 and stride 1")
    if min(geometry.in_channels, geometry.out_channels) < LEAST_CHANNELS:
        return Choice("implicit", f"fewer than {LEAST_CHANNELS} channels")
    height, width = geometry.output
    filling = height * width / (-(-height // 4) * -(-width // 4) * 16)
    if filling < LEAST_FILLING:
        return Choice("implicit", f"{height}x{width} pixels leave much of the 4x4 tiles empty")
    return Choice("winograd", "a quarter of the multiplications")


def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray | None, geometry: ConvGeometry) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (kh, kw, C / groups, O) and b (O,) or None."""
    name = choose(geometry, x.dtype, len(x)).name
    if name == "winograd":
        return winograd_forward.forward(x, w, b, geometry)
    if name == "implicit":
        return implicit_gemm.forward(x, w, b, geometry)
    if name == "small_batch":
        return small_batch.forward(x, w, b, geometry)
    if name == "depthwise":
        return depthwise.conv2d_forward(x, w, b, geometry)
    return patches.conv2d_forward(x, w, b, geometry)


class Prepared(NamedTuple):
    """Weights as an algorithm takes them: transformed, packed, or as they are."""

    algorithm: str
    weights: np.ndarray


def prepare(algorithm: str, w: np.ndarray) -> Prepared:
    """What ``conv2d_rows`` needs of w for the algorithm that ``choose`` named; w itself where that is all."""
    if algorithm == "winograd":
        return Prepared(algorithm, Filters(w).all())
    if algorithm == "implicit":
        return Prepared(algorithm, implicit_gemm.packed_weights(w))
    return Prepared(algorithm, w)


def conv2d_rows(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    geometry: ConvGeometry,
    *,
    relu: bool = False,
    prepared: Prepared | None = None,
    out: np.ndarray | None = None,
    consumer: RowConsumer,
) -> None:
    """The rows of ``conv2d_forward``, max(y, 0) with ``relu``, go to ``consumer`` while they are cached.

    See ``runtime/row_consumer.py``. They go to ``out`` too where that is given. ``prepared`` is what
    ``prepare`` made of w.
    """
    name = prepared.algorithm if prepared else choose(geometry, x.dtype, len(x)).name
    if name == "winograd":
        # Without prepared ones, each task may transform its own filters: they need not all exist at a time.
        filters = prepared.weights if prepared else Filters(w)
        winograd_forward.compute(x, filters, b, geometry, relu, out, consumer)
    elif name == "implicit":
        weights = prepared.weights if prepared else implicit_gemm.packed_weights(w)
        implicit_gemm.compute(x, weights, b, geometry, relu, out, consumer)
    elif name == "small_batch":
        y = small_batch.forward(x, w, b, geometry, relu, out)
        consumer.expect(1)
        consumer(0, 0, len(x) * geometry.output[0], y.reshape(-1))
    else:
        y = (depthwise if name == "depthwise" else patches).conv2d_forward(x, w, b, geometry)
        if out is not None or relu:
            y = np.maximum(y, 0 if relu else -np.inf, out=y if out is None else out)
        rows = geometry.output[0]
        consumer.expect(len(x))
        flat = y.reshape(len(x), -1)
        thread_pool.run(lambda n: consumer(n, n * rows, (n + 1) * rows, flat[n]), len(x))


def conv2d_backward_input(
    dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry, out: np.ndarray | None = None
) -> np.ndarray:
    """dx (N, H, W, C) of dy (N, OH, OW, O). ``out`` may become dx, or be left unused."""
    name = input_gradient_algorithm(geometry, dy.dtype)
    if name == "winograd":
        return winograd_forward.backward_input(dy, w, geometry, out)
    if name == "implicit":
        return implicit_gemm.backward_input(dy, w, geometry, out)
    if name == "depthwise":
        return depthwise.conv2d_backward_input(dy, w, geometry)
    return patches.conv2d_backward_input(dy, w, geometry)


def input_gradient_algorithm(geometry: ConvGeometry, dtype: np.dtype) -> str:
    """The name of the algorithm that computes dx: "patches" where "implicit" has no input gradient."""
    name = choose(geometry, dtype).name
    return "patches" if name == "implicit" and not implicit_gemm.has_input_gradient(geometry) else name


def conv2d_backward_weight(dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
    """dw (kh, kw, C / groups, O) of dy (N, OH, OW, O) and x (N, H, W, C)."""
    name = choose(geometry, dy.dtype).name
    if name == "winograd":
        return winograd_weight_gradient.backward_weight(dy, x, geometry)
    if name == "implicit":
        return implicit_gemm.backward_weight(dy, x, geometry)
    if name == "depthwise":
        return depthwise.conv2d_backward_weight(dy, x, geometry)
    return patches.conv2d_backward_weight(dy, x, geometry)
