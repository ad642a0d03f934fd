"""Requests that are small to send and costly to answer, and a visitor of the page beside them."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from benchmarks.web.load import Responses, client, post_request, read_answer
from benchmarks.web.server_process import RunningServer

Attack = Callable[[int, float], Awaitable[None]]
"""(port, end in seconds of ``time.perf_counter``) -> attacks until then."""

OWN_PAGE = "Sec-Fetch-Site: same-origin\r\n"
ABANDONED_AFTER = 0.02
NO_ANSWER = 0
"""In place of a status, where the server closed the connection."""

SIDE = 5000


def visitor_beside(
    running: RunningServer, attack: Attack, posters: Sequence[bytes], seconds: float
) -> tuple[Responses, dict[str, Any]]:
    """The answers to a visitor who sends a poster twice a second while an attack runs.

    Also the peak of the server's memory, and the seconds that it takes to stop while the attack goes on.
    """
    return asyncio.run(_visitor_beside(running, attack, posters, seconds))


async def _visitor_beside(
    running: RunningServer, attack: Attack, posters: Sequence[bytes], seconds: float
) -> tuple[Responses, dict[str, Any]]:
    requests = [post_request("/api/v1/predict", running.port, each, headers=OWN_PAGE) for each in posters]
    attacking = asyncio.create_task(_until_refused(attack, running.port, time.perf_counter() + 1e6))
    await asyncio.sleep(1)
    visitor = await visit(running.port, requests, seconds)
    peak = running.peak()
    stopped = await asyncio.to_thread(running.seconds_to_stop)
    attacking.cancel()
    with suppress(asyncio.CancelledError):
        await attacking
    return visitor, {"peak_mb": round(peak), "stopped_after_s": round(stopped, 1)}


async def visit(port: int, requests: Sequence[bytes], seconds: float) -> Responses:
    """One request after the other, half a second apart, each on a new connection as after a page's reload."""
    visitor = Responses(started=time.perf_counter())
    turn = 0
    while time.perf_counter() < visitor.started + seconds:
        start = time.perf_counter()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(requests[turn % len(requests)])
            status, retry = await read_answer(reader)
            visitor.add(status, time.perf_counter() - start, retry)
            writer.transport.abort()
        except (OSError, EOFError):
            visitor.add(NO_ANSWER, time.perf_counter() - start)
        turn += 1
        await asyncio.sleep(0.5)
    visitor.ended = time.perf_counter()
    return visitor


async def _until_refused(attack: Attack, port: int, end: float) -> None:
    """The attack until the server no longer takes connections."""
    with suppress(OSError, EOFError):
        await attack(port, end)


def blank(mode: str) -> bytes:
    """A PNG of 25 million zeros, smaller than 100 kB."""
    from PIL import Image

    out = io.BytesIO()
    Image.new(mode, (SIDE, SIDE)).save(out, "PNG")
    return out.getvalue()


def many_pixels(mode: str, pictures: int, clients: int) -> Attack:
    """``clients`` that each send ``pictures`` PNGs of 25 megapixels a request, again and again."""

    async def attack(port: int, end: float) -> None:
        request = post_request("/api/v1/predict", port, *[blank(mode)] * pictures)
        answers = Responses()
        await asyncio.gather(*(client(port, [request], 0, answers, end, 10**9) for _ in range(clients)))

    return attack


async def abandoned_traces(port: int, end: float) -> None:
    """Every half second thirty posts of 25 megapixels to the Inside page, each closed after 20 ms."""
    request = post_request("/api/v1/inside", port, blank("RGBA"))

    async def abandon() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        with suppress(OSError):
            await writer.drain()
        await asyncio.sleep(ABANDONED_AFTER)
        writer.transport.abort()

    while time.perf_counter() < end:
        await asyncio.gather(*(abandon() for _ in range(30)))
        await asyncio.sleep(0.5)


def greedy_clients(headers: str = "") -> Attack:
    """64 clients that send a small picture as soon as they have the answer to the one before.

    ``headers`` go with each request, such as ``OWN_PAGE``, which claims that a page of the server sent it.
    """
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (300, 444), "navy").save(out, "JPEG")

    async def attack(port: int, end: float) -> None:
        request = post_request("/api/v1/predict", port, out.getvalue(), headers=headers)
        answers = Responses()
        await asyncio.gather(*(client(port, [request], 0, answers, end, 10**9) for _ in range(64)))

    return attack


ATTACKS: dict[str, Attack] = {
    "32 pictures of 25 megapixels": many_pixels("L", 32, 4),
    "4 pictures of 25 megapixels": many_pixels("L", 4, 8),
    "4 of 16-bit grey": many_pixels("I;16", 4, 8),
    "4 with transparency": many_pixels("RGBA", 4, 8),
    "abandoned Inside posts": abandoned_traces,
    "64 greedy clients": greedy_clients(),
    "64 that claim to be the page": greedy_clients(OWN_PAGE),
}
