"""Occlusion (Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", ECCV).

A square of the network's mean colour covers one part of the poster after another. The value of a part is the
log-odds that the genre loses when it is covered, averaged over the squares that cover it. It needs only
predictions, many of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from poster_genre.model.calibration import log_odds
from poster_genre.model.trained_model import TrainedModel

CELLS = 12  # along the poster's longer side; a square covers 2x2 of them
BATCH = 16  # occluded posters that go through the network together

Progress = Callable[[int, int], None]
"""Called with (squares done, squares in all) after every batch."""


def occlusion(
    model: TrainedModel, pixels: np.ndarray, genre: int, *, progress: Progress | None = None
) -> np.ndarray:
    """Log-odds that covering each cell of uint8 pixels (h, w, 3) costs the genre of that index.

    Float32 (rows, columns), at least 0. The poster is divided into cells, 12 along its longer side; every 2x2
    of them is covered in turn, those beyond the border too, so that each cell is covered four times.
    """
    height, width = pixels.shape[:2]
    step = max(1, -(-max(height, width) // CELLS))
    rows, columns = -(-height // step), -(-width // step)
    colour = np.round(255 * np.array(model.spec.mean)).astype(np.uint8)
    squares = [(i, j) for i in range(-1, rows) for j in range(-1, columns)]  # cells of their top left corners
    before = _genre_log_odds(model, pixels[None], genre)[0]
    lost = np.zeros((rows, columns))
    for start in range(0, len(squares), BATCH):
        batch = squares[start : start + BATCH]
        covered = np.repeat(pixels[None], len(batch), axis=0)
        for picture, (i, j) in zip(covered, batch, strict=True):
            picture[max(i, 0) * step : (i + 2) * step, max(j, 0) * step : (j + 2) * step] = colour
        for (i, j), after in zip(batch, _genre_log_odds(model, covered, genre), strict=True):
            lost[max(i, 0) : i + 2, max(j, 0) : j + 2] += (before - after) / 4
        if progress is not None:
            progress(start + len(batch), len(squares))
    return np.maximum(lost, 0).astype(np.float32)


def _genre_log_odds(model: TrainedModel, pixels: np.ndarray, genre: int) -> np.ndarray:
    """(N,) log-odds of one genre for uint8 pixels (N, h, w, 3)."""
    return log_odds(model.probabilities(pixels)[:, genre])
