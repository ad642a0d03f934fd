"""A small model, and servers around it that listen on a port of their own."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.models import ModelSpec

for needed in ("starlette", "uvicorn", "python_multipart", "httpx"):
    pytest.importorskip(needed, reason="needs the extras web and browser")

import httpx  # noqa: E402

from poster_genre.web.app import create_app  # noqa: E402
from poster_genre.web.guard import hosts_for  # noqa: E402
from poster_genre.web.limits import Limits  # noqa: E402
from poster_genre.web.server import Server, configuration, listen  # noqa: E402


@dataclass
class Live:
    """A server in a thread of this process."""

    port: int
    app: Any
    client: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def serving(self) -> Any:
        return self.app.app.state.serving

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def predict(self, *pictures: bytes, **more: Any) -> httpx.Response:
        files = [("image", ("poster.jpg", picture, "image/jpeg")) for picture in pictures]
        return self.client.post("/api/v1/predict", files=files, **more)


@contextmanager
def running(classifier: PosterGenreClassifier, limits: Limits) -> Iterator[Live]:
    app = create_app(classifier, limits, hosts_for("127.0.0.1"))
    with listen("127.0.0.1", 0) as listener:
        server = Server(configuration(app, limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            port = listener.getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                wait_until(lambda: server.started)
                yield Live(port, app, client)
        finally:
            server.should_exit = True
            thread.join(30)
    assert not thread.is_alive()


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "what was waited for never came"
        time.sleep(0.01)


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
def live(web_classifier: PosterGenreClassifier) -> Iterator[Live]:
    with running(web_classifier, Limits()) as server:
        yield server


@pytest.fixture(scope="session")
def serve_with(web_classifier: PosterGenreClassifier) -> Callable[[Limits], Any]:
    return lambda limits: running(web_classifier, limits)


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
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
