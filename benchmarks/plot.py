"""The rows of a run as one chart: how many times faster than the better of PyTorch's two eager layouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Row

AHEAD, BEHIND, INK = "#1b7f79", "#d1603d", "#22313a"
# Units in which less is better.
LESS_IS_BETTER = ("s",)


def speedup(row: Row) -> tuple[float, float, float]:
    """(median, low, high) of how many times faster minicnn is, whatever the row's unit."""
    ratio, (low, high) = row["ratio_best_eager"], row["ratio_spread"]
    if row["unit"] in LESS_IS_BETTER:
        return 1 / ratio, 1 / high, 1 / low
    return ratio, low, high


def bar_chart(rows: Sequence[Row], path: Path, title: str) -> None:
    """Write a chart of the rows that have a ratio, grouped by work. ValueError if no row has."""
    rows = [row for row in rows if row["ratio_best_eager"] is not None]
    if not rows:
        raise ValueError("there is no ratio to PyTorch to draw; is PyTorch installed (the extra 'bench')?")
    from matplotlib.figure import Figure

    positions = _positions(rows)
    figure = Figure(figsize=(9, 1.5 + 0.26 * (max(positions) + 1)), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    # The axis ends behind the longest bar: a single slow round must not compress all bars.
    edge = max(1.5, 1.15 * max(speedup(row)[0] for row in rows))
    for row, y in zip(rows, positions, strict=True):
        value, low, high = speedup(row)
        colour = AHEAD if value >= 1 else BEHIND
        axes.barh(y, value, height=0.72, color=colour, zorder=2)
        axes.plot([low, min(high, edge)], [y, y], color=INK, linewidth=1.1, alpha=0.75, zorder=3)
        axes.annotate(
            f"{value:.2f}",
            (1, y),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8.5,
            fontweight="bold",
        )
    axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=4)
    axes.set_yticks(positions, [row["name"] for row in rows])
    axes.set_ylim(max(positions) + 0.8, -0.8)
    axes.set_xlim(0, edge)
    axes.set_xlabel("times as fast as PyTorch in its better eager layout (bar: median, line: all rounds)")
    axes.xaxis.label.set(color=INK, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, fontweight="bold")
    axes.grid(axis="x", color="#e4e8ea", zorder=0)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.savefig(path)


def _positions(rows: Sequence[Row]) -> list[float]:
    """The y of each row's bar, with a gap between groups such as train/blocks4 and train/original."""
    positions: list[float] = []
    group = None
    for row in rows:
        previous, group = group, _group(row)
        step = 1.0 if group == previous else 1.6
        positions.append(positions[-1] + step if positions else 0.0)
    return positions


def _group(row: Row) -> str:
    work, _, rest = row["name"].partition("/")
    return work if work == "layers" else f"{work}/{rest.partition('/')[0]}"
