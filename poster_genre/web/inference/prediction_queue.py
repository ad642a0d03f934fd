"""Predictions for requests: decoded on threads, predicted on another, with a bound on how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.model.predictions import Prediction
from poster_genre.web.inference.batch_predictor import BatchPredictor, Job
from poster_genre.web.inference.capacity import Capacity
from poster_genre.web.inference.decode_queue import DecodeQueue
from poster_genre.web.inference.priority_threads import Priority
from poster_genre.web.limits import Limits


class PredictionQueue:
    """Answers requests with predictions. Its methods are called on one event loop."""

    def __init__(self, classifier: PosterGenreClassifier, decoders: DecodeQueue, limits: Limits) -> None:
        self.decoders = decoders
        self.capacity = Capacity(limits.queue, limits.for_pages, limits.retry_after)
        self.predictor = BatchPredictor(classifier, self.capacity, limits)

    async def predict(self, pictures: Sequence[bytes], own_page: bool) -> list[Prediction]:
        """An answer for each picture, with all 25 genres in ``top``. Problem 503 where the queue is full.

        The pictures are called "image 1", "image 2" and so on. Requests of the server's own pages go first.
        """
        with self.capacity.reserve(len(pictures), own_page):
            names = [f"image {i}" for i in range(1, len(pictures) + 1)]
            decoded = await self.decoders.decode(pictures, names, own_page)
            answers: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()
            job = Job(list(zip(names, decoded, strict=True)), answers)
            self.predictor.submit(job, Priority.of(own_page))
            return await answers

    def close(self) -> None:
        """Finish the jobs that are waiting, then end the predicting thread."""
        self.predictor.close()
