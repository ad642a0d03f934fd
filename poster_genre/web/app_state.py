"""What the request handlers share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from starlette.requests import Request

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.web.inference.decode_queue import DecodeQueue
from poster_genre.web.inference.explanation_queue import ExplanationQueue
from poster_genre.web.inference.patch_service import PatchService
from poster_genre.web.inference.prediction_queue import PredictionQueue
from poster_genre.web.inference.trace_service import TraceService
from poster_genre.web.limits import Limits
from poster_genre.web.static_files import StaticFile, load_static_files
from poster_genre.web.upload_form import UploadMemory


@dataclass
class AppState:
    """One per application. ``ready`` is True between start and shutdown.

    ``static_files`` are the files below ``static`` by path; ``pages`` the HTML pages rendered so far by name.
    """

    classifier: PosterGenreClassifier
    limits: Limits
    upload_memory: UploadMemory
    decoders: DecodeQueue
    predictions: PredictionQueue
    explanations: ExplanationQueue
    traces: TraceService
    patches: PatchService
    static_files: dict[str, StaticFile]
    pages: dict[str, StaticFile] = field(default_factory=dict)
    ready: bool = False

    @classmethod
    def create(
        cls, classifier: PosterGenreClassifier, limits: Limits, posters: np.ndarray | None = None
    ) -> AppState:
        """The state at start. The threads that compute start here, and end with ``close``.

        ``posters``: uint8 (N, h, w, 3), which are searched for the patches of maps; None: drawn ones.
        """
        traces = TraceService(classifier, limits)
        decoders = DecodeQueue(classifier.trained().spec.input_size, limits)
        return cls(
            classifier=classifier,
            limits=limits,
            upload_memory=UploadMemory(limits.upload_memory, limits.retry_after),
            decoders=decoders,
            predictions=PredictionQueue(classifier, decoders, limits),
            explanations=ExplanationQueue(classifier, limits),
            traces=traces,
            patches=PatchService(traces.model, traces.steps, posters, limits),
            static_files=load_static_files(),
        )

    def close(self) -> None:
        """Finish the work that is waiting, then end the threads. Blocks."""
        self.decoders.close()
        self.explanations.close()
        self.traces.queue.close()
        self.patches.close()
        self.predictions.close()


def state_of(request: Request) -> AppState:
    """The state of the application that received ``request``."""
    state: AppState = request.app.state.shared
    return state
