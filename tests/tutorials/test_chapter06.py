"""Chapter 6: the right gradient against calculus; every known mistake and suspect is named."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter06
from tests.tutorials.attempts import attempt


@pytest.mark.parametrize("name", ["central_gradient", "verdicts"])
def test_the_solution_is_right(name):
    check = chapter06.suspects if name == "verdicts" else chapter06.central_gradient
    assert check.diagnose(attempt(6, name)).passed


def test_the_right_gradient_has_the_error_of_the_formula():
    (_, x, h), (_, angles, step), _ = chapter06.central_gradient.cases()
    expected = 3 * x**2 + h**2  # the error of x**3 is h**2 exactly
    expected[0, 0] += x[-1, -1]
    expected[-1, -1] += x[0, 0]
    np.testing.assert_allclose(chapter06.central_gradient.answer(chapter06._cubes, x, h), expected, rtol=1e-9)
    factors = np.arange(1, angles.size + 1).reshape(angles.shape)
    np.testing.assert_allclose(
        chapter06.central_gradient.answer(chapter06._sines, angles, step),
        factors * np.cos(angles) * np.sin(step) / step,
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ([("below[index] -= h", "pass"), ("(2 * h)", "h")], "one-sided"),
        ([("above[index] += h", "pass"), ("(2 * h)", "h")], "backward"),
        ([("(2 * h)", "h")], "twice"),
        ([("above[index] += h", "above += h"), ("below[index] -= h", "below -= h")], "all at once"),
        ([("/ (2 * h)", "/ 2 * h")], "precedence"),
        ([("below[index] -= h", "pass")], "half"),
        ([("+= h", "+= 1e-5"), ("-= h", "-= 1e-5"), ("(2 * h)", "2e-5")], "h not used"),
        (
            [
                ("    for index", "    above, below = x.copy(), x.copy()\n    for index"),
                ("        above, below = x.copy(), x.copy()\n        above", "        above"),
            ],
            "steps remain",
        ),
    ],
)
def test_a_wrong_gradient_is_named(changes, key):
    found = chapter06.central_gradient.diagnose(attempt(6, "central_gradient", *changes))
    assert found.keys == {"gradient": key}


def test_changing_the_argument_is_named():
    found = chapter06.central_gradient.diagnose(
        attempt(6, "central_gradient", ("above, below = x.copy(), x.copy()", "above, below = x, x.copy()"))
    )
    assert found.keys == {"central_gradient": "argument changed"}


@pytest.mark.parametrize("answer", ["wrong", "kink", "float32 noise", "hidden by ones"])
@pytest.mark.parametrize("name", chapter06.SUSPECTS)
def test_every_wrong_verdict_is_answered(name, answer):
    answers = chapter06.suspects.right | {name: answer}
    report = chapter06.suspects.diagnose(lambda: answers)
    if answer == chapter06.suspects.right[name]:
        assert report.passed
    else:
        assert report.keys[name] == answer
        assert (name, answer) in chapter06.suspects.wrong


def test_a_wrong_setting_is_refused():
    with pytest.raises(ValueError, match="upstream must be one of ones, random"):
        chapter06.error("A", upstream="zeros")
