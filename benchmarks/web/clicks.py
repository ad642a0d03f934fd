"""One visitor of the Inside page: a poster taken in, then click after click somewhere in the network."""

from __future__ import annotations

import http.client
import json
import random
import time
from typing import Any

from benchmarks.web.load import BOUNDARY, Heard, multipart

ENTERED = 20


def clicks(port: int, poster: bytes, seconds: float) -> tuple[Heard, Heard]:
    """What it took to take the poster in, and what every click took until all it shows had come.

    A click asks for a number's account, and when that has come for the poster and for two maps.
    """
    link = http.client.HTTPConnection("127.0.0.1", port)
    entering, clicking = Heard(started=time.perf_counter()), Heard()
    for _ in range(ENTERED):
        start = time.perf_counter()
        visit = take_in(link, poster)
        entering.add(200, time.perf_counter() - start)
    entering.ended = clicking.started = time.perf_counter()
    chance = random.Random(0)
    while (start := time.perf_counter()) < clicking.started + seconds:
        click(link, visit, chance)
        clicking.add(200, time.perf_counter() - start)
    clicking.ended = time.perf_counter()
    link.close()
    return entering, clicking


def take_in(link: http.client.HTTPConnection, poster: bytes) -> dict[str, Any]:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    link.request("POST", "/api/v1/inside", multipart(poster), headers)
    visit: dict[str, Any] = json.loads(answer(link))
    return visit


def click(link: http.client.HTTPConnection, visit: dict[str, Any], chance: random.Random) -> None:
    step = chance.choice(visit["steps"][1:])
    row, column, channel = (chance.randrange(step[size]) for size in ("height", "width", "channels"))
    root = f"/api/v1/inside/{visit['token']}"
    link.request("GET", f"{root}/numbers/{step['step']}?row={row}&column={column}&channel={channel}")
    answer(link)
    source = visit["steps"][step["inputs"][0]]
    pictures = [f"{root}/poster.png", f"{root}/maps/{step['step']}.png?channel={channel}"]
    pictures.append(f"{root}/maps/{source['step']}.png?channel={chance.randrange(source['channels'])}")
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
