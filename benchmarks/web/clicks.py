"""A client of the Inside page: a poster is sent, then numbers anywhere in the network are clicked."""

from __future__ import annotations

import http.client
import json
import random
import time
from typing import Any

from benchmarks.web.load import BOUNDARY, Responses, multipart

SESSIONS = 20


def clicks(port: int, poster: bytes, seconds: float) -> tuple[Responses, Responses]:
    """The times of starting a session, and of every click, until all of its responses had come.

    A click requests how a number was computed, then the poster and two maps.
    """
    link = http.client.HTTPConnection("127.0.0.1", port)
    starting, clicking = Responses(started=time.perf_counter()), Responses()
    for _ in range(SESSIONS):
        start = time.perf_counter()
        session = start_session(link, poster)
        starting.add(200, time.perf_counter() - start)
    starting.ended = clicking.started = time.perf_counter()
    rng = random.Random(0)
    while (start := time.perf_counter()) < clicking.started + seconds:
        click(link, session, rng)
        clicking.add(200, time.perf_counter() - start)
    clicking.ended = time.perf_counter()
    link.close()
    return starting, clicking


def start_session(link: http.client.HTTPConnection, poster: bytes) -> dict[str, Any]:
    """The answer to a poster: the token of its session, and the steps."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    link.request("POST", "/api/v1/inside", multipart(poster), headers)
    session: dict[str, Any] = json.loads(answer(link))
    return session


def click(link: http.client.HTTPConnection, session: dict[str, Any], rng: random.Random) -> None:
    """One random number of a random step, and the pictures beside it."""
    step = rng.choice(session["steps"][1:])
    row, column, channel = (rng.randrange(step[size]) for size in ("height", "width", "channels"))
    root = f"/api/v1/inside/{session['token']}"
    link.request("GET", f"{root}/numbers/{step['step']}?row={row}&column={column}&channel={channel}")
    answer(link)
    source = session["steps"][step["inputs"][0]]
    pictures = [f"{root}/poster.png", f"{root}/maps/{step['step']}.png?channel={channel}"]
    pictures.append(f"{root}/maps/{source['step']}.png?channel={rng.randrange(source['channels'])}")
    for picture in pictures:
        link.request("GET", picture)
        answer(link)


def answer(link: http.client.HTTPConnection) -> bytes:
    """The body of a 200. RuntimeError for anything else."""
    response = link.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"the server answered {response.status}: {body[:200]!r}")
    return body
