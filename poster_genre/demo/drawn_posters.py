"""The demo's posters: drawn as arrays to train on, and as a picture with the predictions below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.serialize import atomic_write
from poster_genre.data.transforms import load_poster
from poster_genre.drawing.synthetic import draw_poster, random_genres
from poster_genre.genres import INDEX, N_GENRES
from poster_genre.model.trained_model import top_of
from poster_genre.progress import progress_bar

DRAWN_SIZE, PICTURED_SIZE = (96, 64), (360, 240)
COLUMNS, TOP = 6, 3
CORRECT, WRONG, TRUTH = "#1f7a4d", "#7a7f87", "#1f2328"  # colours of the text


def drawn_posters(count: int, seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (count, h, w, 3) uint8 and labels (count, 25) uint8 of the posters 0, 1, ... of a seed."""
    pixels = np.empty((count, *size, 3), np.uint8)
    labels = np.zeros((count, N_GENRES), np.uint8)
    with progress_bar("Drawing posters", count, " posters") as bar:
        for i in range(count):
            poster, genres = drawn_poster(seed, i, DRAWN_SIZE)
            pixels[i] = load_poster(poster, size)
            labels[i, [INDEX[genre] for genre in genres]] = 1
            bar.update()
    return pixels, labels


def drawn_poster(seed: int, index: int, size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
    """A PIL image and its genres: the same poster for the same (seed, index), at any size."""
    rng = np.random.default_rng([seed, index])
    genres = tuple(random_genres(rng))
    return draw_poster(genres, rng, size=size), genres


def draw_predictions(path: Path, seed: int, indices: Sequence[int], probabilities: np.ndarray) -> None:
    """A PNG of the posters with these indices in rows of six.

    Below each poster: its three most probable genres, the correct ones in green, and its true genres.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(indices) // COLUMNS)
    figure = Figure(figsize=(2.1 * COLUMNS, 4.3 * rows), facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.99, bottom=0.25 / rows, wspace=0.06, hspace=0.36)
    for number, (index, row) in enumerate(zip(indices, probabilities, strict=True), start=1):
        poster, genres = drawn_poster(seed, index, PICTURED_SIZE)
        axes = figure.add_subplot(rows, COLUMNS, number)
        axes.imshow(np.asarray(poster), aspect="auto")
        axes.set_axis_off()
        write_genres(axes, row, genres)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def write_genres(axes: Any, probabilities: np.ndarray, genres: Sequence[str]) -> None:
    """Write the most probable genres with their probabilities below a poster, and its true genres."""
    for line, (genre, probability) in enumerate(top_of(probabilities, TOP), start=1):
        correct = genre in genres
        style: dict[str, Any] = {"color": CORRECT if correct else WRONG, "fontsize": 11}
        style["transform"] = axes.transAxes
        if correct:
            style["fontweight"] = "bold"
        mark = "\N{CHECK MARK} " if correct else "   "
        y = -0.005 - 0.065 * line
        axes.text(0.0, y, f"{mark}{genre}", **style)
        axes.text(1.0, y, f"{probability:.0%}", ha="right", **style)
    axes.text(0.0, -0.265, f"is: {', '.join(genres)}", transform=axes.transAxes, fontsize=9, color=TRUTH)
