"""Exercises whose check names the mistake.

An ``Exercise`` runs a learner's function on a few inputs and compares every array that it returns with the
right one. Where an array is wrong it looks for the mistake that explains it: first among the mistakes that
are typical of the exercise, each of which is a way to compute the wrong value, then among those that can
happen anywhere (axes in another order, a constant factor, a wrong border).
"""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
    ) -> None:
        self.name, self.cases, self.answer = name, cases, answer
        self.outputs, self.mistakes, self.rtol = tuple(outputs), tuple(mistakes), rtol

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
            values = result if isinstance(result, tuple) and len(self.outputs) > 1 else (result,)
            if len(values) != len(self.outputs):
                wanted = f"{len(self.outputs)} values ({', '.join(self.outputs)})"
                return self._single("count", f"returns {len(values)} value(s), expected {wanted}.")
            tried.append(kept)
            got.append(values)
        findings = [self._finding(i, tried, [values[i] for values in got]) for i in range(len(self.outputs))]
        return Report(self.name, tuple(findings))

    def _single(self, key: str, text: str) -> Report:
        return Report(self.name, (Finding(self.name, key, f"{self.name} {text}"),))

    def _right(self, case: Arguments, index: int) -> Any:
        right = self.answer(*case)
        return right[index] if len(self.outputs) > 1 else right

    def _finding(self, index: int, cases: Sequence[Arguments], got: Sequence[Any]) -> Finding:
        """Compare one output over all cases."""
        name = self.outputs[index]
        right = [np.asarray(self._right(case, index)) for case in cases]
        try:
            values = [np.asarray(value) for value in got]
        except ValueError:
            return Finding(name, "ragged", f"{name}: is not an array; its rows have unlike lengths.")
        shape = right[0].shape
        label = f"{name} {shape}" if shape else name
        if all(map(self._agree, values, right)):
            return Finding(name, "right", f"{label}: right")
        for mistake in self.mistakes:
            if mistake.output == name and self._explains(mistake, cases, values):
                return Finding(name, mistake.key, f"{label}: wrong. {mistake.says}")
        case = next(i for i, pair in enumerate(zip(values, right, strict=True)) if not self._agree(*pair))
        key, text = self._general(values[case], right[case])
        return Finding(name, key, f"{label}: wrong. {text}")

    def _agree(self, value: np.ndarray, right: np.ndarray) -> bool:
        if value.shape != right.shape or value.dtype.kind not in "biufU":
            return False
        if right.dtype.kind == "U" or value.dtype.kind == "U":
            return bool((value == right).all())
        scale = float(np.abs(right[np.isfinite(right)]).max(initial=0.0)) or 1.0
        return bool(np.allclose(value, right, rtol=0, atol=self.rtol * scale, equal_nan=True))

    def _explains(self, mistake: Mistake, cases: Sequence[Arguments], values: Sequence[np.ndarray]) -> bool:
        with np.errstate(all="ignore"):
            mistaken = [np.asarray(mistake.value(*case)) for case in cases]
        return all(map(self._agree, values, mistaken))

    def _general(self, value: np.ndarray, right: np.ndarray) -> tuple[str, str]:
        """The key of a mistake that can happen in any exercise, and a sentence on it."""
        if value.dtype.kind not in "biufU":
            return "type", f"It holds {value.dtype} values, expected numbers."
        if right.dtype.kind == "U" or value.dtype.kind == "U":
            return "other", f"It is {value.tolist()!r}."
        if value.shape != right.shape:
            return self._wrong_shape(value, right)
        if not np.isfinite(value[np.isfinite(right)]).all():
            where = tuple(map(int, np.argwhere(~np.isfinite(value) & np.isfinite(right))[0]))
            return "not finite", f"There is {value[where]} at {where or 'the only position'}."
        for axes in itertools.permutations(range(right.ndim)):
            if list(axes) != sorted(axes) and self._agree(value, right.transpose(axes)):
                return "axes", f"These are the right numbers with the axes in the order {axes}."
        if self._agree(-value, right):
            return "sign", "Every number has the wrong sign."
        ratio = _constant_ratio(value, right)
        if ratio is not None:
            return "factor", f"Every number is {ratio:.4g} times what it should be."
        for axis in range(right.ndim):
            if self._agree(np.flip(value, axis), right):
                return "reversed", f"These are the right numbers in reverse order along axis {axis}."
        return self._where_wrong(value, right)

    def _wrong_shape(self, value: np.ndarray, right: np.ndarray) -> tuple[str, str]:
        text = f"Its shape is {value.shape}, expected {right.shape}."
        if value.size == right.size and value.ndim == right.ndim:
            for axes in itertools.permutations(range(right.ndim)):
                if self._agree(value, right.transpose(axes)):
                    return "axes", f"{text} These are the right numbers with the axes in the order {axes}."
        return "shape", text

    def _where_wrong(self, value: np.ndarray, right: np.ndarray) -> tuple[str, str]:
        difference = np.abs(np.asarray(value, np.float64) - np.asarray(right, np.float64))
        if not difference.ndim:
            return "other", f"It is {value[()]:.6g}."
        scale = float(np.abs(right).max()) or 1.0
        wrong = difference > self.rtol * scale
        where = tuple(map(int, np.unravel_index(int(difference.argmax()), difference.shape)))
        text = f"{wrong.mean():.0%} of its numbers are off, most at {where}: {value[where]:.6g}."
        inner = tuple(slice(1, -1) if size > 2 else slice(None) for size in right.shape)
        if min(right.shape) > 0 and not wrong[inner].any():
            return "border", f"Only numbers at the border are wrong. {text}"
        return "other", text


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


def _constant_ratio(value: np.ndarray, right: np.ndarray) -> float | None:
    """The number that ``value`` is a multiple of ``right`` by, or None."""
    used = (right != 0) & np.isfinite(right)
    if right.size < 2 or not used.any():
        return None
    ratios = np.asarray(value, np.float64)[used] / np.asarray(right, np.float64)[used]
    same = np.allclose(ratios, ratios[0], rtol=1e-6, atol=0) and not np.asarray(value)[right == 0].any()
    return float(ratios[0]) if same and ratios[0] != 0 else None


def _where(error: Exception, case: Arguments) -> str:
    """An exception as one line: its type and text, the learner's line, and the shapes of the arguments."""
    shapes = ", ".join(str(a.shape) if isinstance(a, np.ndarray) else repr(a)[:40] for a in case) or "none"
    own = str(Path(__file__).parent)  # the checks, which call what the learner wrote
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(own)]
    line = f" in line {frames[0].lineno} of the cell, `{frames[0].line}`" if frames else ""
    return f"raised {type(error).__name__}: {error}{line}. The arguments were {shapes}."
