"""Chapter 2: the right answers against SciPy and the definition; every known mistake is named."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter02
from tests.tutorials.attempts import attempt


@pytest.mark.parametrize("name", ["shift_kernel", "convolve", "same_padding"])
def test_the_solution_is_right(name):
    assert getattr(chapter02, name).diagnose(attempt(2, name)).passed


def test_the_right_convolution_is_that_of_scipy():
    signal = pytest.importorskip("scipy.signal")
    for x, w, stride in chapter02.convolve.cases():
        expected = signal.correlate2d(x, w, mode="valid")[::stride, ::stride]
        np.testing.assert_allclose(chapter02.convolve.answer(x, w, stride), expected, atol=1e-12)


def test_the_right_kernels_move_a_picture():
    ndimage = pytest.importorskip("scipy.ndimage")
    picture = np.random.default_rng(0).standard_normal((6, 7))
    for down, right in chapter02.shift_kernel.cases():
        moved = ndimage.correlate(picture, chapter02.shift_kernel.answer(down, right), mode="constant")
        np.testing.assert_allclose(moved, ndimage.shift(picture, (down, right), order=0), atol=1e-12)


def test_the_right_padding_gives_the_size_that_same_promises():
    for size, kernel, stride in chapter02.same_padding.cases():
        before, after = chapter02.same_padding.answer(size, kernel, stride)
        assert (size + before + after - kernel) // stride + 1 == -(-size // stride)
        assert 0 <= after - before <= 1


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("[1 - down, 1 - right]", "[1 + down, 1 + right]"), "flipped"),
        (("[1 - down, 1 - right]", "[1 - right, 1 - down]"), "rows for columns"),
        (("[1 - down, 1 - right]", "[-down, -right]"), "off by one"),
    ],
)
def test_a_wrong_shift_is_named(change, key):
    found = chapter02.shift_kernel.diagnose(attempt(2, "shift_kernel", change))
    assert found.keys == {"kernel": key}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ([("* w).sum()", "* w[::-1, ::-1]).sum()")], "flipped"),
        (
            [
                ("stride * i : stride * i + kh", "i : i + kh"),
                ("stride * j : stride * j + kw", "j : j + kw"),
            ],
            "stride",
        ),
        ([("// stride + 1", "// stride")], "off by one"),
        ([("np.zeros((oh, ow))", "np.zeros((oh, ow), dtype=int)")], "whole numbers"),
        ([("* w).sum()", "* w[::-1]).sum()")], "rows flipped"),
        ([("* w).sum()", "* w[:, ::-1]).sum()")], "columns flipped"),
        ([("stride * j : stride * j + kw", "j : j + kw")], "stride of the rows"),
        ([("stride * i : stride * i + kh", "i : i + kh")], "stride of the columns"),
        ([("kh, kw = w.shape", "stride = 1; kh, kw = w.shape")], "stride ignored"),
    ],
)
def test_a_wrong_convolution_is_named(changes, key):
    assert chapter02.convolve.diagnose(attempt(2, "convolve", *changes)).keys == {"y": key}


HALVES = "total // 2, total - total // 2"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ((HALVES, "kernel // 2, kernel // 2"), "half the kernel"),
        (("output = -(-size // stride)", "stride = 1; output = size"), "stride ignored"),
        ((HALVES, "total - total // 2, total // 2"), "odd one first"),
        ((HALVES, "total // 2, total // 2"), "odd one lost"),
        (("kernel - size, 0)", "kernel - size, -99)"), "negative"),
        (("-(-size // stride)", "size // stride"), "rounded down"),
        (("max((output - 1) * stride + kernel - size, 0)", "max(kernel - stride, 0)"), "kernel - stride"),
        (("(output - 1) * stride", "output * stride"), "one step too many"),
    ],
)
def test_a_wrong_padding_is_named(change, key):
    found = chapter02.same_padding.diagnose(attempt(2, "same_padding", change))
    assert found.keys == {"before, after": key}
