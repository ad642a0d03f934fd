"""Chapter 9: the right answers against PyTorch, and every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter09
from tests.tutorials.attempts import attempt

NAMES = ["batchnorm_forward", "batchnorm_backward", "residual_block"]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name):
    assert getattr(chapter09, name).diagnose(attempt(9, name)).passed


def test_the_right_forward_pass_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for case in chapter09.batchnorm_forward.cases():
        x, gamma, beta, mean, var, training, momentum, eps = case
        running = [torch.tensor(mean.copy()), torch.tensor(var.copy())]
        y = torch.nn.functional.batch_norm(
            torch.tensor(x.transpose(0, 3, 1, 2).copy()),
            *running,
            torch.tensor(gamma),
            torch.tensor(beta),
            training=training,
            momentum=momentum,
            eps=eps,
        )
        right = chapter09.batchnorm_forward.answer(*case)
        np.testing.assert_allclose(right[0], y.numpy().transpose(0, 2, 3, 1), atol=1e-12)
        np.testing.assert_allclose(right[1], running[0].numpy(), atol=1e-12)
        np.testing.assert_allclose(right[2], running[1].numpy(), atol=1e-12)


def test_the_right_backward_pass_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for dy, x_hat, inv_std, gamma, training in chapter09.batchnorm_backward.cases():
        x = torch.tensor(x_hat / inv_std, requires_grad=True)
        weight = torch.tensor(gamma, requires_grad=True)
        bias = torch.zeros(len(gamma), dtype=torch.float64, requires_grad=True)
        y = torch.nn.functional.batch_norm(
            x.permute(0, 3, 1, 2),
            torch.zeros(len(gamma), dtype=torch.float64),
            torch.tensor(1 / inv_std**2 - chapter09.EPS),
            weight,
            bias,
            training=training,
            eps=chapter09.EPS,
        )
        y.backward(torch.tensor(dy.transpose(0, 3, 1, 2).copy()))
        right = chapter09.batchnorm_backward.answer(dy, x_hat, inv_std, gamma, training)
        for value, tensor in zip(right, (x, weight, bias), strict=True):
            np.testing.assert_allclose(value, tensor.grad.numpy(), atol=1e-12)


def test_the_right_block_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for x, w1, w2, dy in chapter09.residual_block.cases():
        tensors = [torch.tensor(array, requires_grad=True) for array in (x, w1, w2)]
        y = torch.relu(tensors[0] + torch.relu(tensors[0] @ tensors[1]) @ tensors[2])
        y.backward(torch.tensor(dy))
        right = chapter09.residual_block.answer(x, w1, w2, dy)
        np.testing.assert_allclose(right[0], y.detach().numpy(), atol=1e-12)
        for value, tensor in zip(right[1:], tensors, strict=True):
            np.testing.assert_allclose(value, tensor.grad.numpy(), atol=1e-12)


STATISTICS = "mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))"
MOVED = (
    "running_mean = (1 - momentum) * running_mean + momentum * mean",
    "running_var = (1 - momentum) * running_var + momentum * var * count / (count - 1)",
)


def _spread(axes: str, ddof: int = 0) -> list[tuple[str, str]]:
    """The batch normalised over these axes, with right running statistics."""
    over = f"axis={axes}, keepdims=True"
    apart = f"(x - x.mean({over})) / np.sqrt(x.var({over}, ddof={ddof}) + eps)"
    right = "(x - mean) / np.sqrt(var + eps)"
    return [(f"x_hat = {right}", f"x_hat = {apart} if training else {right}")]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("axis=(0, 1, 2)", "axis=0")], {"y": "axis", "running mean": "axis", "running var": "axis"}),
        (
            [("axis=(0, 1, 2)", "axis=0"), (" * count / (count - 1)", "")],
            {"y": "axis", "running mean": "axis", "running var": "axis"},
        ),
        (_spread("(1, 2)"), {"y": "per image"}),
        (_spread("3"), {"y": "across channels"}),
        (_spread("None"), {"y": "one for all"}),
        (_spread("(0, 1, 2)", 1), {"y": "unbiased"}),
        ([("np.sqrt(var + eps)", "(np.sqrt(var) + eps)")], {"y": "eps outside"}),
        (
            [("mean, var = running_mean, running_var", STATISTICS)],
            {"y": "eval mode"},
        ),
        ([("(x - mean) / np.sqrt(var", "(x - running_mean) / np.sqrt(running_var")], {"y": "moved first"}),
        ([("gamma * x_hat + beta", "x_hat")], {"y": "no scale"}),
        ([("gamma * x_hat + beta", "x_hat + beta")], {"y": "no gamma"}),
        ([("gamma * x_hat + beta", "gamma * x_hat")], {"y": "no beta"}),
        ([("gamma * x_hat + beta", "beta * x_hat + gamma")], {"y": "exchanged"}),
        ([("np.sqrt(var + eps)", "(var + eps)")], {"y": "no root"}),
        ([("np.sqrt(var + eps)", "np.sqrt(var)")], {"y": "no eps"}),
        ([("(x - mean) /", "x /")], {"y": "no mean"}),
        (
            [(MOVED[0], "running_mean = mean"), (MOVED[1], "running_var = var")],
            {"running mean": "replaced", "running var": "replaced"},
        ),
        ([("count = x[..., 0].size", "count = len(x)")], {"running var": "images counted"}),
        ([("var * count / (count - 1)", "var * (count - 1) / count")], {"running var": "smaller"}),
        ([("var * count / (count - 1)", "var * (count / (count - 1)) ** 2")], {"running var": "twice"}),
        ([("var * count / (count - 1)", "np.sqrt(var)")], {"running var": "deviation"}),
        ([(" * count / (count - 1)", "")], {"running var": "biased"}),
        (
            [
                (
                    "(1 - momentum) * running_mean + momentum * mean",
                    "momentum * running_mean + (1 - momentum) * mean",
                )
            ],
            {"running mean": "momentum"},
        ),
        (
            [("(1 - momentum) * running_var + momentum", "momentum * running_var + (1 - momentum)")],
            {"running var": "momentum"},
        ),
        ([(MOVED[0], "pass"), (MOVED[1], "pass")], {"running mean": "not moved", "running var": "not moved"}),
        (
            [("if training:", "if True:")],
            {"y": "eval mode", "running mean": "eval mode", "running var": "eval mode"},
        ),
        (
            [
                (STATISTICS, STATISTICS + "; used = running_mean, running_var"),
                ("    else:", "        mean, var = used\n    else:"),
            ],
            {"y": "running in training"},
        ),
    ],
)
def test_a_wrong_forward_pass_is_named(changes, found):
    keys = chapter09.batchnorm_forward.diagnose(attempt(9, "batchnorm_forward", *changes)).keys
    assert keys == {"y": "right", "running mean": "right", "running var": "right"} | found


DX = "dy - dbeta / count - x_hat * dgamma / count if training else dy"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(DX, "dy")], {"dx": "constants"}),
        ([(" - dbeta / count", "")], {"dx": "mean way"}),
        ([(" - x_hat * dgamma / count", "")], {"dx": "variance way"}),
        ([(" if training else dy", "")], {"dx": "eval mode"}),
        (
            [(DX, "dy - dy.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0) if training else dy")],
            {"dx": "axis"},
        ),
        ([("count = dy[..., 0].size", "count = len(dy)")], {"dx": "count"}),
        ([(" / count", "")], {"dx": "not divided"}),
        ([(DX, DX.replace(" - ", " + "))], {"dx": "added"}),
        ([("x_hat * dgamma", "dgamma")], {"dx": "no x_hat"}),
        ([("count = dy[..., 0].size", "count = dy.size")], {"dx": "all numbers"}),
        ([("gamma * inv_std * inner", "gamma * gamma * inv_std * inner")], {"dx": "gamma twice"}),
        (
            [("gamma * inv_std * inner", "gamma * inv_std * inner if training else dy")],
            {"dx": "dy in evaluation"},
        ),
        ([("inner, dgamma, dbeta", "inner, gamma * dgamma, dbeta")], {"dgamma": "times gamma"}),
        ([("inner, dgamma, dbeta", "inner, dgamma / inv_std, dbeta")], {"dgamma": "x for x_hat"}),
        ([("inner, dgamma, dbeta", "inner, dgamma, gamma * dbeta")], {"dbeta": "times gamma"}),
        ([("gamma * inv_std * inner", "inv_std * inner")], {"dx": "gamma"}),
        ([("gamma * inv_std * inner", "gamma * inner")], {"dx": "inv_std"}),
        ([("inner, dgamma, dbeta", "inner, (dy * x_hat).sum(axis=0), dbeta")], {"dgamma": "batch only"}),
        ([("inner, dgamma, dbeta", "inner, dgamma / count, dbeta")], {"dgamma": "mean"}),
        ([("inner, dgamma, dbeta", "inner, dbeta, dbeta")], {"dgamma": "x_hat"}),
        ([("inner, dgamma, dbeta", "inner, dgamma, dy.sum(axis=0)")], {"dbeta": "batch only"}),
        ([("inner, dgamma, dbeta", "inner, dgamma, dbeta / count")], {"dbeta": "mean"}),
    ],
)
def test_a_wrong_backward_pass_is_named(changes, found):
    keys = chapter09.batchnorm_backward.diagnose(attempt(9, "batchnorm_backward", *changes)).keys
    assert keys == {"dx": "right", "dgamma": "right", "dbeta": "right"} | found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("y = np.maximum(s, 0)", "y = np.maximum(a @ w2, 0)")], {"y": "no skip"}),
        ([("y = np.maximum(s, 0)", "y = np.maximum(a @ w2, 0) + x")], {"y": "skip after the ReLU"}),
        ([("y = np.maximum(s, 0)", "y = s")], {"y": "no ReLU"}),
        ([("dx = ds + ", "dx = ")], {"dx": "skip forgotten"}),
        ([("dx = ds + dz @ w1.T", "dx = ds")], {"dx": "body forgotten"}),
        ([("dx = ds + dz @ w1.T", "dx = dy")], {"dx": "dy"}),
        ([("dx = ds + ", "dx = dy + ")], {"dx": "skip before the ReLU"}),
        ([("ds + dz @ w1.T", "ds * (dz @ w1.T)")], {"dx": "multiplied"}),
        ([("dy * (s > 0)", "dy")], {"dx": "last ReLU", "dw1": "last ReLU", "dw2": "last ReLU"}),
        ([(" * (z > 0)", "")], {"dx": "inner ReLU", "dw1": "inner ReLU"}),
        ([("a.T @ ds", "z.T @ ds")], {"dw2": "z for a"}),
        ([("y = np.maximum(s, 0)", "y = np.maximum(x + z @ w2, 0)")], {"y": "no inner ReLU"}),
        ([("ds + dz @ w1.T", "ds - dz @ w1.T")], {"dx": "subtracted"}),
        ([("ds + dz @ w1.T", "dy + dy @ w2.T @ w1.T")], {"dx": "both ReLUs"}),
        ([("dx = ds + ", "dx = dy * (dy > 0) + ")], {"dx": "sign of dy"}),
    ],
)
def test_a_wrong_block_is_named(changes, found):
    keys = chapter09.residual_block.diagnose(attempt(9, "residual_block", *changes)).keys
    assert keys == {"y": "right", "dx": "right", "dw1": "right", "dw2": "right"} | found
