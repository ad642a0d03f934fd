"""The same trials with minicnn, if ``compact`` can express them: a check of the twin."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import Any

import numpy as np

from benchmarks.experiments.posters import Posters, score
from benchmarks.experiments.trial_settings import Settings
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.model.networks import SPECS
from poster_genre.model.spec import ModelSpec, Recipe

IN_RECIPE = {field.name for field in fields(Recipe)} & {field.name for field in fields(Settings)}
IN_AUGMENTATION = ("flip", "min_area", "aspect", "brightness", "contrast", "saturation", "erase", "shift")
IN_NETWORK = ("widths", "blocks", "stem_stride", "dropout")


def specification(settings: Settings) -> ModelSpec:
    """``compact`` with these settings. ValueError if only the twin can express them."""
    supported = {"height", "width", "precision", *IN_RECIPE, *IN_AUGMENTATION, *IN_NETWORK}
    for field in fields(Settings):
        if field.name not in supported and getattr(settings, field.name) != field.default:
            raise ValueError(f"compact has no {field.name}: run this trial with the twin")
    recipe = replace(
        SPECS["compact"].recipe,
        **{name: getattr(settings, name) for name in IN_RECIPE},
        augmentation={name: getattr(settings, name) for name in IN_AUGMENTATION},
    )
    arguments = {name: getattr(settings, name) for name in IN_NETWORK}
    arguments |= {name: list(arguments[name]) for name in ("widths", "blocks")}
    size = (settings.height, settings.width)
    return replace(SPECS["compact"], input_size=size, arguments=arguments, recipe=recipe)


def train(settings: Settings, posters: Posters, seed: int, threads: int) -> tuple[dict[str, Any], np.ndarray]:
    """As ``twin.train``, without the columns that look at the weights before they are averaged."""
    classifier = PosterGenreClassifier(specification(settings), seed=seed, threads=threads)
    start = time.perf_counter()
    classifier.fit(posters.train_x, posters.train_y)
    seconds = time.perf_counter() - start
    probabilities = classifier.predict_proba(posters.val_x)
    sample = slice(0, len(posters.train_x), max(len(posters.train_x) // 1000, 1))
    parameters = classifier.trained_.network.parameters()
    row: dict[str, Any] = {
        "params": sum(parameter.data.size for parameter in parameters.values()),
        "seconds": round(seconds),
        "train_loss": classifier.trained_.history[-1]["loss"],
        **score(posters.val_y, probabilities),
        "train_auc": score(posters.train_y[sample], classifier.predict_proba(posters.train_x[sample]))["auc"],
    }
    return row, probabilities
