"""Arrays between walls of NaN: a kernel that reads past an end spoils its result, one that writes is seen."""

from __future__ import annotations

import numpy as np

WALL = 256


class Walled:
    """Copies of arrays, each between two walls of NaN, and a check that the walls still stand."""

    def __init__(self) -> None:
        self._walls: list[np.ndarray] = []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        room = np.full(x.size + 2 * WALL, np.nan, x.dtype)
        inside = room[WALL : WALL + x.size].reshape(x.shape)
        inside[...] = x
        self._walls += [room[:WALL], room[WALL + x.size :]]
        return inside

    def stand(self) -> bool:
        return all(np.isnan(wall).all() for wall in self._walls)
