"""The effect of each idea, from ``log.csv``: as a table and as a chart.

    python -m benchmarks.experiments.effects [--out ablation.png]

All runs of one length are explained together by a sum, fitted by least squares:

    score = base + (seed) + sum of the effects of the ideas that are on

For an idea that was tried alone this is the mean paired difference to the base, seed by seed; for those of
the factorial design it is the mean of the runs with the idea minus the mean of those without. The
residuals are the noise between runs, which gives every effect its standard error.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.run import LOG, read_log

MEASURES = {"auc": "macro AUC", "map": "macro mAP", "micro_ap": "micro AP", "top1": "top-1", "hit3": "hit@3"}
DRAWN_MEASURES = ("auc", "map")
Row = dict[str, str]


@dataclass(frozen=True)
class Effect:
    """``value`` and ``error``, the standard error, by measure; ``runs`` with the idea."""

    idea: str
    change: str
    runs: int
    value: dict[str, float]
    error: dict[str, float]


def ideas_of(row: Row) -> list[str]:
    """The ideas that were on in a run."""
    return [] if row["idea"] == "base" else row["idea"].split("+")


def comparable(rows: list[Row]) -> list[Row]:
    """The runs of the twin that are as long as the base's."""
    lengths = {row["epochs"] for row in rows if row["idea"] == "base"}
    return [row for row in rows if row["engine"] == "twin" and row["epochs"] in lengths]


def effects(rows: list[Row]) -> list[Effect]:
    """Every idea whose effect the runs can separate from the others', best macro AUC first."""
    rows = comparable(rows)
    changes = {
        idea: change
        for row in rows
        for idea, change in zip(ideas_of(row), row["change"].split("; "), strict=False)
    }
    seeds = sorted({row["seed"] for row in rows})[1:]
    terms: list[Callable[[Row], bool]] = [lambda row: True]
    terms += [lambda row, seed=seed: row["seed"] == seed for seed in seeds]  # type: ignore[misc]
    terms += [lambda row, idea=idea: idea in ideas_of(row) for idea in changes]  # type: ignore[misc]
    design = np.array([[term(row) for term in terms] for row in rows], float)
    inverse = np.linalg.pinv(design)
    identifiable = np.isclose((inverse @ design).diagonal(), 1)
    freedom = len(rows) - np.linalg.matrix_rank(design)
    by_idea = {idea: Effect(idea, change, 0, {}, {}) for idea, change in changes.items()}
    for measure in MEASURES:
        scores = np.array([float(row[measure]) for row in rows])
        fitted = inverse @ scores
        residuals = scores - design @ fitted
        noise = math.sqrt(residuals @ residuals / freedom) if freedom else math.nan
        errors = noise * np.sqrt((inverse**2).sum(axis=1))
        for i, idea in enumerate(changes, start=1 + len(seeds)):
            by_idea[idea].value[measure] = float(fitted[i]) if identifiable[i] else math.nan
            by_idea[idea].error[measure] = float(errors[i])
    counted = [
        Effect(e.idea, e.change, sum(e.idea in ideas_of(row) for row in rows), e.value, e.error)
        for e in by_idea.values()
        if math.isfinite(e.value["auc"])
    ]
    return sorted(counted, key=lambda effect: -effect.value["auc"])


def table(rows: list[Row]) -> str:
    """As Markdown: the base's scores, then what each idea adds to them, with its standard error."""
    base = [row for row in comparable(rows) if row["idea"] == "base"]
    means = {m: sum(float(row[m]) for row in base) / max(len(base), 1) for m in MEASURES}
    lines = [
        "| idea | change | runs | " + " | ".join(MEASURES.values()) + " |",
        "|---|---|---|" + "---|" * len(MEASURES),
        f"| base | | {len(base)} | " + " | ".join(f"{means[m]:.4f}" for m in MEASURES) + " |",
    ]
    for e in effects(rows):
        cells = " | ".join(f"{e.value[m]:+.4f} ± {e.error[m]:.4f}" for m in MEASURES)
        lines.append(f"| {e.idea} | {e.change} | {e.runs} | {cells} |")
    return "\n".join(lines)


def within_runs(rows: list[Row]) -> str:
    """Effects within each run, which is scored with and without them: mean ± standard error."""
    lines = []
    for column, change in (("raw_auc", "averaging the weights"), ("plain_auc", "adding the mirror image")):
        gains = [float(row["auc"]) - float(row[column]) for row in rows if row[column]]
        if len(gains) > 1:
            error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
            lines.append(f"{change}: {np.mean(gains):+.4f} ± {error:.4f} macro AUC in {len(gains)} runs")
    return "\n".join(lines)


def draw(rows: list[Row], path: Path) -> None:
    """Write a chart: for each idea a bar for its effect, and a line of two standard errors to each side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = effects(rows)
    figure, axes = plt.subplots(1, 2, figsize=(11, 1.4 + 0.3 * len(drawn)), sharey=True, layout="constrained")
    for axis, measure in zip(axes, DRAWN_MEASURES, strict=True):
        _panel(axis, drawn, measure)
        axis.set_title(f"effect on {MEASURES[measure]} on val", fontsize=10, loc="left")
    axes[0].set_yticks(range(len(drawn)), [effect.change for effect in drawn], fontsize=8)
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axis: Any, drawn: list[Effect], measure: str) -> None:
    axis.axvline(0, color="0.3", linewidth=0.8)
    for line, effect in enumerate(drawn):
        value, error = effect.value[measure], effect.error[measure]
        significant = abs(value) > 2 * error
        colour = "0.7" if not significant else "#4c8a5b" if value > 0 else "#b5583f"
        axis.barh(line, value, height=0.55, color=colour)
        axis.plot([value - 2 * error, value + 2 * error], [line, line], color="0.15", linewidth=1)
    axis.grid(axis="x", color="0.88", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=8)


def main() -> None:
    """Print the table, and draw the chart with --out."""
    parser = argparse.ArgumentParser(description="The effect of each idea, from log.csv.")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--out", type=Path, help="draw the chart into this PNG file")
    arguments = parser.parse_args()
    rows = read_log(arguments.log)
    print(table(rows))
    print("", within_runs(comparable(rows)), sep="\n")
    if arguments.out is not None:
        draw(rows, arguments.out)


if __name__ == "__main__":
    main()
