"""Chapter 3: the right answers by measurement and against SciPy; every known mistake is named."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter03
from minicnn.containers import Sequential
from minicnn.layers.conv import Conv2D
from tests.tutorials.attempts import attempt

NAMES = ["receptive_field", "composed", "max_pool"]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name):
    assert getattr(chapter03, name).diagnose(attempt(3, name)).passed


def test_the_right_fields_are_those_that_gradients_measure():
    for (layers,) in chapter03.receptive_field.cases():
        stack = Sequential(
            [
                Conv2D(1, 1, (1, k), stride=(1, s), padding=(0, p), dilation=(1, d), rng=0, dtype=np.float64)
                for k, s, p, d in layers
            ]
        )
        for layer in stack.children().values():
            layer.weight.data[...] = 1  # nothing cancels
        y = stack.forward(np.zeros((1, 1, 90, 1)), training=True)
        reads = []
        for place in (y.shape[2] // 2, y.shape[2] // 2 + 1):
            stack.forward(np.zeros((1, 1, 90, 1)), training=True)
            dy = np.zeros_like(y)
            dy[0, 0, place, 0] = 1
            reads.append(np.flatnonzero(stack.backward(dy)))
        field, jump = chapter03.receptive_field.answer(layers)
        assert reads[0][-1] - reads[0][0] + 1 == field
        assert reads[1][0] - reads[0][0] == jump


def test_the_right_kernels_and_pools_are_those_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    for u, w in chapter03.composed.cases():
        np.testing.assert_allclose(
            chapter03.composed.answer(u, w), np.polynomial.polynomial.polymul(u, w), atol=1e-12
        )
    for x, dy in chapter03.max_pool.cases():
        y, dx = chapter03.max_pool.answer(x, dy)
        assert np.array_equal(y, ndimage.maximum_filter(x, size=2, origin=-1)[::2, ::2])
        assert dx[np.isin(x, y)] == pytest.approx([dy[h // 2, v // 2] for h, v in np.argwhere(np.isin(x, y))])
        assert np.count_nonzero(dx) == dy.size


@pytest.mark.parametrize(
    ("name", "changes", "keys"),
    [
        ("receptive_field", [(" * jump\n", "\n")], {"field": "stride product forgotten", "jump": "right"}),
        ("receptive_field", [(" * jump\n", " * jump * stride\n")], {"field": "own stride", "jump": "right"}),
        (
            "receptive_field",
            [("jump *= stride", "jump = stride")],
            {"field": "last stride alone", "jump": "last stride"},
        ),
        (
            "receptive_field",
            [
                ("stride, _, dilation", "stride, padding, dilation"),
                ("(kernel - 1)", "(kernel - 1 + 2 * padding)"),
            ],
            {"field": "other", "jump": "right"},
        ),
        (
            "receptive_field",
            [("dilation * (kernel - 1)", "(dilation * (kernel - 1) + 1)")],
            {"field": "span for span - 1", "jump": "right"},
        ),
        (
            "receptive_field",
            [("field, jump = 1, 1", "field, jump = 0, 1")],
            {"field": "starts at 0", "jump": "right"},
        ),
        (
            "receptive_field",
            [("in layers:", "in layers[::-1]:")],
            {"field": "last layer first", "jump": "right"},
        ),
        ("receptive_field", [("return field, jump", "return jump, field")], {"receptive_field": "order"}),
        ("max_pool", [("window.max()", "max(0, window.max())")], {"y": "starts at 0", "dx": "right"}),
        ("max_pool", [("] = dy[i, j]", "] = 0")], {"y": "right", "dx": "nothing"}),
        ("max_pool", [("] = dy[i, j]", "] = 1")], {"y": "right", "dx": "ones"}),
        (
            "max_pool",
            [("] = dy[i, j]", "] = dy[i, j] * x[2 * i + p, 2 * j + q]")],
            {"y": "right", "dx": "times x"},
        ),
        (
            "receptive_field",
            [
                ("stride, _, dilation", "stride, padding, dilation"),
                ("dilation * (kernel - 1) * jump", "(dilation * (kernel - 1) + 2 * padding) * jump"),
            ],
            {"field": "padding counted", "jump": "right"},
        ),
        (
            "receptive_field",
            [("(kernel - 1)", "kernel")],
            {"field": "kernel for kernel - 1", "jump": "right"},
        ),
        ("receptive_field", [("dilation * ", "")], {"field": "dilation forgotten", "jump": "right"}),
        (
            "receptive_field",
            [("return field, jump", "return field, sum(layer[1] for layer in layers)")],
            {"field": "right", "jump": "sum of strides"},
        ),
        ("composed", [("+=", "=")], {"k": "assigned"}),
        ("composed", [("w[q]", "w[len(w) - 1 - q]")], {"k": "flipped"}),
        ("composed", [("u[p]", "u[len(u) - 1 - p]")], {"k": "flipped"}),
        (
            "composed",
            [("return k", 'return np.convolve(u, w, mode="valid")')],
            {"k": "too short"},
        ),
        ("max_pool", [("window.max()", "window.mean()")], {"y": "average", "dx": "right"}),
        (
            "max_pool",
            [("x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]", "x[i : i + 2, j : j + 2]")],
            {"y": "stride 1", "dx": "other"},
        ),
        (
            "max_pool",
            [("window.max()", "window.flat[abs(window).argmax()]")],
            {"y": "largest size", "dx": "right"},
        ),
        (
            "max_pool",
            [("dx[2 * i + p, 2 * j + q] = dy[i, j]", "dx[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = dy[i, j]")],
            {"y": "right", "dx": "to all"},
        ),
        (
            "max_pool",
            [
                (
                    "dx[2 * i + p, 2 * j + q] = dy[i, j]",
                    "dx[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = dy[i, j] / 4",
                )
            ],
            {"y": "right", "dx": "shared out"},
        ),
        ("max_pool", [("p, q = ", "q, p = ")], {"y": "right", "dx": "row for column"}),
    ],
)
def test_a_wrong_attempt_is_named(name, changes, keys):
    assert getattr(chapter03, name).diagnose(attempt(3, name, *changes)).keys == keys
