"""The geometry of the report's charts: plain numbers that ``templates/charts.html`` draws as SVG.

Coordinates are pixels from the top left corner. SVG scales, needs no script, and takes its colours from the
page's style, in the light as in the dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Points = Sequence[tuple[float, float]]
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 34  # margins for the axes' numbers
MARKED = 40  # a line of at most so many points has a mark at each


class Tick(NamedTuple):
    """A number on an axis, and its coordinate along it."""

    value: float
    position: float


class Axes(NamedTuple):
    """The frame of a chart: its size, the plot's edges, and the numbers along both axes."""

    width: int
    height: int
    left: int
    right: int
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str


class Mark(NamedTuple):
    """A circle, and the text shown when the pointer is over it."""

    x: float
    y: float
    radius: float
    text: str


class Line(NamedTuple):
    """A polyline with a name for the legend, the number of its colour, and its marks."""

    name: str
    colour: int
    points: list[tuple[float, float]]
    marks: list[Mark]


class LineChart(NamedTuple):
    """Lines in a common frame."""

    axes: Axes
    lines: list[Line]


class PrecisionRecallChart(NamedTuple):
    """A square plot without numbers; ``prior`` is the height of the dashed line."""

    size: int
    prior: float
    points: list[tuple[float, float]]


class ReliabilityChart(NamedTuple):
    """A square plot, from ``bottom`` to ``top``, whose dashed diagonal is perfect calibration."""

    axes: Axes
    bottom: int
    top: int
    line: Line


class Cell(NamedTuple):
    """A square of a matrix; ``text`` is shown when the pointer is over it."""

    x: int
    y: int
    opacity: float
    text: str


class MatrixChart(NamedTuple):
    """Coloured squares, the side of one, and (position, name) of the rows and the columns."""

    width: int
    height: int
    side: int
    margin: int
    rows: list[tuple[int, str]]
    columns: list[tuple[int, str]]
    cells: list[Cell]


def line_chart(
    series: Mapping[str, Points], x_label: str, *, width: int = 460, height: int = 260
) -> LineChart | None:
    """Lines over a common x axis. Points that are not finite are left out; None where none is left."""
    finite = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in series.items()
    }
    finite = {name: points for name, points in finite.items() if points}
    if not finite:
        return None
    xs = [x for points in finite.values() for x, _ in points]
    ys = [y for points in finite.values() for _, y in points]
    x_numbers, y_numbers = ticks(min(xs), max(xs), whole=True), ticks(min(ys), max(ys))
    x_of = _scale(min(x_numbers[0], min(xs)), max(x_numbers[-1], max(xs)), LEFT, width - RIGHT)
    y_of = _scale(min(y_numbers[0], min(ys)), max(y_numbers[-1], max(ys)), height - BOTTOM, TOP)
    lines = []
    for i, (name, points) in enumerate(finite.items()):
        marks = [Mark(x_of(x), y_of(y), 2.5, f"{name}, {x_label} {x:g}: {y:.4g}") for x, y in points]
        path = [(x_of(x), y_of(y)) for x, y in points]
        lines.append(Line(name, i % 4, path, marks if len(points) <= MARKED else []))
    return LineChart(_axes(width, height, x_numbers, y_numbers, x_of, y_of, x_label), lines)


def precision_recall_chart(points: Points, prior: float, *, size: int = 132) -> PrecisionRecallChart:
    """One genre's precision (up) over recall (right); ``prior`` is the precision of a random order."""
    x_of, y_of = _scale(0, 1, 4, size - 4), _scale(0, 1, size - 4, 4)
    return PrecisionRecallChart(size, y_of(prior), [(x_of(x), y_of(y)) for x, y in points])


def reliability_chart(bins: Sequence[tuple[float, float, int]], *, size: int = 320) -> ReliabilityChart:
    """Observed frequency over predicted probability; ``bins`` are (mean prediction, frequency, count).

    The area of a mark grows with its count.
    """
    numbers = ticks(0, 1)
    x_of, y_of = _scale(0, 1, LEFT, size - RIGHT), _scale(0, 1, size - BOTTOM, TOP)
    largest = max((count for *_, count in bins), default=1)
    marks = [
        Mark(
            x_of(predicted),
            y_of(frequency),
            2.5 + 6.5 * math.sqrt(count / largest),
            f"predicted {predicted:.3f}, observed {frequency:.3f}, {count} cells",
        )
        for predicted, frequency, count in bins
    ]
    line = Line("", 0, [(mark.x, mark.y) for mark in marks], marks)
    axes = _axes(size, size, numbers, numbers, x_of, y_of, "predicted probability")
    return ReliabilityChart(axes, size - BOTTOM, TOP, line)


def matrix_chart(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], text: str, *, cell: int = 15
) -> MatrixChart:
    """A matrix (rows, columns) of shares from 0 to 1, the larger the darker. NaN leaves its cell out.

    ``text``: a format string for each cell's text, with the fields row, column and share.
    """
    margin = 84
    cells = [
        Cell(
            margin + j * cell,
            margin + i * cell,
            min(1.0, 0.04 + values[i, j]),
            text.format(row=row, column=column, share=f"{values[i, j]:.0%}"),
        )
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if math.isfinite(values[i, j])
    ]
    return MatrixChart(
        width=margin + cell * len(columns) + 4,
        height=margin + cell * len(rows) + 4,
        side=cell - 1,
        margin=margin,
        rows=[(margin + i * cell + cell - 4, name) for i, name in enumerate(rows)],
        columns=[(margin + j * cell + cell - 4, name) for j, name in enumerate(columns)],
        cells=cells,
    )


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """About five round numbers from at most ``low`` to at least ``high``; ``whole``: integers."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(m for m in (1, 2, 2.5, 5, 10) if (high - low) / (step * m) <= 5)
    if whole:
        step = max(1, round(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """The linear function that maps ``low`` to ``start`` and ``high`` to ``end``."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _axes(
    width: int,
    height: int,
    x_numbers: Sequence[float],
    y_numbers: Sequence[float],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
    x_label: str,
) -> Axes:
    x_ticks = [Tick(x, x_of(x)) for x in x_numbers]
    y_ticks = [Tick(y, y_of(y)) for y in y_numbers]
    return Axes(width, height, LEFT, width - RIGHT, x_ticks, y_ticks, x_label)
