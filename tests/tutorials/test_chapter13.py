"""Chapter 13: the right maps against PyTorch and a closed formula, and every known mistake by its name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter13
from tests.tutorials.attempts import attempt


@pytest.mark.parametrize("name", ["grad_cam", "occlusion", "nearest"])
def test_the_solution_is_right(name):
    assert getattr(chapter13, name).diagnose(attempt(13, name)).passed


def test_the_right_map_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for layers, image, genre in chapter13.grad_cam.cases():
        A = torch.tensor(image, requires_grad=True)
        features = torch.cat([A.mean(dim=(0, 1)), A.amax(dim=(0, 1))])
        weight, bias = (torch.tensor(layers[1].parameters()[name].data) for name in ("weight", "bias"))
        (features @ weight + bias)[genre].backward()
        alpha = A.grad.mean(dim=(0, 1))
        heat = torch.relu((A * alpha).sum(dim=2))
        for ours, theirs in zip(chapter13.grad_cam.answer(layers, image, genre), (alpha, heat), strict=True):
            np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-12)


def test_the_right_occlusion_of_one_neuron_is_its_weights_times_the_change():
    weights, image = np.random.default_rng(0).uniform(size=(2, 6, 4, 3))
    fill, lost = np.array([0.1, 0.2, 0.3]), np.zeros((3, 2))
    for i, j in np.ndindex(3, 2):
        window = slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
        lost[i, j] = (weights[window] * (image[window] - fill)).sum() / 3
    ours = chapter13.occlusion.answer(chapter13._linear(weights), image, 2, fill)
    np.testing.assert_allclose(ours, lost, atol=1e-9)


def test_the_right_neighbours_are_those_of_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors")
    for rows, query, k in chapter13.nearest.cases():
        index = neighbors.NearestNeighbors(metric="cosine", algorithm="brute").fit(rows)
        found = index.kneighbors(rows[query : query + 1], k + 1, return_distance=False)[0]
        assert chapter13.nearest.answer(rows, query, k).tolist() == found[1:].tolist()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("layers[:-1]", "layers")], {"alpha": "probability", "heat": "probability"}),
        ([("one_hot[0, genre] = 1", "one_hot[0] = 1")], {"alpha": "all genres", "heat": "all genres"}),
        ([("gradient[0].mean(", "gradient[0].sum(")], {"alpha": "sum", "heat": "sum"}),
        (
            [("np.maximum((image * alpha).sum(axis=2), 0)", "(image * alpha).sum(axis=2)")],
            {"heat": "no ReLU"},
        ),
        (
            [("np.maximum((image * alpha).sum(axis=2), 0)", "np.maximum(image * alpha, 0).sum(axis=2)")],
            {"heat": "ReLU before the sum"},
        ),
        (
            [("np.maximum((image * alpha).sum(axis=2), 0)", "np.abs((image * alpha).sum(axis=2))")],
            {"heat": "absolute value"},
        ),
        ([("image * alpha", "image * gradient[0]")], {"heat": "cell by cell"}),
        ([("(image * alpha)", "(0 * image + alpha)")], {"heat": "gradient alone"}),
    ],
)
def test_a_wrong_map_is_named(changes, found):
    keys = chapter13.grad_cam.diagnose(attempt(13, "grad_cam", *changes)).keys
    assert keys == {"alpha": "right", "heat": "right"} | found


def test_weights_from_the_image_are_named():
    wrong = attempt(13, "grad_cam", ("gradient[0].mean(", "image.mean("))
    assert chapter13.grad_cam.diagnose(wrong).keys["alpha"] == "activations"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("np.log(before / (1 - before)) - ", "-np.log(before / (1 - before)) + ")], "sign"),
        (
            [
                ("np.log(before / (1 - before))", "before"),
                ("np.log(after / (1 - after))", "after"),
            ],
            "probability",
        ),
        ([(" / (1 - before)", ""), (" / (1 - after)", "")], "log of p"),
        ([("= fill", "= 0")], "black"),
        (
            [
                ("    before = prob", "    kept = image.copy()\n    before = prob"),
                ("= image.copy()\n            ", "= kept\n            "),
            ],
            "squares stay",
        ),
        ([("size * i : size * (i + 1), size * j : size * (j + 1)", "i : i + size, j : j + size")], "overlap"),
        (
            [
                (
                    "covered[size * i : size * (i + 1), size * j : size * (j + 1)] = fill",
                    "covered[:] = fill\n"
                    "            window = slice(size * i, size * (i + 1)), slice(size * j, size * (j + 1))\n"
                    "            covered[window] = image[window]",
                )
            ],
            "outside",
        ),
    ],
)
def test_a_wrong_occlusion_is_named(changes, found):
    assert chapter13.occlusion.diagnose(attempt(13, "occlusion", *changes)).keys == {"lost": found}


def test_covering_the_callers_image_is_named():
    wrong = attempt(13, "occlusion", ("image.copy()", "image"))
    assert chapter13.occlusion.diagnose(wrong).keys == {"occlusion": "argument changed"}


WITHOUT_QUERY = ("    likeness[query] = -np.inf\n", "")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([WITHOUT_QUERY], "itself"),
        ([WITHOUT_QUERY, ("np.argsort(-likeness)", "np.argsort(likeness)")], "farthest"),
        (
            [("embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)", "embeddings")],
            "not normalised",
        ),
        ([("unit @ unit[query]", "-np.linalg.norm(embeddings - embeddings[query], axis=1)")], "distance"),
    ],
)
def test_wrong_neighbours_are_named(changes, found):
    assert chapter13.nearest.diagnose(attempt(13, "nearest", *changes)).keys == {"indices": found}


ALPHA = "gradient[0].mean(axis=(0, 1))"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("one_hot[0, genre] = 1", "one_hot[...] = y")], {"alpha": "logits", "heat": "logits"}),
        (
            [(ALPHA, f"np.maximum({ALPHA}, 0)")],
            {"alpha": "positive alone", "heat": "ReLU before the sum"},
        ),
        (
            [(ALPHA, "np.maximum(gradient[0], 0).mean(axis=(0, 1))")],
            {"alpha": "positive alone", "heat": "other"},
        ),
        ([(ALPHA, f"np.abs({ALPHA})")], {"alpha": "size", "heat": "other"}),
        ([(ALPHA, "np.abs(gradient[0]).mean(axis=(0, 1))")], {"alpha": "size", "heat": "other"}),
        ([(ALPHA, "gradient[0].max(axis=(0, 1))")], {"alpha": "largest", "heat": "other"}),
        ([("(image * alpha).sum(", "(image * alpha).mean(")], {"heat": "mean of the channels"}),
        ([("return alpha, heat", "return alpha, heat / heat.max()")], {"heat": "normalised"}),
        ([("np.maximum(", "np.minimum(")], {"heat": "minimum"}),
        (
            [
                ("layers[:-1]", "layers"),
                ("np.maximum((image * alpha).sum(axis=2), 0)", "(image * alpha).sum(axis=2)"),
            ],
            {"alpha": "probability", "heat": "no ReLU"},
        ),
    ],
)
def test_another_wrong_grad_cam_is_named(changes, found):
    keys = chapter13.grad_cam.diagnose(attempt(13, "grad_cam", *changes)).keys
    assert keys == {"alpha": "right", "heat": "right"} | found


LOST = "np.log(before / (1 - before)) - np.log(after / (1 - after))"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([("size * (i + 1)", "size * (i + 1) - 1"), ("size * (j + 1)", "size * (j + 1) - 1")], "too small"),
        (
            [
                (
                    "[size * i : size * (i + 1), size * j : size * (j + 1)]",
                    "[size * j : size * (j + 1), size * i : size * (i + 1)]",
                )
            ],
            "rows and columns",
        ),
        ([(LOST, "before / (1 - before) - after / (1 - after)")], "odds"),
        ([(LOST, f"abs({LOST})")], "size of the loss"),
        ([(LOST, "np.log(after / (1 - after))")], "after alone"),
        ([("= fill", "= image.mean(axis=(0, 1))")], "mean colour"),
    ],
)
def test_another_wrong_occlusion_is_named(changes, found):
    assert chapter13.occlusion.diagnose(attempt(13, "occlusion", *changes)).keys == {"lost": found}


BEST = "np.argsort(-likeness)[:k]"
NORMALISED = "embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([WITHOUT_QUERY, ("[:k]", "[: k + 1]")], "itself"),
        ([("[:k]", "[: k + 1]")], "one too many"),
        ([WITHOUT_QUERY, (BEST, "np.argsort(-np.delete(likeness, query))[:k]")], "shifted"),
        ([(BEST, f"likeness[{BEST}]")], "cosines"),
        ([(BEST, f"{BEST}[::-1]")], "nearest last"),
        ([(BEST, f"np.sort({BEST})")], "not in order"),
        ([("axis=1", "axis=0")], "columns normalised"),
        ([WITHOUT_QUERY, (NORMALISED, "embeddings")], "not normalised"),
        (
            [
                WITHOUT_QUERY,
                ("unit @ unit[query]", "-np.linalg.norm(embeddings - embeddings[query], axis=1)"),
            ],
            "distance",
        ),
    ],
)
def test_other_wrong_neighbours_are_named(changes, found):
    assert chapter13.nearest.diagnose(attempt(13, "nearest", *changes)).keys == {"indices": found}
