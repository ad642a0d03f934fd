"""Checks of chapter 9: batch normalisation in both modes, forward and backward, and a residual block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.containers import Residual, Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm

Array = np.ndarray
CHANNEL = (0, 1, 2)
"""The axes that a channel's statistics are taken over."""


def _forward(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, training: bool, momentum: float, eps: float
) -> tuple[Array, Array, Array]:
    """y and the running statistics, by the library's layer."""
    layer = BatchNorm(len(gamma), momentum=momentum, eps=eps, dtype=np.float64)
    layer.weight.data[...], layer.bias.data[...] = gamma, beta
    layer.running_mean[...], layer.running_var[...] = mean, var
    y = layer.forward(x, training=training)
    return y, layer.running_mean, layer.running_var


def _forward_cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(90)
    cases: list[tuple[Any, ...]] = []
    for shape, training in (((3, 4, 2, 5), True), ((2, 5, 3, 4), False), ((4, 2, 5, 3), True)):
        channels = shape[-1]
        gamma, beta, mean = rng.uniform(0.5, 2, channels), *rng.standard_normal((2, channels))
        x = rng.uniform(1, 3, channels) * rng.standard_normal(shape) + rng.standard_normal(channels)
        cases.append((x, gamma, beta, mean, rng.uniform(0.5, 2, channels), training, 0.3, 0.05))
    return cases


def _normalised(case: tuple[Any, ...], mean: Array, var: Array) -> Array:
    """y with these statistics."""
    x, gamma, beta, _, _, _, _, eps = case
    return np.asarray(gamma * (x - mean) / np.sqrt(var + eps) + beta)


def _over(case: tuple[Any, ...], axes: Any, *, ddof: int = 0) -> Array:
    """y with the batch's statistics over some axes in training; right in evaluation."""
    x, _, _, running_mean, running_var, training, _, _ = case
    if not training:
        return _normalised(case, running_mean, running_var)
    return _normalised(case, x.mean(axis=axes, keepdims=True), x.var(axis=axes, ddof=ddof, keepdims=True))


def _deviation(case: tuple[Any, ...]) -> Array:
    """y with eps added to the standard deviation."""
    x, gamma, beta, running_mean, running_var, training, _, eps = case
    mean, var = (x.mean(axis=CHANNEL), x.var(axis=CHANNEL)) if training else (running_mean, running_var)
    return np.asarray(gamma * (x - mean) / (np.sqrt(var) + eps) + beta)


def _moved(
    case: tuple[Any, ...],
    index: int,
    *,
    turned: bool = False,
    always: bool = False,
    unbiased: bool = True,
    axes: Any = CHANNEL,
) -> Array:
    """The running mean (``index`` 3) or variance (4) after the pass, with a part of it changed."""
    x, running, training, momentum = case[0], case[index], case[5], case[6]
    if not (training or always):
        return np.asarray(running)
    if index == 3:
        batch = x.mean(axis=axes)
    else:
        count = x[..., 0].size
        batch = x.var(axis=axes) * (count / (count - 1) if unbiased else 1)
    keep = momentum if turned else 1 - momentum
    return np.asarray(keep * running + (1 - keep) * batch)


def _divided(case: tuple[Any, ...], by: Callable[[Array, float], Array], *, centred: bool = True) -> Array:
    """y with another divisor, from the variance and eps, or with the mean left in x."""
    x, gamma, beta, mean, var, training, _, eps = case
    if training:
        mean, var = x.mean(axis=CHANNEL), x.var(axis=CHANNEL)
    return np.asarray(gamma * (x - mean if centred else x) / by(var, eps) + beta)


def _towards(case: tuple[Any, ...], batch: Array) -> Array:
    """The running variance, moved in training towards ``batch``."""
    return np.asarray((1 - case[6]) * case[4] + case[6] * batch if case[5] else case[4])


def _replaced(case: tuple[Any, ...], index: int, *, ddof: int = 1) -> Array:
    """The batch's mean (``index`` 3) or variance (4) in training."""
    if not case[5]:
        return np.asarray(case[index])
    return np.asarray(case[0].mean(axis=CHANNEL) if index == 3 else case[0].var(axis=CHANNEL, ddof=ddof))


REPLACED = (
    "It is replaced by that of the batch. It is moved towards it: (1 - momentum) * running + "
    "momentum * batch."
)
EVALUATION = (
    "In evaluation (training=False) the statistics of the batch are used. Use the running ones, so that "
    "a prediction does not depend on the other images of the batch."
)
ALWAYS = "It is moved in evaluation too (training=False). Only training passes move it."
TURNED = "The momentum is turned round: new = (1 - momentum) * running + momentum * batch."
STILL = "It is not moved in training. Return (1 - momentum) * running + momentum * batch."
IMAGES_ONLY = (
    "The statistics are taken over the images only, for each pixel apart. A channel's statistics "
    "go over "
    "images, rows and columns: axis=(0, 1, 2)."
)

batchnorm_forward = Exercise(
    "batchnorm_forward",
    cases=_forward_cases,
    answer=_forward,
    outputs=("y", "running mean", "running var"),
    mistakes=(
        Mistake("axis", "y", IMAGES_ONLY, lambda *case: _over(case, 0)),
        Mistake(
            "per image",
            "y",
            "Each image is normalised apart (instance normalisation). Batch normalisation takes the "
            "statistics over the images too: axis=(0, 1, 2).",
            lambda *case: _over(case, (1, 2)),
        ),
        Mistake(
            "across channels",
            "y",
            "The statistics are taken across the channels. Each channel has its own: axis=(0, 1, 2).",
            lambda *case: _over(case, 3),
        ),
        Mistake(
            "one for all",
            "y",
            "There is one mean and one variance for all channels. Each channel has its own: axis=(0, 1, 2).",
            lambda *case: _over(case, None),
        ),
        Mistake(
            "unbiased",
            "y",
            "The batch is normalised with the unbiased variance (divided by M - 1). Use the biased "
            "one here; "
            "the unbiased one is for the running variance.",
            lambda *case: _over(case, CHANNEL, ddof=1),
        ),
        Mistake(
            "eps outside",
            "y",
            "eps is added to the standard deviation. It belongs under the root: sqrt(var + eps).",
            lambda *case: _deviation(case),
        ),
        Mistake(
            "eval mode",
            "y",
            EVALUATION,
            lambda *case: _normalised(case, case[0].mean(axis=CHANNEL), case[0].var(axis=CHANNEL)),
        ),
        Mistake(
            "running in training",
            "y",
            "The running statistics are used in training too. There, use those of the batch.",
            lambda *case: _normalised(case, case[3], case[4]),
        ),
        Mistake(
            "moved first",
            "y",
            "In training the batch is normalised with the running statistics after they were "
            "moved. Use the "
            "batch's own.",
            lambda *case: _normalised(case, _moved(case, 3), _moved(case, 4)),
        ),
        Mistake(
            "no scale",
            "y",
            "This is x_hat. gamma and beta are missing: y = gamma * x_hat + beta.",
            lambda *case: (_over(case, CHANNEL) - case[2]) / case[1],
        ),
        Mistake(
            "no gamma",
            "y",
            "gamma is missing: y = gamma * x_hat + beta.",
            lambda *case: (_over(case, CHANNEL) - case[2]) / case[1] + case[2],
        ),
        Mistake(
            "no beta",
            "y",
            "beta is missing: y = gamma * x_hat + beta.",
            lambda *case: _over(case, CHANNEL) - case[2],
        ),
        Mistake(
            "exchanged",
            "y",
            "gamma and beta are exchanged: y = gamma * x_hat + beta.",
            lambda *case: (_over(case, CHANNEL) - case[2]) / case[1] * case[2] + case[1],
        ),
        Mistake(
            "no root",
            "y",
            "It is divided by the variance. Divide by its square root, sqrt(var + eps).",
            lambda *case: _divided(case, lambda var, eps: var + eps),
        ),
        Mistake(
            "no eps",
            "y",
            "eps is left out: divide by sqrt(var + eps).",
            lambda *case: _divided(case, lambda var, eps: np.sqrt(var)),
        ),
        Mistake(
            "no mean",
            "y",
            "The mean is not subtracted: x_hat = (x - mean) / sqrt(var + eps).",
            lambda *case: _divided(case, lambda var, eps: np.sqrt(var + eps), centred=False),
        ),
        Mistake("axis", "running mean", IMAGES_ONLY, lambda *case: _moved(case, 3, axes=0)),
        Mistake("momentum", "running mean", TURNED, lambda *case: _moved(case, 3, turned=True)),
        Mistake("eval mode", "running mean", ALWAYS, lambda *case: _moved(case, 3, always=True)),
        Mistake("not moved", "running mean", STILL, lambda *case: case[3]),
        Mistake("replaced", "running mean", REPLACED, lambda *case: _replaced(case, 3)),
        Mistake("axis", "running var", IMAGES_ONLY, lambda *case: _moved(case, 4, axes=0)),
        Mistake("axis", "running var", IMAGES_ONLY, lambda *case: _moved(case, 4, axes=0, unbiased=False)),
        Mistake(
            "biased",
            "running var",
            "It is moved towards the biased variance of the batch. Multiply that by M / (M - 1) "
            "first, with "
            "M = N * H * W.",
            lambda *case: _moved(case, 4, unbiased=False),
        ),
        Mistake("momentum", "running var", TURNED, lambda *case: _moved(case, 4, turned=True)),
        Mistake("eval mode", "running var", ALWAYS, lambda *case: _moved(case, 4, always=True)),
        Mistake("not moved", "running var", STILL, lambda *case: case[4]),
        Mistake("replaced", "running var", REPLACED, lambda *case: _replaced(case, 4)),
        Mistake("replaced", "running var", REPLACED, lambda *case: _replaced(case, 4, ddof=0)),
        Mistake(
            "images counted",
            "running var",
            "The factor is N / (N - 1). A channel has M = N * H * W numbers: it is M / (M - 1).",
            lambda *case: _towards(case, case[0].var(axis=CHANNEL) * len(case[0]) / (len(case[0]) - 1)),
        ),
        Mistake(
            "smaller",
            "running var",
            "The biased variance is made smaller. It is too small already: multiply it by M / (M - 1).",
            lambda *case: _towards(case, case[0].var(axis=CHANNEL) * (1 - len(case[1]) / case[0].size)),
        ),
        Mistake(
            "twice",
            "running var",
            "The factor M / (M - 1) is in it twice. Apply it once, to the biased variance.",
            lambda *case: _towards(
                case, case[0].var(axis=CHANNEL, ddof=1) / (1 - len(case[1]) / case[0].size)
            ),
        ),
        Mistake(
            "deviation",
            "running var",
            "It is moved towards the standard deviation. Use the variance.",
            lambda *case: _towards(case, case[0].std(axis=CHANNEL)),
        ),
    ),
)


def _backward(
    dy: Array, x_hat: Array, inv_std: Array, gamma: Array, training: bool
) -> tuple[Array, Array, Array]:
    """dx, dgamma and dbeta by the library's layer, for an input that has this x_hat and inv_std."""
    layer = BatchNorm(len(gamma), eps=EPS, dtype=np.float64)
    layer.weight.data[...] = gamma
    layer.running_var[...] = 1 / inv_std**2 - EPS
    layer.forward(x_hat / inv_std, training=training, record=True)
    return layer.backward(dy), layer.weight.grad, layer.bias.grad


EPS = 0.05


def _backward_cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(91)
    cases: list[tuple[Any, ...]] = []
    for shape, training in (((3, 4, 2, 5), True), ((2, 5, 3, 4), False), ((4, 2, 5, 3), True)):
        x = rng.uniform(1, 3, shape[-1]) * rng.standard_normal(shape)
        inv_std = 1 / np.sqrt(x.var(axis=CHANNEL) + EPS)
        x_hat = (x - x.mean(axis=CHANNEL)) * inv_std
        dy, gamma = rng.standard_normal(shape) + 0.3 * x_hat + 0.4, rng.uniform(0.5, 2, shape[-1])
        cases.append((dy, x_hat, inv_std, gamma, training))
    return cases


def _dx(
    case: tuple[Any, ...],
    *,
    mean: float = 1.0,
    variance: float = 1.0,
    evaluation: float = 0.0,
    axes: Any = CHANNEL,
    along: bool = True,
) -> Array:
    """dx with its two corrections multiplied by factors, in evaluation by ``evaluation`` as well.

    ``along``: whether the variance's correction is multiplied by x_hat.
    """
    dy, x_hat, inv_std, gamma, training = case
    on = 1.0 if training else evaluation
    shift, scaling = dy.mean(axis=axes, keepdims=True), (dy * x_hat).mean(axis=axes, keepdims=True)
    if along:
        scaling = x_hat * scaling
    return np.asarray(gamma * inv_std * (dy - on * mean * shift - on * variance * scaling))


def _undivided(case: tuple[Any, ...]) -> Array:
    """dx with the sums where the means belong."""
    count = case[0][..., 0].size
    return _dx(case, mean=count, variance=count)


ONLY_BATCH = "It is summed over the images only. The parameter is used at every row and column too."
TIMES_GAMMA = "It is made with gamma * dy. That is the gradient of x_hat; the parameters' are made with dy."
MEAN = "This is the mean over the positions. The parameter is used at each of them, and the uses add up."

batchnorm_backward = Exercise(
    "batchnorm_backward",
    cases=_backward_cases,
    answer=_backward,
    outputs=("dx", "dgamma", "dbeta"),
    mistakes=(
        Mistake(
            "constants",
            "dx",
            "This is dx with mean and variance held constant. In training x moves both: subtract "
            "the two "
            "corrections.",
            lambda *case: _dx(case, mean=0, variance=0),
        ),
        Mistake(
            "mean way",
            "dx",
            "The way through the mean is missing: subtract dbeta / M.",
            lambda *case: _dx(case, mean=0),
        ),
        Mistake(
            "variance way",
            "dx",
            "The way through the variance is missing: subtract x_hat * dgamma / M.",
            lambda *case: _dx(case, variance=0),
        ),
        Mistake(
            "eval mode",
            "dx",
            "In evaluation (training=False) mean and variance are constants, so both corrections drop out.",
            lambda *case: _dx(case, evaluation=1),
        ),
        Mistake(
            "axis",
            "dx",
            "The corrections are means over the images only. They go over all M = N * H * W positions.",
            lambda *case: _dx(case, axes=0),
        ),
        Mistake(
            "count",
            "dx",
            "The corrections are divided by the number of images. M is N * H * W.",
            lambda *case: _dx(case, mean=_pixels(case), variance=_pixels(case)),
        ),
        Mistake(
            "not divided",
            "dx",
            "The corrections are sums. Divide dbeta and dgamma by M in dx.",
            lambda *case: _undivided(case),
        ),
        Mistake(
            "gamma",
            "dx",
            "gamma is missing: dL/dx_hat = gamma * dy.",
            lambda *case: _dx(case) / case[3],
        ),
        Mistake(
            "inv_std",
            "dx",
            "The factor inv_std is missing: x_hat is (x - mean) * inv_std.",
            lambda *case: _dx(case) / case[2],
        ),
        Mistake(
            "added",
            "dx",
            "The two corrections are added to dy. Both are subtracted.",
            lambda *case: _dx(case, mean=-1, variance=-1),
        ),
        Mistake(
            "no x_hat",
            "dx",
            "The variance's correction is dgamma / M alone. It is multiplied by x_hat.",
            lambda *case: _dx(case, along=False),
        ),
        Mistake(
            "all numbers",
            "dx",
            "The corrections are divided by all numbers of dy. A channel has M = N * H * W of them, not "
            "N * H * W * C.",
            lambda *case: _dx(case, mean=1 / len(case[2]), variance=1 / len(case[2])),
        ),
        Mistake(
            "gamma twice",
            "dx",
            "gamma is multiplied in twice. Either begin with gamma * dy, or multiply by gamma at the end.",
            lambda *case: _dx(case) * case[3],
        ),
        Mistake(
            "dy in evaluation",
            "dx",
            "In evaluation this is dy as it came. The way through x_hat remains: gamma * inv_std * dy.",
            lambda *case: _dx(case) if case[4] else case[0],
        ),
        Mistake("times gamma", "dgamma", TIMES_GAMMA, lambda *case: _backward(*case)[1] * case[3]),
        Mistake(
            "x for x_hat",
            "dgamma",
            "It is made with x - mean. gamma is multiplied by x_hat.",
            lambda *case: _backward(*case)[1] / case[2],
        ),
        Mistake("times gamma", "dbeta", TIMES_GAMMA, lambda *case: _backward(*case)[2] * case[3]),
        Mistake("batch only", "dgamma", ONLY_BATCH, lambda dy, x_hat, *rest: (dy * x_hat).sum(axis=0)),
        Mistake("mean", "dgamma", MEAN, lambda dy, x_hat, *rest: (dy * x_hat).mean(axis=CHANNEL)),
        Mistake(
            "x_hat",
            "dgamma",
            "This is dbeta. gamma is multiplied by x_hat, so each dy is multiplied by its x_hat.",
            lambda dy, *rest: dy.sum(axis=CHANNEL),
        ),
        Mistake("batch only", "dbeta", ONLY_BATCH, lambda dy, *rest: dy.sum(axis=0)),
        Mistake("mean", "dbeta", MEAN, lambda dy, *rest: dy.mean(axis=CHANNEL)),
    ),
)


def _pixels(case: tuple[Any, ...]) -> float:
    """H * W of a case."""
    return float(case[0].shape[1] * case[0].shape[2])


def _block(x: Array, w1: Array, w2: Array, dy: Array) -> tuple[Array, Array, Array, Array]:
    """y, dx, dw1 and dw2 by the library's layers."""
    first = Dense(w1.shape[0], w1.shape[1], bias=False, rng=0, dtype=np.float64)
    second = Dense(w2.shape[0], w2.shape[1], bias=False, rng=0, dtype=np.float64)
    first.weight.data[...], second.weight.data[...] = w1, w2
    block = Sequential([Residual(Sequential([first, ReLU(), second])), ReLU()])
    y = block.forward(x, training=True)
    return y, block.backward(dy), first.weight.grad, second.weight.grad


def _block_cases() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(92)
    return [
        tuple(rng.standard_normal(shape) for shape in ((n, d), (d, k), (k, d), (n, d)))
        for n, d, k in ((6, 4, 3), (5, 3, 4))
    ]


def _parts(x: Array, w1: Array, w2: Array, dy: Array) -> dict[str, Array]:
    """The intermediate arrays of the block, forward and backward."""
    z = x @ w1
    a = np.maximum(z, 0)
    s = x + a @ w2
    ds = dy * (s > 0)
    return {
        "z": z,
        "a": a,
        "body": a @ w2,
        "s": s,
        "ds": ds,
        "da": ds @ w2.T,
        "da_open": dy @ w2.T,
        "masked": dy * (dy > 0),
    }


def _back(case: tuple[Any, ...], *, skip: str = "ds", da: str = "da", inner: bool = True) -> Array:
    """dx with the skip's gradient, the body's, or the inner ReLU changed."""
    parts = _parts(*case)
    dz = parts[da] * (parts["z"] > 0) if inner else parts[da]
    return np.asarray(parts[skip] + dz @ case[1].T)


def _body_only(case: tuple[Any, ...]) -> Array:
    """What of dx comes through the body."""
    return _back(case) - _parts(*case)["ds"]


LAST_RELU = (
    "The last ReLU is left out on the way back. Where the sum was negative, no gradient passes: "
    "begin with dy * (s > 0)."
)
INNER_RELU = "The inner ReLU is left out on the way back: multiply by (z > 0)."

residual_block = Exercise(
    "residual_block",
    cases=_block_cases,
    answer=_block,
    outputs=("y", "dx", "dw1", "dw2"),
    mistakes=(
        Mistake(
            "no skip",
            "y",
            "x is not added: this is the output of a plain network.",
            lambda *case: np.maximum(_parts(*case)["body"], 0),
        ),
        Mistake(
            "skip after the ReLU",
            "y",
            "x is added behind the last ReLU. Here the ReLU is applied to the sum.",
            lambda *case: np.maximum(_parts(*case)["body"], 0) + case[0],
        ),
        Mistake(
            "no inner ReLU",
            "y",
            "The ReLU between the two products is missing.",
            lambda x, w1, w2, dy: np.maximum(x + x @ w1 @ w2, 0),
        ),
        Mistake("no ReLU", "y", "The ReLU of the sum is missing.", lambda *case: _parts(*case)["s"]),
        Mistake(
            "skip forgotten",
            "dx",
            "This is what comes through the body. x is used in the sum too: add ds.",
            lambda *case: _body_only(case),
        ),
        Mistake(
            "body forgotten",
            "dx",
            "This is what comes past the body. x is used in x @ w1 too: add dz @ w1.T.",
            lambda *case: _parts(*case)["ds"],
        ),
        Mistake(
            "dy",
            "dx",
            "This is dy as it came. It passes the last ReLU first, dy * (s > 0), and what comes "
            "through the "
            "body is added.",
            lambda *case: case[3],
        ),
        Mistake(
            "skip before the ReLU",
            "dx",
            "The skip passes on dy as it is. It lies before the last ReLU, so what it passes on is "
            "dy * (s > 0).",
            lambda *case: case[3] + _body_only(case),
        ),
        Mistake(
            "multiplied",
            "dx",
            "The gradients of the two ways are multiplied. Contributions of several uses add up.",
            lambda *case: _parts(*case)["ds"] * _body_only(case),
        ),
        Mistake("last ReLU", "dx", LAST_RELU, lambda *case: case[3] + _open_body(case)),
        Mistake(
            "subtracted",
            "dx",
            "The body's part is subtracted. Contributions of several uses add up.",
            lambda *case: 2 * _parts(*case)["ds"] - _back(case),
        ),
        Mistake(
            "both ReLUs",
            "dx",
            "Both ReLUs are left out on the way back. Begin with dy * (s > 0), and multiply by (z > 0).",
            lambda *case: case[3] + case[3] @ case[2].T @ case[1].T,
        ),
        Mistake(
            "sign of dy",
            "dx",
            "The mask is made from the sign of dy. A ReLU passes dy on where its *input* was "
            "positive: (s > 0).",
            lambda *case: _back(case, skip="masked"),
        ),
        Mistake("inner ReLU", "dx", INNER_RELU, lambda *case: _back(case, inner=False)),
        Mistake(
            "last ReLU",
            "dw1",
            LAST_RELU,
            lambda *case: case[0].T @ (_parts(*case)["da_open"] * (_parts(*case)["z"] > 0)),
        ),
        Mistake("inner ReLU", "dw1", INNER_RELU, lambda *case: case[0].T @ _parts(*case)["da"]),
        Mistake("last ReLU", "dw2", LAST_RELU, lambda *case: _parts(*case)["a"].T @ case[3]),
        Mistake(
            "z for a",
            "dw2",
            "It is made with z. w2 multiplied a, the output of the inner ReLU.",
            lambda *case: _parts(*case)["z"].T @ _parts(*case)["ds"],
        ),
    ),
)


def _open_body(case: tuple[Any, ...]) -> Array:
    """What of dx comes through the body, without the last ReLU's mask."""
    return _back(case, da="da_open") - _parts(*case)["ds"]
