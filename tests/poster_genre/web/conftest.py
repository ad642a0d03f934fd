"""A small model, and servers around it. Without the extras these modules are skipped, with the reason."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.model.spec import ModelSpec

PACKAGES = ("starlette", "uvicorn", "python_multipart", "markdown_it", "yaml", "httpx")
MISSING = [name for name in PACKAGES if find_spec(name) is None]


class Unsupported(pytest.Module):
    """A module that cannot be imported without the extras."""

    def collect(self) -> Any:
        pytest.skip(f"needs the extras web and browser ({', '.join(MISSING)})", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> pytest.Module | None:
    return Unsupported.from_parent(parent, path=module_path) if MISSING else None


@pytest.fixture(scope="session")
def web_classifier(
    small_spec: ModelSpec, coloured_posters: tuple[np.ndarray, np.ndarray]
) -> PosterGenreClassifier:
    """A calibrated classifier of red and blue."""
    x, y = coloured_posters
    return PosterGenreClassifier(small_spec).fit(x[:64], y[:64], validation=(x[64:], y[64:]))


@pytest.fixture(scope="session")
def web_model(web_classifier: PosterGenreClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "model.npz"
    web_classifier.save(path)
    return path


@pytest.fixture(scope="session")
def live(web_classifier: PosterGenreClassifier) -> Iterator[Any]:
    """The server that most tests talk to, with the limits as they are by default."""
    from poster_genre.web.limits import Limits
    from tests.poster_genre.web.live_server import running

    with running(web_classifier, Limits()) as server:
        yield server


@pytest.fixture(scope="session")
def serve_with(web_classifier: PosterGenreClassifier) -> Callable[[Any], Any]:
    """Servers with limits of the test's own."""
    from tests.poster_genre.web.live_server import running

    return lambda limits: running(web_classifier, limits)


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    from tests.poster_genre.web.live_server import wait_until

    return wait_until


@pytest.fixture(scope="session")
def poster() -> bytes:
    return encoded("JPEG")


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    return encoded


def encoded(
    kind: str, size: tuple[int, int] = (40, 60), mode: str = "RGB", seed: int = 0, **save: Any
) -> bytes:
    """A reddish picture of ``size = (width, height)`` in a file format."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 120, (size[1], size[0], 3))
    pixels[..., seed % 3] += 100
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(out, kind, **save)
    return out.getvalue()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from tests.poster_genre.web.chromium import launched

    with launched() as chromium:
        yield chromium


@pytest.fixture
def open_page(browser: Any, live: Any) -> Iterator[Callable[..., Any]]:
    from tests.poster_genre.web.chromium import opener

    with opener(browser, live) as opened:
        yield opened
