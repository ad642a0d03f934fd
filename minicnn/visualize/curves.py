"""Training curves as PNG files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from minicnn.serialize import PathLike
from minicnn.visualize.style import BLUE, GREEN, GREY, INK, LINES, ORANGE, new_figure, save_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    figure, axes = new_figure(1 + bool(metrics) + bool(np.isfinite(rates).any()))
    axes = list(axes)

    losses = style_axes(axes.pop(0), "Loss", "epoch")
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
        panel = style_axes(axes.pop(0), "Measures", "epoch")
        for i, key in enumerate(metrics):
            _curve(panel, epochs, _column(rows, key), key.replace("_", " "), LINES[i % len(LINES)])
        panel.legend(frameon=False, labelcolor=INK, fontsize=8)
    if axes:
        panel = style_axes(axes.pop(0), "Learning rate", "epoch")
        _curve(panel, epochs, rates, "", GREEN)
        panel.set_ylim(bottom=0)
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=9, color=GREY)
    save_figure(figure, path)


def plot_learning_rate_range(result: RangeTest, path: PathLike) -> None:
    """The loss over the learning rate, as ``find_learning_rate`` measured it, with its suggestion marked."""
    figure, (axes,) = new_figure(1, width=6.4)
    style_axes(axes, "Loss at rising learning rates", "learning rate")
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
    save_figure(figure, path)


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    values = (row.get(key) for row in rows)
    return np.array([v if isinstance(v, (int, float, np.number)) else math.nan for v in values], np.float64)


def _curve(axes: Axes, x: np.ndarray, y: np.ndarray, label: str, color: str) -> None:
    # A point for each epoch makes a single epoch visible; in a long run points would hide the curve.
    axes.plot(x, y, color=color, lw=2, marker="o" if len(x) <= 30 else "", ms=3.5, label=label)
