"""Exercises whose check names the mistake.

An ``Exercise`` runs a learner's function on a few inputs and compares every array that it returns with the
right one. Where an array is wrong it looks for the mistake that explains it: first among the mistakes that
are typical of the exercise, each of which is a way to compute the wrong value, then among those that can
happen anywhere (axes in another order, a constant factor, a wrong border).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course import diagnosis

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Mistake:
    """A known way to get one output wrong.

    ``key``      a short name, unique within the exercise.
    ``output``   the name of the output that shows it.
    ``says``     a sentence or two to the learner: what the value is, and what to look at.
    ``value``    the wrong output for the arguments of a case.
    """

    key: str
    output: str
    says: str
    value: Callable[..., Any]


@dataclass(frozen=True)
class Finding:
    """What is known of one output: ``key`` is "right", a mistake's key or the name of a general one."""

    output: str
    key: str
    text: str


@dataclass(frozen=True)
class Report:
    """The findings on one attempt, one for each output, or a single one where it could not be compared."""

    exercise: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every output is right."""
        return all(finding.key == "right" for finding in self.findings)

    @property
    def keys(self) -> dict[str, str]:
        """The key of each output's finding."""
        return {finding.output: finding.key for finding in self.findings}

    def __str__(self) -> str:
        lines = [finding.text for finding in self.findings]
        if self.passed:
            lines.append(f"{self.exercise}: all right.")
        return "\n".join(lines)


class Exercise:
    """A function to write, the inputs that it is tried on, the right outputs, and the known mistakes.

    ``name``      the name of the function.
    ``cases``     makes the list of argument tuples; called for each check, so that no case is changed.
    ``answer``    the right outputs for one tuple: an array or number, or a tuple of them.
    ``outputs``   the names of the outputs, in the order in which they are returned.
    ``mistakes``  in the order in which they are tried.
    ``rtol``      relative to the largest number of an output.
    ``observe``   a further output, the last: what this function makes of what an attempt returned and of the
                  arguments, such as whether the two share memory. ``answer`` has it too.
    """

    def __init__(
        self,
        name: str,
        *,
        cases: Callable[[], Sequence[Arguments]],
        answer: Callable[..., Any],
        outputs: Sequence[str],
        mistakes: Sequence[Mistake] = (),
        rtol: float = 1e-7,
        observe: Callable[..., Any] | None = None,
    ) -> None:
        self.name, self.cases, self.answer = name, cases, answer
        self.outputs, self.mistakes, self.rtol = tuple(outputs), tuple(mistakes), rtol
        self.observe = observe

    def __call__(self, attempt: Callable[..., Any]) -> None:
        """Check an attempt and print what was found."""
        print(self.diagnose(attempt))

    def diagnose(self, attempt: Callable[..., Any]) -> Report:
        """Run an attempt on every case and compare; exceptions become findings."""
        tried: list[Arguments] = []
        got: list[tuple[Any, ...]] = []
        for case, kept in zip(self.cases(), self.cases(), strict=True):
            try:
                result = attempt(*case)
            except NotImplementedError:
                return self._single(
                    "unfilled", "is not written yet. Fill in the cell above and run both again."
                )
            except Exception as error:  # whatever a learner's code raises is what the learner must see
                return self._single("raised", _where(error, case))
            if result is None:
                return self._single("none", "returns None. Is the last line a return statement?")
            changed = [i for i, (a, b) in enumerate(zip(case, kept, strict=True)) if not _identical(a, b)]
            if changed:
                text = f"changes its argument number {changed[0] + 1}, which the caller still needs."
                return self._single("argument changed", text)
            values = self._separate(result)
            if len(values) != len(self._returned):
                wanted = f"{len(self._returned)} values ({', '.join(self._returned)})"
                return self._single("count", f"returns {len(values)} value(s), expected {wanted}.")
            if self.observe is not None:
                values = (*values, self.observe(result, *case))
            tried.append(kept)
            got.append(values)
        right = [self._right(case) for case in tried]
        arrays = []
        for index, name in enumerate(self.outputs):
            try:
                arrays.append([np.asarray(values[index]) for values in got])
            except ValueError:
                return self._single("ragged", f"returns a {name} whose rows have unlike lengths.")
        order = diagnosis.other_order(list(zip(*arrays, strict=True)), right, self.rtol)
        if order is not None:
            names = ", ".join(self.outputs[place] for place in order)
            return self._single(
                "order", f"returns the right values as {names}, expected {', '.join(self.outputs)}."
            )
        findings = [
            self._finding(i, tried, arrays[i], [values[i] for values in right])
            for i in range(len(self.outputs))
        ]
        return Report(self.name, tuple(findings))

    @property
    def _returned(self) -> tuple[str, ...]:
        """The outputs that an attempt returns."""
        return self.outputs if self.observe is None else self.outputs[:-1]

    def _separate(self, result: Any) -> tuple[Any, ...]:
        """The outputs in what an attempt returned; a list or an array of as many values will do."""
        if len(self._returned) == 1:
            return (result,)
        if isinstance(result, (tuple, list)):
            return tuple(result)
        if isinstance(result, np.ndarray) and result.ndim and len(result) == len(self._returned):
            return tuple(result)
        return (result,)

    def _right(self, case: Arguments) -> tuple[np.ndarray, ...]:
        answer = self.answer(*case)
        return tuple(np.asarray(value) for value in (answer if len(self.outputs) > 1 else (answer,)))

    def _single(self, key: str, text: str) -> Report:
        return Report(self.name, (Finding(self.name, key, f"{self.name} {text}"),))

    def _finding(
        self, index: int, cases: Sequence[Arguments], values: list[np.ndarray], right: list[np.ndarray]
    ) -> Finding:
        """Compare one output over all cases."""
        name = self.outputs[index]
        if all(map(self._agree, values, right)):
            shape = right[0].shape
            return Finding(name, "right", f"{name} {shape}: right" if shape else f"{name}: right")
        for mistake in self.mistakes:
            if mistake.output == name and self._explains(mistake, cases, values):
                return Finding(name, mistake.key, f"{name}: wrong. {mistake.says}")
        key, text, case = diagnosis.general(values, right, self.rtol)
        return Finding(name, key, f"{name}: wrong. {text} Case {case + 1}: {_arguments(cases[case])}.")

    def _agree(self, value: np.ndarray, right: np.ndarray) -> bool:
        return diagnosis.agree(value, right, self.rtol)

    def _explains(self, mistake: Mistake, cases: Sequence[Arguments], values: Sequence[np.ndarray]) -> bool:
        with np.errstate(all="ignore"):
            return all(
                self._agree(value, np.asarray(mistake.value(*case)))
                for value, case in zip(values, cases, strict=True)
            )


class Questions:
    """A function that answers questions, each with one right word, and what each wrong word overlooks.

    ``right``  the answer to each question, by the question's name.
    ``wrong``  a sentence for a wrong answer, by (question, answer).
    """

    def __init__(self, name: str, right: Mapping[str, str], wrong: Mapping[tuple[str, str], str]) -> None:
        self.name, self.right, self.wrong = name, dict(right), dict(wrong)
        self.choices = sorted(set(self.right.values()) | {answer for _, answer in self.wrong})

    def __call__(self, attempt: Callable[[], Any]) -> None:
        """Check the answers that an attempt returns, a dictionary by question, and print what was found."""
        print(self.diagnose(attempt))

    def diagnose(self, attempt: Callable[[], Any]) -> Report:
        """One finding a question; an answer of None, or a missing one, is not given yet."""
        try:
            answers = attempt()
        except NotImplementedError:
            answers = {}
        except Exception as error:  # whatever a learner's code raises is what the learner must see
            return Report(self.name, (Finding(self.name, "raised", f"{self.name} {_where(error, ())}"),))
        if not isinstance(answers, Mapping):
            text = f"{self.name} returns {type(answers).__name__}, expected a dictionary from each question"
            return Report(self.name, (Finding(self.name, "type", f"{text} to its answer."),))
        return Report(
            self.name, tuple(self._finding(question, answers.get(question)) for question in self.right)
        )

    def _finding(self, question: str, answer: Any) -> Finding:
        if answer is None:
            return Finding(question, "unfilled", f"{question}: not answered yet.")
        if answer == self.right[question]:
            return Finding(question, "right", f"{question}: right")
        if answer not in self.choices:
            return Finding(
                question, "unknown", f"{question}: {answer!r} is none of {', '.join(self.choices)}."
            )
        says = self.wrong.get((question, answer), "It does not explain what the run shows.")
        return Finding(question, answer, f"{question}: not {answer}. {says}")


def _identical(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_identical, a, b))
    return callable(a) or not isinstance(a, (int, float, str)) or a == b


def _where(error: Exception, case: Arguments) -> str:
    """An exception as one line: its type and text, the learner's line, and the arguments."""
    own = str(Path(__file__).parent)  # the checks, which call what the learner wrote
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(own)]
    line = f" in line {frames[0].lineno} of the cell, `{frames[0].line}`" if frames else ""
    return f"raised {type(error).__name__}: {error}{line}. {_arguments(case).capitalize()}."


def _arguments(case: Arguments) -> str:
    """The arguments of a case in a few words: the shapes of arrays, other values as they are."""
    words = [str(a.shape) if isinstance(a, np.ndarray) else _short(a) for a in case]
    return "the arguments were " + ", ".join(words) if words else "there were no arguments"


def _short(value: Any) -> str:
    """A value on one line, in at most 40 characters."""
    return "a function" if callable(value) else " ".join(repr(value).split())[:40]
