"""One thread that predicts. Pictures of several requests go through the network together.

A batch of 8 takes little longer than two single pictures.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from dataclasses import dataclass

import numpy as np

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.genres import N_GENRES
from poster_genre.model.predictions import Prediction, predict_pictures
from poster_genre.web.inference.capacity import Capacity
from poster_genre.web.inference.priority_threads import Priority, resolve
from poster_genre.web.limits import Limits


@dataclass
class Job:
    """The pictures of one request, ``(name, pixels or error)``, and the future of their answers."""

    pictures: list[tuple[str, np.ndarray | str]]
    answers: asyncio.Future[list[Prediction]]


class BatchPredictor:
    """The predicting thread and the queue of its jobs.

    ``capacity`` counts the pictures of all requests, those that are still being decoded included: these are
    waited for, up to ``limits.gather_seconds``, because a larger batch has all of them done sooner.
    """

    def __init__(self, classifier: PosterGenreClassifier, capacity: Capacity, limits: Limits) -> None:
        self.classifier, self.capacity, self.limits = classifier, capacity, limits
        self.jobs: queue.PriorityQueue[tuple[Priority, int, Job | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run, name="predict", daemon=True)
        self._thread.start()

    def submit(self, job: Job | None, priority: Priority) -> None:
        """Queue a job; None ends the thread after the jobs before it."""
        self.jobs.put((priority, next(self._numbers), job))

    def close(self) -> None:
        """Finish the jobs that are waiting, then end the thread."""
        self.submit(None, Priority.SHUTDOWN)
        self._thread.join()

    def _run(self) -> None:
        while (job := self.jobs.get()[2]) is not None:
            batch, last = self._gather(job)
            self._predict([each for each in batch if not each.answers.cancelled()])
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        """The jobs to do together, and whether they are the last."""
        batch, count = [first], len(first.pictures)
        deadline = time.monotonic() + self.limits.gather_seconds
        while count < self.limits.batch:
            seconds = deadline - time.monotonic() if count < self.capacity.in_use else 0
            try:
                job = self.jobs.get(timeout=seconds)[2] if seconds > 0 else self.jobs.get_nowait()[2]
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
            count += len(job.pictures)
        return batch, False

    def _predict(self, batch: list[Job]) -> None:
        if not batch:
            return
        pictures = [picture for job in batch for picture in job.pictures]
        predictions: list[Prediction] = []
        error = None
        try:
            predictions = predict_pictures(pictures, self.classifier.trained(), N_GENRES)
        except Exception as raised:  # a bug; every request of the batch raises it
            error = raised
        rest = iter(predictions)
        for job in batch:
            own = list(itertools.islice(rest, len(job.pictures)))
            job.answers.get_loop().call_soon_threadsafe(resolve, job.answers, own, error)
