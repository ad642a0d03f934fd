"""The prediction for a picture as a record: what ``predict --json`` prints and what the web app sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from poster_genre.genres import GENRES, N_GENRES
from poster_genre.model.trained_model import NOT_FINITE, Answers, TrainedModel, top_of


class GenreProbability(TypedDict):
    """A genre and its probability, 0 to 1."""

    genre: str
    probability: float


class Prediction(TypedDict):
    """What the network predicts for one picture, or why it cannot.

    ``file``           the picture's name.
    ``top``            the most probable genres, best first.
    ``probabilities``  all 25, in the order of ``GENRES``.
    ``sure``           whether the prediction rests on more than the genres' frequencies, and on a picture
                       that resembles posters; None where the model has no calibration to decide it by.
    ``unlike_posters`` whether the picture is unlike the posters that the model knows; None where it was
                       fitted on too few to tell.
    ``error``          None, or why the picture cannot be read. Then ``top`` and ``probabilities`` are empty.
    """

    file: str
    top: list[GenreProbability]
    probabilities: dict[str, float]
    sure: bool | None
    unlike_posters: bool | None
    error: str | None


def predict_pictures(
    pictures: Sequence[tuple[str, np.ndarray | str]], model: TrainedModel, top: int
) -> list[Prediction]:
    """A prediction for each (name, pixels), with the ``top`` most probable genres.

    Pixels are uint8 (h, w, 3) at the network's input size, or the sentence that says why there are none. All
    readable pictures go through the network together.
    """
    readable = [pixels for _, pixels in pictures if not isinstance(pixels, str)]
    answers = model.answers(np.stack(readable)) if readable else Answers(np.zeros((0, N_GENRES)), None)
    sure, unlike = model.sure(answers.probabilities), answers.unlike_posters
    if sure is not None and unlike is not None:
        sure = sure & ~unlike
    rows = iter(zip(answers.probabilities, _flags(sure, readable), _flags(unlike, readable), strict=True))
    return [
        failure(name, pixels) if isinstance(pixels, str) else success(name, *next(rows), top)
        for name, pixels in pictures
    ]


def _flags(values: np.ndarray | None, pictures: Sequence[object]) -> list[bool | None]:
    """The values as JSON has them; None for each picture where they are unknown."""
    return [None] * len(pictures) if values is None else values.tolist()


def failure(name: str, error: str) -> Prediction:
    """The record of a picture that cannot be read."""
    return {
        "file": name,
        "top": [],
        "probabilities": {},
        "sure": None,
        "unlike_posters": None,
        "error": error,
    }


def success(
    name: str, probabilities: np.ndarray, sure: bool | None, unlike_posters: bool | None, top: int
) -> Prediction:
    """The record of a picture with these 25 probabilities; a failure if they are not finite."""
    if not np.isfinite(probabilities).all():
        return failure(name, f"{name}: {NOT_FINITE}")
    return {
        "file": name,
        "top": [{"genre": genre, "probability": p} for genre, p in top_of(probabilities, top)],
        "probabilities": {genre: float(p) for genre, p in zip(GENRES, probabilities, strict=True)},
        "sure": sure,
        "unlike_posters": unlike_posters,
        "error": None,
    }
