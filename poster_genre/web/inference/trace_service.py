"""Layer traces for requests: computed when they are needed, and cached with their trace session."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.layer_trace import images
from poster_genre.explain.layer_trace.contributions import genre_predictions
from poster_genre.explain.layer_trace.fused_trace import fused_outputs
from poster_genre.explain.layer_trace.gradients import genre_gradients
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.explain.layer_trace.trace import GenreGradients, Trace, trace_poster
from poster_genre.web.inference.step_descriptions import describe_steps
from poster_genre.web.inference.trace_queue import TraceQueue
from poster_genre.web.inference.trace_sessions import TraceSessions
from poster_genre.web.limits import Limits


class StartedTrace(NamedTuple):
    """A new session's token, the 25 predictions and their computation, and the steps for the page."""

    token: str
    predictions: list[dict[str, Any]]
    steps: list[dict[str, Any]]


class TraceService:
    """The network's steps, the trace sessions, and the queue in front of the computation.

    A view is the poster or its mirror image; the prediction averages both where ``two_views`` is True.
    Requests of the server's own pages, ``own_page``, go first.
    """

    def __init__(self, classifier: PosterGenreClassifier, limits: Limits) -> None:
        self.model = classifier.trained()
        self.steps = network_steps(self.model.network, self.model.spec.input_size)
        self.two_views = self.model.spec.flip_average
        self.sessions = TraceSessions(limits)
        self.queue = TraceQueue(limits)

    async def start(self, pixels: np.ndarray, own_page: bool) -> StartedTrace:
        """A new session for a poster.

        Every view goes through the plain layers once, and through ``predict_proba`` once.
        """
        views, predictions, steps = await self.queue.run(lambda: self._trace_views(pixels), own_page)
        token = self.sessions.start(pixels)
        for mirrored, trace in reversed(list(enumerate(views))):  # the poster itself is dropped last
            self.sessions.store_trace(token, bool(mirrored), trace)
        return StartedTrace(token, predictions, steps)

    async def trace(self, token: str, mirrored: bool, own_page: bool) -> Trace:
        """The trace of a session's view. SessionExpired where there is no such session."""
        pixels = self.sessions.pixels(token)
        trace = self.sessions.trace(token, mirrored)
        if trace is None:
            trace = await self.queue.run(lambda: self._trace_view(pixels, mirrored), own_page)
            self.sessions.store_trace(token, mirrored, trace)
        return trace

    async def trace_with_fused(self, token: str, mirrored: bool, own_page: bool) -> Trace:
        """The same with what the fused network puts out beside it."""
        trace = await self.trace(token, mirrored, own_page)
        if trace.fused:
            return trace
        pixels = view_of(self.sessions.pixels(token), mirrored)
        fused = await self.queue.run(lambda: fused_outputs(self.steps, self.model, pixels), own_page)
        return self._add(token, mirrored, trace, fused=fused)

    async def trace_with_gradients(
        self, token: str, mirrored: bool, genre: int, own_page: bool
    ) -> tuple[Trace, GenreGradients]:
        """The same with the gradients of the genre of that index; those of the genre before are dropped."""
        trace = await self.trace(token, mirrored, own_page)
        gradients = trace.gradients
        if gradients is None or gradients.genre != genre:
            work = partial(genre_gradients, trace, self.model.network, genre)
            gradients = await self.queue.run(work, own_page)
            trace = self._add(token, mirrored, trace, gradients=gradients)
        return trace, gradients

    def _add(self, token: str, mirrored: bool, trace: Trace, **parts: Any) -> Trace:
        """The trace with these parts, stored; what another request added to it meanwhile stays."""
        trace = replace(self.sessions.trace(token, mirrored) or trace, **parts)
        self.sessions.store_trace(token, mirrored, trace)
        return trace

    def warm_up(self, pixels: np.ndarray) -> None:
        """Trace a poster as ``start`` does, and compute what the first click needs."""
        [first, *_], _, _ = self._trace_views(pixels)
        fused_outputs(self.steps, self.model, pixels)
        genre_gradients(first, self.model.network, 0)
        images.atlas(first.image(0), images.display_scale(first.image(0)), "light")

    def _trace_views(
        self, pixels: np.ndarray
    ) -> tuple[list[Trace], list[dict[str, Any]], list[dict[str, Any]]]:
        views = [
            self._trace_view(pixels, mirrored) for mirrored in ((False, True) if self.two_views else (False,))
        ]
        predictions = genre_predictions(self.model, views, self.model.probabilities(pixels[None])[0])
        return views, predictions, describe_steps(views[0])

    def _trace_view(self, pixels: np.ndarray, mirrored: bool) -> Trace:
        return trace_poster(self.steps, self.model, view_of(pixels, mirrored))


def view_of(pixels: np.ndarray, mirrored: bool) -> np.ndarray:
    """Pixels (height, width, 3), or their mirror image."""
    return pixels[:, ::-1] if mirrored else pixels
