"""Networks of every architecture, and a poster traced through each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.layer_trace.fused_trace import fused_outputs
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_poster
from poster_genre.model.networks import SPECS, build_network
from tests.poster_genre.explain.layer_trace.small_traces import RNG
from tests.poster_genre.model.ensembles import SIZE, concatenated_images, drawn_at_random, ensemble, untrained

ARCHITECTURES = ("compact", "original", "ensemble", "ensemble of images")


def classifier_of(architecture: str, seed: int = 3) -> PosterGenreClassifier:
    """An untrained classifier with random weights and statistics."""
    if architecture in SPECS:
        size = SIZE if architecture == "compact" else (62, 62)
        small = {"widths": [8, 12, 16], "blocks": [2, 1, 1], "stem_stride": 2, "dropout": 0.2}
        arguments = small if architecture == "compact" else {}
        spec = replace(SPECS[architecture], input_size=size, arguments=arguments)
        network = build_network(spec, rng=seed)
    else:
        spec = replace(SPECS["compact"], input_size=SIZE)
        network = ensemble(seed) if architecture == "ensemble" else concatenated_images(seed)
    drawn_at_random(network, seed)
    return untrained(spec, network)


@pytest.fixture(scope="session", params=ARCHITECTURES)
def traced_poster(request: pytest.FixtureRequest) -> tuple[PosterGenreClassifier, np.ndarray, Trace]:
    """A classifier of each architecture, a poster's pixels, and its trace."""
    classifier = classifier_of(request.param)
    size = classifier.trained_.spec.input_size
    pixels = RNG.integers(0, 256, (*size, 3)).astype(np.uint8)
    steps = network_steps(classifier.trained_.network, size)
    trace = trace_poster(steps, classifier.trained_, pixels)
    return classifier, pixels, replace(trace, fused=fused_outputs(steps, classifier.trained_, pixels))
