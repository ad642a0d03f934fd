"""Checks of chapter 3: receptive fields, composed kernels and max pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.layers.pooling import MaxPool2D

Array = np.ndarray
Stack = list[tuple[int, int, int, int]]


def _field(layers: Stack) -> tuple[int, int]:
    """Field and jump, from the first and the last pixel that an output reads, layer by layer backwards."""
    first, last, jump = 0, 0, 1
    for kernel, stride, _, dilation in reversed(layers):
        first, last, jump = first * stride, last * stride + dilation * (kernel - 1), jump * stride
    return last - first + 1, jump


def _walk(layers: Stack, grow: Any) -> int:
    """A field of 1 that ``grow(kernel, stride, padding, dilation, jump)`` enlarges at every layer."""
    field, jump = 1, 1
    for layer in layers:
        field += grow(*layer, jump)
        jump *= layer[1]
    return field


receptive_field = Exercise(
    "receptive_field",
    cases=lambda: [
        ([(3, 1, 1, 1), (3, 2, 1, 1), (5, 3, 0, 1)],),
        ([(3, 2, 1, 1), (3, 1, 2, 2), (2, 2, 0, 1), (3, 1, 1, 1)],),
    ],
    answer=_field,
    outputs=("field", "jump"),
    mistakes=(
        Mistake(
            "stride product forgotten",
            "field",
            "The strides are left out: a step of a deep layer is jump pixels long, not one.",
            lambda layers: _walk(layers, lambda k, s, p, d, jump: d * (k - 1)),
        ),
        Mistake(
            "own stride",
            "field",
            "The window of a layer is stretched by its own stride. Only the strides before it count.",
            lambda layers: _walk(layers, lambda k, s, p, d, jump: d * (k - 1) * jump * s),
        ),
        Mistake(
            "last stride alone",
            "field",
            "Each layer uses the stride of the one before it, not the product of all before it.",
            lambda layers: _with_last_stride(layers),
        ),
        Mistake(
            "padding counted",
            "field",
            "Padding is counted. It moves the field and does not change its size.",
            lambda layers: _walk(layers, lambda k, s, p, d, jump: (d * (k - 1) + 2 * p) * jump),
        ),
        Mistake(
            "kernel for kernel - 1",
            "field",
            "A kernel of k steps k - 1 times from its first to its last input.",
            lambda layers: _walk(layers, lambda k, s, p, d, jump: d * k * jump),
        ),
        Mistake(
            "span for span - 1",
            "field",
            "A window that spans s inputs adds s - 1 steps to the field, not s.",
            lambda layers: _walk(layers, lambda k, s, p, d, jump: (d * (k - 1) + 1) * jump),
        ),
        Mistake(
            "starts at 0",
            "field",
            "It is one too small. Before the first layer a pixel sees itself: the field begins at 1.",
            lambda layers: _field(layers)[0] - 1,
        ),
        Mistake(
            "last layer first",
            "field",
            "The layers are taken from the last to the first. Strides act on the layers after them.",
            lambda layers: _walk(layers[::-1], lambda k, s, p, d, jump: d * (k - 1) * jump),
        ),
        Mistake(
            "dilation forgotten",
            "field",
            "The dilation is left out: a kernel spans dilation * (kernel - 1) + 1 inputs.",
            lambda layers: _walk(layers, lambda k, s, p, d, jump: (k - 1) * jump),
        ),
        Mistake(
            "last stride",
            "jump",
            "This is the stride of the last layer. The jump is the product of all strides.",
            lambda layers: layers[-1][1],
        ),
        Mistake(
            "sum of strides",
            "jump",
            "The strides are added. A jump of 2 of jumps of 3 is 6: they multiply.",
            lambda layers: sum(layer[1] for layer in layers),
        ),
    ),
)


def _with_last_stride(layers: Stack) -> int:
    field, stride = 1, 1
    for kernel, own, _, dilation in layers:
        field += dilation * (kernel - 1) * stride
        stride = own
    return field


def _kernels() -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(30)
    return [(rng.standard_normal(a), rng.standard_normal(b)) for a, b in ((3, 4), (2, 3), (5, 2))]


def _assigned(u: Array, w: Array) -> Array:
    k = np.zeros(len(u) + len(w) - 1)
    for p, q in np.ndindex(len(u), len(w)):
        k[p + q] = u[p] * w[q]
    return k


composed = Exercise(
    "composed",
    cases=_kernels,
    answer=lambda u, w: np.convolve(u, w),
    outputs=("k",),
    mistakes=(
        Mistake(
            "assigned",
            "k",
            "Of the products with the same p + q only the last one is there. They add up: use +=.",
            _assigned,
        ),
        Mistake(
            "flipped",
            "k",
            "One of the kernels is reversed. Both are laid on as they are, so the places add: r = p + q.",
            lambda u, w: np.convolve(u, w[::-1]),
        ),
        Mistake(
            "flipped",
            "k",
            "One of the kernels is reversed. Both are laid on as they are, so the places add: r = p + q.",
            lambda u, w: np.convolve(u[::-1], w),
        ),
        Mistake(
            "too short",
            "k",
            "Only the places where one kernel lies wholly over the other are there. All pairs count.",
            lambda u, w: np.convolve(u, w, mode="valid"),
        ),
    ),
)


def _pools() -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(31)
    sizes = ((4, 6), (6, 4))
    return [
        (rng.permutation(h * w).reshape(h, w) - 18.5, rng.standard_normal((h // 2, w // 2))) for h, w in sizes
    ]


def _pool(x: Array, dy: Array) -> tuple[Array, Array]:
    layer = MaxPool2D(2)
    y = layer.forward(x[None, :, :, None], training=True)
    return y[0, :, :, 0], layer.backward(dy[None, :, :, None])[0, :, :, 0]


def _to_all(dy: Array) -> Array:
    return dy.repeat(2, axis=0).repeat(2, axis=1)


max_pool = Exercise(
    "max_pool",
    cases=_pools,
    answer=_pool,
    outputs=("y", "dx"),
    mistakes=(
        Mistake(
            "average",
            "y",
            "This is the mean of each window.",
            lambda x, dy: x.reshape(len(x) // 2, 2, -1, 2).mean(axis=(1, 3)),
        ),
        Mistake(
            "stride 1",
            "y",
            "The windows begin at i, not at 2 * i.",
            lambda x, dy: np.array(
                [[x[i : i + 2, j : j + 2].max() for j in range(dy.shape[1])] for i in range(dy.shape[0])]
            ),
        ),
        Mistake(
            "starts at 0",
            "y",
            "Negative maxima became 0: the search for the largest number starts at 0. Start at the first.",
            lambda x, dy: np.maximum(_pool(x, dy)[0], 0),
        ),
        Mistake(
            "largest size",
            "y",
            "This is the number of the largest size, whatever its sign. A maximum keeps the sign in mind.",
            lambda x, dy: _largest_size(x),
        ),
        Mistake(
            "nothing",
            "dx",
            "It is 0 everywhere. The largest number of each window passes dy on.",
            lambda x, dy: np.zeros_like(x),
        ),
        Mistake(
            "ones",
            "dx",
            "There are ones at the largest numbers. By the chain rule they are multiplied by dy.",
            lambda x, dy: _pool(x, np.ones_like(dy))[1],
        ),
        Mistake(
            "times x",
            "dx",
            "dy is multiplied by the number itself. The slope of a maximum is 1.",
            lambda x, dy: x * _pool(x, dy)[1],
        ),
        Mistake(
            "to all",
            "dx",
            "Every pixel of a window receives dy. Only the largest one moved the output.",
            lambda x, dy: _to_all(dy),
        ),
        Mistake(
            "shared out",
            "dx",
            "dy is shared out among the four, as for the average. Only the largest one moved the output.",
            lambda x, dy: _to_all(dy) / 4,
        ),
        Mistake(
            "row for column",
            "dx",
            "Within each window row and column are exchanged. argmax counts row by row: row = number // 2.",
            lambda x, dy: _exchanged(x, dy),
        ),
    ),
)


def _largest_size(x: Array) -> Array:
    windows = x.reshape(len(x) // 2, 2, -1, 2).transpose(0, 2, 1, 3).reshape(len(x) // 2, -1, 4)
    return np.take_along_axis(windows, np.abs(windows).argmax(axis=2)[..., None], axis=2)[..., 0]


def _exchanged(x: Array, dy: Array) -> Array:
    dx = _pool(x, dy)[1].reshape(len(x) // 2, 2, -1, 2)
    return dx.transpose(0, 3, 2, 1).reshape(x.shape)
