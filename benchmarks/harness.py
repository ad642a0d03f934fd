"""Timing: all sides in turns, in one process, on the same number of threads.

Each side runs a block of repetitions, then the next side, round after round (A B A B ...), so that a machine
that slows down slows both. A ratio is taken within a round; the quoted ratio is its median over the rounds.

Thread pools spin for a while after their last job (OpenMP in PyTorch some milliseconds, OpenBLAS about 30)
and would slow down the next side's block. Before each block there is a longer pause, and one repetition that
is not timed and starts the side's own threads, unless a repetition is so long that the start does not matter.
No waiting policy is set in the environment: each library runs as its users run it.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PAUSE = 0.06
# Seconds of a repetition in which the start of threads does not matter.
LONG = 0.5
EAGER = ("torch_nchw", "torch_channels_last")

Row = dict[str, Any]
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Budget:
    """How long to measure.

    ``seconds``  rounds begin until they are used up,
    ``least``, ``most``  but at least and at most so many.
    ``block``    seconds that one side runs in a round.
    """

    seconds: float = 12.0
    least: int = 3
    most: int = 9
    block: float = 0.25


@dataclass(frozen=True)
class Settings:
    """The settings from the command line."""

    threads: int
    quick: bool = False

    def budget(self, seconds: float = 12.0) -> Budget:
        """A budget of ``seconds``, or of a quarter of them in a quick run."""
        return Budget(seconds / 4, least=2, most=5, block=0.1) if self.quick else Budget(seconds)


@dataclass(frozen=True)
class Case:
    """One measurement, by name.

    ``quick``    whether it is part of a run with --quick.
    ``seconds``  its duration on two idle cores, roughly; a quick run takes a third of it.
    """

    name: str
    measure: Callable[[Settings], Row]
    quick: bool = False
    seconds: float = 6.0


@dataclass
class Side:
    """A library to time. ``prepare`` runs before every repetition, untimed. ``rounds`` limits a slow one."""

    name: str
    run: Callable[[], Any]
    prepare: Callable[[], Any] = field(default=lambda: None)
    rounds: int | None = None
    last: float = 0.0

    def seconds(self) -> float:
        """The time of one repetition."""
        self.prepare()
        start = time.perf_counter()
        self.run()
        self.last = time.perf_counter() - start
        return self.last


def warm_up(sides: Sequence[Side]) -> dict[str, float]:
    """Seconds that each side's first repetition took: compilation, first touch of memory."""
    return {side.name: side.seconds() for side in sides if side.rounds is None}


def take_turns(sides: Sequence[Side], budget: Budget) -> Seconds:
    """Seconds of one repetition, a number for each side and round. ``sides[0]`` is timed in every round."""
    measured: Seconds = {side.name: [] for side in sides}
    start = time.perf_counter()
    for turn in range(budget.most):
        if turn >= budget.least and time.perf_counter() - start > budget.seconds:
            break
        for side in sides:
            if side.rounds is None or turn < side.rounds:
                measured[side.name].append(_block(side, budget.block))
    return measured


def _block(side: Side, block: float) -> float:
    gc.collect()
    time.sleep(PAUSE)
    if side.rounds is None and side.last < LONG:
        side.seconds()
    spent = [side.seconds()]
    while sum(spent) < block and len(spent) < 1000:
        spent.append(side.seconds())
    return sum(spent) / len(spent)


def comparison_row(
    name: str,
    unit: str,
    seconds: Seconds,
    *,
    work: float | None = None,
    **more: Any,
) -> Row:
    """A row from measured times: ``seconds["ours"]`` is minicnn's, every other key a peer's.

    With ``work`` (images, operations) the numbers are work per second; without it they are the seconds.
    """
    values = {
        side: [work / s if work is not None else s for s in times] for side, times in seconds.items() if times
    }
    ours = values.pop("ours")
    ratios = {peer: _ratios(ours, theirs) for peer, theirs in values.items()}
    eager = [peer for peer in EAGER if peer in values]
    best = None
    if eager:
        pick = max if work is not None else min
        best = pick(eager, key=lambda peer: statistics.median(values[peer]))
    return row(
        name,
        unit,
        statistics.median(ours),
        {peer: statistics.median(theirs) for peer, theirs in values.items()},
        ratio_best_eager=statistics.median(ratios[best]) if best else None,
        ratio_spread=[min(ratios[best]), max(ratios[best])] if best else None,
        ratios={peer: rounded(statistics.median(values)) for peer, values in ratios.items()},
        rounds=len(ours),
        **more,
    )


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """A ratio for each round that both sides took part in."""
    return [a / b for a, b in zip(ours, theirs, strict=False)]


def row(
    name: str,
    unit: str,
    ours: float | None,
    peers: Mapping[str, float | None],
    *,
    ratio_best_eager: float | None = None,
    ratio_spread: Sequence[float] | None = None,
    peak_rss_mb: Mapping[str, float] | None = None,
    **more: Any,
) -> Row:
    """A row of the report: the keys of every row, null if they do not apply, and further ones."""
    return {
        "name": name,
        "unit": unit,
        "ours": rounded(ours),
        "peers": {peer: rounded(value) for peer, value in peers.items()},
        "ratio_best_eager": rounded(ratio_best_eager),
        "ratio_spread": None if ratio_spread is None else [rounded(value) for value in ratio_spread],
        "peak_rss_mb": None if peak_rss_mb is None else dict(peak_rss_mb),
        **more,
    }


def rounded(value: float | None, digits: int = 4) -> float | None:
    """Rounded to four significant digits, the accuracy of timings."""
    return None if value is None else float(f"{value:.{digits}g}")


_peaks: dict[int, float] = {}


def sgemm_peak(threads: int, size: int = 2048, rounds: int = 4) -> float:
    """GFLOP/s of NumPy's float32 product of two size x size matrices, the highest of all calls so far.

    Every call measures ``rounds`` more, so that a busy moment does not determine the result.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    side = Side("sgemm", lambda: np.matmul(a, b, out=out))
    time.sleep(PAUSE)
    side.seconds()
    peak = 2e-9 * size**3 / min(side.seconds() for _ in range(rounds))
    _peaks[threads] = max(peak, _peaks.get(threads, 0.0))
    return _peaks[threads]


class DisagreementError(ValueError):
    """Two sides that should compute the same do not, so that their times cannot be compared."""


def check_agreement(
    name: str,
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    tolerance: float,
) -> float:
    """The largest disagreement, ||a - b|| / (||b|| + 1e-3 * the largest norm), over arrays of the same name.

    Because of the second term, gradients that are zero but for rounding (a bias before a batch norm) do not
    matter. DisagreementError if names or shapes differ, or the disagreement exceeds ``tolerance``.
    """
    if ours.keys() != theirs.keys():
        raise DisagreementError(f"{name}: only one side has {', '.join(sorted(ours.keys() ^ theirs.keys()))}")
    norms = {key: float(np.linalg.norm(theirs[key].astype(np.float64))) for key in theirs}
    floor = 1e-3 * max(norms.values())
    worst = 0.0
    for key, a in ours.items():
        if a.shape != theirs[key].shape:
            raise DisagreementError(
                f"{name}: {key} has shape {a.shape} in minicnn, {theirs[key].shape} in the peer"
            )
        difference = float(np.linalg.norm(a.astype(np.float64) - theirs[key]))
        share = difference / (norms[key] + floor) if difference else 0.0
        if not share <= tolerance:
            raise DisagreementError(f"{name}: {key} differs by {share:.2g} of its size")
        worst = max(worst, share)
    return worst


def note(text: str) -> None:
    """Print a remark to standard error; results go to standard output."""
    print(text, file=sys.stderr, flush=True)
