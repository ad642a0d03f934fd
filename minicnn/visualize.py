"""Training curves, filters and feature maps as PNG files.

Every function writes one file, whole or not at all, and touches no global state of matplotlib: it may be
called from any thread, beside a notebook's own plots, and on a machine without a display.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from minicnn.serialize import PathLike, atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY, INK = "#2f6db5", "#d9622b", "#3d8f5f", "#9aa3ad", "#27313b"
LINES = (BLUE, ORANGE, GREEN, "#8a5fb0", "#b5892f", "#2f9aa0", "#c04f7c", "#6b7a89")
NOT_METRICS = frozenset(
    {"epoch", "step", "loss", "val_loss", "lr", "gradient_norm", "images_per_second", "seconds"}
)


class RangeTest(Protocol):
    """A learning-rate range test; see ``minicnn.training.lr_finder.LearningRateRange``."""

    @property
    def lrs(self) -> np.ndarray:
        """Learning rates, (steps,)."""

    @property
    def losses(self) -> np.ndarray:
        """The loss at each, (steps,)."""

    @property
    def smoothed(self) -> np.ndarray:
        """The losses smoothed, (steps,)."""

    @property
    def suggestion(self) -> float:
        """The suggested rate, or NaN."""


def plot_history(rows: Sequence[Mapping[str, Any]], path: PathLike, *, note: str = "") -> None:
    """The curves of a training run: losses, validation measures, and the learning rate.

    ``rows``: one mapping an epoch, with "epoch", "loss" and other columns ("val_loss", "lr", ...), as
    ``Trainer.fit`` returns; the columns in NOT_METRICS are no measures. Numbers that are missing or NaN leave
    a gap in their curve. ``note`` is a caption under the curves.
    """
    if not rows:
        raise ValueError("plot_history: expected at least one row of history, got none")
    epochs = np.array([row.get("epoch", i) for i, row in enumerate(rows, start=1)], np.float64)
    measured = list(dict.fromkeys(key for row in rows for key in row if key not in NOT_METRICS))
    metrics = [key for key in measured if np.isfinite(_column(rows, key)).any()]
    rates = _column(rows, "lr")
    figure, axes = _figure(1 + bool(metrics) + bool(np.isfinite(rates).any()))
    axes = list(axes)

    losses = _axes(axes.pop(0), "Loss", "epoch")
    _curve(losses, epochs, _column(rows, "loss"), "training", BLUE)
    validation = _column(rows, "val_loss")
    if np.isfinite(validation).any():
        _curve(losses, epochs, validation, "validation", ORANGE)
        best = int(np.nanargmin(validation))
        losses.plot(epochs[best], validation[best], "o", ms=9, mfc="none", mec=ORANGE, mew=1.6, zorder=4)
        losses.annotate(
            f"best {validation[best]:.4g}",
            (epochs[best], validation[best]),
            xytext=(0, 12),
            textcoords="offset points",
            ha="center",
            color=ORANGE,
            fontsize=9,
        )
    losses.legend(frameon=False, labelcolor=INK)

    if metrics:
        panel = _axes(axes.pop(0), "Measures", "epoch")
        for i, key in enumerate(metrics):
            _curve(panel, epochs, _column(rows, key), key.replace("_", " "), LINES[i % len(LINES)])
        panel.legend(frameon=False, labelcolor=INK, fontsize=8)
    if axes:
        panel = _axes(axes.pop(0), "Learning rate", "epoch")
        _curve(panel, epochs, rates, "", GREEN)
        panel.set_ylim(bottom=0)
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=9, color=GREY)
    _save(figure, path)


def plot_learning_rate_range(result: RangeTest, path: PathLike) -> None:
    """The loss over the learning rate, as ``find_learning_rate`` measured it, with its suggestion marked."""
    figure, (axes,) = _figure(1, width=6.4)
    _axes(axes, "Loss at rising learning rates", "learning rate")
    curve = result.smoothed
    axes.plot(result.lrs, result.losses, color=GREY, lw=1, alpha=0.7, label="each batch")
    axes.plot(result.lrs, curve, color=BLUE, lw=2, label="smoothed")
    axes.set_xscale("log")
    # Up to the lowest loss only: the divergence behind it would flatten the rest of the curve.
    lowest = int(np.argmin(curve))
    low, high = curve[lowest], curve[: lowest + 1].max()
    if high > low:
        axes.set_ylim(low - 0.3 * (high - low), high + 0.5 * (high - low))
    if math.isfinite(result.suggestion):
        label = f"falls fastest at {result.suggestion:.2g}"
        axes.axvline(result.suggestion, color=ORANGE, lw=1.5, ls="--", label=label)
    axes.legend(frameon=False, labelcolor=INK)
    _save(figure, path)


def filter_grid(weights: np.ndarray, path: PathLike, *, limit: int = 16) -> None:
    """The filters of a convolution, ``weights`` of shape (kh, kw, c_in, c_out).

    Filters over three channels are shown in colour, each scaled to its own largest weight, grey being 0.
    Others are shown one input channel a row and one filter a column, at most ``limit`` of each, blue for
    negative and red for positive weights.
    """
    if weights.ndim != 4 or weights.size == 0:
        raise ValueError(f"filter_grid: expected weights of shape (kh, kw, c_in, c_out), got {weights.shape}")
    c_in, c_out = weights.shape[2:]
    filters = np.moveaxis(weights, (3, 2), (0, 1)).astype(np.float64)  # (c_out, c_in, kh, kw)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    filters = filters / np.where(largest > 0, largest, 1)
    size, channels = "x".join(map(str, weights.shape[:2])), "1 channel" if c_in == 1 else f"{c_in} channels"
    title = f"{c_out} filters of {size} over {channels}"
    if c_in == 3:
        picture = mosaic(np.moveaxis(filters, 1, 3) / 2 + 0.5, _columns(c_out))
        _show(np.where(np.isnan(picture), 1.0, picture), title, path)
        return
    rows, columns = min(c_in, limit), min(c_out, limit)
    tiles = np.swapaxes(filters[:columns, :rows], 0, 1).reshape(-1, *weights.shape[:2])
    if rows < c_in or columns < c_out:
        title += f" (the first {columns} filters, {rows} channels)"
    # White stands for a weight of 0, so the gaps must not be white.
    _show(mosaic(tiles, columns), title, path, between=GREY, cmap="RdBu_r", vmin=-1, vmax=1)


def feature_maps(activations: np.ndarray, path: PathLike, *, limit: int = 64) -> None:
    """The output of a layer for one image: ``activations`` (h, w, c) or (1, h, w, c), one tile a channel.

    Each channel is scaled to its own range; a constant one (a dead unit) is plain dark. At most ``limit``
    channels are shown.
    """
    maps = activations[0] if activations.ndim == 4 and len(activations) == 1 else activations
    if maps.ndim != 3 or maps.size == 0:
        raise ValueError(f"feature_maps: expected one image's (h, w, channels), got {activations.shape}")
    tiles = np.moveaxis(maps, 2, 0)[:limit].astype(np.float64)
    low, high = tiles.min(axis=(1, 2), keepdims=True), tiles.max(axis=(1, 2), keepdims=True)
    tiles = (tiles - low) / np.where(high > low, high - low, 1)
    title = f"{maps.shape[2]} feature maps of {maps.shape[0]}x{maps.shape[1]}"
    if len(tiles) < maps.shape[2]:
        title += f" (the first {len(tiles)})"
    height, width = maps.shape[:2]
    columns = _columns(len(tiles), height / width)
    _show(mosaic(tiles, columns), title, path, cmap="magma", vmin=0, vmax=1)


def mosaic(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Tiles (n, h, w) or (n, h, w, 3) laid out row by row with narrow gaps between; the gaps are NaN.

    Small tiles are enlarged by a whole factor, for a gap cannot be narrower than a pixel.
    """
    factor = math.ceil(24 / min(tiles.shape[1:3]))
    tiles = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    n, h, w = tiles.shape[:3]
    rows, gap = math.ceil(n / columns), max(1, round(min(h, w) / 12))
    out = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, *tiles.shape[3:]), np.nan)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        out[top : top + h, left : left + w] = tile
    return out


def _columns(count: int, aspect: float = 1.0) -> int:
    """Columns that make a grid of ``count`` tiles (height / width = aspect) half again as wide as high."""
    return max(1, min(count, round(math.sqrt(1.5 * count * aspect))))


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    values = (row.get(key) for row in rows)
    return np.array([v if isinstance(v, (int, float, np.number)) else math.nan for v in values], np.float64)


def _figure(panels: int, width: float = 4.6) -> tuple[Figure, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, 3.8), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, panels, i + 1) for i in range(panels)]


def _axes(axes: Axes, title: str, x: str) -> Axes:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.set_xlabel(x, color=INK)
    axes.tick_params(colors=INK, length=3, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.grid(axis="y", color="#e6e9ec", lw=0.8)
    axes.set_axisbelow(True)
    if x == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return axes


def _curve(axes: Axes, x: np.ndarray, y: np.ndarray, label: str, color: str) -> None:
    # A point for each epoch makes a single epoch visible; in a long run points would hide the curve.
    axes.plot(x, y, color=color, lw=2, marker="o" if len(x) <= 30 else "", ms=3.5, label=label)


def _show(picture: np.ndarray, title: str, path: PathLike, between: str = "white", **colours: Any) -> None:
    height, width = picture.shape[:2]
    scale = 7.0 / max(height, width)
    figure, (axes,) = _figure(1)
    figure.set_size_inches(max(width * scale, 4.2) + 0.2, height * scale + 0.5)
    axes.imshow(picture, interpolation="nearest", **colours)
    axes.set_facecolor(between)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    _save(figure, path)


def _save(figure: Figure, path: PathLike) -> None:
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120, bbox_inches="tight", pad_inches=0.1)
