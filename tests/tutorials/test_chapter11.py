"""Chapter 11: the right answers against the library, PyTorch and scikit-learn; every mistake is named."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn as mc
from course import chapter11
from tests.tutorials.attempts import attempt


def diagnosed(name, *changes):
    """The keys of what is found in the solution with these changes."""
    with np.errstate(all="ignore"):
        return getattr(chapter11, name).diagnose(attempt(11, name, *changes)).keys


@pytest.mark.parametrize("name", ["dropout", "overfit", "prepare"])
def test_the_solution_is_right(name):
    assert getattr(chapter11, name).diagnose(attempt(11, name)).passed


def test_the_right_dropout_is_that_of_the_library():
    layer = mc.Dropout(0.3, rng=5)
    x, dy = np.random.default_rng(6).standard_normal((2, 50, 4))
    y = layer.forward(x, training=True)
    right = chapter11.dropout.answer(x, dy, (y != 0).astype(float), 0.3)
    np.testing.assert_allclose(right[0], y, rtol=1e-6)
    np.testing.assert_allclose(right[1], layer.backward(dy), rtol=1e-6)


def test_the_right_losses_are_those_of_pytorch_and_fall_to_nearly_nothing():
    torch = pytest.importorskip("torch")
    build, x, t, rate, steps = chapter11.overfit.cases()[1]
    start = [torch.tensor(p.data.copy(), requires_grad=True) for p in build().parameters().values()]
    optimizer = torch.optim.SGD(start, lr=rate)
    losses = []
    for _ in range(steps):
        hidden = torch.relu(torch.tensor(x) @ start[0] + start[1])
        logits = hidden @ start[2] + start[3]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, torch.tensor(t, dtype=torch.float64)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(chapter11.overfit.answer(build, x, t, rate, steps), losses, rtol=1e-8)
    assert losses[-1] < 0.05


def test_the_right_preparation_is_that_of_scikit_learn():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    for images, films, n_val, flip in chapter11.prepare.cases():
        train, val = chapter11.prepare.answer(images, films, n_val, flip)
        is_val = films >= np.unique(films)[-n_val]
        scaler = preprocessing.StandardScaler().fit(images[~is_val].reshape(-1, 3))
        np.testing.assert_allclose(val, scaler.transform(images[is_val].reshape(-1, 3)).reshape(val.shape))
        as_it_was = np.where(flip[~is_val][:, None, None, None], train[:, :, ::-1], train)
        np.testing.assert_allclose(
            as_it_was, scaler.transform(images[~is_val].reshape(-1, 3)).reshape(train.shape)
        )


BOTH = "x * mask * scale, dy * mask * scale"


@pytest.mark.parametrize(
    ("change", "y", "dx"),
    [
        (("1 / (1 - rate)", "1"), "not scaled", "not scaled"),
        (("1 / (1 - rate)", "1 - rate"), "multiplied", "multiplied"),
        (("1 / (1 - rate)", "1 / rate"), "divided by rate", "divided by rate"),
        ((BOTH, BOTH.replace("mask", "(1 - mask)")), "mask inverted", "mask inverted"),
        ((BOTH, "x * scale, dy * scale"), "no mask", "no mask"),
        ((BOTH, "x * (1 - mask) / rate, dy * (1 - mask) / rate"), *2 * ["mask and rate inverted"]),
        (("1 / (1 - rate)", "rate"), "times rate", "times rate"),
        (("1 / (1 - rate)", "1 / mask.mean()"), "share of this mask", "share of this mask"),
        (("x * mask * scale", "x"), "untouched", "right"),
        (("dy * mask * scale", "dy * mask * scale**2"), "right", "scaled twice"),
        (("dy * mask * scale", "mask * scale"), "right", "no dy"),
        (("dy * mask * scale", "dy"), "right", "passed on"),
        (("dy * mask * scale", "dy * mask"), "right", "not scaled"),
        (("dy * mask * scale", "dy * x * mask * scale"), "right", "times x"),
    ],
)
def test_a_wrong_dropout_is_named(change, y, dx):
    assert diagnosed("dropout", change) == {"y": y, "dx": dx}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ([("network.zero_grad()", "pass")], "not cleared"),
        ([("-= rate", "+= rate")], "uphill"),
        ([("parameter.data -= rate * parameter.grad", "parameter.data - rate * parameter.grad")], "no step"),
        (
            [
                ("        network.zero_grad()\n", ""),
                ("(loss.backward())", "(loss.backward()); network.zero_grad()"),
            ],
            "no step",
        ),
        (
            [
                (
                    "return np.array(losses)",
                    "return np.array([*losses, loss.forward(network.forward(x), t)][1:])",
                )
            ],
            "after the step",
        ),
        (
            [
                (
                    "network.parameters().values()",
                    "[p for p in network.parameters().values() if p.data.ndim > 1]",
                )
            ],
            "weights only",
        ),
        ([("rate * parameter.grad", "rate * parameter.grad / len(x)")], "divided twice"),
        ([("loss.backward()", "t.size * loss.backward()")], "sum"),
        ([("loss.backward()", "t.shape[1] * loss.backward()")], "sum over labels"),
        ([("network.parameters().values()", "list(network.parameters().values())[-2:]")], "last layer"),
        ([("rate * parameter.grad", "parameter.grad")], "no rate"),
        ([("        network.zero_grad()", "        network = build(); network.zero_grad()")], "no step"),
        (
            [
                ("losses = []", "losses = []; o = mc.SGD(network.parameters(), lr=rate, momentum=0.9)"),
                ("parameter.data -= rate * parameter.grad", "pass"),
                ("        for parameter", "        o.step()\n        for parameter"),
            ],
            "momentum",
        ),
    ],
)
def test_a_wrong_training_loop_is_named(changes, key):
    assert diagnosed("overfit", *changes) == {"losses": key}


SPLIT = "np.isin(films, np.unique(films)[-n_val:])"


@pytest.mark.parametrize(
    ("changes", "train", "val"),
    [
        (
            [("train.mean(axis", "images.mean(axis"), ("train.std(axis", "images.std(axis")],
            "statistics of all",
            "statistics of all",
        ),
        ([(SPLIT, "np.arange(len(films)) >= len(films) - n_val")], "leak by poster", "leak by poster"),
        ([("[-n_val:]", "[:n_val]")], "first films", "first films"),
        ([("np.unique(films)", "list(dict.fromkeys(films))")], "order of appearance", "order of appearance"),
        (
            [("train = np.where(flip[~is_val][:, None, None, None], train[:, :, ::-1], train)", "")],
            "not augmented",
            "right",
        ),
        ([("train[:, :, ::-1]", "train[:, ::-1]")], "upside down", "right"),
        (
            [("return", "val = np.where(flip[is_val][:, None, None, None], val[:, :, ::-1], val); return")],
            "right",
            "val augmented",
        ),
        (
            [("(val - mean) / std", "(val - val.mean(axis=(0, 1, 2))) / val.std(axis=(0, 1, 2))")],
            "right",
            "own statistics",
        ),
        (
            [
                (
                    "is_val =",
                    "images = np.where(flip[:, None, None, None], images[:, :, ::-1], images); is_val =",
                ),
                ("train = np.where(flip[~is_val][:, None, None, None], train[:, :, ::-1], train)", ""),
                ("train.mean(axis", "images.mean(axis"),
                ("train.std(axis", "images.std(axis"),
            ],
            "statistics of all",
            "prepared together",
        ),
        ([("(val - mean) / std", "val")], "right", "not normalised"),
        ([("(train - mean) / std, (val - mean) / std", "train, val")], "not normalised", "not normalised"),
        ([("- mean) / std", "- mean)")], "mean only", "mean only"),
        ([("train.std(", "train.var(")], "variance", "variance"),
        ([("axis=(0, 1, 2)", "")], "one mean for all channels", "one mean for all channels"),
        ([("axis=(0, 1, 2)", "axis=0")], "each pixel", "each pixel"),
        ([("flip[~is_val]", "np.ones(len(train), bool)")], "all mirrored", "right"),
        ([("flip[~is_val]", "~flip[~is_val]")], "others mirrored", "right"),
        ([("flip[~is_val]", "flip[:len(train)]")], "flip not selected", "right"),
        (
            [
                (
                    "np.where(flip[~is_val][:, None, None, None], train[:, :, ::-1], train)",
                    "np.concatenate([train, train[flip[~is_val]][:, :, ::-1]])",
                )
            ],
            "copies",
            "right",
        ),
    ],
)
def test_a_wrong_preparation_is_named(changes, train, val):
    assert diagnosed("prepare", *changes) == {"train": train, "val": val}
