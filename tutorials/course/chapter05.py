"""Checks of chapter 5: the backward pass of a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.layers.conv import Conv2D

Array = np.ndarray


def _convolution(dy: Array, x: Array, w: Array, stride: int) -> tuple[Array, Array, Array]:
    """dx, dw and db by the library's layer."""
    layer = Conv2D(w.shape[2], w.shape[3], w.shape[:2], stride=stride, rng=0, dtype=np.float64)
    layer.weight.data[...] = w
    layer.forward(x, training=True)
    dx = layer.backward(dy)
    assert layer.bias is not None
    return dx, layer.weight.grad, layer.bias.grad


def _cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(50)
    cases: list[tuple[Any, ...]] = []
    for stride, (height, width) in ((1, (6, 7)), (2, (7, 9))):
        x, w = rng.standard_normal((2, height, width, 3)), rng.standard_normal((3, 2, 3, 4))
        output = ((height - 3) // stride + 1, (width - 2) // stride + 1)
        cases.append((rng.standard_normal((2, *output, 4)), x, w, stride))
    return cases


def _last_window(dy: Array, x: Array, w: Array, stride: int) -> tuple[Array, Array]:
    """dx and dw with every contribution assigned instead of added: the last one stays."""
    (kh, kw), dx, dw = w.shape[:2], np.zeros_like(x), np.zeros_like(w)
    for i, j in np.ndindex(dy.shape[1:3]):
        rows, columns = slice(stride * i, stride * i + kh), slice(stride * j, stride * j + kw)
        dx[:, rows, columns] = np.einsum("no,pqco->npqc", dy[:, i, j], w)
        dw = np.einsum("npqc,no->pqco", x[:, rows, columns], dy[:, i, j])
    return dx, dw


def _without_last(dy: Array, *, row: bool = True, column: bool = True) -> Array:
    """dy with its last row or column, or both, set to 0: what loops that end one too early see."""
    shorter = dy.copy()
    if row:
        shorter[:, -1] = 0
    if column:
        shorter[:, :, -1] = 0
    return shorter


def _stride_ignored(dy: Array, x: Array, w: Array, stride: int) -> tuple[Array, Array]:
    """dx and dw of windows that lie side by side, whatever the stride."""
    (kh, kw), dx, dw = w.shape[:2], np.zeros_like(x), np.zeros_like(w)
    for i, j in np.ndindex(dy.shape[1:3]):
        dw += np.einsum("npqc,no->pqco", x[:, i : i + kh, j : j + kw], dy[:, i, j])
        dx[:, i : i + kh, j : j + kw] += np.einsum("no,pqco->npqc", dy[:, i, j], w)
    return dx, dw


ROTATED = (
    "This is the right value of a kernel that was rotated by 180 degrees. The scatter form uses it as it is."
)
ASSIGNED = "Each window overwrites what the windows before it put there. Contributions add up: use += ."
SHORT = "The last row and column of dy are left out. The loops must run over all of dy's positions."
SHORT_ROW = "The last row of dy is left out. The loop over i must run over all of dy's rows."
SHORT_COLUMN = "The last column of dy is left out. The loop over j must run over all of dy's columns."
HALF = "The kernel is flipped along one of its two axes. The scatter form uses it as it is."
STRIDE = "These are the sums of a stride of 1. The window of output i begins at stride * i."

conv_backward = Exercise(
    "conv_backward",
    cases=_cases,
    answer=_convolution,
    outputs=("dx", "dw", "db"),
    mistakes=(
        Mistake("rotated", "dx", ROTATED, lambda dy, x, w, s: _convolution(dy, x, w[::-1, ::-1], s)[0]),
        Mistake("assigned", "dx", ASSIGNED, lambda *case: _last_window(*case)[0]),
        Mistake("border", "dx", SHORT, lambda dy, *rest: _convolution(_without_last(dy), *rest)[0]),
        *(
            Mistake(
                key,
                output,
                says,
                lambda dy, *rest, index=index, cut=cut: _convolution(_without_last(dy, **cut), *rest)[index],
            )
            for index, output in enumerate(("dx", "dw", "db"))
            for key, says, cut in (
                ("last row", SHORT_ROW, {"column": False}),
                ("last column", SHORT_COLUMN, {"row": False}),
            )
        ),
        Mistake("flipped", "dx", HALF, lambda dy, x, w, s: _convolution(dy, x, w[::-1], s)[0]),
        Mistake("flipped", "dx", HALF, lambda dy, x, w, s: _convolution(dy, x, w[:, ::-1], s)[0]),
        Mistake("stride", "dx", STRIDE, lambda *case: _stride_ignored(*case)[0]),
        Mistake(
            "rotated",
            "dw",
            "These are the right numbers at positions rotated by 180 degrees. dw slides dy over x as it is.",
            lambda *case: _convolution(*case)[1][::-1, ::-1],
        ),
        Mistake("assigned", "dw", ASSIGNED, lambda *case: _last_window(*case)[1]),
        Mistake("border", "dw", SHORT, lambda dy, *rest: _convolution(_without_last(dy), *rest)[1]),
        Mistake("stride", "dw", STRIDE, lambda *case: _stride_ignored(*case)[1]),
        Mistake(
            "mean over the batch",
            "dw",
            "It is divided by the number of images. The loss has done that already; backward only sums.",
            lambda *case: _convolution(*case)[1] / len(case[0]),
        ),
        Mistake("border", "db", SHORT, lambda dy, *rest: _without_last(dy).sum(axis=(0, 1, 2))),
        Mistake(
            "batch only",
            "db",
            "It is summed over the images only. The bias is added at every row and column too.",
            lambda dy, *rest: dy.sum(axis=0),
        ),
        Mistake(
            "wrong axes",
            "db",
            "The filters are summed too. One number a filter: only the last axis stays.",
            lambda dy, *rest: dy.sum(axis=(0, 1, 3)),
        ),
        Mistake(
            "forgotten",
            "db",
            "It is 0: the bias has a gradient too.",
            lambda dy, *rest: np.zeros(dy.shape[3]),
        ),
        Mistake(
            "mean",
            "db",
            "This is the mean over the positions. The bias is used at each of them, and the uses add up.",
            lambda dy, *rest: dy.mean(axis=(0, 1, 2)),
        ),
    ),
)


def _rows() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(51)
    return [(rng.standard_normal(size), rng.standard_normal(kernel)) for size, kernel in ((5, 3), (4, 2))]


def _wrapped(dy: Array, w: Array) -> Array:
    """dx with dy[h - p] for h - p below 0 taken from the end of dy, as Python indexes."""
    dx = np.zeros(len(dy) + len(w) - 1)
    for h, p in np.ndindex(len(dx), len(w)):
        if h - p < len(dy):
            dx[h] += dy[h - p] * w[p]
    return dx


gather_dx = Exercise(
    "gather_dx",
    cases=_rows,
    answer=lambda dy, w: np.convolve(dy, w, mode="full"),
    outputs=("dx",),
    mistakes=(
        Mistake(
            "not rotated",
            "dx",
            "The kernel is laid on as in the forward pass. In the gather form the index of dy falls while "
            "that of w rises: reverse the kernel.",
            lambda dy, w: np.convolve(dy, w[::-1], mode="full"),
        ),
        Mistake(
            "dy reversed",
            "dx",
            "dy is reversed. It is the kernel that is laid on in reverse.",
            lambda dy, w: np.convolve(dy[::-1], w, mode="full"),
        ),
        Mistake(
            "wrapped",
            "dx",
            "A negative index reads from the end of dy: dy[-1] is its last number. Outside of its range dy "
            "counts as 0.",
            _wrapped,
        ),
        Mistake(
            "one place late",
            "dx",
            "dy is padded by kw zeros in front; with kw - 1 the first window holds its first number.",
            lambda dy, w: np.append(0, np.convolve(dy, w))[: len(dy) + len(w) - 1],
        ),
        Mistake(
            "half the padding",
            "dx",
            "dy is padded as for an output of its own size. dx is longer: pad by kw - 1 on both sides.",
            lambda dy, w: np.convolve(np.pad(dy, len(w) // 2), w, mode="valid"),
        ),
        Mistake(
            "not padded",
            "dx",
            "Only the windows that lie wholly inside dy are there. An input at the border is read by fewer "
            "outputs: pad dy with kw - 1 zeros on both sides.",
            lambda dy, w: np.convolve(dy, w, mode="valid"),
        ),
    ),
)
