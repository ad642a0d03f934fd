"""Threads that decode pictures."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from poster_genre.data.transforms import load_poster
from poster_genre.errors import PosterGenreError
from poster_genre.web.limits import Limits
from poster_genre.web.security.decompression_bombs import check_cost

THREADS = 2


class DecodePool:
    """Decodes pictures to the network's input size ``(height, width)``."""

    def __init__(self, size: tuple[int, int], limits: Limits) -> None:
        self.size, self.limits = size, limits
        self._threads = ThreadPoolExecutor(THREADS, "decode")

    async def decode(self, data: bytes, name: str) -> np.ndarray | str:
        """uint8 (height, width, 3), or one sentence on why the picture ``name`` cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, decode, data, self.size, name, self.limits
        )

    def close(self) -> None:
        """Finish the pictures that are waiting, then end the threads."""
        self._threads.shutdown(wait=True)


def decode(data: bytes, size: tuple[int, int], name: str, limits: Limits) -> np.ndarray | str:
    """uint8 (height, width, 3) of a picture's bytes, or one sentence on why it cannot be read."""
    try:
        check_cost(data, name, limits)
        return load_poster(data, size, name)
    except PosterGenreError as error:
        return str(error)
