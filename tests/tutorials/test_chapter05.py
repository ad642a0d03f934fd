"""Chapter 5: the right answers against PyTorch, and every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter05
from tests.tutorials.attempts import attempt


def test_the_right_gradients_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for dy, x, w, stride in chapter05.conv_backward.cases():
        nchw = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
        kernel = torch.tensor(w.transpose(3, 2, 0, 1).copy(), requires_grad=True)
        y = torch.nn.functional.conv2d(nchw, kernel, stride=stride)
        y.backward(torch.tensor(dy.transpose(0, 3, 1, 2).copy()))
        dx, dw, db = chapter05.conv_backward.answer(dy, x, w, stride)
        np.testing.assert_allclose(dx, nchw.grad.numpy().transpose(0, 2, 3, 1), atol=1e-12)
        np.testing.assert_allclose(dw, kernel.grad.numpy().transpose(2, 3, 1, 0), atol=1e-12)
        np.testing.assert_allclose(db, dy.reshape(-1, dy.shape[3]).sum(axis=0), atol=1e-12)


@pytest.mark.parametrize("name", ["conv_backward", "gather_dx"])
def test_the_solution_is_right(name):
    assert getattr(chapter05, name).diagnose(attempt(5, name)).passed


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("dy[:, i, j], w)", "dy[:, i, j], w[::-1, ::-1])")], {"dx": "rotated"}),
        ([("dx[:, rows, columns] +=", "dx[:, rows, columns] =")], {"dx": "assigned"}),
        ([("dw +=", "dw =")], {"dw": "assigned"}),
        ([("dw += ", "dw[::-1, ::-1] += ")], {"dw": "rotated"}),
        (
            [
                ("range(dy.shape[1])", "range(dy.shape[1] - 1)"),
                ("range(dy.shape[2])", "range(dy.shape[2] - 1)"),
            ],
            {"dx": "border", "dw": "border"},
        ),
        (
            [
                ("slice(stride * i, stride * i + kh)", "slice(i, i + kh)"),
                ("slice(stride * j, stride * j + kw)", "slice(j, j + kw)"),
            ],
            {"dx": "stride", "dw": "stride"},
        ),
        ([("return dx, dw, db", "return dx, dw / len(x), db")], {"dw": "mean over the batch"}),
        ([("dy.sum(axis=(0, 1, 2))", "dy.sum(axis=0)")], {"db": "batch only"}),
        ([("dy.sum(axis=(0, 1, 2))", "np.zeros(dy.shape[3])")], {"db": "forgotten"}),
        ([("dy.sum(axis=(0, 1, 2))", "dy.mean(axis=(0, 1, 2))")], {"db": "mean"}),
        ([("range(dy.shape[1])", "range(dy.shape[1] - 1)")], {"dx": "last row", "dw": "last row"}),
        ([("range(dy.shape[2])", "range(dy.shape[2] - 1)")], {"dx": "last column", "dw": "last column"}),
        ([("dy[:, i, j], w)", "dy[:, i, j], w[::-1])")], {"dx": "flipped"}),
        ([("dy[:, i, j], w)", "dy[:, i, j], w[:, ::-1])")], {"dx": "flipped"}),
        ([("dy.sum(axis=(0, 1, 2))", "dy.sum(axis=(0, 1, 3))")], {"db": "wrong axes"}),
        ([("dy.sum(axis=(0, 1, 2))", "dy[:, :-1, :-1].sum(axis=(0, 1, 2))")], {"db": "border"}),
    ],
)
def test_a_wrong_backward_pass_is_named(changes, found):
    keys = chapter05.conv_backward.diagnose(attempt(5, "conv_backward", *changes)).keys
    assert keys == {"dx": "right", "dw": "right", "db": "right"} | found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("w[::-1]", "w"), "not rotated"),
        (("np.pad(dy, kw - 1)", "np.pad(dy[::-1], kw - 1)"), "dy reversed"),
        (("range(len(dy) + kw - 1)", "range(kw - 1, len(dy))"), "not padded"),
        (
            (
                "return np.array([(padded[h : h + kw] * rotated).sum() for h in range(len(dy) + kw - 1)])",
                "return np.array([sum(dy[h - p] * w[p] for p in range(kw) if h - p < len(dy)) "
                "for h in range(len(dy) + kw - 1)])",
            ),
            "wrapped",
        ),
        (("np.pad(dy, kw - 1)", "np.pad(dy, kw)"), "one place late"),
    ],
)
def test_a_wrong_gather_is_named(change, found):
    assert chapter05.gather_dx.diagnose(attempt(5, "gather_dx", change)).keys == {"dx": found}


def test_gradients_in_another_order_are_named():
    change = ("return dx, dw, db", "return dw, dx, db")
    found = chapter05.conv_backward.diagnose(attempt(5, "conv_backward", change))
    assert found.keys == {"conv_backward": "order"}


def test_a_list_of_float32_gradients_is_right():
    changes = [
        (
            "np.zeros_like(x), np.zeros_like(w)",
            "np.zeros(x.shape, np.float32), np.zeros(w.shape, np.float32)",
        ),
        ("return dx, dw, db", "return [dx, dw, db]"),
    ]
    assert chapter05.conv_backward.diagnose(attempt(5, "conv_backward", *changes)).passed
