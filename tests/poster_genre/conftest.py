"""Posters, data sets and a trained run for the tests, drawn and trained once in a session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.cli.main import main
from poster_genre.drawing.synthetic import write_dataset
from poster_genre.genres import GENRES, INDEX
from poster_genre.model import networks as models
from poster_genre.model.networks import SPECS
from poster_genre.model.spec import ModelSpec

SMALL = replace(
    SPECS["compact"],
    input_size=(24, 16),
    arguments={"widths": [4, 8], "blocks": [1, 1], "stem_stride": 1, "dropout": 0.1},
    recipe=replace(
        SPECS["compact"].recipe,
        epochs=2,
        batch_size=16,
        learning_rate=5e-3,
        ema_decay=0.9,
        augmentation=None,
        mixup_alpha=0.0,
    ),
)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_posters_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTER_GENRE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def small_spec() -> ModelSpec:
    """The compact network so small that it trains in a moment."""
    return SMALL


@pytest.fixture
def small_compact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the name "compact" mean the small network."""
    monkeypatch.setitem(models.SPECS, "compact", SMALL)


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 90 drawn posters, in all three splits."""
    return write_dataset(tmp_path_factory.mktemp("drawn") / "posters", 90, 3, size=(60, 40), progress=False)


@pytest.fixture(scope="session")
def trained_run(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished ``poster-genre train``."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.SPECS, "compact", SMALL)
        assert main(["train", "--data", str(drawn_data), "--out", str(out), "--threads", "2"]) == 0
    return out


@pytest.fixture
def model_file(trained_run: Path) -> str:
    """The name of the model file of that run."""
    return str(trained_run / "model.npz")


@pytest.fixture
def posters(drawn_data: Path) -> list[Path]:
    """The pictures of that data set."""
    return sorted((drawn_data / "Images").glob("*.jpg"))


@pytest.fixture(scope="session")
def coloured_posters() -> tuple[np.ndarray, np.ndarray]:
    """96 noisy posters: red ones are Action, blue ones Drama, and half of each, dark at the top, also War."""
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 90, (96, *SMALL.input_size, 3))
    labels = np.zeros((96, len(GENRES)), np.uint8)
    for i in range(96):
        red = i % 2 == 0
        pixels[i, :, :, 0 if red else 2] += 140
        labels[i, INDEX["Action" if red else "Drama"]] = 1
        if i % 4 < 2:
            pixels[i, :6] //= 4
            labels[i, INDEX["War"]] = 1
    return pixels.astype(np.uint8), labels


@pytest.fixture(scope="session")
def fitted(coloured_posters: tuple[np.ndarray, np.ndarray]) -> PosterGenreClassifier:
    """A small classifier that learned 64 of the coloured posters and was calibrated on the other 32."""
    pixels, labels = coloured_posters
    classifier = PosterGenreClassifier(SMALL, epochs=40, seed=1)
    return classifier.fit(pixels[:64], labels[:64], (pixels[64:], labels[64:]))
