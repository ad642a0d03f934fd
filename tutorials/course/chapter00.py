"""Checks of chapter 0: axes, broadcasting and views."""

from __future__ import annotations

import numpy as np

from course.exercise import Exercise, Mistake

Array = np.ndarray


def _images() -> list[tuple[Array]]:
    rng = np.random.default_rng(1)
    return [(rng.standard_normal((2, 3, 4, 5)),), (rng.standard_normal((3, 4, 2, 6)),)]


channel_means = Exercise(
    "channel_means",
    cases=_images,
    answer=lambda x: x.mean(axis=(1, 2)),
    outputs=("means",),
    mistakes=(
        Mistake(
            "sum for mean",
            "means",
            "These are the sums. Divide by the number of pixels of a channel, H * W.",
            lambda x: x.sum(axis=(1, 2)),
        ),
        Mistake(
            "batch too",
            "means",
            "The images are averaged too: the result has lost the axis n.",
            lambda x: x.mean(axis=(0, 1, 2)),
        ),
        Mistake(
            "other axes",
            "means",
            "These are the means over the axes 2 and 3, as in NCHW. Here the channel is the last axis.",
            lambda x: x.mean(axis=(2, 3)),
        ),
        Mistake(
            "axes kept",
            "means",
            "The summed axes are still there, with size 1.",
            lambda x: x.mean(axis=(1, 2), keepdims=True),
        ),
    ),
)

to_nchw = Exercise(
    "to_nchw",
    cases=_images,
    answer=lambda x: np.moveaxis(x, 3, 1),
    outputs=("x",),
    mistakes=(
        Mistake(
            "reshaped",
            "x",
            "The shape is right and the numbers are scrambled: this is reshape. Transpose renames the axes.",
            lambda x: x.reshape(x.shape[0], x.shape[3], x.shape[1], x.shape[2]),
        ),
        Mistake(
            "rows for columns",
            "x",
            "Rows and columns are exchanged: the result is NCWH.",
            lambda x: x.transpose(0, 3, 2, 1),
        ),
        Mistake(
            "inverse",
            "x",
            "This is the way back, from NCHW to NHWC. transpose takes the old axes in their new order.",
            lambda x: x.transpose(0, 2, 3, 1),
        ),
    ),
)


def _pixels() -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(2)
    return [(rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((5, 6)))]


at_every_pixel = Exercise(
    "at_every_pixel",
    cases=_pixels,
    answer=lambda x, w: np.tensordot(x, w, axes=1),
    outputs=("y",),
    mistakes=(
        Mistake(
            "pixels summed",
            "y",
            "The pixels are summed. h and v stand on the right of the formula, so they stay.",
            lambda x, w: np.tensordot(x.sum(axis=(1, 2)), w, axes=1),
        ),
        Mistake(
            "channels kept",
            "y",
            "The channels are not summed: c must not stand on the right.",
            lambda x, w: x[..., None] * w,
        ),
        Mistake(
            "order of axes",
            "y",
            "The filters are not the last axis. The letters on the right give the order of the axes.",
            lambda x, w: np.moveaxis(np.tensordot(x, w, axes=1), 3, 1),
        ),
    ),
)


def _window_list(row: Array, size: int) -> Array:
    return np.array([row[i : i + size] for i in range(len(row) - size + 1)])


windows_of = Exercise(
    "windows_of",
    cases=lambda: [(np.arange(7.0) ** 2, 3), (np.random.default_rng(3).standard_normal(9)[::2], 2)],
    answer=lambda row, size: (_window_list(row, size), True),
    outputs=("windows", "shares memory"),
    observe=lambda windows, row, size: isinstance(windows, np.ndarray) and np.shares_memory(windows, row),
    mistakes=(
        Mistake(
            "one short",
            "windows",
            "The last window is missing: there are W - size + 1.",
            lambda row, size: _window_list(row, size)[:-1],
        ),
        Mistake(
            "side by side",
            "windows",
            "The windows do not overlap. The next window begins one number later.",
            lambda row, size: row[: len(row) // size * size].reshape(-1, size),
        ),
        Mistake(
            "strides of another array",
            "windows",
            "The strides are those of an array without gaps. The row may itself be a view, with longer "
            "steps: use row.strides.",
            lambda row, size: _as_if_packed(row, size),
        ),
        Mistake(
            "copy",
            "shares memory",
            "The numbers were copied: writing to the row would not change the windows.",
            lambda row, size: False,
        ),
    ),
)


def _as_if_packed(row: Array, size: int) -> Array:
    """Windows with the strides of a row without gaps, read from the row's memory."""
    base = row if row.base is None else row.base
    return _window_list(np.ascontiguousarray(base)[: len(row)], size)
