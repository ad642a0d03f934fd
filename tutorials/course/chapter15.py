"""Checks of chapter 15: counting work and traffic, Winograd's four products, and folding a batch norm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.summary import multiply_adds

Array = np.ndarray
Shape = tuple[int, ...]


def _shapes() -> list[tuple[Any, ...]]:
    return [
        ((2, 9, 8, 3), (3, 2, 3, 5), 1),
        ((4, 11, 13, 6), (3, 5, 6, 7), 2),
        ((3, 7, 12, 2), (2, 3, 2, 9), 3),
    ]


def _output(x: Shape, w: Shape, stride: int) -> Shape:
    return Conv2D(w[2], w[3], (w[0], w[1]), stride=stride, rng=0).output_shape(x)


def _flops(x: Shape, w: Shape, stride: int) -> int:
    layer = Conv2D(w[2], w[3], (w[0], w[1]), stride=stride, bias=False, rng=0)
    return 2 * x[0] * multiply_adds(layer, layer.output_shape(x))


def _numbers(x: Shape, w: Shape, stride: int) -> int:
    return math.prod(x) + math.prod(w) + math.prod(_output(x, w, stride))


def _patches(x: Shape, w: Shape, stride: int) -> int:
    """The numbers of the patch matrix."""
    return math.prod(_output(x, w, stride)[:3]) * math.prod(w[:3])


def _with_output(x: Shape, w: Shape, rows: int, columns: int) -> tuple[int, int]:
    """FLOPs and bytes for an output of another size."""
    outputs = x[0] * rows * columns * w[3]
    return 2 * outputs * math.prod(w[:3]), 4 * (math.prod(x) + math.prod(w) + outputs)


def _one_missing(x: Shape, w: Shape, stride: int) -> tuple[int, int]:
    return _with_output(x, w, (x[1] - w[0]) // stride, (x[2] - w[1]) // stride)


def _one_inside(x: Shape, w: Shape, stride: int) -> tuple[int, int]:
    return _with_output(x, w, (x[1] - w[0] + 1) // stride, (x[2] - w[1] + 1) // stride)


def _rounded_up(x: Shape, w: Shape, stride: int) -> tuple[int, int]:
    return _with_output(x, w, -(-(x[1] - w[0]) // stride) + 1, -(-(x[2] - w[1]) // stride) + 1)


def _same_padding(x: Shape, w: Shape, stride: int) -> tuple[int, int]:
    return _with_output(x, w, -(-x[1] // stride), -(-x[2] // stride))


def _exchanged(x: Shape, w: Shape, stride: int) -> tuple[int, int]:
    return _with_output(x, w, (x[1] - w[1]) // stride + 1, (x[2] - w[0]) // stride + 1)


OUTPUT_SIZES = (
    ("one missing", "The output has (H - kh) // stride + 1 rows: the 1 is missing.", _one_missing),
    (
        "one inside",
        "The 1 is added before the division by the stride. The output has (H - kh) // stride + 1 rows.",
        _one_inside,
    ),
    (
        "rounded up",
        "The output size was rounded up. A patch that does not fit is left out: round down, //.",
        _rounded_up,
    ),
    ("same padding", "These are for 'same' padding. The convolution has none.", _same_padding),
    ("kernel exchanged", "Height and width of the kernel are exchanged.", _exchanged),
)


count = Exercise(
    "count",
    cases=_shapes,
    answer=lambda x, w, stride: (_flops(x, w, stride), 4 * _numbers(x, w, stride)),
    outputs=("flops", "bytes"),
    mistakes=(
        Mistake(
            "multiply-add as one",
            "flops",
            "Each multiply-add is counted once. It is two floating-point operations.",
            lambda *case: _flops(*case) // 2,
        ),
        Mistake(
            "input positions",
            "flops",
            "The filter is counted at every pixel of the input. It is used at the OH x OW output positions.",
            lambda x, w, stride: 2 * math.prod(x[:3]) * math.prod(w),
        ),
        Mistake(
            "stride",
            "flops",
            "These are the FLOPs of stride 1. With a stride there are fewer output positions.",
            lambda x, w, stride: _flops(x, w, 1),
        ),
        *(
            Mistake(key, output, says, lambda *case, _f=wrong, _i=index: _f(*case)[_i])
            for index, output in enumerate(("flops", "bytes"))
            for key, says, wrong in OUTPUT_SIZES
        ),
        Mistake(
            "one filter",
            "flops",
            "These are the FLOPs of one filter. The layer has O of them.",
            lambda x, w, stride: _flops(x, w, stride) // w[3],
        ),
        Mistake(
            "no kernel",
            "flops",
            "The sum over the kernel is missing: an output number is a sum of kh * kw * C products.",
            lambda x, w, stride: _flops(x, w, stride) // (w[0] * w[1]),
        ),
        Mistake(
            "one addition fewer",
            "flops",
            "A sum of K products takes K - 1 additions, exactly. By convention each multiply-add counts as "
            "two FLOPs, 2 K in all.",
            lambda x, w, stride: math.prod(_output(x, w, stride)) * (2 * math.prod(w[:3]) - 1),
        ),
        Mistake(
            "one image",
            "flops",
            "These are the FLOPs of one image. The batch has N.",
            lambda x, w, stride: _flops(x, w, stride) // x[0],
        ),
        Mistake(
            "one channel",
            "flops",
            "The sum over the input channels is missing: an output number is a sum of kh * kw * C products.",
            lambda x, w, stride: _flops(x, w, stride) // x[3],
        ),
        Mistake(
            "numbers",
            "bytes",
            "This is the count of numbers. A float32 has 4 bytes.",
            _numbers,
        ),
        Mistake(
            "float64",
            "bytes",
            "These are 8 bytes a number. A float32 has 4.",
            lambda *case: 8 * _numbers(*case),
        ),
        Mistake(
            "bits", "bytes", "These are bits: a float32 has 32 bits, 4 bytes.", lambda *c: 32 * _numbers(*c)
        ),
        Mistake(
            "no input",
            "bytes",
            "The input is missing: it is read from memory too.",
            lambda x, w, stride: 4 * (_numbers(x, w, stride) - math.prod(x)),
        ),
        Mistake(
            "one image",
            "bytes",
            "Only one image is counted. The batch has N of them, in the input and in the output.",
            lambda x, w, stride: 4 * _numbers((1, *x[1:]), w, stride),
        ),
        Mistake(
            "duplication",
            "bytes",
            "The input is counted as often as patches cover its pixels. That is the traffic of a patch "
            "matrix; at the least, each number of the input is read once.",
            lambda x, w, stride: 4 * (_numbers(x, w, stride) - math.prod(x) + _patches(x, w, stride)),
        ),
        Mistake(
            "patches added",
            "bytes",
            "A patch matrix is counted beside the input. The least traffic is that of x, w and y alone.",
            lambda x, w, stride: 4 * (_numbers(x, w, stride) + _patches(x, w, stride)),
        ),
        Mistake(
            "no output",
            "bytes",
            "The output is missing: it is written to memory too.",
            lambda x, w, stride: 4 * (math.prod(x) + math.prod(w)),
        ),
        Mistake(
            "no weights",
            "bytes",
            "The weights are missing: they are read from memory too.",
            lambda x, w, stride: 4 * (_numbers(x, w, stride) - math.prod(w)),
        ),
        Mistake(
            "stride",
            "bytes",
            "The output is that of stride 1. With a stride there are fewer output positions.",
            lambda x, w, stride: 4 * _numbers(x, w, 1),
        ),
    ),
)

G = np.array([[-1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
B = np.array([[-1, 0, 1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]])  # transposed
A = np.array([[1, 1, 1, 0], [0, 1, -1, 1]])  # transposed


def _rows() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(150)
    return [(rng.standard_normal(4), rng.standard_normal(3)) for _ in range(3)]


def _products(d: Array, g: Array) -> Array:
    return (G @ g) * (B @ d)


def _whole(d: Array, g: Array) -> Array:
    """The products without the halves."""
    return _products(d, g) * [1, 2, 2, 1]


ROTATED = "The taps are in reverse order. y[0] begins with d[0] g[0]: the filter is not rotated."
HALVES = "The halves are missing: the rows of G for 1 and -1 are divided by N'(p) = 2."


def _sum_for_both(d: Array, g: Array) -> Array:
    """With g(1) at the point -1, too."""
    return np.stack([G[0], G[1], G[1], G[3]]) @ g * (B @ d)


def _signs(*signs: int) -> Any:
    return lambda d, g: _products(d, g) * signs


PRODUCTS = (
    (
        "sign at -1",
        "The product of the point -1 has the wrong sign: B^T d is d[2] - d[1] there.",
        _signs(1, 1, -1, 1),
    ),
    ("one half", "The half at the point -1 is missing.", _signs(1, 1, 2, 1)),
    ("one half", "The half at the point 1 is missing.", _signs(1, 2, 1, 1)),
    ("g at -1", "At the point -1 the filter is (g[0] - g[1] + g[2]) / 2.", _sum_for_both),
)
"""Wrong products: each shows in m, and in y if that is summed from them."""


two_outputs = Exercise(
    "two_outputs",
    cases=_rows,
    answer=lambda d, g: (_products(d, g), np.correlate(d, g, mode="valid")),
    outputs=("m", "y"),
    mistakes=(
        Mistake("rotated", "m", ROTATED, lambda d, g: _products(d, g[::-1])),
        Mistake("halves", "m", HALVES, _whole),
        Mistake(
            "sign at infinity",
            "m",
            "The product of the point at infinity has the wrong sign: B^T d is d[3] - d[1] there. (Lavin and "
            "Gray write d[1] - d[3], and subtract it in y[1]; the result is the same.)",
            lambda d, g: _products(d, g) * [1, 1, 1, -1],
        ),
        Mistake(
            "sign at 0",
            "m",
            "The product of the point 0 has the wrong sign: (d[2] - d[0]) times -g[0].",
            lambda d, g: _products(d, g) * [-1, 1, 1, 1],
        ),
        Mistake(
            "points swapped",
            "m",
            "The products of the points 1 and -1 are exchanged.",
            lambda d, g: _products(d, g)[[0, 2, 1, 3]],
        ),
        *(Mistake(key, "m", says, wrong) for key, says, wrong in PRODUCTS),
        Mistake(
            "six products",
            "m",
            "These are products of one number each, as in the definition. Evaluate first: the rows of B^T d "
            "times those of G g.",
            lambda d, g: d * [*g, g[2]],
        ),
        Mistake("rotated", "y", ROTATED, lambda d, g: np.correlate(d, g[::-1], mode="valid")),
        Mistake("halves", "y", HALVES, lambda d, g: A @ _whole(d, g)),
        Mistake(
            "sign at -1",
            "y",
            "At the point -1 an odd power is negative: y[1] has minus m[2].",
            lambda d, g: np.abs(A) @ _products(d, g),
        ),
        Mistake(
            "sign at infinity",
            "y",
            "m[3] counts with the wrong sign: B^T d is d[3] - d[1] at infinity, and y[1] has plus m[3].",
            lambda d, g: A * [1, 1, 1, -1] @ _products(d, g),
        ),
        *(Mistake(key, "y", says, lambda d, g, _m=wrong: A @ _m(d, g)) for key, says, wrong in PRODUCTS),
        Mistake(
            "sign at 0",
            "y",
            "The product of the point 0 has the wrong sign: (d[2] - d[0]) times -g[0].",
            lambda d, g: A @ _signs(-1, 1, 1, 1)(d, g),
        ),
        Mistake(
            "infinity in both",
            "y",
            "m[3] is in y[0] as well. Only the last output reads the value at infinity.",
            lambda d, g: np.add(A, [[0, 0, 0, 1], [0, 0, 0, 0]]) @ _products(d, g),
        ),
        Mistake(
            "infinity left out",
            "y",
            "m[3], the product of the leading coefficients, is missing in y[1].",
            lambda d, g: A * [1, 1, 1, 0] @ _products(d, g),
        ),
    ),
)


def _norms() -> list[tuple[Any, ...]]:
    rng, cases = np.random.default_rng(151), []
    for kh, kw, c, o in ((3, 2, 4, 5), (2, 1, 3, 3)):
        w, (b, mean, gamma, beta) = rng.standard_normal((kh, kw, c, o)), rng.standard_normal((4, o))
        cases.append((w, b, mean, rng.uniform(0.3, 3, o), gamma, beta, 0.1))
    return cases


def _folded(
    w: Array, b: Array, mean: Array, variance: Array, gamma: Array, beta: Array, eps: float
) -> tuple[Array, Array]:
    """Weights and bias, read off the library's two layers: the outputs for each unit input and for zeros."""
    kh, kw, c, o = w.shape
    conv, norm = Conv2D(c, o, (kh, kw), rng=0, dtype=np.float64), BatchNorm(o, eps=eps, dtype=np.float64)
    values = {"weight": w, "bias": b}
    for name, parameter in conv.parameters().items():
        parameter.data[...] = values[name]
    values = {"weight": gamma, "bias": beta}
    for name, parameter in norm.parameters().items():
        parameter.data[...] = values[name]
    for name, array in norm.state().items():
        array[...] = mean if "mean" in name else variance
    unit = np.eye(kh * kw * c).reshape(-1, kh, kw, c)
    bias = norm.forward(conv.forward(np.zeros((1, kh, kw, c))))[0, 0, 0]
    return (norm.forward(conv.forward(unit))[:, 0, 0] - bias).reshape(w.shape), bias


def _by_scale(scale: Array, w: Array, b: Array, mean: Array, beta: Array) -> tuple[Array, Array]:
    return w * scale, scale * (b - mean) + beta


def _variance(w: Array, b: Array, mean: Array, v: Array, gamma: Array, beta: Array, eps: float) -> Any:
    return _by_scale(gamma / (v + eps), w, b, mean, beta)


def _outside(w: Array, b: Array, mean: Array, v: Array, gamma: Array, beta: Array, eps: float) -> Any:
    return _by_scale(gamma / (np.sqrt(v) + eps), w, b, mean, beta)


def _no_eps(w: Array, b: Array, mean: Array, v: Array, gamma: Array, beta: Array, eps: float) -> Any:
    return _by_scale(gamma / np.sqrt(v), w, b, mean, beta)


def _no_gamma(w: Array, b: Array, mean: Array, v: Array, gamma: Array, beta: Array, eps: float) -> Any:
    return _by_scale(1 / np.sqrt(v + eps), w, b, mean, beta)


def _times(w: Array, b: Array, mean: Array, v: Array, gamma: Array, beta: Array, eps: float) -> Any:
    return _by_scale(gamma * np.sqrt(v + eps), w, b, mean, beta)


def _upside_down(w: Array, b: Array, mean: Array, v: Array, gamma: Array, beta: Array, eps: float) -> Any:
    return _by_scale(np.sqrt(v + eps) / gamma, w, b, mean, beta)


VARIANCE = "It is divided by the variance. Divide by the standard deviation, sqrt(variance + eps)."
OUTSIDE = "eps is added to the standard deviation. It belongs under the root, to the variance."
NO_EPS = "eps is missing: the root is of variance + eps."
NO_GAMMA = "gamma is missing in the scale."

fold = Exercise(
    "fold",
    cases=_norms,
    answer=_folded,
    outputs=("w", "b"),
    mistakes=(
        *(
            Mistake(key, output, says, lambda *case, _f=wrong, _i=index: _f(*case)[_i])
            for index, output in enumerate(("w", "b"))
            for key, says, wrong in (
                ("variance", VARIANCE, _variance),
                ("eps outside", OUTSIDE, _outside),
                ("no eps", NO_EPS, _no_eps),
                ("no gamma", NO_GAMMA, _no_gamma),
                ("multiplied", "It is multiplied by the standard deviation. Divide by it.", _times),
                ("inverse", "The scale is upside down: it is gamma / sqrt(variance + eps).", _upside_down),
            )
        ),
        Mistake("not scaled", "w", "The weights are as before. Each filter is scaled.", lambda w, *rest: w),
        Mistake(
            "old bias not scaled",
            "b",
            "The old bias is added as it is. It stands inside the bracket with the mean: scale * (b - mean).",
            lambda w, b, mean, v, gamma, beta, eps: b - gamma / np.sqrt(v + eps) * mean + beta,
        ),
        Mistake(
            "old bias lost",
            "b",
            "The convolution's own bias is missing.",
            lambda w, b, mean, v, gamma, beta, eps: beta - gamma / np.sqrt(v + eps) * mean,
        ),
        Mistake(
            "mean not scaled",
            "b",
            "The mean is subtracted as it is. It is scaled with the rest: scale * (b - mean).",
            lambda w, b, mean, v, gamma, beta, eps: gamma / np.sqrt(v + eps) * b - mean + beta,
        ),
        Mistake(
            "no beta",
            "b",
            "beta is missing.",
            lambda w, b, mean, v, gamma, beta, eps: gamma / np.sqrt(v + eps) * (b - mean),
        ),
        Mistake(
            "beta scaled",
            "b",
            "beta stands inside the bracket. It is added after scaling.",
            lambda w, b, mean, v, gamma, beta, eps: gamma / np.sqrt(v + eps) * (b - mean + beta),
        ),
        Mistake(
            "beta subtracted",
            "b",
            "beta is subtracted. Add it.",
            lambda w, b, mean, v, gamma, beta, eps: gamma / np.sqrt(v + eps) * (b - mean) - beta,
        ),
        Mistake(
            "mean minus bias",
            "b",
            "The bracket is mean - b. The mean is subtracted from the old bias: b - mean.",
            lambda w, b, mean, v, gamma, beta, eps: gamma / np.sqrt(v + eps) * (mean - b) + beta,
        ),
        Mistake("as before", "b", "The bias is as before.", lambda w, b, *rest: b),
        Mistake(
            "beta alone",
            "b",
            "This is beta alone. The old bias and the mean are scaled and added: scale * (b - mean).",
            lambda w, b, mean, v, gamma, beta, eps: beta,
        ),
        Mistake(
            "mean added",
            "b",
            "The mean is added. It is subtracted.",
            lambda w, b, mean, v, gamma, beta, eps: gamma / np.sqrt(v + eps) * (b + mean) + beta,
        ),
    ),
)
