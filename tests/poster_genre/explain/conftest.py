"""A classifier that learned two shapes, posters it has not seen, and heat maps of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.explain import explain
from poster_genre.model.networks import SPECS
from tests.poster_genre.explain.shape_posters import draw_shapes


@pytest.fixture(scope="session")
def shape_classifier():
    """A classifier that distinguishes rings from crosses."""
    compact = SPECS["compact"]
    recipe = replace(
        compact.recipe,
        epochs=6,
        batch_size=16,
        learning_rate=1e-2,
        weight_decay=0.01,
        ema_decay=0.9,
        mixup_alpha=0.0,
        augmentation=None,
    )
    spec = replace(
        compact,
        input_size=(36, 24),
        recipe=recipe,
        arguments={"widths": [8, 16], "blocks": [1, 1], "stem_stride": 1, "dropout": 0.0},
    )
    pixels, labels, _ = draw_shapes(440, 0)
    return PosterGenreClassifier(spec, seed=0).fit(pixels[:360], labels[:360], (pixels[360:], labels[360:]))


@pytest.fixture(scope="session")
def cases():
    """(pixels, genre, corner of its shape) of posters that the classifier has not seen."""
    pixels, _, corners = draw_shapes(36, 1)
    return [
        (x, genre, corner)
        for x, shapes in zip(pixels, corners, strict=True)
        for genre, corner in shapes.items()
    ]


@pytest.fixture(scope="session")
def grad_cam_maps(shape_classifier, cases):
    return [explain(shape_classifier, x, genre).heat for x, genre, _ in cases]


@pytest.fixture(scope="session")
def occlusion_maps(shape_classifier, cases):
    return [explain(shape_classifier, x, genre, method="occlusion").heat for x, genre, _ in cases]


@pytest.fixture
def noise():
    """A noisy poster (10, 8)."""
    return np.random.default_rng(3).integers(0, 256, (10, 8, 3), dtype=np.uint8)


@pytest.fixture
def corner_heat():
    """A heat map (24, 16): 1 in the upper left corner, 0 elsewhere."""
    heat = np.zeros((24, 16), np.float32)
    heat[:6, :4] = 1
    return heat
