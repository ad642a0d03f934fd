"""The process behind ``poster-genre serve``."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.web.app import create_app
from poster_genre.web.limits import Limits
from poster_genre.web.security.connection_timeouts import guarded_protocol
from poster_genre.web.security.host_origin_check import LOOPBACK, hosts_for

BACKLOG = 512


class Server(uvicorn.Server):
    """uvicorn, but a signal that asks it to stop ends in a normal return once everybody is answered."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
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
    limits: Limits | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT, then those in flight. Port 0: any free one.

    The address is claimed first, so that it fails at once, and opens when the model is loaded and warm.
    PosterGenreError where it cannot be had.
    """
    limits = limits or Limits()
    if threads is not None:
        from minicnn.kernels.runtime.threads import set_threads

        set_threads(threads)
    with claim(host, port) as listener:
        app = create_app(PosterGenreClassifier.load(model_file), limits, hosts_for(host, allow_hosts))
        open_up(listener, host, port)
        for talker in ("uvicorn.error", "python_multipart"):  # a visitor's nonsense is not for the log
            logging.getLogger(talker).setLevel(logging.ERROR)
        print(f"Poster genres at {address(host, listener)}  (Ctrl+C stops it)", file=sys.stderr, flush=True)
        if host not in LOOPBACK:
            print("Everybody on this network can reach it.", file=sys.stderr, flush=True)
        Server(configuration(app, limits)).run(sockets=[listener])


def configuration(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """uvicorn's settings: our connections, no log of who asked for what, no word on what software this is."""
    return uvicorn.Config(
        app,
        http=guarded_protocol(limits),
        ws="none",
        lifespan="on",
        loop="asyncio",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(limits.upload_seconds + limits.answer_seconds),
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. PosterGenreError where the address cannot be had."""
    listener = claim(host, port)
    open_up(listener, host, port)
    return listener


def claim(host: str, port: int) -> socket.socket:
    """A socket that holds the address but takes no connection yet.

    It knows that it speaks TCP (``socket.create_server`` leaves that open), because asyncio sends small
    pieces at once only on sockets that do: without, every answer waits 40 ms for an acknowledgement.
    """
    listener = None
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        return listener
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        raise cannot_listen(host, port, error) from error


def open_up(listener: socket.socket, host: str, port: int) -> None:
    """Take connections from now on."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise cannot_listen(host, port, error) from error


def cannot_listen(host: str, port: int, error: Exception) -> PosterGenreError:
    reason = getattr(error, "strerror", None) or error
    return PosterGenreError(
        f"cannot listen on {host or 'an empty name'}, port {port} ({reason}); choose another with --host or "
        "--port"
    )


def address(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
