"""Chapter 1: the right answers against their formulas; every known mistake is named."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter01
from tests.tutorials.attempts import attempt

NAMES = ["network_input", "picture_of", "first_genres"]
INPUT, PICTURE = "((pixels[None] / 255 - mean) / std)", "np.rint((x * std + mean) * 255).clip(0, 255)"


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name):
    assert getattr(chapter01, name).diagnose(attempt(1, name)).passed


def test_the_right_answers_follow_the_definition():
    expit = pytest.importorskip("scipy.special").expit
    for pixels, mean, std in chapter01.network_input.cases():
        x = chapter01.network_input.answer(pixels, mean, std)
        for h, v, c in np.ndindex(pixels.shape):
            assert x[0, h, v, c] == pytest.approx((int(pixels[h, v, c]) / 255 - mean[c]) / std[c], abs=1e-6)
        assert np.array_equal(chapter01.picture_of.answer(x, mean, std)[0][0], pixels)
    for logits, k in chapter01.first_genres.cases():
        best, probabilities = chapter01.first_genres.answer(logits, k)
        assert list(best) == sorted(range(25), key=lambda g: -logits[g])[:k]
        np.testing.assert_allclose(probabilities, expit(logits[best]), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "change", "keys"),
    [
        ("network_input", ("/ 255 - mean", "- mean"), {"x": "0..255"}),
        ("network_input", (INPUT, "(pixels[None] / 255)"), {"x": "not normalised"}),
        ("network_input", ("pixels[None]", "pixels[None, :, :, ::-1]"), {"x": "BGR"}),
        ("network_input", (INPUT, INPUT + ".transpose(0, 3, 1, 2)"), {"x": "CHW"}),
        ("network_input", ("pixels[None]", "pixels"), {"x": "no batch"}),
        ("network_input", (INPUT, "(pixels[None] / 255 / std - mean)"), {"x": "divided first"}),
        ("network_input", (INPUT, "(pixels[None] / 255 - mean)"), {"x": "no deviation"}),
        (
            "picture_of",
            ("np.rint((x * std + mean) * 255)", "((x * std + mean) * 255)"),
            {"pixels": "cut off", "dtype": "right"},
        ),
        (
            "picture_of",
            (".clip(0, 255).astype(np.uint8)", ".astype(int).astype(np.uint8)"),
            {"pixels": "wrapped", "dtype": "right"},
        ),
        ("network_input", ("/ 255 - mean) / std", "/ 255 - mean / std)"), {"x": "precedence"}),
        ("network_input", ("mean) / std", "mean) * std"), {"x": "multiplied"}),
        ("network_input", ("pixels[None] / 255", "pixels[None] // 255"), {"x": "whole numbers"}),
        ("network_input", (INPUT, "((pixels[None] - mean) / std / 255)"), {"x": "255 last"}),
        ("network_input", (INPUT, "((pixels - mean) / std)"), {"x": "0..255, no batch"}),
        (
            "picture_of",
            (PICTURE, "((x * std + mean) * 255)"),
            {"pixels": "cut off and wrapped", "dtype": "right"},
        ),
        (
            "picture_of",
            (PICTURE + ".astype(np.uint8)", "(x * std + mean) * 255"),
            {"pixels": "neither rounded nor clipped", "dtype": "other"},
        ),
        (
            "picture_of",
            (PICTURE + ".astype(np.uint8)", "np.rint((x * std + mean) * 255)"),
            {"pixels": "not clipped", "dtype": "other"},
        ),
        (
            "picture_of",
            (PICTURE + ".astype(np.uint8)", "((x * std + mean) * 255).clip(0, 255)"),
            {"pixels": "not rounded", "dtype": "other"},
        ),
        ("picture_of", (".astype(np.uint8)", ""), {"pixels": "right", "dtype": "other"}),
        ("picture_of", ("(x * std + mean)", "(x * std)"), {"pixels": "mean forgotten", "dtype": "right"}),
        (
            "picture_of",
            ("(x * std + mean)", "(x + mean)"),
            {"pixels": "deviation forgotten", "dtype": "right"},
        ),
        ("picture_of", ("(x * std + mean)", "(x / std + mean)"), {"pixels": "divided", "dtype": "right"}),
        (
            "first_genres",
            (
                "return best, 1 / (1 + np.exp(-logits[best]))",
                "p = np.exp(logits[best]); return best, p / p.sum()",
            ),
            {"best": "right", "probabilities": "softmax of the k"},
        ),
        (
            "first_genres",
            ("return best, ", "return np.sort(logits)[::-1][:k], "),
            {"best": "sorted values", "probabilities": "right"},
        ),
        (
            "first_genres",
            ("return best, 1 / (1 + np.exp(-logits[best]))", "return 1 / (1 + np.exp(-logits[best])), best"),
            {"first_genres": "order"},
        ),
        (
            "picture_of",
            ("(x * std + mean)", "((x + mean) * std)"),
            {"pixels": "mean first", "dtype": "right"},
        ),
        ("picture_of", ("(x * std + mean) * 255", "(x * std + mean)"), {"pixels": "0..1", "dtype": "right"}),
        (
            "picture_of",
            ("(x * std + mean)", "((x - mean) / std)"),
            {"pixels": "forward again", "dtype": "right"},
        ),
        (
            "first_genres",
            ("best = np.argsort(logits)[::-1][:k]", "best = np.argsort(logits)[:k]"),
            {"best": "least first", "probabilities": "other"},
        ),
        (
            "first_genres",
            ("return best, ", "return best[::-1], "),
            {"best": "worst of the best first", "probabilities": "right"},
        ),
        (
            "first_genres",
            ("1 / (1 + np.exp(-logits[best]))", "logits[best]"),
            {"best": "right", "probabilities": "logits"},
        ),
        (
            "first_genres",
            ("1 / (1 + np.exp(-logits[best]))", "np.exp(logits[best]) / np.exp(logits).sum()"),
            {"best": "right", "probabilities": "softmax"},
        ),
        (
            "first_genres",
            ("np.exp(-logits[best])", "np.exp(logits[best])"),
            {"best": "right", "probabilities": "sign of the exponent"},
        ),
    ],
)
def test_a_wrong_attempt_is_named(name, change, keys):
    assert getattr(chapter01, name).diagnose(attempt(1, name, change)).keys == keys
