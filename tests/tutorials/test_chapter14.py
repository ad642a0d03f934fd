"""Chapter 14: the right answers against PyTorch, and every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter14
from minicnn.layers.conv import Conv2D
from tests.tutorials.attempts import attempt

NAMES = ["frozen_batch_norm", "fold_batch_norm", "quantise"]


def wrong(name, *changes):
    return getattr(chapter14, name).diagnose(attempt(14, name, *changes)).keys


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name):
    assert getattr(chapter14, name).diagnose(attempt(14, name)).passed


def test_a_frozen_batch_norm_is_that_of_pytorch_in_evaluation():
    torch = pytest.importorskip("torch")
    for x, dy, weight, bias, mean, var, eps in chapter14.frozen_batch_norm.cases():
        nchw = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
        constants = [torch.tensor(values) for values in (mean, var, weight, bias)]
        y = torch.nn.functional.batch_norm(nchw, *constants, training=False, eps=eps)
        y.backward(torch.tensor(dy.transpose(0, 3, 1, 2).copy()))
        right_y, right_dx = chapter14.frozen_batch_norm.answer(x, dy, weight, bias, mean, var, eps)
        np.testing.assert_allclose(right_y, y.detach().numpy().transpose(0, 2, 3, 1), atol=1e-12)
        np.testing.assert_allclose(right_dx, nchw.grad.numpy().transpose(0, 2, 3, 1), atol=1e-12)


def test_a_folded_convolution_computes_what_both_layers_did():
    rng = np.random.default_rng(0)
    for w, b, weight, bias, mean, var, eps in chapter14.fold_batch_norm.cases():
        x = rng.standard_normal((2, 6, 7, w.shape[2]))

        def convolution(kernel, offset, x=x):
            layer = Conv2D(kernel.shape[2], kernel.shape[3], kernel.shape[:2], rng=0, dtype=np.float64)
            layer.weight.data[...], layer.bias.data[...] = kernel, offset
            return layer.forward(x)

        both = (convolution(w, b) - mean) / np.sqrt(var + eps) * weight + bias
        folded = chapter14.fold_batch_norm.answer(w, b, weight, bias, mean, var, eps)
        np.testing.assert_allclose(convolution(*folded), both, atol=1e-12)


def test_the_quantised_weights_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for w, bits in chapter14.quantise.cases():
        q, scale = chapter14.quantise.answer(w, bits)
        top = 2 ** (bits - 1) - 1
        expected = torch.fake_quantize_per_channel_affine(
            torch.tensor(w, dtype=torch.float32),
            torch.tensor(scale, dtype=torch.float32),
            torch.zeros(len(scale), dtype=torch.int32),
            3,
            -top,
            top,
        )
        np.testing.assert_allclose(q * scale, expected.numpy(), rtol=1e-5, atol=1e-6)
        assert np.abs(w - q * scale).max() <= scale.max() / 2 + 1e-12
        assert np.abs(q).max() == top


DX = "dx = dy * weight / deviation"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            ("(x - mean) / deviation", "(x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + eps)"),
            {"y": "batch statistics"},
        ),
        (("np.sqrt(var + eps)", "np.sqrt(var)"), {"y": "no eps", "dx": "no eps"}),
        (("np.sqrt(var + eps)", "(var + eps)"), {"y": "variance", "dx": "variance"}),
        (
            ("weight * (x - mean) / deviation + bias", "weight * ((x - mean) / deviation + bias)"),
            {"y": "shift scaled"},
        ),
        (
            (
                DX,
                "a = (0, 1, 2); s = np.sqrt(x.var(a) + eps); h = (x - x.mean(a)) / s; "
                "dx = weight / s * (dy - dy.mean(a) - h * (dy * h).mean(a))",
            ),
            {"dx": "training backward"},
        ),
        ((DX, "dx = (dy - dy.mean((0, 1, 2))) * weight / deviation"), {"dx": "mean path"}),
        ((DX, "dx = dy / deviation"), {"dx": "no weight"}),
        ((DX, "dx = dy * weight * deviation"), {"dx": "multiplied"}),
        (("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"), {"y": "eps outside", "dx": "eps outside"}),
        (("(x - mean) / deviation + bias", "(x - mean) * deviation + bias"), {"y": "multiplied"}),
        (("/ deviation + bias", "/ deviation"), {"y": "no bias"}),
        (("weight * (x - mean)", "(x - mean)"), {"y": "no weight"}),
        (("weight * (x - mean) / deviation + bias", "(x - mean) / deviation"), {"y": "normalised only"}),
        (("(x - mean)", "x"), {"y": "no mean"}),
        (("(x - mean)", "(x - x.mean((0, 1, 2)))"), {"y": "batch mean"}),
        ((DX, "dx = dy * weight / np.sqrt(x.var((0, 1, 2)) + eps)"), {"dx": "batch variance"}),
        ((DX, "dx = dy"), {"dx": "passed on"}),
        ((DX, "dx = weight / deviation"), {"dx": "no dy"}),
        ((DX, "dx = np.ones_like(x) * weight / deviation"), {"dx": "no dy"}),
        ((DX, "dx = dy * weight * (x - mean) / deviation"), {"dx": "times x"}),
    ],
)
def test_a_wrong_frozen_batch_norm_is_named(change, found):
    assert wrong("frozen_batch_norm", change) == {"y": "right", "dx": "right"} | found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("np.sqrt(var + eps)", "np.sqrt(var)"), {"folded_w": "no eps", "folded_b": "no eps"}),
        (("w * scale", "w * weight / (var + eps)"), {"folded_w": "variance"}),
        (("w * scale", "w / np.sqrt(var + eps)"), {"folded_w": "no weight"}),
        (
            ("w * scale", "w * weight / np.sqrt(w.var((0, 1, 2)) + eps)"),
            {"folded_w": "statistics of the weights"},
        ),
        (
            ("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),
            {"folded_w": "eps outside", "folded_b": "eps outside"},
        ),
        (("np.sqrt(var + eps)", "(var + eps)"), {"folded_w": "variance", "folded_b": "variance"}),
        (
            ("weight / np.sqrt(var + eps)", "weight * np.sqrt(var + eps)"),
            {"folded_w": "multiplied", "folded_b": "multiplied"},
        ),
        (
            ("weight / np.sqrt(var + eps)", "1 / np.sqrt(var + eps)"),
            {"folded_w": "no weight", "folded_b": "no weight"},
        ),
        (("folded_w = w * scale", "folded_w = w"), {"folded_w": "unchanged"}),
        (("folded_w = w * scale", "folded_w = w * scale + bias"), {"folded_w": "shifted"}),
        (("folded_w = w * scale", "folded_w = (w - mean) * scale + bias"), {"folded_w": "shifted"}),
        (("folded_b = (b - mean) * scale + bias", "folded_b = b"), {"folded_b": "unchanged"}),
        (("* scale + bias", "* scale"), {"folded_b": "batch norm's bias forgotten"}),
        (("(b - mean) * scale + bias", "bias"), {"folded_b": "batch norm's bias only"}),
        (("(b - mean)", "(b + mean)"), {"folded_b": "mean added"}),
        (("(b - mean)", "(mean - b)"), {"folded_b": "difference turned"}),
        (("(b - mean) * scale", "b * scale"), {"folded_b": "mean forgotten"}),
        (("(b - mean) * scale", "-mean * scale"), {"folded_b": "convolution's bias forgotten"}),
        (("(b - mean) * scale", "(b - mean)"), {"folded_b": "not scaled"}),
        (("(b - mean) * scale", "b - mean * scale"), {"folded_b": "b not scaled"}),
        (("(b - mean) * scale", "b * scale - mean"), {"folded_b": "mean not scaled"}),
        (("(b - mean) * scale + bias", "(b - mean + bias) * scale"), {"folded_b": "shift scaled"}),
    ],
)
def test_a_wrong_fold_is_named(change, found):
    assert wrong("fold_batch_norm", change) == {"folded_w": "right", "folded_b": "right"} | found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("max(axis=(0, 1, 2))", "max()"), {"q": "one scale", "scale": "one scale"}),
        (("return q, scale", "return q, np.full(w.shape[3], scale.max())"), {"scale": "one scale"}),
        (
            (
                "q = np.rint(w / scale)",
                "scale = np.abs(w).max((0, 1, 3)) / largest; q = np.rint(w / scale[:, None])",
            ),
            {"q": "input channels", "scale": "input channels"},
        ),
        (
            ("2 ** (bits - 1) - 1", "2 ** (bits - 1)"),
            {"q": "one level too many", "scale": "one level too many"},
        ),
        (("np.abs(w).max", "w.max"), {"q": "sign ignored", "scale": "sign ignored"}),
        (
            (
                "q = np.rint(w / scale)",
                "scale = np.ptp(w, (0, 1, 2)) / (2**bits - 1); q = np.rint(w / scale)",
            ),
            {"q": "range", "scale": "range"},
        ),
        (("np.rint(w / scale)", "np.trunc(w / scale)"), {"q": "cut off"}),
        (("np.rint(w / scale)", "(w / scale).astype(np.int8)"), {"q": "cut off"}),
        (("np.rint(w / scale)", "np.floor(w / scale)"), {"q": "rounded down"}),
        (("np.rint(w / scale)", "w / scale"), {"q": "not rounded"}),
        (
            ("2 ** (bits - 1) - 1", "2**bits - 1"),
            {"q": "all levels on one side", "scale": "all levels on one side"},
        ),
        (("2 ** (bits - 1) - 1", "127"), {"q": "always 8 bits", "scale": "always 8 bits"}),
        (("2 ** (bits - 1) - 1", "1"), {"q": "no levels", "scale": "no levels"}),
        (("axis=(0, 1, 2)", "axis=(0, 1)"), {"q": "each kernel", "scale": "each kernel"}),
        (("np.rint(w / scale)", "np.ceil(w / scale)"), {"q": "rounded up"}),
        (("np.rint(w / scale)", "np.rint(np.abs(w) / scale)"), {"q": "sign lost"}),
        (("np.rint(w / scale)", "np.rint(w / scale) + 2 ** (bits - 1)"), {"q": "shifted"}),
        (
            (
                "q = np.rint(w / scale)",
                "scale = np.ptp(w, (0, 1, 2)) / (2**bits - 1); q = np.rint((w - w.min((0, 1, 2))) / scale)",
            ),
            {"q": "from the smallest", "scale": "range"},
        ),
        (("w / scale", "w * scale"), {"q": "times scale"}),
        (("return q, scale", "return q * scale, scale"), {"q": "weights"}),
        (("return q, scale", "return q, 1 / scale"), {"scale": "inverse"}),
    ],
)
def test_a_wrong_quantisation_is_named(change, found):
    assert wrong("quantise", change) == {"q": "right", "scale": "right"} | found
