"""Networks of every build, a poster followed through each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.layer_trace.fast import fast_outputs
from poster_genre.explain.layer_trace.trace import Trace, follow, lay_out
from poster_genre.model.networks import SPECS, build_network
from tests.poster_genre.explain.layer_trace.looking import STREAM
from tests.poster_genre.model.ensembles import SIZE, drawn_at_random, ensemble, joined_images, untrained

BUILDS = ("compact", "original", "trunks", "trunks of images")


def classifier_of(build: str, seed: int = 3) -> PosterGenreClassifier:
    """An untrained classifier whose every number is drawn."""
    if build in SPECS:
        size = SIZE if build == "compact" else (62, 62)
        small = {"widths": [8, 12, 16], "blocks": [2, 1, 1], "stem_stride": 2, "dropout": 0.2}
        spec = replace(SPECS[build], input_size=size, arguments=small if build == "compact" else {})
        network = build_network(spec, rng=seed)
    else:
        spec = replace(SPECS["compact"], input_size=SIZE)
        network = ensemble(seed) if build == "trunks" else joined_images(seed)
    drawn_at_random(network, seed)
    return untrained(spec, network)


@pytest.fixture(scope="session", params=BUILDS)
def looked_at(request: pytest.FixtureRequest) -> tuple[PosterGenreClassifier, np.ndarray, Trace]:
    """A classifier of each build, a poster's pixels, and its trace."""
    classifier = classifier_of(request.param)
    size = classifier.spec_.input_size
    pixels = STREAM.integers(0, 256, (*size, 3)).astype(np.uint8)
    steps = lay_out(classifier.model_, size)
    trace = follow(steps, classifier, pixels)
    return classifier, pixels, replace(trace, fast=fast_outputs(steps, classifier, pixels))
