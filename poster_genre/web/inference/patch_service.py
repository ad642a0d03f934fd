"""The strongest patches of every map, found once on a thread of their own: when they are first asked for."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from poster_genre.data.transforms import load_poster
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.steps import Step
from poster_genre.explain.layer_trace.strongest_patches import StrongestPatches, find_strongest_patches
from poster_genre.model.trained_model import TrainedModel
from poster_genre.web.inference.trace_queue import TraceQueue
from poster_genre.web.limits import Limits

T = TypeVar("T")
DRAWN = 60
"""Drawn posters that are searched where there are no others."""
DRAWN_AT = (222, 150)
"""(height, width) that they are drawn at."""
SEED = 11


class PatchService:
    """Searches ``posters``, uint8 (N, h, w, 3) at the network's input size; None: drawn ones.

    ``source`` says in a few words which posters they are.
    """

    def __init__(
        self, model: TrainedModel, steps: Sequence[Step], posters: np.ndarray | None, limits: Limits
    ) -> None:
        self.model, self.steps, self.posters = model, steps, posters
        self.source = f"{DRAWN} drawn posters" if posters is None else f"{len(posters):,} posters of the data"
        self.queue = TraceQueue(limits, "patches")
        self._closing = threading.Event()

    async def run(self, work: Callable[[StrongestPatches], T], own_page: bool) -> T:
        """``work(patches)`` on the thread; the first time takes seconds. Problem 503 where it is full."""
        return await self.queue.run(lambda: work(self._patches), own_page)

    @functools.cached_property
    def _patches(self) -> StrongestPatches:
        size = self.model.spec.input_size
        pixels = drawn_posters(size) if self.posters is None else self.posters
        return find_strongest_patches(self.steps, self.model, pixels, self._stop_if_closing)

    def _stop_if_closing(self, _: float) -> None:
        if self._closing.is_set():
            raise PosterGenreError("the server is stopping")

    def close(self) -> None:
        """Break off a search, finish what else is waiting, then end the thread. Blocks."""
        self._closing.set()
        self.queue.close()


def drawn_posters(size: tuple[int, int]) -> np.ndarray:
    """``DRAWN`` drawn posters of one or two genres, uint8 (N, h, w, 3); the same ones every time."""
    from poster_genre.drawing.genre_mix import random_genres
    from poster_genre.drawing.synthetic import draw_poster

    drawn = []
    for index in range(DRAWN):
        rng = np.random.default_rng([SEED, index])
        drawn.append(load_poster(draw_poster(tuple(random_genres(rng)), rng, size=DRAWN_AT), size))
    return np.stack(drawn)
