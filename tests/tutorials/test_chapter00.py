"""Chapter 0: every known mistake with axes, means and views is named."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter00
from tests.tutorials.attempts import attempt

NAMES = ["channel_means", "to_nchw", "at_every_pixel", "windows_of"]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name):
    assert getattr(chapter00, name).diagnose(attempt(0, name)).passed


def test_the_right_answers_follow_the_definition():
    for (x,) in chapter00.channel_means.cases():
        means, nchw = chapter00.channel_means.answer(x), chapter00.to_nchw.answer(x)
        for n, h, v, c in np.ndindex(x.shape):
            assert nchw[n, c, h, v] == x[n, h, v, c]
        assert means[1, 2] == pytest.approx(sum(x[1, :, :, 2].ravel()) / x[0, :, :, 0].size)
    for x, w in chapter00.at_every_pixel.cases():
        y = chapter00.at_every_pixel.answer(x, w)
        for n, h, v, o in np.ndindex(y.shape):
            assert y[n, h, v, o] == pytest.approx(sum(x[n, h, v, c] * w[c, o] for c in range(len(w))))


@pytest.mark.parametrize(
    ("name", "change", "keys"),
    [
        ("channel_means", (" / (x.shape[1] * x.shape[2])", ""), {"means": "sum for mean"}),
        ("channel_means", ("nhvc->nc", "nhvc->cn"), {"means": "axes"}),
        (
            "channel_means",
            ('np.einsum("nhvc->nc", x) / (x.shape[1] * x.shape[2])', "x.mean(axis=(0, 1, 2))"),
            {"means": "batch too"},
        ),
        (
            "channel_means",
            ('np.einsum("nhvc->nc", x) / (x.shape[1] * x.shape[2])', "x.mean(axis=(2, 3))"),
            {"means": "other axes"},
        ),
        (
            "channel_means",
            (
                'np.einsum("nhvc->nc", x) / (x.shape[1] * x.shape[2])',
                "x.mean(axis=(1, 2), keepdims=True)",
            ),
            {"means": "axes kept"},
        ),
        (
            "to_nchw",
            ('np.einsum("nhvc->nchv", x)', "x.reshape(x.shape[0], x.shape[3], *x.shape[1:3])"),
            {"x": "reshaped"},
        ),
        ("to_nchw", ("nhvc->nchv", "nhvc->ncvh"), {"x": "rows for columns"}),
        ("to_nchw", ('np.einsum("nhvc->nchv", x)', "x.transpose(0, 2, 3, 1)"), {"x": "inverse"}),
        ("at_every_pixel", ("->nhvo", "->no"), {"y": "pixels summed"}),
        ("at_every_pixel", ("->nhvo", "->nhvco"), {"y": "channels kept"}),
        ("at_every_pixel", ("->nhvo", "->nohv"), {"y": "order of axes"}),
        (
            "windows_of",
            (
                "np.lib.stride_tricks.sliding_window_view(row, size)",
                "np.array([row[i : i + size] for i in range(len(row) - size + 1)])",
            ),
            {"windows": "right", "shares memory": "copy"},
        ),
        (
            "windows_of",
            ("sliding_window_view(row, size)", "sliding_window_view(row, size)[:-1]"),
            {"windows": "one short", "shares memory": "right"},
        ),
        (
            "windows_of",
            (
                "np.lib.stride_tricks.sliding_window_view(row, size)",
                "row[: len(row) // size * size].reshape(-1, size)",
            ),
            {"windows": "side by side", "shares memory": "right"},
        ),
        (
            "windows_of",
            (
                "sliding_window_view(row, size)",
                "as_strided(row, (len(row) - size + 1, size), (8, 8), writeable=False)",
            ),
            {"windows": "strides of another array", "shares memory": "right"},
        ),
    ],
)
def test_a_wrong_attempt_is_named(name, change, keys):
    assert getattr(chapter00, name).diagnose(attempt(0, name, change)).keys == keys
