"""Checks of chapter 2: kernels that move a picture, strides and "same" padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.layers.conv import Conv2D
from minicnn.shapes import resolve_padding

Array = np.ndarray


def _kernel(down: int, right: int) -> Array:
    """The right kernel, found by moving an impulse: where the 1 must be to bring it there."""
    moved = np.roll(np.pad([[1.0]], 1), (down, right), axis=(0, 1))
    return moved[::-1, ::-1].copy()


shift_kernel = Exercise(
    "shift_kernel",
    cases=lambda: [(1, 0), (0, -1), (-1, 1)],
    answer=_kernel,
    outputs=("kernel",),
    mistakes=(
        Mistake(
            "flipped",
            "kernel",
            "This kernel moves the picture in the opposite direction. An output copies the pixel under the "
            "1: to move a picture down, it must copy from above.",
            lambda down, right: _kernel(-down, -right),
        ),
        Mistake(
            "rows for columns",
            "kernel",
            "It moves right by what was asked for down. The first index of an array is the row.",
            lambda down, right: _kernel(right, down),
        ),
        Mistake(
            "off by one",
            "kernel",
            "The indices count from the corner. The kernel's centre, where nothing moves, is [1, 1].",
            lambda down, right: _impulse((-down) % 3, (-right) % 3),
        ),
    ),
)


def _impulse(row: int, column: int) -> Array:
    kernel = np.zeros((3, 3))
    kernel[row, column] = 1
    return kernel


def _convolution(x: Array, w: Array, stride: int) -> Array:
    """The library's convolution of one grey image."""
    layer = Conv2D(1, 1, w.shape, stride=stride, bias=False, rng=0, dtype=np.float64)
    layer.weight.data[...] = w[:, :, None, None]
    return layer.forward(x[None, :, :, None])[0, :, :, 0]


def _images() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(20)
    return [
        (rng.standard_normal(shape), rng.standard_normal(kernel), stride)
        for shape, kernel, stride in (((5, 7), (3, 2), 1), ((9, 10), (3, 4), 2), ((8, 11), (2, 2), 3))
    ]


def _neighbours(x: Array, w: Array, steps: tuple[int, int], stride: int) -> Array:
    """The first windows of a convolution with other steps, as many as the stride leaves."""
    rows, columns = _convolution(x, w, stride).shape
    return _convolution(x, w, 1)[:: steps[0], :: steps[1]][:rows, :columns]


def _one_short(x: Array, w: Array, stride: int) -> Array:
    return _convolution(x, w, stride)[:-1, :-1]


convolve = Exercise(
    "convolve",
    cases=_images,
    answer=_convolution,
    outputs=("y",),
    mistakes=(
        Mistake(
            "flipped",
            "y",
            "The kernel is rotated by 180 degrees. Networks lay it on as it is: x[i + p] meets w[p].",
            lambda x, w, stride: _convolution(x, w[::-1, ::-1], stride),
        ),
        Mistake(
            "stride",
            "y",
            "Windows begin at i, not at stride * i.",
            lambda x, w, stride: _neighbours(x, w, (1, 1), stride),
        ),
        Mistake(
            "off by one",
            "y",
            "The last row and column of windows are missing. The number of windows is the number of steps "
            "plus one, for the window before the first step.",
            _one_short,
        ),
        Mistake(
            "whole numbers",
            "y",
            "The sums are cut to whole numbers: an array made with dtype=int holds no others.",
            lambda x, w, stride: np.trunc(_convolution(x, w, stride)),
        ),
        Mistake(
            "rows flipped",
            "y",
            "The rows of the kernel are in reverse order. Networks lay it on as it is.",
            lambda x, w, stride: _convolution(x, w[::-1], stride),
        ),
        Mistake(
            "columns flipped",
            "y",
            "The columns of the kernel are in reverse order. Networks lay it on as it is.",
            lambda x, w, stride: _convolution(x, w[:, ::-1], stride),
        ),
        Mistake(
            "stride of the rows",
            "y",
            "The columns of the windows begin at j, not at stride * j.",
            lambda x, w, stride: _neighbours(x, w, (stride, 1), stride),
        ),
        Mistake(
            "stride of the columns",
            "y",
            "The rows of the windows begin at i, not at stride * i.",
            lambda x, w, stride: _neighbours(x, w, (1, stride), stride),
        ),
        Mistake(
            "stride ignored",
            "y",
            "This is the output of stride 1.",
            lambda x, w, stride: _convolution(x, w, 1),
        ),
    ),
)


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    return resolve_padding("same", (size, size), (kernel, kernel), (stride, stride))[0]


def _pads(key: str, says: str, pads: Callable[[int, int, int], tuple[int, int]]) -> Mistake:
    return Mistake(key, "before, after", says, lambda *case: np.array(pads(*case)))


same_padding = Exercise(
    "same_padding",
    cases=lambda: [
        (7, 3, 1),
        (8, 4, 1),
        (8, 3, 2),
        (9, 4, 2),
        (9, 2, 3),
        (4, 1, 4),
        (11, 7, 3),
        (10, 5, 4),
    ],
    answer=lambda *case: np.array(_same(*case)),
    outputs=("before, after",),
    mistakes=(
        _pads(
            "half the kernel",
            "This is half the kernel on each side, which is right for an odd kernel and stride 1. With "
            "another stride or an even kernel the number of zeros differs.",
            lambda size, kernel, stride: (kernel // 2, kernel // 2),
        ),
        _pads(
            "stride ignored",
            "This keeps the size of the row. With a stride the output has ceil(size / stride) pixels.",
            lambda size, kernel, stride: _same(size, kernel, 1),
        ),
        _pads(
            "odd one first",
            "The extra zero of an odd total is before the row. It belongs after it.",
            lambda size, kernel, stride: _same(size, kernel, stride)[::-1],
        ),
        _pads(
            "odd one lost",
            "The extra zero of an odd total is missing.",
            lambda size, kernel, stride: (sum(_same(size, kernel, stride)) // 2,) * 2,
        ),
        _pads(
            "negative",
            "It is negative where the row is longer than the windows need. Then nothing is added.",
            lambda size, kernel, stride: _unclipped(size, kernel, stride),
        ),
        _pads(
            "rounded down",
            "The output is taken as size / stride rounded down. It is rounded up.",
            lambda size, kernel, stride: _rounded_down(size, kernel, stride),
        ),
        _pads(
            "kernel - stride",
            "A total of kernel - stride is right only where the stride divides the size.",
            lambda size, kernel, stride: _halves(max(kernel - stride, 0)),
        ),
        _pads(
            "one step too many",
            "The last window begins at (output - 1) * stride: there are output - 1 steps.",
            lambda size, kernel, stride: _halves(max(-(-size // stride) * stride + kernel - size, 0)),
        ),
    ),
)


def _halves(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2


def _unclipped(size: int, kernel: int, stride: int) -> tuple[int, int]:
    return _halves((-(-size // stride) - 1) * stride + kernel - size)


def _rounded_down(size: int, kernel: int, stride: int) -> tuple[int, int]:
    return _halves(max((size // stride - 1) * stride + kernel - size, 0))
