"""Learning-rate schedules: the learning rate as a pure function of the step, ``schedule(step)``.

Steps count from 0. A schedule has no state, so a resumed run needs only the number of its step. Past its end
a schedule stays at its last value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from minicnn.argument_checks import non_negative_int, positive_int, real

Schedule = Callable[[int], float]


def _check_step(schedule: object, step: int) -> int:
    return non_negative_int(type(schedule).__name__, "the step", step)


def _cosine(start: float, end: float, fraction: float) -> float:
    """From ``start`` at fraction 0 to ``end`` at fraction 1, along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


@dataclass(frozen=True)
class Constant:
    """``lr`` at every step."""

    lr: float

    def __post_init__(self) -> None:
        real("Constant", "lr", self.lr, above=0)

    def __call__(self, step: int) -> float:
        _check_step(self, step)
        return self.lr


@dataclass(frozen=True)
class StepDecay:
    """``lr * factor ** (step // every)``: a staircase."""

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        real("StepDecay", "lr", self.lr, above=0)
        positive_int("StepDecay", "every", self.every)
        real("StepDecay", "factor", self.factor, above=0, at_most=1)

    def __call__(self, step: int) -> float:
        return self.lr * self.factor ** (_check_step(self, step) // self.every)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from ``lr`` at step 0 to ``final_lr`` at step ``total_steps``.

    ``final_lr + (lr - final_lr) * (1 + cos(pi * step / total_steps)) / 2``.
    Loshchilov and Hutter 2017, eq. 5, without restarts.
    """

    lr: float
    total_steps: int
    final_lr: float = 0.0

    def __post_init__(self) -> None:
        real("Cosine", "lr", self.lr, above=0)
        positive_int("Cosine", "total_steps", self.total_steps)
        real("Cosine", "final_lr", self.final_lr, at_least=0, at_most=self.lr)

    def __call__(self, step: int) -> float:
        return _cosine(self.lr, self.final_lr, min(_check_step(self, step) / self.total_steps, 1.0))


@dataclass(frozen=True)
class OneCycle:
    """Up along half a cosine, then down along another. Smith 2018, "A disciplined approach", section 4.

    With ``up = pct_start * total_steps - 1`` and ``last = total_steps - 1``, as PyTorch has it:
        step 0      max_lr / div_factor
        step up     max_lr
        step last   max_lr / div_factor / final_div_factor
    Only the learning rate cycles; the momentum stays as it is.
    """

    max_lr: float
    total_steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        real("OneCycle", "max_lr", self.max_lr, above=0)
        positive_int("OneCycle", "total_steps", self.total_steps)
        real("OneCycle", "pct_start", self.pct_start, at_least=0, at_most=1)
        real("OneCycle", "div_factor", self.div_factor, at_least=1)
        real("OneCycle", "final_div_factor", self.final_div_factor, at_least=1)

    def __call__(self, step: int) -> float:
        up, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        step = min(_check_step(self, step), last)
        start = self.max_lr / self.div_factor
        if up > 0 and step <= up:
            return _cosine(start, self.max_lr, step / up)
        if last == up:
            return self.max_lr
        return _cosine(self.max_lr, start / self.final_div_factor, (step - up) / (last - up))


@dataclass(frozen=True)
class WarmUp:
    """A linear increase over ``steps`` steps to the first value of ``schedule``, then ``schedule`` itself.

        step < steps     schedule(0) * (step + 1) / (steps + 1)
        step >= steps    schedule(step - steps)

    It is ``steps`` longer than ``schedule``. Goyal et al. 2017, section 2.2.
    """

    schedule: Schedule
    steps: int

    def __post_init__(self) -> None:
        if not callable(self.schedule):
            raise TypeError(f"WarmUp: expected a schedule, a function of the step, got {self.schedule!r}")
        positive_int("WarmUp", "steps", self.steps)

    def __call__(self, step: int) -> float:
        step = _check_step(self, step)
        if step < self.steps:
            return self.schedule(0) * (step + 1) / (self.steps + 1)
        return self.schedule(step - self.steps)
