"""What every handler needs at hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.web.api.upload_form import Memory
from poster_genre.web.inference.prediction_queue import Workers
from poster_genre.web.limits import Limits
from poster_genre.web.pages.static_files import Asset


@dataclass
class Serving:
    """One per application; ``ready`` is true between start and shutdown."""

    classifier: PosterGenreClassifier
    limits: Limits
    workers: Workers
    memory: Memory
    assets: dict[str, Asset] = field(default_factory=dict)
    ready: bool = False


def serving(request: Request) -> Serving:
    found: Serving = request.app.state.serving
    return found
