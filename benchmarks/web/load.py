"""Concurrent clients in one thread: each sends, waits for the answer, and sends again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

BOUNDARY = b"benchmark"


@dataclass
class Responses:
    """How often each status came, and the seconds that each answer of status 200 took.

    ``without_retry_after`` counts the answers of status 503 without that header.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    started: float = 0.0
    ended: float = 0.0

    def add(self, status: int, seconds: float, retry: float = 0) -> None:
        """Count an answer; ``retry``: its Retry-After in seconds, 0 where it had none."""
        self.statuses[status] += 1
        if status == 200:
            self.seconds.append(seconds)
        elif status == 503 and not retry:
            self.without_retry_after += 1

    @property
    def rate(self) -> float:
        """Answers of status 200 a second."""
        return self.statuses[200] / (self.ended - self.started)

    def quantile(self, q: float) -> float:
        """Milliseconds that a share ``q`` of the answers did not exceed; the slowest of them."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


def multipart(*posters: bytes) -> bytes:
    """A form with these pictures."""
    parts = [
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + poster + b"\r\n"
        for poster in posters
    ]
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def post_request(path: str, port: int, *posters: bytes, headers: str = "") -> bytes:
    """The whole of a POST with some pictures; ``headers``: further lines, each with its line end."""
    body = multipart(*posters)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n{headers}"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    )
    return head.encode() + body


def predict_request(poster: bytes, port: int) -> bytes:
    """The whole of a POST with one picture to be predicted."""
    return post_request("/api/v1/predict", port, poster)


def get_request(path: str, port: int) -> bytes:
    """The whole of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def run_clients(
    port: int, requests: Sequence[bytes], clients: int, *, seconds: float = 1e9, count: int = 10**9
) -> Responses:
    """``clients`` send requests for some ``seconds``, or until ``count`` answers have come."""
    return asyncio.run(_run_clients(port, requests, clients, seconds, count))


def run_clients_and_probe(
    port: int, requests: Sequence[bytes], clients: int, probe_request: bytes, seconds: float
) -> tuple[Responses, Responses]:
    """The responses to the clients, and to one more that sends ``probe_request`` ten times a second."""

    async def both() -> tuple[Responses, Responses]:
        probe = Responses(started=time.perf_counter())
        probing = asyncio.create_task(
            client(port, [probe_request], 0, probe, probe.started + seconds, 10**9, pause=0.1)
        )
        flood = await _run_clients(port, requests, clients, seconds, 10**9)
        await probing
        probe.ended = time.perf_counter()
        return flood, probe

    return asyncio.run(both())


async def _run_clients(
    port: int, requests: Sequence[bytes], clients: int, seconds: float, count: int
) -> Responses:
    responses = Responses(started=time.perf_counter())
    until = responses.started + seconds
    await asyncio.gather(*(client(port, requests, i, responses, until, count) for i in range(clients)))
    responses.ended = time.perf_counter()
    return responses


async def client(
    port: int,
    requests: Sequence[bytes],
    first: int,
    responses: Responses,
    until: float,
    count: int,
    pause: float = 0,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = first
    try:
        while time.perf_counter() < until and responses.statuses.total() < count:
            start = time.perf_counter()
            writer.write(requests[turn % len(requests)])
            status, retry = await read_answer(reader)
            responses.add(status, time.perf_counter() - start, retry)
            if status != 200 and retry:
                await asyncio.sleep(retry / 10)  # a tenth of the time that the server asks for
            turn += 1
            if pause:
                await asyncio.sleep(pause)
    finally:
        writer.close()
        await writer.wait_closed()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, float]:
    """The status, and Retry-After in seconds."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines[1:])}
    await reader.readexactly(int(headers[b"content-length"]))
    return int(lines[0].split()[1]), float(headers.get(b"retry-after", 0))
