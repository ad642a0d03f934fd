"""The checker of the exercises: what it says of attempts that are wrong in ways that can happen anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from course.exercise import Exercise, Mistake, Questions


def product(a, b):
    return a @ b, a.sum()


RNG = np.random.default_rng(0)
CASES = [(RNG.standard_normal((6, 4)), RNG.standard_normal((4, 5))) for _ in range(2)]
RIGHT = {"y": "right", "total": "right"}
EXERCISE = Exercise(
    "product",
    cases=lambda: [(a.copy(), b.copy()) for a, b in CASES],
    answer=product,
    outputs=("y", "total"),
    mistakes=(Mistake("absolute", "y", "Its numbers have lost their signs.", lambda a, b: abs(a @ b)),),
)


def unfilled(a, b):
    raise NotImplementedError


def border(a, b):
    y = a @ b
    y[0, 0] += 1
    return y, a.sum()


def changing(a, b):
    a *= 2
    return product(a, b)


@pytest.mark.parametrize(
    ("attempt", "keys", "words"),
    [
        (product, {"y": "right", "total": "right"}, "product: all right."),
        (unfilled, {"product": "unfilled"}, "not written yet"),
        (lambda a, b: None, {"product": "none"}, "returns None"),
        (lambda a, b: a @ b, {"product": "count"}, "returns 1 value(s), expected 2 values (y, total)"),
        (lambda a, b: (b @ a, a.sum()), {"product": "raised"}, "The arguments were (6, 4), (4, 5)."),
        (changing, {"product": "argument changed"}, "argument number 1"),
        (lambda a, b: (abs(a @ b), a.sum()), {"y": "absolute", "total": "right"}, "lost their signs"),
        (lambda a, b: ((a @ b).T, a.sum()), {"y": "axes", "total": "right"}, "order (1, 0)"),
        (lambda a, b: (-(a @ b), a.sum()), {"y": "sign", "total": "right"}, "sign"),
        (lambda a, b: (3 * (a @ b), a.sum()), {"y": "factor", "total": "right"}, "3"),
        (lambda a, b: ((a @ b)[::-1], a.sum()), {"y": "reversed", "total": "right"}, "along axis 0"),
        (border, {"y": "border", "total": "right"}, "at (0, 0)"),
        (lambda a, b: (a @ b, 7.0), {"y": "right", "total": "other"}, "It is 7, where "),
        (lambda a, b: ((a @ b)[:2], a.sum()), {"y": "shape", "total": "right"}, "(2, 5), expected (6, 5)"),
        (lambda a, b: ([[1], [1, 2]], a.sum()), {"product": "ragged"}, "unlike lengths"),
        (lambda a, b: [a @ b, a.sum()], {"y": "right", "total": "right"}, "product: all right."),
        (lambda a, b: (a.sum(), a @ b), {"product": "order"}, "as total, y, expected y, total"),
        (lambda a, b: (a.astype(np.float32) @ b.astype(np.float32), a.sum()), RIGHT, "all right"),
        (lambda a, b: (a @ b * (1 + 3e-6), a.sum()), {"y": "float32", "total": "right"}, "in float64"),
        (lambda a, b: (a @ b > 0, a.sum()), {"y": "other", "total": "right"}, "numbers are off"),
        (lambda a, b: (np.zeros((6, 5)), a.sum()), {"y": "other", "total": "right"}, "100% of its numbers"),
        (lambda a, b: (a @ b * np.nan, a.sum()), {"y": "not finite", "total": "right"}, ""),
        (lambda a, b: (np.array(["x"]), a.sum()), {"y": "other", "total": "right"}, ""),
        (lambda a, b: ((a @ b).astype(complex), a.sum()), {"y": "type", "total": "right"}, "complex"),
    ],
)
def test_an_attempt_is_named(attempt, keys, words):
    report = EXERCISE.diagnose(attempt)
    assert report.keys == keys
    assert words in str(report)
    assert report.passed == ("all right" in words)


def test_the_error_of_a_learner_names_the_line():
    assert "in line" in str(EXERCISE.diagnose(lambda a, b: a.no_such_name))


def test_calling_the_check_prints_the_report(capsys):
    EXERCISE(product)
    assert capsys.readouterr().out.splitlines()[-1] == "product: all right."


QUESTIONS = Questions("faults", {"A": "high", "B": "low"}, {("A", "low"): "It overshoots."})


@pytest.mark.parametrize(
    ("answers", "keys", "words"),
    [
        ({"A": "high", "B": "low"}, {"A": "right", "B": "right"}, "faults: all right."),
        ({"A": "low", "B": None}, {"A": "low", "B": "unfilled"}, "It overshoots."),
        ({"A": "odd"}, {"A": "unknown", "B": "unfilled"}, "'odd' is none of high, low."),
        (["high"], {"faults": "type"}, "expected a dictionary"),
    ],
)
def test_answers_are_named(answers, keys, words):
    report = QUESTIONS.diagnose(lambda: answers)
    assert report.keys == keys
    assert words in str(report)


def test_unfilled_and_failing_answers_are_findings():
    assert QUESTIONS.diagnose(lambda: unfilled(1, 2)).keys == {"A": "unfilled", "B": "unfilled"}
    assert QUESTIONS.diagnose(lambda: 1 / 0).keys == {"faults": "raised"}


def test_what_is_observed_of_a_returned_array_is_an_output_of_its_own():
    halves = Exercise(
        "halves",
        cases=lambda: [(np.arange(6.0),), (np.arange(8.0)[::2],)],
        answer=lambda x: (x[: len(x) // 2], True),
        outputs=("half", "shares memory"),
        observe=lambda half, x: isinstance(half, np.ndarray) and np.shares_memory(half, x),
    )
    assert halves.diagnose(lambda x: x[: len(x) // 2]).passed
    for copied in (lambda x: x[: len(x) // 2].copy(), lambda x: x[: len(x) // 2].tolist()):
        assert halves.diagnose(copied).keys == {"half": "right", "shares memory": "other"}
    assert halves.diagnose(lambda x: [[1], [1, 2]]).keys == {"halves": "ragged"}
    assert halves.diagnose(lambda x: None).keys == {"halves": "none"}
