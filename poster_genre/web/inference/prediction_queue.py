"""Threads that decode pictures, one that predicts, and one that draws heat maps, behind a bounded queue.

Requests of our own pages (``own``) have places of their own and go before the others.

Pictures that wait while the network is busy go through it together: a batch of 8 takes little longer than
two single ones. The network itself is entered by one thread at a time; its kernels use all cores.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from starlette.requests import ClientDisconnect

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.explain import ExplainResult, Progress, explain
from poster_genre.genres import N_GENRES
from poster_genre.predictions import Prediction, predict_pictures
from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import busy
from poster_genre.web.security.decompression_bombs import decode

T = TypeVar("T")
DECODERS = 2
OWN, OTHERS, LAST = range(3)  # whose job is next


@dataclass
class Job:
    """Decoded pictures (or why they could not be) and the future that their answers go to."""

    waiting: list[tuple[str, np.ndarray | str]]
    future: asyncio.Future[list[Prediction]]


class Workers:
    """Everything that computes. Its methods are called on one event loop."""

    def __init__(self, classifier: PosterGenreClassifier, limits: Limits) -> None:
        self.classifier, self.limits = classifier, limits
        self.pictures = self.maps = 0
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")
        self._explainer = ThreadPoolExecutor(1, "explain")
        self._jobs: queue.PriorityQueue[tuple[int, int, Job | None]] = queue.PriorityQueue()
        self._turns = itertools.count()
        self._predictor = threading.Thread(target=self._predict, name="predict", daemon=True)
        self._predictor.start()

    def close(self) -> None:
        """Finish what is waiting, then let the threads end."""
        self._decoders.shutdown(wait=True)
        self._explainer.shutdown(wait=True)
        self._put(LAST, None)
        self._predictor.join()

    async def predict(self, pictures: Sequence[bytes], own: bool = False) -> list[Prediction]:
        """An answer for each picture, as ``poster_genre.predictions`` describes it, with all 25 in ``top``.

        Problem 503 where the queue is full.
        """
        with self._place("pictures", len(pictures), self.room("queue", own)):
            names = [f"image {i}" for i in range(1, len(pictures) + 1)]
            decoded = await asyncio.gather(
                *(self.decode(data, name) for data, name in zip(pictures, names, strict=True))
            )
            future: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()
            self._put(OWN if own else OTHERS, Job(list(zip(names, decoded, strict=True)), future))
            return await future

    def room(self, limit: str, own: bool) -> int:
        """How many may be waiting or at work before somebody is sent away; ``limit``: as in Limits."""
        return int(getattr(self.limits, limit)) + (self.limits.for_pages if own else 0)

    def check_room(self, own: bool = False) -> None:
        """Problem 503 where the queue is full already: better said before an upload is read than after."""
        if self.pictures >= self.room("queue", own):
            raise busy(self.limits.retry_after)

    async def decode(self, data: bytes, name: str) -> np.ndarray | str:
        size = self.classifier.trained_.spec.input_size
        return await asyncio.get_running_loop().run_in_executor(
            self._decoders, decode, data, size, name, self.limits
        )

    async def explain(
        self, pixels: np.ndarray, genre: str | None, method: str, progress: Progress, own: bool = False
    ) -> ExplainResult:
        """A heat map. ``progress`` is called on another thread, and may raise to end it. Problem 503."""
        with self._place("maps", 1, self.room("explanations", own)):
            return await asyncio.get_running_loop().run_in_executor(
                self._explainer,
                lambda: explain(self.classifier, pixels, genre, method=method, progress=progress),
            )

    @contextmanager
    def _place(self, what: str, count: int, limit: int) -> Iterator[None]:
        """A place in the queue, as long as there is one."""
        taken = getattr(self, what)
        if taken + count > limit:
            raise busy(self.limits.retry_after)
        setattr(self, what, taken + count)
        try:
            yield
        finally:
            setattr(self, what, getattr(self, what) - count)

    # The predicting thread.

    def _put(self, rank: int, job: Job | None) -> None:
        self._jobs.put((rank, next(self._turns), job))

    def _predict(self) -> None:
        while (job := self._jobs.get()[2]) is not None:
            jobs, last = self._gather(job)
            self._answer([each for each in jobs if not each.future.cancelled()])
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        """The jobs to do together, and whether they are the last.

        Pictures that are being decoded now are waited for, but not for long: together they are done sooner.
        """
        jobs, count = [first], len(first.waiting)
        until = time.monotonic() + self.limits.gather_seconds
        while count < self.limits.batch:
            patience = until - time.monotonic() if count < self.pictures else 0
            try:
                following = (
                    self._jobs.get(timeout=patience)[2] if patience > 0 else self._jobs.get_nowait()[2]
                )
            except queue.Empty:
                break
            if following is None:
                return jobs, True
            jobs.append(following)
            count += len(following.waiting)
        return jobs, False

    def _answer(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        together = [entry for job in jobs for entry in job.waiting]
        results: Iterator[Prediction] | Exception
        try:
            results = iter(predict_pictures(together, self.classifier, N_GENRES))
        except Exception as error:  # a bug: every request that was in the batch hears of it
            results = error
        loop = jobs[0].future.get_loop()
        outcomes = [
            (job.future, results if isinstance(results, Exception) else [next(results) for _ in job.waiting])
            for job in jobs
        ]
        loop.call_soon_threadsafe(settle, outcomes)


def settle(outcomes: list[tuple[asyncio.Future[list[Prediction]], list[Prediction] | Exception]]) -> None:
    for future, outcome in outcomes:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


async def unless_gone(receive: Callable[[], Awaitable[object]], work: Awaitable[T]) -> T:
    """The result of ``work``; ClientDisconnect once the client leaves, which is when ``receive`` returns."""
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(receive())
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientDisconnect
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)
