"""A local server for download tests: it answers correctly, breaks off, stalls, or sends wrong headers."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Answers the requests in turn as ``behaviours`` says, then honestly."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.tag = f'"{hashlib.sha1(content).hexdigest()}"'
        self.behaviours: list[Behaviour] = []
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.stop = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers.items()))
        self.server.paths.append(self.path)
        self.close_connection = True
        behave = self.server.behaviours.pop(0) if self.server.behaviours else honest
        try:
            behave(self)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, headers: dict[str, str | int], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def requested_start(self) -> int:
        """The first byte asked for; 0 where the validator no longer fits."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match is None or self.headers.get("If-Range", self.server.tag) != self.server.tag:
            return 0
        return int(match[1])


def honest(handler: Handler, until: int | None = None, validate: bool = True) -> None:
    content, start = handler.server.content, handler.requested_start()
    headers: dict[str, str | int] = {"Content-Length": len(content) - start}
    if validate:
        headers["ETag"] = handler.server.tag
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.answer(206 if start else 200, headers, content[start:until])


def cut_at(share: float) -> Behaviour:
    return lambda handler: honest(handler, int(len(handler.server.content) * share))


def silent_at(share: float) -> Behaviour:
    def behave(handler: Handler) -> None:
        cut_at(share)(handler)
        handler.server.stop.wait(20)

    return behave


def without_ranges(handler: Handler, until: int | None = None) -> None:
    handler.answer(200, {"Content-Length": len(handler.server.content)}, handler.server.content[:until])


def status(code: int, **headers: str) -> Behaviour:
    return lambda handler: handler.answer(code, {"Content-Length": 0, **headers}, b"")


def chunked(until: int | None) -> Behaviour:
    def behave(handler: Handler) -> None:
        body = handler.server.content[:until]
        end = b"0\r\n\r\n" if until is None else b""
        framed = b"%x\r\n%s\r\n" % (len(body), body) + end
        handler.answer(200, {"Transfer-Encoding": "chunked"}, framed)

    return behave
