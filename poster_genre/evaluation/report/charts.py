"""Charts as SVG text for the HTML report: they scale, need no script, and take their colours from the page's
style.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np

Points = Sequence[tuple[float, float]]
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 34


def line_chart(series: Mapping[str, Points], x_label: str, *, width: int = 460, height: int = 260) -> str:
    """Lines over a common x axis, with a legend. Points that are not finite are left out."""
    drawn = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in series.items()
    }
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return '<p class="muted">There is nothing to draw.</p>'
    xs = [x for points in drawn.values() for x, _ in points]
    ys = [y for points in drawn.values() for _, y in points]
    x_ticks, y_ticks = ticks(min(xs), max(xs), whole=True), ticks(min(ys), max(ys))
    across = _scale(min(x_ticks[0], min(xs)), max(x_ticks[-1], max(xs)), LEFT, width - RIGHT)
    up = _scale(min(y_ticks[0], min(ys)), max(y_ticks[-1], max(ys)), height - BOTTOM, TOP)
    parts = [_grid(x_ticks, y_ticks, across, up, width, height, x_label)]
    for i, (name, points) in enumerate(drawn.items()):
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        parts.append(f'<polyline class="line c{i % 4}" points="{path}"/>')
        if len(points) <= 40:
            parts += [
                f'<circle class="dot c{i % 4}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5">'
                f"<title>{escape(name)}, {escape(x_label)} {x:g}: {y:.4g}</title></circle>"
                for x, y in points
            ]
    legend = "".join(
        f'<span class="key"><i class="swatch c{i % 4}"></i>{escape(name)}</span>'
        for i, name in enumerate(drawn)
    )
    return f'{_svg(width, height, parts)}<div class="legend">{legend}</div>'


def precision_recall(points: Points, prior: float, *, size: int = 132) -> str:
    """One genre's precision (up) over recall (across), and the precision of a random order as a dashed
    line.
    """
    across, up = _scale(0, 1, 4, size - 4), _scale(0, 1, size - 4, 4)
    path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
    return _svg(
        size,
        size,
        [
            f'<rect class="frame" x="4" y="4" width="{size - 8}" height="{size - 8}"/>',
            f'<line class="dashed" x1="4" x2="{size - 4}" y1="{up(prior):.1f}" y2="{up(prior):.1f}"/>',
            f'<polyline class="line c0" points="{path}"/>',
        ],
    )


def reliability(bins: Sequence[tuple[float, float, int]], *, size: int = 320) -> str:
    """Observed frequency over predicted probability; ``bins`` are (mean prediction, frequency, count)."""
    at = ticks(0, 1)
    across, up = _scale(0, 1, LEFT, size - RIGHT), _scale(0, 1, size - BOTTOM, TOP)
    parts = [
        _grid(at, at, across, up, size, size, "predicted probability"),
        f'<line class="dashed" x1="{across(0)}" y1="{up(0)}" x2="{across(1)}" y2="{up(1)}"/>',
        '<polyline class="line c0" points="'
        + " ".join(f"{across(p):.1f},{up(f):.1f}" for p, f, _ in bins)
        + '"/>',
    ]
    largest = max((count for *_, count in bins), default=1)
    for predicted, frequency, count in bins:
        radius = 2.5 + 6.5 * math.sqrt(count / largest)
        parts.append(
            f'<circle class="dot c0" cx="{across(predicted):.1f}" cy="{up(frequency):.1f}" r="{radius:.1f}">'
            f"<title>predicted {predicted:.3f}, observed {frequency:.3f}, {count} cells</title></circle>"
        )
    return _svg(size, size, parts)


def heat_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], says: str, *, cell: int = 15
) -> str:
    """A matrix of shares from 0 to 1, the larger the darker. NaN cells stay empty. ``says`` words the
    tooltips.
    """
    margin = 84
    width, height = margin + cell * len(columns) + 4, margin + cell * len(rows) + 4
    parts = []
    for i, row in enumerate(rows):
        y = margin + i * cell
        parts.append(f'<text class="tick end" x="{margin - 5}" y="{y + cell - 4}">{escape(row)}</text>')
        for j, column in enumerate(columns):
            value = values[i, j]
            if math.isfinite(value):
                said = escape(says.format(row=row, column=column, share=f"{value:.0%}"))
                x, side = margin + j * cell, cell - 1
                parts.append(
                    f'<rect class="cell" x="{x}" y="{y}" width="{side}" height="{side}" '
                    f'fill-opacity="{min(1.0, 0.04 + value):.2f}"><title>{said}</title></rect>'
                )
    for j, column in enumerate(columns):
        x = margin + j * cell + cell - 4
        parts.append(
            f'<text class="tick" transform="translate({x},{margin - 5}) rotate(-90)">{escape(column)}</text>'
        )
    return _svg(width, height, parts)


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """About five round numbers from at most ``low`` to at least ``high``."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(m for m in (1, 2, 2.5, 5, 10) if (high - low) / (step * m) <= 5)
    if whole:
        step = max(1, round(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _grid(
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    across: Callable[[float], float],
    up: Callable[[float], float],
    width: int,
    height: int,
    x_label: str,
) -> str:
    parts = []
    for y in y_ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'
            f'<text class="tick end" x="{LEFT - 6}" y="{up(y) + 4:.1f}">{y:g}</text>'
        )
    for x in x_ticks:
        parts.append(f'<text class="tick middle" x="{across(x):.1f}" y="{height - BOTTOM + 15}">{x:g}</text>')
    centre = (LEFT + width - RIGHT) / 2
    parts.append(f'<text class="tick middle" x="{centre}" y="{height - 4}">{escape(x_label)}</text>')
    return "".join(parts)


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg {size} role="img">{"".join(parts)}</svg>'
