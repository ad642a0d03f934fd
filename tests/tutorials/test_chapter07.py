"""Chapter 7: the right answers against PyTorch; every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter07
from minicnn.gradcheck import check_layer
from tests.tutorials.attempts import attempt

ALL_RIGHT = {"y": "right", "dx": "right", "dweight": "right", "dbias": "right"}


@pytest.mark.parametrize("name", ["divide_backward", "layer_norm_backward", "GroupNorm"])
def test_the_solution_is_right(name):
    report = getattr(chapter07, name).diagnose(attempt(7, name))
    assert report.passed, str(report)


def test_the_right_quotient_gradients_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for dy, a, b in chapter07.divide_backward.cases():
        a_t, b_t = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
        (a_t / b_t).backward(torch.tensor(dy))
        da, db = chapter07.divide_backward.answer(dy, a, b)
        np.testing.assert_allclose(da, a_t.grad.numpy(), atol=1e-12)
        np.testing.assert_allclose(db, b_t.grad.numpy(), atol=1e-12)


def test_the_right_layer_norm_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for dy, x, weight, eps in chapter07.layer_norm_backward.cases():
        leaves = [torch.tensor(v, requires_grad=True) for v in (x, weight, np.zeros_like(weight))]
        y = torch.nn.functional.layer_norm(leaves[0], weight.shape, leaves[1], leaves[2], eps)
        y.backward(torch.tensor(dy))
        for ours, leaf in zip(chapter07.layer_norm_backward.answer(dy, x, weight, eps), leaves, strict=True):
            np.testing.assert_allclose(ours, leaf.grad.numpy(), atol=1e-10)


def test_the_right_group_norm_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for x, first, second, weight, bias, groups in chapter07.GroupNorm.cases():
        nchw = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
        w, b = (torch.tensor(v, requires_grad=True) for v in (weight, bias))
        y, dx, dweight, dbias = chapter07.GroupNorm.answer(x, first, second, weight, bias, groups)
        for upstream in (first, second):
            nchw.grad = None
            theirs = torch.nn.functional.group_norm(nchw, groups, w, b, chapter07.EPS)
            theirs.backward(torch.tensor(upstream.transpose(0, 3, 1, 2).copy()))
        np.testing.assert_allclose(y, theirs.detach().numpy().transpose(0, 2, 3, 1), atol=1e-10)
        np.testing.assert_allclose(dx, nchw.grad.numpy().transpose(0, 2, 3, 1), atol=1e-10)
        np.testing.assert_allclose(dweight, w.grad.numpy(), atol=1e-10)
        np.testing.assert_allclose(dbias, b.grad.numpy(), atol=1e-10)


def test_the_layer_passes_the_library_s_gradient_check():
    layer = attempt(7, "GroupNorm")(4, 2, dtype=np.float64)
    assert all(result.passed for result in check_layer(layer, (2, 3, 2, 4), rng=0))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("dy / b", "dy * b"), {"da": "multiplied"}),
        (("da = dy / b", "da = 1 / b + 0 * a"), {"da": "local alone"}),
        ((".sum(axis=0)", ""), {"db": "not summed"}),
        ((".sum(axis=0)", ".mean(axis=0)"), {"db": "mean"}),
        (("b**2", "b"), {"db": "not squared"}),
        (("-dy * a", "dy * a"), {"db": "sign"}),
        (("da = dy / b", "da = dy * a / b"), {"da": "times a"}),
        (("da = dy / b", "da = dy / b**2"), {"da": "squared"}),
        (("-dy * a / b**2", "-a / b**2"), {"db": "local alone"}),
        (("-dy * a / b**2", "-dy / b**2"), {"db": "no a"}),
        (("(-dy * a / b**2).sum(axis=0)", "-dy.sum(axis=0) * a.sum(axis=0) / b**2"), {"db": "summed apart"}),
    ],
)
def test_a_wrong_quotient_is_named(change, found):
    keys = chapter07.divide_backward.diagnose(attempt(7, "divide_backward", change)).keys
    assert keys == {"da": "right", "db": "right"} | found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("g - mean_path -", "g -")], {"dx": "no mean path"}),
        ([(" - variance_path", "")], {"dx": "no variance path"}),
        ([("(g - mean_path - variance_path)", "g")], {"dx": "constants"}),
        ([("g = dy * weight", "g = dy")], {"dx": "no weight"}),
        ([("g = dy * weight", "g = dy"), ("dx = s", "dx = weight * s")], {"dx": "weight outside"}),
        ([("axis=1", "axis=0")], {"dx": "over the batch", "dweight": "over the batch"}),
        ([(" + eps", "")], {"dx": "no eps", "dweight": "no eps"}),
        ([("g.mean(", "g.sum("), ("(g * x_hat).mean", "(g * x_hat).sum")], {"dx": "sums"}),
        ([("g - mean_path - variance_path", "g + mean_path + variance_path")], {"dx": "added"}),
        ([("dx = s * ", "dx = ")], {"dx": "no s"}),
        ([("variance_path = x_hat * ", "variance_path = ")], {"dx": "no x_hat"}),
        (
            [("g.mean(axis=1", "g.mean(axis=0"), ("(g * x_hat).mean(axis=1", "(g * x_hat).mean(axis=0")],
            {"dx": "columns"},
        ),
        ([("x.var(axis=1", "x.var(ddof=1, axis=1")], {"dx": "unbiased", "dweight": "unbiased"}),
        ([("dweight = (dy * x_hat)", "dweight = dy")], {"dweight": "no x_hat"}),
        ([("(dy * x_hat).sum", "(dy * x).sum")], {"dweight": "x for x_hat"}),
        ([("(dy * x_hat).sum", "(g * x_hat).sum")], {"dweight": "times weight"}),
        ([("(dy * x_hat).sum", "(dy * x_hat).mean")], {"dweight": "mean"}),
        ([("dy.sum(axis=0)", "dy.mean(axis=0)")], {"dbias": "mean"}),
        ([("dbias = dy.sum", "dbias = g.sum")], {"dbias": "times weight"}),
    ],
)
def test_a_wrong_layer_norm_is_named(changes, found):
    keys = chapter07.layer_norm_backward.diagnose(attempt(7, "layer_norm_backward", *changes)).keys
    assert keys == {"dx": "right", "dweight": "right", "dbias": "right"} | found


WEIGHT = "self.weight.accumulate((dy * x_hat.reshape(x.shape)).sum(axis=(0, 1, 2)))"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("g - mean_path -", "g -")], {"dx": "no mean path"}),
        ([(" - variance_path", "")], {"dx": "no variance path"}),
        ([("(g - mean_path - variance_path)", "g")], {"dx": "constants"}),
        ([("(dy * self.weight.data)", "dy")], {"dx": "no weight"}),
        (
            [
                ("(dy * self.weight.data)", "dy"),
                (
                    "return (s * (g - mean_path - variance_path)).reshape(x.shape)",
                    "return (s * (g - mean_path - variance_path)).reshape(x.shape) * self.weight.data",
                ),
            ],
            {"dx": "weight outside"},
        ),
        (
            [(WEIGHT, "self.weight.grad = (dy * x_hat.reshape(x.shape)).sum(axis=(0, 1, 2))")],
            {"dweight": "overwritten"},
        ),
        (
            [("self.bias.accumulate(dy.sum(axis=(0, 1, 2)))", "self.bias.grad = dy.sum(axis=(0, 1, 2))")],
            {"dbias": "overwritten"},
        ),
        ([(WEIGHT, WEIGHT.replace("x_hat.reshape(x.shape)", "x"))], {"dweight": "x for x_hat"}),
        ([("return x_hat * self.weight.data + self.bias.data", "return x_hat")], {"y": "x_hat alone"}),
        ([("g - mean_path - variance_path", "g + mean_path + variance_path")], {"dx": "added"}),
        ([("g.mean(", "g.sum("), ("(g * x_hat).mean", "(g * x_hat).sum")], {"dx": "sums"}),
        ([(WEIGHT, WEIGHT.replace("(dy *", "(dy * self.weight.data *"))], {"dweight": "times weight"}),
        (
            [("accumulate(dy.sum(", "accumulate((dy * self.weight.data).sum(")],
            {"dbias": "times weight"},
        ),
    ],
)
def test_a_wrong_group_norm_is_named(changes, found):
    assert chapter07.GroupNorm.diagnose(attempt(7, "GroupNorm", *changes)).keys == ALL_RIGHT | found


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ([("(1, 2, 4)", "(0, 1, 2, 4)")], "group and batch"),
        ([("(1, 2, 4)", "(1, 2, 3, 4)")], "layer norm"),
        ([("(1, 2, 4)", "(1, 2)")], "instance norm"),
        ([("(1, 2, 4)", "(0, 1, 2)")], "batch norm"),
        ([("(1, 2, 4)", "(4,)")], "channels only"),
        ([("(1, 2, 4)", "(1, 2, 3)"), ("self.groups, -1", "-1, self.groups")], "interleaved"),
        ([("var(axis=(1, 2, 4), keepdims=True)", "var(axis=(1, 2, 4), keepdims=True, ddof=1)")], "unbiased"),
    ],
)
def test_statistics_of_other_numbers_are_named(changes, kind):
    assert chapter07.GroupNorm.diagnose(attempt(7, "GroupNorm", *changes)).keys["y"] == kind


@pytest.mark.parametrize(("condition", "key"), [("training", "record ignored"), ("True", "always records")])
def test_what_is_recorded_and_when_is_checked(condition, key):
    changed = attempt(7, "GroupNorm", ("when=training if record is None else record", f"when={condition}"))
    assert chapter07.GroupNorm.diagnose(changed).keys == {"GroupNorm": key}


def test_an_error_inside_a_layer_names_the_learner_s_line():
    report = chapter07.GroupNorm.diagnose(attempt(7, "GroupNorm", ("self.recall()", "self.recal()")))
    assert report.keys == {"GroupNorm": "raised"}
    assert "AttributeError" in str(report)
    assert "chapter07" not in str(report)
