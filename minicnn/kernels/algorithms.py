"""Which of the compiled convolutions runs, and why: never hidden, and it can be forced.

    depthwise   one filter a channel (``depthwise.py``)
    winograd    3x3, stride 1, float32: a quarter of the multiplications (``winograd.py``)
    patches     everything else: patches in the cache and BLAS (``patches.py``)

``choose`` says it for a layer's settings and image size; ``MINICNN_CONVOLUTION=patches`` (or ``winograd``) in
the environment forces one wherever it applies.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numba
import numpy as np

from minicnn.kernels import depthwise, patches, winograd, winograd_gradient
from minicnn.shapes import Pads, Pair

FORCED = "MINICNN_CONVOLUTION"
# A tile of 16 outputs costs 36 multiplications; for an image that fills little of its tiles that is no gain.
LEAST_FILLING = 0.4
# With fewer channels most of the transforms' lanes are zeros.
LEAST_CHANNELS = 8


class Choice(NamedTuple):
    """The name of an algorithm and the reason for it, in a few words."""

    name: str
    reason: str


def choose(
    w_shape: tuple[int, ...], out: Pair, stride: Pair, dilation: Pair, groups: int, dtype: np.dtype
) -> Choice:
    """The algorithm for a weight (kh, kw, C / groups, O) and an output of ``out`` = (height, width) pixels.

    Raises ValueError where ``MINICNN_CONVOLUTION`` holds an unknown name.
    """
    if depthwise.applies(w_shape, groups):
        return Choice("depthwise", "one filter a channel")
    forced = os.environ.get(FORCED, "")
    if forced not in ("", "patches", "winograd"):
        raise ValueError(f'the environment variable {FORCED} must be "patches" or "winograd", got {forced!r}')
    if forced == "patches":
        return Choice("patches", f"{FORCED} says so")
    if w_shape[:2] != (3, 3) or stride != (1, 1) or dilation != (1, 1) or groups != 1:
        return Choice("patches", "Winograd is for 3x3, stride 1, no dilation, one group")
    if getattr(numba.config, "DISABLE_JIT", False):
        return Choice("patches", "NUMBA_DISABLE_JIT is set, and Winograd is made of machine instructions")
    if forced == "winograd":
        return Choice("winograd", f"{FORCED} says so")
    if dtype != np.float32:
        return Choice("patches", f"{dtype} asks for precision")
    if min(w_shape[2:]) < LEAST_CHANNELS:
        return Choice("patches", f"fewer than {LEAST_CHANNELS} channels")
    filling = out[0] * out[1] / (-(-out[0] // 4) * -(-out[1] // 4) * 16)
    if filling < LEAST_FILLING:
        return Choice("patches", f"{out[0]}x{out[1]} pixels fill little of the 4x4 tiles")
    return Choice("winograd", "3x3, stride 1: a quarter of the multiplications")


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
    out = (x.shape[1] + sum(pads[0]) - 2, x.shape[2] + sum(pads[1]) - 2)
    if min(out) > 0 and choose(w.shape, out, stride, dilation, groups, x.dtype).name == "winograd":
        return winograd.forward(x, w, b, pads)
    return patches.conv2d_forward(x, w, b, stride, pads, dilation, groups)


def conv2d_backward_input(
    dy: np.ndarray,
    w: np.ndarray,
    x_shape: tuple[int, int, int, int],
    stride: Pair,
    pads: Pads,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """dx (N, H, W, C) of dy (N, OH, OW, O)."""
    out = (dy.shape[1], dy.shape[2])
    if choose(w.shape, out, stride, dilation, groups, dy.dtype).name == "winograd":
        return winograd.backward_input(dy, w, x_shape, pads)
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
    if choose(w_shape, out, stride, dilation, groups, dy.dtype).name == "winograd":
        return winograd_gradient.backward_weight(dy, x, pads)
    return patches.conv2d_backward_weight(dy, x, w_shape, stride, pads, dilation, groups)
