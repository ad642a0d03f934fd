"""Chapter 8: the right answers against PyTorch and statistics; every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter08
from tests.tutorials.attempts import attempt

NAMES = ["momentum", "adamw", "he_std"]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name):
    report = getattr(chapter08, name).diagnose(attempt(8, name))
    assert report.passed, str(report)


def torch_weights(make, w, gradients):
    torch = pytest.importorskip("torch")
    parameter = torch.tensor(w.copy(), requires_grad=True)
    optimizer = make(torch, [parameter])
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    return parameter.detach().numpy(), optimizer.state[parameter]


def test_the_right_momentum_is_that_of_pytorch():
    for w, gradients, lr, mu in chapter08.momentum.cases():
        expected, state = torch_weights(
            lambda torch, p, lr=lr, mu=mu: torch.optim.SGD(p, lr=lr, momentum=mu), w, gradients
        )
        data, v = chapter08.momentum.answer(w, gradients, lr, mu)
        np.testing.assert_allclose(data, expected, rtol=1e-12)
        np.testing.assert_allclose(v, state["momentum_buffer"].numpy(), rtol=1e-12)


def test_the_right_adamw_is_that_of_pytorch():
    for w, gradients, lr, beta1, beta2, eps, decay in chapter08.adamw.cases():
        settings = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": decay}
        expected, state = torch_weights(
            lambda torch, p, settings=settings: torch.optim.AdamW(p, **settings), w, gradients
        )
        data, m, v = chapter08.adamw.answer(w, gradients, lr, beta1, beta2, eps, decay)
        np.testing.assert_allclose(data, expected, rtol=1e-10)
        np.testing.assert_allclose(m, state["exp_avg"].numpy(), rtol=1e-10)
        np.testing.assert_allclose(v, state["exp_avg_sq"].numpy(), rtol=1e-10)


def test_he_s_spread_keeps_the_mean_square_through_a_relu():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 200))
    z = x @ (rng.standard_normal((200, 300)) * chapter08.he_std.answer((200, 300)))
    assert (np.maximum(z, 0) ** 2).mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("mu * v + g", "mu * v + (1 - mu) * g")], {"w": "damped", "v": "damped"}),
        (
            [("v = mu * v + g\n        w = w - lr * v", "w = w - lr * v\n        v = mu * v + g")],
            {"w": "old velocity"},
        ),
        ([("lr * v", "lr * (g + mu * v)")], {"w": "nesterov"}),
        ([("mu * v + g", "g")], {"w": "no memory", "v": "no memory"}),
        ([("w - lr", "w + lr")], {"w": "uphill"}),
        ([("w - lr * v", "w - v")], {"w": "no lr"}),
        ([("mu * v + g", "v + g")], {"w": "no mu", "v": "no mu"}),
        ([("mu * v + g", "mu * (v + g)")], {"w": "mu on both", "v": "mu on both"}),
        ([("    return w, v", "        return w, v")], {"w": "one step", "v": "one step"}),
        ([("        w = w - lr * v", "    w = w - lr * v")], {"w": "moved once"}),
        ([("v = np.zeros", "lr, mu = mu, lr; v = np.zeros")], {"w": "lr for mu", "v": "lr for mu"}),
        ([("mu * v + g", "mu * v - lr * g"), ("w - lr * v", "w + v")], {"v": "minus lr in v"}),
        ([("mu * v + g", "mu * v + lr * g"), ("w - lr * v", "w - v")], {"v": "lr in v"}),
        ([("mu * v + g", "mu * v - g"), ("w - lr", "w + lr")], {"v": "sign"}),
    ],
)
def test_a_wrong_momentum_is_named(changes, found):
    keys = chapter08.momentum.diagnose(attempt(8, "momentum", *changes)).keys
    assert keys == {"w": "right", "v": "right"} | found


def test_changing_the_caller_s_weights_is_named():
    changed = attempt(8, "momentum", ("w = w - lr * v", "w -= lr * v"))
    assert chapter08.momentum.diagnose(changed).keys == {"momentum": "argument changed"}


DECAY = "w = w * (1 - lr * decay)"
MIXED_IN = {"w": "decay mixed in", "m": "decay mixed in", "v": "decay mixed in"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(DECAY, "g = g + decay * w")], MIXED_IN),
        ([(DECAY, "w = w + 0")], {"w": "no decay"}),
        ([(DECAY, "w = w * (1 - decay)")], {"w": "decay without lr"}),
        ([(DECAY, "w = w * (1 + lr * decay)")], {"w": "growth"}),
        (
            [
                (DECAY, "pass"),
                ("(np.sqrt(v_hat) + eps)", "(np.sqrt(v_hat) + eps)\n        w = w * (1 - lr * decay)"),
            ],
            {"w": "decay last"},
        ),
        ([("start=1", "start=0")], {"w": "t from 0"}),
        ([("start=1", "start=2")], {"w": "t from 2"}),
        ([("m / (1 - beta1**t)", "m"), ("v / (1 - beta2**t)", "v")], {"w": "not corrected"}),
        ([("v / (1 - beta2**t)", "v")], {"w": "v not corrected"}),
        ([("m / (1 - beta1**t)", "m")], {"w": "m not corrected"}),
        ([("np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)")], {"w": "eps inside"}),
        ([("np.sqrt(v_hat) + eps", "v_hat + eps")], {"w": "no root"}),
        ([("return w, m, v", "return w, m_hat, v_hat")], {"m": "corrected", "v": "corrected"}),
        ([("np.sqrt(v_hat) + eps", "np.sqrt(v_hat)")], {"w": "no eps"}),
        ([("w - lr * m_hat", "w + lr * m_hat")], {"w": "uphill"}),
        ([("w - lr * m_hat", "w - lr * g")], {"w": "gradient for m"}),
        ([("beta1**t", "beta1 * t"), ("beta2**t", "beta2 * t")], {"w": "t from 0"}),
        ([("beta1**t", "beta1"), ("beta2**t", "beta2")], {"w": "power"}),
        (
            [("    return w, m, v", "        return w, m, v")],
            {"w": "one step", "m": "one step", "v": "one step"},
        ),
    ],
)
def test_a_wrong_adamw_is_named(changes, found):
    with np.errstate(all="ignore"):
        keys = chapter08.adamw.diagnose(attempt(8, "adamw", *changes)).keys
    assert keys == {"w": "right", "m": "right", "v": "right"} | found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("(1 - beta1) * g", "g")], {"m": "summed"}),
        ([("(1 - beta2) * g**2", "g**2")], {"v": "summed"}),
        ([("m_hat = m /", "m_hat = m = m /")], {"m": "correction kept"}),
        ([("v_hat = v /", "v_hat = v = v /")], {"v": "correction kept"}),
        ([("m = beta1 * m + (1 - beta1)", "m = beta2 * m + (1 - beta2)")], {"m": "betas swapped"}),
        ([("v = beta2 * v + (1 - beta2)", "v = beta1 * v + (1 - beta1)")], {"v": "betas swapped"}),
    ],
)
def test_a_wrong_average_is_named(changes, found):
    keys = chapter08.adamw.diagnose(attempt(8, "adamw", *changes)).keys
    assert {name: key for name, key in keys.items() if name != "w"} == {"m": "right", "v": "right"} | found


def test_an_average_of_gradients_that_are_not_squared_is_named():
    with np.errstate(all="ignore"):
        keys = chapter08.adamw.diagnose(attempt(8, "adamw", ("g**2", "g"))).keys
    assert keys["v"] == "not squared"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ([("*window, fan_in, _ = shape", "*window, _, fan_in = shape")], "fan-out for fan-in"),
        ([("np.sqrt(2 / fan_in)", "2 / fan_in")], "variance"),
        ([("np.sqrt(2 /", "np.sqrt(1 /")], "relu forgotten"),
        ([("2 / fan_in", "2 / np.prod(shape[1:])")], "first axis left out"),
        ([("2 / fan_in", "2 / np.prod(shape[:-2])")], "channels forgotten"),
        ([("2 / fan_in", "2 / sum(shape[:-1])")], "added"),
        ([("np.sqrt(2 / fan_in)", "2 / np.sqrt(fan_in)")], "root"),
        ([("np.sqrt(2 / fan_in)", "np.sqrt(2) / fan_in")], "root"),
        ([("2 / fan_in", "fan_in / 2")], "upside down"),
        ([("2 / fan_in", "6 / fan_in")], "uniform"),
        ([("fan_in = fan_in * size", "pass")], "window forgotten"),
        ([("np.sqrt(2 / fan_in)", "np.sqrt(2 / shape[-1])")], "filters"),
        ([("*window, fan_in, _ = shape", "*window, fan_in = shape")], "all weights"),
        ([("np.sqrt(2 / fan_in)", "np.sqrt(2 / (fan_in + fan_in * shape[-1] / shape[-2]))")], "glorot"),
    ],
)
def test_a_wrong_spread_is_named(changes, key):
    assert chapter08.he_std.diagnose(attempt(8, "he_std", *changes)).keys == {"std": key}
