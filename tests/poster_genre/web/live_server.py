"""A server in a thread of the test's process, on a port of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.web.app import create_app
from poster_genre.web.limits import Limits
from poster_genre.web.security.host_names import allowed_hosts
from poster_genre.web.server import Server, bind, configuration


@dataclass
class LiveServer:
    """A server in a thread of this process."""

    port: int
    app: Any
    client: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Any:
        """The AppState, behind two layers of middleware."""
        return self.app.app.app.state.shared

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def predict(self, *pictures: bytes, **more: Any) -> httpx.Response:
        files = [("image", ("poster.jpg", picture, "image/jpeg")) for picture in pictures]
        return self.client.post("/api/v1/predict", files=files, **more)


@contextmanager
def running(classifier: PosterGenreClassifier, limits: Limits) -> Iterator[LiveServer]:
    app = create_app(classifier, limits, allowed_hosts("127.0.0.1"))
    with bind("127.0.0.1", 0) as listener:
        server = Server(configuration(app, limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            port = listener.getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                wait_until(lambda: server.started)
                yield LiveServer(port, app, client)
        finally:
            server.should_exit = True
            thread.join(30)
    assert not thread.is_alive()


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it is not so after {seconds} seconds"
        time.sleep(0.01)
