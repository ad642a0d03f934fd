"""Chapter 15: the right answers by other ways, and every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter15
from tests.tutorials.attempts import attempt


@pytest.mark.parametrize("name", ["count", "two_outputs", "fold"])
def test_the_solution_is_right(name):
    assert getattr(chapter15, name).diagnose(attempt(15, name)).passed


def test_the_right_flops_are_those_of_counting_loops():
    for x_shape, (kh, kw, c, o), stride in chapter15.count.cases():
        rows = len(range(0, x_shape[1] - kh + 1, stride))
        columns = len(range(0, x_shape[2] - kw + 1, stride))
        flops, traffic = chapter15.count.answer(x_shape, (kh, kw, c, o), stride)
        assert flops == 2 * x_shape[0] * rows * columns * o * kh * kw * c
        assert traffic == 4 * (np.prod(x_shape) + kh * kw * c * o + x_shape[0] * rows * columns * o)


def test_the_right_fold_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    fusion = pytest.importorskip("torch.nn.utils.fusion")
    for w, b, mean, variance, gamma, beta, eps in chapter15.fold.cases():
        arguments = [torch.tensor(a) for a in (w.transpose(3, 2, 0, 1), b, mean, variance)]
        theirs = fusion.fuse_conv_bn_weights(*arguments, eps, torch.tensor(gamma), torch.tensor(beta))
        ours = chapter15.fold.answer(w, b, mean, variance, gamma, beta, eps)
        np.testing.assert_allclose(ours[0], theirs[0].detach().numpy().transpose(2, 3, 1, 0), atol=1e-12)
        np.testing.assert_allclose(ours[1], theirs[1].detach().numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("flops = 2 * ", "flops = ")], {"flops": "multiply-add as one"}),
        ([("flops = 2 * n * oh * ow", "flops = 2 * n * h * w")], {"flops": "input positions"}),
        ([(") // stride + 1", ") + 1")], {"flops": "stride", "bytes": "stride"}),
        ([("flops = 2 * n * ", "flops = 2 * ")], {"flops": "one image"}),
        ([("kh * kw * c\n", "kh * kw\n")], {"flops": "one channel"}),
        ([("4 * numbers", "numbers")], {"bytes": "numbers"}),
        ([("4 * numbers", "8 * numbers")], {"bytes": "float64"}),
        ([("numbers = n * h * w * c", "numbers = n * oh * ow * kh * kw * c")], {"bytes": "duplication"}),
        ([("numbers = n", "numbers = n * oh * ow * kh * kw * c + n")], {"bytes": "patches added"}),
        ([(" + n * oh * ow * o\n", "\n")], {"bytes": "no output"}),
        ([("kh * kw * c * o + ", "")], {"bytes": "no weights"}),
    ],
)
def test_a_wrong_count_is_named(changes, found):
    keys = chapter15.count.diagnose(attempt(15, "count", *changes)).keys
    assert keys == {"flops": "right", "bytes": "right"} | found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("    m = np", "    g = g[::-1]\n    m = np")], {"m": "rotated", "y": "rotated"}),
        ([(") / 2", ")")], {"m": "halves", "y": "halves"}),
        ([("(d[3] - d[1])", "(d[1] - d[3])")], {"m": "sign at infinity", "y": "sign at infinity"}),
        ([("* -g[0]", "* g[0]"), ("[m[0] + m[1]", "[-m[0] + m[1]")], {"m": "sign at 0"}),
        (
            [
                ("m[1] - m[2]", "m[2] - m[1]"),
                ("    y = np", "    m = m[[0, 2, 1, 3]]\n    y = np"),
            ],
            {"m": "points swapped"},
        ),
        ([("m[1] - m[2]", "m[1] + m[2]")], {"y": "sign at -1"}),
        ([("m[2] + m[3]", "m[2] - m[3]")], {"y": "sign at infinity"}),
        ([("m[2] + m[3]", "m[2]")], {"y": "infinity left out"}),
    ],
)
def test_a_wrong_filter_is_named(changes, found):
    keys = chapter15.two_outputs.diagnose(attempt(15, "two_outputs", *changes)).keys
    assert keys == {"m": "right", "y": "right"} | found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("np.sqrt(variance + eps)", "(variance + eps)"), {"w": "variance", "b": "variance"}),
        (("np.sqrt(variance + eps)", "(np.sqrt(variance) + eps)"), {"w": "eps outside", "b": "eps outside"}),
        (("variance + eps", "variance"), {"w": "no eps", "b": "no eps"}),
        (("gamma / np", "1 / np"), {"w": "no gamma", "b": "no gamma"}),
        (("w * scale", "w"), {"w": "not scaled"}),
        (("scale * (b - mean)", "b - scale * mean"), {"b": "old bias not scaled"}),
        (("scale * (b - mean)", "-scale * mean"), {"b": "old bias lost"}),
        (("scale * (b - mean)", "scale * b - mean"), {"b": "mean not scaled"}),
        ((" + beta", ""), {"b": "no beta"}),
        (("b - mean", "b + mean"), {"b": "mean added"}),
    ],
)
def test_a_wrong_fold_is_named(change, found):
    keys = chapter15.fold.diagnose(attempt(15, "fold", change)).keys
    assert keys == {"w": "right", "b": "right"} | found


SIZES = "oh, ow = (h - kh) // stride + 1, (w - kw) // stride + 1"


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ("(h - kh) // stride, (w - kw) // stride", "one missing"),
        ("(h - kh + 1) // stride, (w - kw + 1) // stride", "one inside"),
        ("-(-(h - kh) // stride) + 1, -(-(w - kw) // stride) + 1", "rounded up"),
        ("-(-h // stride), -(-w // stride)", "same padding"),
        ("(h - kw) // stride + 1, (w - kh) // stride + 1", "kernel exchanged"),
    ],
)
def test_a_wrong_output_size_is_named(sizes, found):
    wrong = attempt(15, "count", (SIZES, f"oh, ow = {sizes}"))
    assert chapter15.count.diagnose(wrong).keys == {"flops": found, "bytes": found}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("ow * o * kh", "ow * kh")], {"flops": "one filter"}),
        ([("o * kh * kw * c\n", "o * c\n")], {"flops": "no kernel"}),
        (
            [("2 * n * oh * ow * o * kh * kw * c", "n * oh * ow * o * (2 * kh * kw * c - 1)")],
            {"flops": "one addition fewer"},
        ),
        ([("4 * numbers", "32 * numbers")], {"bytes": "bits"}),
        ([("numbers = n * h * w * c + ", "numbers = ")], {"bytes": "no input"}),
        (
            [("numbers = n * h * w * c", "numbers = h * w * c"), ("c * o + n *", "c * o +")],
            {"bytes": "one image"},
        ),
    ],
)
def test_another_wrong_count_is_named(changes, found):
    keys = chapter15.count.diagnose(attempt(15, "count", *changes)).keys
    assert keys == {"flops": "right", "bytes": "right"} | found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("(d[2] - d[1])", "(d[1] - d[2])")], {"m": "sign at -1", "y": "sign at -1"}),
        ([("(g[0] - g[1] + g[2]) / 2", "(g[0] - g[1] + g[2])")], {"m": "one half", "y": "one half"}),
        ([("(g[0] + g[1] + g[2]) / 2", "(g[0] + g[1] + g[2])")], {"m": "one half", "y": "one half"}),
        ([("g[0] - g[1]", "g[0] + g[1]")], {"m": "g at -1", "y": "g at -1"}),
        ([("* -g[0]", "* g[0]")], {"m": "sign at 0", "y": "sign at 0"}),
        ([("[m[0] + m[1] + m[2]", "[m[0] + m[1] + m[2] + m[3]")], {"y": "infinity in both"}),
        ([("return m, y", "return d * [*g, g[2]], y")], {"m": "six products"}),
    ],
)
def test_another_wrong_filter_is_named(changes, found):
    keys = chapter15.two_outputs.diagnose(attempt(15, "two_outputs", *changes)).keys
    assert keys == {"m": "right", "y": "right"} | found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("gamma / np.sqrt", "gamma * np.sqrt"), {"w": "multiplied", "b": "multiplied"}),
        (
            ("gamma / np.sqrt(variance + eps)", "np.sqrt(variance + eps) / gamma"),
            {"w": "inverse", "b": "inverse"},
        ),
        (("(b - mean) + beta", "(b - mean + beta)"), {"b": "beta scaled"}),
        (("+ beta", "- beta"), {"b": "beta subtracted"}),
        (("(b - mean)", "(mean - b)"), {"b": "mean minus bias"}),
        (("scale * (b - mean) + beta", "b"), {"b": "as before"}),
        (("scale * (b - mean) + beta", "beta"), {"b": "beta alone"}),
    ],
)
def test_another_wrong_fold_is_named(change, found):
    keys = chapter15.fold.diagnose(attempt(15, "fold", change)).keys
    assert keys == {"w": "right", "b": "right"} | found
