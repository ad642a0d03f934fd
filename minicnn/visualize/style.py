"""Colours, axes and files that all pictures share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicnn.serialize import PathLike, atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY, INK = "#2f6db5", "#d9622b", "#3d8f5f", "#9aa3ad", "#27313b"
LINES = (BLUE, ORANGE, GREEN, "#8a5fb0", "#b5892f", "#2f9aa0", "#c04f7c", "#6b7a89")


def new_figure(panels: int, width: float = 4.6) -> tuple[Figure, list[Axes]]:
    """A figure that pyplot does not know, with panels side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, 3.8), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, panels, i + 1) for i in range(panels)]


def style_axes(axes: Axes, title: str, x: str) -> Axes:
    """Give axes a title and an x label, and the look of this project; returns them."""
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


def save_figure(figure: Figure, path: PathLike) -> None:
    """Write the figure as a PNG file, whole or not at all."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120, bbox_inches="tight", pad_inches=0.1)
