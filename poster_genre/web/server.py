"""The server process that ``poster-genre serve`` runs: address, signals, uvicorn's settings."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager

import numpy as np
import uvicorn
from starlette.types import ASGIApp

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError, printable
from poster_genre.web.app import create_app
from poster_genre.web.limits import Limits
from poster_genre.web.security.connection_timeouts import connection_class
from poster_genre.web.security.host_names import LOOPBACK, allowed_hosts

BACKLOG = 512
POSTERS = 400
"""Of a data set, so many posters are searched for patches."""


class Server(uvicorn.Server):
    """uvicorn, but a signal to stop ends in a normal return once every request is answered.

    uvicorn itself raises the signal again after its shutdown.
    """

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle SIGINT and SIGTERM within the context; uvicorn's own method, overridden."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    model_file: str | None = None,
    threads: int | None = None,
    allow_hosts: Collection[str] = (),
    data: str | None = None,
    limits: Limits | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT, then those in progress. Port 0: any free one.

    The address is bound first, so that an error comes at once; it takes connections once the model is loaded
    and warmed up. ``data``: a data set whose posters the Inside page shows patches of. PosterGenreError where
    the address, the model, the data or a name of ``allow_hosts`` cannot be used.
    """
    limits, hosts = limits or Limits(), allowed_hosts(host, allow_hosts)
    if threads is not None:
        from minicnn.kernels.runtime.thread_count import set_threads

        set_threads(threads)
    with bind(host, port) as listener:
        classifier = PosterGenreClassifier.load(model_file)
        posters = None if data is None else posters_of(data, classifier.trained().spec.input_size)
        app = create_app(classifier, limits, hosts, posters)
        start_listening(listener, host, port)
        for name in ("uvicorn.error", "python_multipart"):  # they log malformed requests as warnings
            logging.getLogger(name).setLevel(logging.ERROR)
        print(f"Poster genres at {address(host, listener)}  (Ctrl+C stops it)", file=sys.stderr, flush=True)
        if host not in LOOPBACK:
            print(f"Every computer on this network can reach it, as {hosts}.", file=sys.stderr, flush=True)
        elif allow_hosts:
            print(f"It answers to {hosts}.", file=sys.stderr, flush=True)
        Server(configuration(app, limits)).run(sockets=[listener])


def posters_of(data: str, size: tuple[int, int]) -> np.ndarray:
    """The first ``POSTERS`` val posters of a data set, or train posters without them: uint8 (N, h, w, 3).

    PosterGenreError where it has none that can be read.
    """
    from poster_genre.data.arrays import split_arrays
    from poster_genre.data.dataset import load_dataset

    dataset = load_dataset(data)
    for split in ("val", "train"):
        if dataset.split_sizes()[split]:
            part = dataset.split(split)
            pixels, _, _ = split_arrays(part.subset(range(min(POSTERS, len(part)))), split, size)
            if len(pixels):
                return pixels
    raise PosterGenreError(f"{printable(data)} has no val or train poster that can be read")


def configuration(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """uvicorn's settings: connections with timeouts, no access log, no Server header."""
    return uvicorn.Config(
        app,
        http=connection_class(limits),
        ws="none",
        lifespan="on",
        loop="asyncio",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=limits.shutdown_seconds,
    )


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket that is bound to the address but takes no connection yet.

    Its protocol is IPPROTO_TCP (``socket.create_server`` leaves it 0), because asyncio sets TCP_NODELAY on no
    other socket, and without it every answer waits 40 ms for an acknowledgement.
    """
    listener = None
    try:
        family, kind, protocol, _, socket_address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(socket_address)
        return listener
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        raise cannot_listen(host, port, error) from error


def start_listening(listener: socket.socket, host: str, port: int) -> None:
    """Take connections from now on. PosterGenreError where the address is taken meanwhile."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise cannot_listen(host, port, error) from error


def cannot_listen(host: str, port: int, error: Exception) -> PosterGenreError:
    """The error for an address, with the system's reason."""
    reason = getattr(error, "strerror", None) or error
    return PosterGenreError(
        f"cannot listen on {host or 'an empty name'}, port {port} ({reason}); choose another with --host or "
        "--port"
    )


def address(host: str, listener: socket.socket) -> str:
    """The URL of a listening socket."""
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
