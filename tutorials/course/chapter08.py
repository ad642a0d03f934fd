"""Checks of chapter 8: momentum, AdamW, and the spread of initial weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.exercise import Exercise, Mistake
from minicnn.init import fans
from minicnn.layer import Parameter
from minicnn.optim import SGD, Adam, AdamW, Optimizer

Array = np.ndarray


def _run(
    make: Callable[[dict[str, Parameter]], Optimizer], w: Array, gradients: Array
) -> tuple[Array, dict[str, Array]]:
    """The weights after steps along given gradients, and the optimiser's arrays."""
    parameter = Parameter(w.copy())
    optimizer = make({"w": parameter})
    for gradient in gradients:
        parameter.grad[...] = gradient
        optimizer.step()
    return parameter.data, optimizer.state()


def _velocity(w: Array, gradients: Array, lr: float, mu: float, **settings: Any) -> tuple[Array, Array]:
    data, state = _run(lambda p: SGD(p, lr, momentum=mu, **settings), w, gradients)
    return data, state["velocity/w"]


def _damped(w: Array, gradients: Array, lr: float, mu: float) -> tuple[Array, Array]:
    return _velocity(w, (1 - mu) * gradients, lr, mu)


def _old_velocity(w: Array, gradients: Array, lr: float, mu: float) -> Array:
    """Weights that move before the velocity changes: they never see the last gradient."""
    return _velocity(w, gradients[:-1], lr, mu)[0]


NO_MU = "mu is missing: the velocity is the sum of all gradients and forgets nothing. v = mu * v + g."
MU_ON_BOTH = "mu multiplies the new gradient as well. Only the old velocity shrinks: v = mu * v + g."
ONE_STEP = "Only the first gradient was used. Is the return statement inside the loop?"


def _sequences(seed: int) -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal(d), 2 * rng.standard_normal((t, d))) for t, d in ((5, 3), (4, 6))]


momentum = Exercise(
    "momentum",
    cases=lambda: [
        (w, g, lr, mu) for (w, g), lr, mu in zip(_sequences(80), (0.1, 0.3), (0.9, 0.5), strict=True)
    ],
    answer=_velocity,
    outputs=("w", "v"),
    mistakes=(
        Mistake(
            "damped",
            "w",
            "The gradient is multiplied by 1 - mu: that is an average, as in Adam. Momentum adds: "
            "v = mu * v + g.",
            lambda *case: _damped(*case)[0],
        ),
        Mistake(
            "old velocity",
            "w",
            "The weights move along the velocity of the step before. Change v first, then w.",
            _old_velocity,
        ),
        Mistake(
            "nesterov",
            "w",
            "This is Nesterov's variant, which moves along g + mu * v. Here w moves along v.",
            lambda *case: _velocity(*case, nesterov=True)[0],
        ),
        Mistake(
            "no memory",
            "w",
            "These are the weights of plain descent: the velocity does not keep its past.",
            lambda w, g, lr, mu: w - lr * g.sum(axis=0),
        ),
        Mistake(
            "uphill",
            "w",
            "The weights move along the gradient, so the loss grows. Subtract lr * v.",
            lambda w, g, lr, mu: 2 * w - _velocity(w, g, lr, mu)[0],
        ),
        Mistake(
            "no lr",
            "w",
            "The learning rate is missing: the weights move by lr * v, not by v.",
            lambda w, g, lr, mu: w + (_velocity(w, g, lr, mu)[0] - w) / lr,
        ),
        Mistake(
            "no mu",
            "w",
            NO_MU,
            lambda w, g, lr, mu: w - lr * g.cumsum(axis=0).sum(axis=0),
        ),
        Mistake("mu on both", "w", MU_ON_BOTH, lambda w, g, lr, mu: _velocity(w, mu * g, lr, mu)[0]),
        Mistake("one step", "w", ONE_STEP, lambda w, g, lr, mu: w - lr * g[0]),
        Mistake(
            "moved once",
            "w",
            "The weights move once, along the last velocity. They move in every step: inside the loop.",
            lambda w, g, lr, mu: w - lr * _velocity(w, g, lr, mu)[1],
        ),
        Mistake(
            "lr for mu",
            "w",
            "lr and mu are exchanged: v = mu * v + g, and w moves by lr * v.",
            lambda w, g, lr, mu: _velocity(w, g, mu, lr)[0],
        ),
        Mistake(
            "lr for mu",
            "v",
            "lr and mu are exchanged: v = mu * v + g, and w moves by lr * v.",
            lambda w, g, lr, mu: _velocity(w, g, mu, lr)[1],
        ),
        Mistake("no mu", "v", NO_MU, lambda w, g, lr, mu: g.sum(axis=0)),
        Mistake("mu on both", "v", MU_ON_BOTH, lambda w, g, lr, mu: _velocity(w, mu * g, lr, mu)[1]),
        Mistake("one step", "v", ONE_STEP, lambda w, g, lr, mu: g[0]),
        Mistake(
            "minus lr in v",
            "v",
            "This v is -lr times the velocity of this chapter: the variant v = mu * v - lr * g "
            "with w = w + v, "
            "which gives the same weights. Here v sums bare gradients, and lr is multiplied in "
            "when w moves.",
            lambda w, g, lr, mu: -lr * _velocity(w, g, lr, mu)[1],
        ),
        Mistake(
            "damped",
            "v",
            "The gradient is multiplied by 1 - mu: that is an average. Momentum adds: v = mu * v + g.",
            lambda *case: _damped(*case)[1],
        ),
        Mistake(
            "lr in v",
            "v",
            "The learning rate is in the velocity. v sums bare gradients, and lr is multiplied in "
            "when w "
            "moves; else a schedule would change the past.",
            lambda w, g, lr, mu: lr * _velocity(w, g, lr, mu)[1],
        ),
        Mistake(
            "no memory",
            "v",
            "It is the last gradient alone. The velocity keeps mu times what it was.",
            lambda w, g, lr, mu: g[-1],
        ),
    ),
)


def _adamw(
    w: Array, gradients: Array, lr: float, beta1: float, beta2: float, eps: float, decay: float
) -> tuple[Array, Array, Array]:
    """The right weights and moments, by the library."""
    settings: dict[str, Any] = {"betas": (beta1, beta2), "eps": eps, "weight_decay": decay}
    data, state = _run(lambda p: AdamW(p, lr, **settings), w, gradients)
    return data, state["first_moment/w"], state["second_moment/w"]


def _mixed_in(
    w: Array, gradients: Array, lr: float, beta1: float, beta2: float, eps: float, decay: float
) -> tuple[Array, Array, Array]:
    """Adam with the decay as a penalty in the gradient."""
    settings: dict[str, Any] = {"betas": (beta1, beta2), "eps": eps, "weight_decay": decay}
    data, state = _run(lambda p: Adam(p, lr, **settings), w, gradients)
    return data, state["first_moment/w"], state["second_moment/w"]


def _by_hand(
    *,
    first: int = 1,
    correct: str = "mv",
    root: Callable[[Array, float], Array] = lambda v, eps: np.sqrt(v) + eps,
    shrink: Callable[[float, float], float] = lambda lr, decay: 1 - lr * decay,
    shrink_last: bool = False,
    power: Callable[[float, int], float] = lambda beta, t: beta**t,
    bare: bool = False,
    sign: float = 1.0,
) -> Callable[..., Array]:
    """A function that gives the weights of AdamW with something changed.

    ``first`` the number of the first step; ``correct`` which averages are corrected; ``root`` of v and eps;
    ``shrink`` the factor of the decay, from lr and decay; ``shrink_last``: after Adam's step; ``power`` what
    is subtracted from 1 in the corrections; ``bare``: the gradient in the place of its average; ``sign`` of
    the step.
    """

    def value(
        w: Array, gradients: Array, lr: float, beta1: float, beta2: float, eps: float, decay: float
    ) -> Array:
        m, v = np.zeros_like(w), np.zeros_like(w)
        factor = shrink(lr, decay)
        for t, g in enumerate(gradients, start=first):
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
            m_hat = m / np.float64(1 - power(beta1, t)) if "m" in correct else m
            v_hat = v / np.float64(1 - power(beta2, t)) if "v" in correct else v
            w = w if shrink_last else w * factor
            w = w - sign * lr * (g if bare else m_hat) / root(v_hat, eps)
            w = w * factor if shrink_last else w
        return w

    return value


MIXED = (
    "The decay is mixed into the gradient, as in Adam with a penalty: it is then divided by sqrt(v). In "
    "AdamW w is multiplied by 1 - lr * decay, and m and v see the bare gradient."
)
SUMMED = "The gradients are added up, as in momentum. These are averages: multiply the new one by 1 - beta."


def _summed(gradients: Array, beta: float) -> Array:
    total = np.zeros_like(gradients[0])
    for g in gradients:
        total = beta * total + g
    return total


KEPT = (
    "The corrected average is kept, so the next step corrects it once more. Give it a name of its "
    "own, and "
    "leave the average as it is."
)


POWER = "The correction is not 1 - beta**t, with beta to the power of the number of the step."


def _correction_kept(gradients: Array, beta: float) -> Array:
    """An average that is replaced by its correction in each step."""
    average = np.zeros_like(gradients[0])
    for t, g in enumerate(gradients, start=1):
        average = (beta * average + (1 - beta) * g) / (1 - beta**t)
    return average


adamw = Exercise(
    "adamw",
    cases=lambda: [
        (w, g, lr, 0.9, beta2, eps, decay)
        for (w, g), lr, beta2, eps, decay in zip(
            _sequences(81), (0.1, 0.02), (0.99, 0.999), (1e-3, 1e-2), (0.1, 2.0), strict=True
        )
    ],
    answer=_adamw,
    outputs=("w", "m", "v"),
    mistakes=(
        Mistake("decay mixed in", "w", MIXED, lambda *case: _mixed_in(*case)[0]),
        Mistake(
            "no decay",
            "w",
            "These are the weights of Adam without decay.",
            lambda w, g, lr, beta1, beta2, eps, decay: _adamw(w, g, lr, beta1, beta2, eps, 0.0)[0],
        ),
        Mistake(
            "decay without lr",
            "w",
            "The decay is not multiplied by the learning rate: the factor is 1 - lr * decay.",
            _by_hand(shrink=lambda lr, decay: 1 - decay),
        ),
        Mistake(
            "growth",
            "w",
            "The weights grow by the factor 1 + lr * decay. A decay shrinks them.",
            _by_hand(shrink=lambda lr, decay: 1 + lr * decay),
        ),
        Mistake(
            "decay last",
            "w",
            "The decay comes after Adam's step, and shrinks that too. Multiply the weights first.",
            _by_hand(shrink_last=True),
        ),
        Mistake(
            "t from 0",
            "w",
            "It is not a number. Either the first step has t = 0, where 1 - beta**0 is 0: count "
            "from 1. Or the "
            "correction is 1 - beta * t, below 0, and has no root: it is 1 - beta**t.",
            _by_hand(first=0),
        ),
        Mistake(
            "t from 2",
            "w",
            "The first step has t = 2. Count t up before it is used only if it begins at 0.",
            _by_hand(first=2),
        ),
        Mistake(
            "not corrected",
            "w",
            "m and v are used as they are. Both began at 0: divide them by 1 - beta**t.",
            _by_hand(correct=""),
        ),
        Mistake(
            "v not corrected",
            "w",
            "m is corrected and v is not. Divide v by 1 - beta2**t.",
            _by_hand(correct="m"),
        ),
        Mistake(
            "m not corrected",
            "w",
            "v is corrected and m is not. Divide m by 1 - beta1**t.",
            _by_hand(correct="v"),
        ),
        Mistake(
            "eps inside",
            "w",
            "eps is under the square root. Adam adds it to the root.",
            _by_hand(root=lambda v, eps: np.sqrt(v + eps)),
        ),
        Mistake(
            "no root",
            "w",
            "It is divided by v. v has the unit of the gradient squared: divide by its square root.",
            _by_hand(root=lambda v, eps: v + eps),
        ),
        Mistake(
            "no eps", "w", "eps is left out. It is added to the root.", _by_hand(root=lambda v, _: np.sqrt(v))
        ),
        Mistake(
            "uphill",
            "w",
            "The weights move along the gradient, so the loss grows. Subtract Adam's step.",
            _by_hand(sign=-1),
        ),
        Mistake(
            "gradient for m",
            "w",
            "The step has the gradient in its numerator. Use its corrected average m_hat.",
            _by_hand(bare=True),
        ),
        Mistake("power", "w", POWER, _by_hand(power=lambda beta, t: beta)),
        Mistake("one step", "w", ONE_STEP, lambda w, g, *rest: _adamw(w, g[:1], *rest)[0]),
        Mistake("one step", "m", ONE_STEP, lambda w, g, *rest: _adamw(w, g[:1], *rest)[1]),
        Mistake("one step", "v", ONE_STEP, lambda w, g, *rest: _adamw(w, g[:1], *rest)[2]),
        Mistake("decay mixed in", "m", MIXED, lambda *case: _mixed_in(*case)[1]),
        Mistake("summed", "m", SUMMED, lambda *case: _summed(case[1], case[3])),
        Mistake(
            "corrected",
            "m",
            "This is m_hat. Return the average before its correction; the next step needs it.",
            lambda *case: _adamw(*case)[1] / (1 - case[3] ** len(case[1])),
        ),
        Mistake("correction kept", "m", KEPT, lambda *case: _correction_kept(case[1], case[3])),
        Mistake(
            "betas swapped",
            "m",
            "m is averaged with beta2. beta1 is for m, beta2 for v.",
            lambda w, g, lr, beta1, beta2, *rest: _adamw(w, g, lr, beta2, beta1, *rest)[1],
        ),
        Mistake("decay mixed in", "v", MIXED, lambda *case: _mixed_in(*case)[2]),
        Mistake("summed", "v", SUMMED, lambda *case: _summed(case[1] ** 2, case[4])),
        Mistake(
            "not squared",
            "v",
            "The gradient is not squared. v averages g**2.",
            lambda *case: (1 - case[4]) * _summed(case[1], case[4]),
        ),
        Mistake(
            "corrected",
            "v",
            "This is v_hat. Return the average before its correction; the next step needs it.",
            lambda *case: _adamw(*case)[2] / (1 - case[4] ** len(case[1])),
        ),
        Mistake("correction kept", "v", KEPT, lambda *case: _correction_kept(case[1] ** 2, case[4])),
        Mistake(
            "betas swapped",
            "v",
            "v is averaged with beta1. beta1 is for m, beta2 for v.",
            lambda w, g, lr, beta1, beta2, *rest: _adamw(w, g, lr, beta2, beta1, *rest)[2],
        ),
    ),
)


ROOT = "The root is not taken of the whole fraction: the standard deviation is sqrt(2 / fan-in)."

he_std = Exercise(
    "he_std",
    cases=lambda: [((20, 50),), ((3, 5, 4, 16),), ((1, 1, 6, 32),)],
    answer=lambda shape: np.sqrt(2 / fans(shape)[0]),
    outputs=("std",),
    mistakes=(
        Mistake(
            "fan-out for fan-in",
            "std",
            "It is made from the fan-out, the numbers that one input goes to. For the forward pass "
            "count the "
            "products that are added up in one output: leave out the last axis, not the one before.",
            lambda shape: np.sqrt(2 / fans(shape)[1]),
        ),
        Mistake(
            "variance",
            "std",
            "This is the variance, 2 / fan-in. The standard deviation is its square root.",
            lambda shape: 2 / fans(shape)[0],
        ),
        Mistake(
            "relu forgotten",
            "std",
            "This keeps the size without a ReLU. A ReLU halves the mean square: the variance is 2 / fan-in.",
            lambda shape: np.sqrt(1 / fans(shape)[0]),
        ),
        Mistake(
            "window forgotten",
            "std",
            "Only the channels are counted. A convolution adds up kh * kw * C products.",
            lambda shape: np.sqrt(2 / shape[-2]),
        ),
        Mistake(
            "filters",
            "std",
            "It is made from the number of filters. Count the numbers that go into one output.",
            lambda shape: np.sqrt(2 / shape[-1]),
        ),
        Mistake(
            "glorot",
            "std",
            "This is Glorot's compromise, 2 / (fan-in + fan-out). He's variance is 2 / fan-in.",
            lambda shape: np.sqrt(2 / sum(fans(shape))),
        ),
        Mistake(
            "all weights",
            "std",
            "All weights are counted. An output number reads only those of its own filter.",
            lambda shape: np.sqrt(2 / np.prod(shape)),
        ),
        Mistake(
            "first axis left out",
            "std",
            "The first axis is left out, as for filters of the shape (O, C, kh, kw). Here the "
            "filters are last.",
            lambda shape: np.sqrt(2 / np.prod(shape[1:])),
        ),
        Mistake(
            "channels forgotten",
            "std",
            "Only the window is counted. A convolution adds up kh * kw * C products.",
            lambda shape: np.sqrt(2 / np.prod(shape[:-2])),
        ),
        Mistake(
            "added",
            "std",
            "The sizes are added. kh * kw * C products go into one output: multiply them.",
            lambda shape: np.sqrt(2 / sum(shape[:-1])),
        ),
        Mistake("root", "std", ROOT, lambda shape: 2 / np.sqrt(fans(shape)[0])),
        Mistake("root", "std", ROOT, lambda shape: np.sqrt(2) / fans(shape)[0]),
        Mistake(
            "upside down",
            "std",
            "The fraction is upside down: the more inputs, the smaller the weights.",
            lambda shape: np.sqrt(fans(shape)[0] / 2),
        ),
        Mistake(
            "uniform",
            "std",
            "This is the limit of uniform weights with He's variance, sqrt(6 / fan-in). Their standard "
            "deviation is sqrt(2 / fan-in).",
            lambda shape: np.sqrt(6 / fans(shape)[0]),
        ),
    ),
)
