"""Explain a prediction: which parts of a poster are evidence for a genre, by one of two methods.

``grad_cam`` uses the gradients inside the network, ``occlusion`` only its predictions; neither depends on the
other. Both maps are for one genre and show the evidence for it; evidence against it is 0. Where predictions
average over the poster and its mirror image, so do the maps. A map describes this network, not the film.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.transforms import ImageInput, load_poster
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.explain.grad_cam import grad_cam
from poster_genre.explain.heat_map import resize_map
from poster_genre.explain.occlusion import Progress, occlusion
from poster_genre.genres import GENRES, genre_index
from poster_genre.model.trained_model import NOT_FINITE

METHODS = ("grad-cam", "occlusion")


@dataclass(frozen=True, eq=False)
class ExplainResult:
    """A heat map for one poster and genre.

    ``probability``  the genre's, as ``predict_proba`` gives it.
    ``heat``         (h, w) float32 at the network's input size, from 0 (no evidence) to 1 (the strongest
                     evidence on this poster); all zeros where there is no evidence for the genre.
    ``strength``     the value of the map where ``heat`` is 1. Occlusion: log-odds lost. Grad-CAM: the logits
                     that the cell contributes, if the network only averages its last image.
    """

    genre: str
    probability: float
    heat: np.ndarray
    method: str
    strength: float


def explain(
    classifier: PosterGenreClassifier,
    poster: ImageInput,
    genre: str | None = None,
    *,
    method: str = "grad-cam",
    progress: Progress | None = None,
) -> ExplainResult:
    """The heat map of the evidence for ``genre`` on ``poster``, a path, bytes, a PIL image or uint8 pixels.

    ``genre`` in any case, as in "horror"; None: the poster's most probable one. ``method``: "grad-cam" or
    "occlusion"; only the latter calls ``progress``. Nothing is written into the classifier, so threads may
    share it. Raises UsageError for an unknown genre or method, PosterGenreError for a poster that cannot be
    read and for a network whose output is not finite.
    """
    index = None if genre is None else genre_index(genre)
    if method not in METHODS:
        raise UsageError(f"there is no method {method!r}; choose one of {', '.join(METHODS)}")
    model = classifier.trained()
    pixels = load_poster(poster, model.spec.input_size)
    row = model.probabilities(pixels[None])[0]
    if index is None:
        index = int(np.argmax(row))
    if method == "grad-cam":
        grid = grad_cam(model, pixels, index)
    else:
        grid = occlusion(model, pixels, index, progress=progress)
    if not np.isfinite(row).all() or not np.isfinite(grid).all():
        raise PosterGenreError(NOT_FINITE)
    strength = float(grid.max())
    heat = resize_map(grid / strength if strength > 0 else grid, (pixels.shape[0], pixels.shape[1]))
    return ExplainResult(GENRES[index], float(row[index]), heat, method, strength)
