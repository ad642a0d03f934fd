"""A data set in one picture: genre frequencies, genres that occur together, image sizes, splits, defects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from minicnn.serialize import atomic_write
from minicnn.visualize.style import BLUE, GREEN, GREY, INK, ORANGE
from poster_genre.data.inspection import Inspection
from poster_genre.data.splits import SPLITS
from poster_genre.genres import GENRES, N_GENRES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPLIT_COLOURS = dict(zip(SPLITS, (BLUE, ORANGE, GREEN), strict=True))


def plot_inspection(inspection: Inspection, path: str | os.PathLike[str]) -> None:
    """Writes a PNG of an inspection. OSError where it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 14), facecolor="white")
    FigureCanvasAgg(figure)
    title = (
        f"{inspection.n_rows:,} rows, {inspection.n_images:,} posters, {len(inspection.defects):,} defects"
    )
    figure.text(0.03, 0.968, title, fontsize=20, fontweight="bold", color=INK)
    # (left, bottom, width, height) in fractions of the figure, with margins for the longest labels.
    _splits(figure.add_axes((0.03, 0.75, 0.16, 0.17)), inspection)
    _genres_per_movie(figure.add_axes((0.225, 0.75, 0.19, 0.17)), inspection)
    _image_sizes(figure.add_axes((0.475, 0.75, 0.23, 0.17)), inspection)
    _defects(figure.add_axes((0.835, 0.75, 0.145, 0.17)), inspection)
    order = np.argsort(-np.diag(inspection.co_occurrence), kind="stable")
    _frequency(figure.add_axes((0.085, 0.03, 0.195, 0.585)), inspection, order)
    _co_occurrence(figure.add_axes((0.355, 0.03, 0.585, 0.585)), inspection, order)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _style(axes: Axes, title: str) -> Axes:
    axes.set_title(title, loc="left", fontsize=12.5, fontweight="bold", color=INK, pad=9)
    axes.tick_params(colors=INK, length=0, labelsize=10)
    axes.spines[:].set_visible(False)
    return axes


def _columns(axes: Axes, labels: list[str], values: list[int], colours: list[str]) -> None:
    bars = axes.bar(labels, values, color=colours, width=0.72)
    axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=10, color=INK)
    axes.set_yticks([])
    axes.margins(y=0.16)


def _rows(axes: Axes, labels: list[str], values: list[int], texts: list[str], colour: str) -> None:
    bars = axes.barh(labels, values, color=colour, height=0.74)
    axes.bar_label(bars, texts, padding=4, fontsize=10, color=INK)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.24, y=0.01)


def _splits(axes: Axes, inspection: Inspection) -> None:
    sizes = inspection.dataset.split_sizes()
    _columns(
        _style(axes, "Rows of each split"),
        list(sizes),
        list(sizes.values()),
        [_SPLIT_COLOURS[split] for split in sizes],
    )


def _genres_per_movie(axes: Axes, inspection: Inspection) -> None:
    counts = inspection.genres_per_movie
    labels = [str(k) for k in counts]
    _columns(_style(axes, "Genres a movie"), labels, list(counts.values()), [BLUE] * len(counts))


def _image_sizes(axes: Axes, inspection: Inspection) -> None:
    _style(axes, "Image sizes, in pixels")
    sizes, counts = np.unique(
        np.stack([inspection.widths, inspection.heights], 1), axis=0, return_counts=True
    )
    if len(sizes):
        area = 9 + 220 * counts / counts.max()
        axes.scatter(sizes[:, 0], sizes[:, 1], area, color=BLUE, alpha=0.35, linewidths=0)
        axes.margins(0.12)
    axes.set_xlabel("width", color=INK)
    axes.set_ylabel("height", color=INK)
    axes.grid(color="#e6e9ec", lw=0.8)
    axes.set_axisbelow(True)


def _defects(axes: Axes, inspection: Inspection) -> None:
    counts = inspection.defect_counts
    texts = [f"{value:,}" for value in counts.values()]
    _rows(_style(axes, "Defects"), list(counts), list(counts.values()), texts, ORANGE)
    axes.set_xlim(left=0, right=max(1, *counts.values()) * 1.24)


def _frequency(axes: Axes, inspection: Inspection, order: np.ndarray) -> None:
    frequency = np.diag(inspection.co_occurrence)[order]
    texts = [f"{value:,}  ({value / max(1, len(inspection.dataset)):.1%})" for value in frequency]
    _rows(_style(axes, "Movies of each genre"), [GENRES[i] for i in order], frequency.tolist(), texts, BLUE)
    axes.set_xlim(left=0, right=max(1, frequency.max()) * 1.62)


def _co_occurrence(axes: Axes, inspection: Inspection, order: np.ndarray) -> None:
    """The colour is a share: with counts, the three most frequent genres would hide all others."""
    from matplotlib.colors import LinearSegmentedColormap

    _style(axes, "Genres together: of the movies of a row's genre, how many also have the column's")
    together = inspection.co_occurrence[np.ix_(order, order)].astype(float)
    share = together / np.maximum(np.diag(together), 1)[:, None]
    np.fill_diagonal(share, np.nan)
    shades = LinearSegmentedColormap.from_list("share", ["#f6f8fa", "#a9c8e8", BLUE, "#173a66"])
    colours = shades.with_extremes(bad="#e6e9ec")
    picture = axes.imshow(share, cmap=colours, vmin=0, vmax=0.8, aspect="auto")
    names = [GENRES[i] for i in order]
    axes.set_xticks(range(N_GENRES), names, rotation=50, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.set_yticks(range(N_GENRES), names)
    axes.set_xticks(np.arange(N_GENRES + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(N_GENRES + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=1.2)
    axes.tick_params(which="minor", length=0)
    for i, j in np.argwhere(together > 0):
        if i != j:
            ink = "white" if share[i, j] > 0.38 else INK
            axes.text(j, i, f"{int(together[i, j])}", ha="center", va="center", fontsize=8, color=ink)
    bar = axes.figure.colorbar(picture, cax=axes.inset_axes((1.015, 0.25, 0.018, 0.5)), extend="max")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    bar.set_label("share (colour); the numbers are movies", color=INK)
    bar.ax.tick_params(colors=INK, length=0)
    bar.outline.set_edgecolor(GREY)
