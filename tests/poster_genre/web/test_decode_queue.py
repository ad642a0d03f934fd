"""Decoding is shared fairly, bounded in pixels, and dropped once its client has gone."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from poster_genre.explain.layer_trace import images
from poster_genre.web.inference import decode_queue
from poster_genre.web.limits import Limits
from tests.poster_genre.web.problem_document import problem

Serve = Callable[[Limits], Any]
Until = Callable[..., None]
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


class SlowDecoder:
    """Stands in for decoding: a picture waits for ``free``, or takes ``seconds``; ``decoded``: the widths."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float | None = None) -> None:
        self.free, self.begun, self.decoded = threading.Event(), threading.Semaphore(0), []
        self.lock, self.seconds = threading.Lock(), seconds
        monkeypatch.setattr(decode_queue, "decode", self.decode)

    def decode(self, data: bytes, size: tuple[int, int], name: str) -> np.ndarray:
        with self.lock:
            self.decoded.append(Image.open(io.BytesIO(data)).width)
        self.begun.release()
        if self.seconds is None:
            assert self.free.wait(20)
        else:
            time.sleep(self.seconds)
        return np.zeros((*size, 3), np.uint8)


@pytest.fixture
def slow_decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDecoder]:
    decoder = SlowDecoder(monkeypatch)
    yield decoder
    decoder.free.set()


def picture(width: int, height: int = 8) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


def post(url: str, *pictures: bytes, path: str = "predict", **more: Any) -> httpx.Response:
    files = [("image", ("poster.png", each, "image/png")) for each in pictures]
    return httpx.post(f"{url}/api/v1/{path}", files=files, timeout=30, **more)


def waiting(server: Any) -> int:
    return int(server.state.decoders._decoders.tasks.qsize())


def occupy(server: Any, decoder: SlowDecoder, clients: ThreadPoolExecutor, path: str = "predict") -> Any:
    """A request whose pictures keep both decoding threads busy, with six more of it waiting."""
    done = clients.submit(post, server.url, *[picture(10)] * 8, path=path)
    for _ in range(2):
        assert decoder.begun.acquire(timeout=20)
    return done


def occupy_and_queue_one(
    server: Any, decoder: SlowDecoder, clients: ThreadPoolExecutor, until: Until
) -> list[Any]:
    """``occupy``, then a request of one picture, 20 pixels wide, that waits behind its six; both requests."""
    done = [occupy(server, decoder, clients), clients.submit(post, server.url, picture(20))]
    until(lambda: waiting(server) == 7)
    return done


def test_a_picture_of_a_page_is_decoded_before_those_of_programs(
    serve_with: Serve, slow_decoder: SlowDecoder, until: Until
) -> None:
    with serve_with(Limits()) as server, ThreadPoolExecutor(3) as clients:
        done = occupy_and_queue_one(server, slow_decoder, clients, until)
        done.append(clients.submit(post, server.url, picture(30), headers=OWN_PAGE))
        until(lambda: waiting(server) == 8)
        slow_decoder.free.set()
        assert [each.result().status_code for each in done] == [200] * 3
    assert slow_decoder.decoded[2] == 30


def test_a_request_of_one_picture_does_not_wait_for_all_pictures_of_another(
    serve_with: Serve, slow_decoder: SlowDecoder, until: Until
) -> None:
    with serve_with(Limits()) as server, ThreadPoolExecutor(2) as clients:
        done = occupy_and_queue_one(server, slow_decoder, clients, until)
        slow_decoder.free.set()
        assert [each.result().status_code for each in done] == [200] * 2
    assert slow_decoder.decoded.index(20) <= 3


@pytest.mark.parametrize("path", ["predict", "inside", "explain"])
def test_pictures_of_a_client_that_has_left_are_not_decoded(
    serve_with: Serve, slow_decoder: SlowDecoder, until: Until, path: str
) -> None:
    with serve_with(Limits()) as server, ThreadPoolExecutor(1) as clients:
        done = occupy(server, slow_decoder, clients)
        for _ in range(5):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(
                    f"{server.url}/api/v1/{path}",
                    files={"image": picture(40)},
                    timeout=httpx.Timeout(20, read=0.1),
                )
        until(lambda: server.state.decoders.pixels.in_use == 8 * 10 * 8)
        slow_decoder.free.set()
        assert done.result().status_code == 200
        assert post(server.url, picture(50)).status_code == 200
    assert 40 not in slow_decoder.decoded


def test_past_its_deadline_a_trace_is_given_up(serve_with: Serve, slow_decoder: SlowDecoder) -> None:
    with serve_with(Limits(answer_seconds=0.3)) as server:
        assert "took too long" in problem(post(server.url, picture(10), path="inside"), 503)
        slow_decoder.free.set()


def test_a_request_with_too_many_pixels_in_all_is_refused_before_decoding(live: Any) -> None:
    large = picture(5000, 5000)
    assert len(large) < 10_000
    detail = problem(live.predict(*[large] * 5), 413)
    assert detail == (
        "the 5 pictures have 125,000,000 pixels in all, more than the 100,000,000 of one request; "
        "send fewer at a time, or smaller ones"
    )
    assert live.state.decoders.pixels.in_use == 0


def test_past_the_pixels_of_all_requests_programs_get_503_and_pages_an_answer(
    serve_with: Serve, slow_decoder: SlowDecoder, until: Until
) -> None:
    limits = Limits(decoding_pixels=1000, decoding_pixels_for_pages=500)
    with serve_with(limits) as server, ThreadPoolExecutor(2) as clients:
        done = [occupy(server, slow_decoder, clients)]  # 640 pixels
        assert "the server is busy" in problem(post(server.url, picture(60)), 503)
        done.append(clients.submit(post, server.url, picture(60), headers=OWN_PAGE))
        until(lambda: server.state.decoders.pixels.in_use == 640 + 480)
        slow_decoder.free.set()
        assert [each.result().status_code for each in done] == [200] * 2


def test_a_long_thin_picture_is_refused_by_its_header(live: Any) -> None:
    assert "more than 20,000 pixels a side" in problem(live.predict(picture(1, 25_000)), 422)


def test_stopping_the_server_drops_the_pictures_that_wait(
    serve_with: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = SlowDecoder(monkeypatch, seconds=0.2)
    with ThreadPoolExecutor(4) as clients:
        with serve_with(Limits(shutdown_seconds=1)) as server:
            done = [clients.submit(post, server.url, *[picture(10)] * 32) for _ in range(4)]
            assert decoder.begun.acquire(timeout=20)
        assert len(decoder.decoded) < 64  # of 128, which two threads would need 13 s for
        for each in done:
            assert each.exception() is not None or each.result().status_code in (500, 503)


def test_a_map_whose_client_has_left_is_not_drawn(
    live: Any, monkeypatch: pytest.MonkeyPatch, until: Until, poster: bytes
) -> None:
    free, drawn = threading.Event(), []

    def atlas(*_: Any) -> bytes:
        drawn.append(True)
        assert free.wait(20)
        return b""

    token = post(live.url, poster, path="inside").json()["token"]
    address = f"{live.url}/api/v1/inside/{token}/maps/0.png"
    in_queue = live.state.traces.queue.capacity
    monkeypatch.setattr(images, "atlas", atlas)
    try:
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(httpx.get, address, timeout=30)
            until(lambda: len(drawn) == 1)
            for _ in range(3):
                with pytest.raises(httpx.ReadTimeout):
                    httpx.get(address, timeout=httpx.Timeout(20, read=0.2))
            until(lambda: in_queue.in_use == 1)
            free.set()
            assert first.result().status_code == 200
    finally:
        free.set()
    until(lambda: in_queue.in_use == 0)
    assert len(drawn) == 1
