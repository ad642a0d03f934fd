"""Heat maps for requests: one at a time on a thread of their own, with a bound on how many may wait."""

from __future__ import annotations

import numpy as np

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.explain import ExplainResult, explain
from poster_genre.explain.occlusion import Progress
from poster_genre.web.inference.capacity import Capacity
from poster_genre.web.inference.priority_threads import PriorityThreads
from poster_genre.web.limits import Limits


class ExplanationQueue:
    """Answers requests with heat maps. Its methods are called on one event loop."""

    def __init__(self, classifier: PosterGenreClassifier, limits: Limits) -> None:
        self.classifier = classifier
        self.capacity = Capacity(limits.explanations, limits.for_pages, limits.retry_after)
        self._thread = PriorityThreads(1, "explain")

    async def explain(
        self, pixels: np.ndarray, genre: str | None, method: str, progress: Progress, own_page: bool
    ) -> ExplainResult:
        """The heat map of ``genre`` (None: the most probable one) for uint8 pixels (height, width, 3).

        ``progress`` is called on the other thread, and may raise to end the work. Problem 503 where the queue
        is full.
        """
        with self.capacity.reserve(1, own_page):
            return await self._thread.run(
                lambda: explain(self.classifier, pixels, genre, method=method, progress=progress), own_page
            )

    def close(self) -> None:
        """Finish the maps that are waiting, then end the thread."""
        self._thread.close()
