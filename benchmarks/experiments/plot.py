"""What each idea is worth: paired differences to its base, as a table and as a chart.

    python -m benchmarks.experiments.plot [--out ablation.png]

Paired: seed 0 of the idea minus seed 0 of its base, and so on. Both runs saw the posters in the same order
with the same crops and colours, which cancels a part of the noise.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.experiments.run import LOG, read_log

MEASURES = {"auc": "macro AUC", "map": "macro mAP"}
SHOWN = ("auc", "map", "micro_ap", "top1", "hit3")


@dataclass(frozen=True)
class Effect:
    """``differences[measure]``: one number a seed."""

    idea: str
    change: str
    base: str
    differences: dict[str, list[float]]

    def mean(self, measure: str) -> float:
        values = self.differences[measure]
        return sum(values) / len(values)

    def spread(self, measure: str) -> float:
        """Half of what lies between the highest and the lowest seed."""
        values = self.differences[measure]
        return (max(values) - min(values)) / 2


def effects(rows: list[dict[str, str]]) -> list[Effect]:
    """Every idea with at least one seed that its base has too, best macro AUC first."""
    runs = {(row["idea"], row["seed"], row["engine"]): row for row in rows}
    found: dict[str, Effect] = {}
    for row in rows:
        base = runs.get((row["base"], row["seed"], row["engine"]))
        if base is None or row["idea"] == row["base"]:
            continue
        key = f"{row['idea']} {row['engine']}"
        effect = found.setdefault(
            key, Effect(row["idea"], row["change"], row["base"], {m: [] for m in SHOWN})
        )
        for measure in SHOWN:
            effect.differences[measure].append(float(row[measure]) - float(base[measure]))
    return sorted(found.values(), key=lambda effect: -effect.mean("auc"))


def table(rows: list[dict[str, str]]) -> str:
    """As Markdown: the bases, then what each change adds to its own, mean ± half the range over the seeds."""
    lines = ["| base | seeds | " + " | ".join(SHOWN) + " |", "|---|---|" + "---|" * len(SHOWN)]
    for name in dict.fromkeys(row["base"] for row in rows):
        runs = [row for row in rows if row["idea"] == name]
        cells = []
        for measure in SHOWN:
            values = [float(row[measure]) for row in runs]
            if values:
                half = (max(values) - min(values)) / 2
                cells.append(f"{sum(values) / len(values):.4f} ± {half:.4f}")
        if cells:
            lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "| idea | change | seeds | " + " | ".join(SHOWN) + " |",
        "|---|---|---|" + "---|" * len(SHOWN),
    ]
    for effect in effects(rows):
        cells = [f"{effect.mean(m):+.4f} ± {effect.spread(m):.4f}" for m in SHOWN]
        seeds = len(effect.differences["auc"])
        against = "" if effect.base == "base" else f" (to {effect.base})"
        lines.append(f"| {effect.idea} | {effect.change}{against} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def noise(rows: list[dict[str, str]], measure: str) -> float:
    """The standard deviation of one paired difference, pooled over all ideas with two seeds or more."""
    squares, freedom = 0.0, 0
    for effect in effects(rows):
        values = effect.differences[measure]
        mean = effect.mean(measure)
        squares += sum((value - mean) ** 2 for value in values)
        freedom += len(values) - 1
    return math.sqrt(squares / freedom) if freedom else math.nan


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """One line an idea: a dot a seed, a bar to their mean; inside the grey band lies what chance explains."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = effects(rows)
    figure, axes = plt.subplots(1, 2, figsize=(11, 1.6 + 0.3 * len(shown)), sharey=True, layout="constrained")
    for axis, (measure, title) in zip(axes, MEASURES.items(), strict=True):
        _panel(axis, shown, measure, noise(rows, measure) * math.sqrt(2))
        axis.set_title(f"{title}: difference to the base", fontsize=10, loc="left")
    axes[0].set_yticks(range(len(shown)), [effect.change for effect in shown], fontsize=8)
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axis: Any, shown: list[Effect], measure: str, band: float) -> None:
    """``band``: two standard errors of the mean of two seeds."""
    axis.axvline(0, color="0.3", linewidth=0.8)
    if math.isfinite(band):
        axis.axvspan(-band, band, color="0.93", zorder=0)
    for line, effect in enumerate(shown):
        mean = effect.mean(measure)
        axis.barh(line, mean, height=0.55, color="#4c8a5b" if mean > 0 else "#b5583f", alpha=0.75)
        values = effect.differences[measure]
        axis.plot(values, [line] * len(values), "o", color="0.15", markersize=3.5)
    axis.grid(axis="x", color="0.85", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=8)


def main() -> None:
    parser = argparse.ArgumentParser(description="The worth of each idea, from log.csv.")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--out", type=Path, help="draw the chart into this PNG file")
    arguments = parser.parse_args()
    rows = read_log(arguments.log)
    print(table(rows))
    for measure, title in MEASURES.items():
        print(f"\nOne paired difference in {title} has a standard deviation of {noise(rows, measure):.4f}.")
    if arguments.out is not None:
        draw(rows, arguments.out)


if __name__ == "__main__":
    main()
