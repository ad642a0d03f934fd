"""Floods, slow clients and oversized requests: refused, cut off, or answered with 503."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from poster_genre.web.inference import batch_predictor, decode_queue
from poster_genre.web.limits import Limits
from tests.poster_genre.web.problem_document import problem

Serve = Callable[[Limits], Any]
Encode = Callable[..., bytes]
FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'


class Brake:
    """Holds every prediction until it is released; ``pictures`` tells how many each was of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free, self.reached = threading.Event(), threading.Event()
        self.pictures: list[int] = []
        real = batch_predictor.predict_pictures

        def held(*arguments: Any) -> Any:
            self.pictures.append(len(arguments[0]))
            self.reached.set()
            assert self.free.wait(20)
            return real(*arguments)

        monkeypatch.setattr(batch_predictor, "predict_pictures", held)


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Brake]:
    held = Brake(monkeypatch)
    yield held
    held.free.set()


def test_a_body_that_says_it_is_too_large_is_refused_unread(live: Any) -> None:
    with live.connect() as link:
        link.sendall(head("Content-Length: 99999999"))
        assert b"413 " in link.recv(4096)


def test_a_body_that_grows_too_large_is_refused_while_it_streams(live: Any) -> None:
    def body() -> Iterator[bytes]:
        yield PART
        for _ in range(12):
            yield bytes(2**20)
        yield b"\r\n--b--\r\n"

    answer = live.client.post("/api/v1/predict", content=body(), headers={"Content-Type": FORM})
    assert problem(answer, 413) == "the upload is larger than 10 MB; send a smaller picture"


def test_too_many_pictures_or_fields_are_refused(live: Any) -> None:
    assert problem(live.predict(*[b"x"] * 33), 413) == "at most 32 pictures at a time"
    fields = [(f"f{i}", (None, b"x")) for i in range(60)]
    assert problem(live.client.post("/api/v1/predict", files=fields), 413) == "the form has too many fields"
    long = live.client.post("/api/v1/explain", files={"image": b"x"}, data={"genre": "x" * 2000})
    assert "longer than" in problem(long, 413)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("image/jpeg", b"\xff\xd8", 415),
        ("", b"", 415),
        ("multipart/form-data", PART + b"x\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=" + "b" * 400, b"", 400),
        (FORM, PART + b"never ends", 400),
        (FORM, b"", 400),
        (FORM, b"no boundary at all", 400),
        (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", 400),
        (FORM, b"--b\r\n" + b"X: y\r\n" * 3000 + b"\r\n\r\n--b--\r\n", 400),
        (FORM, b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n', 422),
    ],
)
def test_a_body_that_is_no_form_with_a_picture_is_refused(
    live: Any, kind: str, body: bytes, status: int
) -> None:
    problem(live.client.post("/api/v1/predict", content=body, headers={"Content-Type": kind}), status)


def test_a_compressed_body_is_refused(live: Any) -> None:
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    problem(live.client.post("/api/v1/predict", content=b"", headers=headers), 415)


def test_an_upload_that_stalls_is_cut_off(serve_with: Serve) -> None:
    with serve_with(Limits(idle_seconds=0.3)) as server, server.connect() as link:
        link.sendall(head("Content-Length: 5000") + PART)
        assert b"408 " in link.recv(4096)
        rest(link)


def test_an_upload_that_drips_is_cut_off(serve_with: Serve) -> None:
    with serve_with(Limits(upload_seconds=0.6)) as server, server.connect() as link:
        link.sendall(head("Content-Length: 5000") + PART)
        assert b"408 " in drip(link, b"x")


def test_headers_that_drip_are_cut_off(serve_with: Serve) -> None:
    with serve_with(Limits(header_seconds=0.5)) as server, server.connect() as link:
        assert drip(link, b"GET / HTTP/1.1\r\nX: y") == b""


def test_a_second_request_whose_headers_drip_is_cut_off(serve_with: Serve) -> None:
    with serve_with(Limits(header_seconds=0.5)) as server, server.connect() as link:
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += link.recv(4096)
        assert drip(link, b"GET / HTTP/1.1\r\nX: y") == b""


def test_past_the_queue_the_answer_is_503_while_health_checks_answer(
    serve_with: Serve, brake: Brake, poster: bytes
) -> None:
    with serve_with(Limits(queue=4)) as server, ThreadPoolExecutor(4) as clients:
        waiting = [clients.submit(predict_alone, server.url, poster) for _ in range(4)]
        deadline = time.monotonic() + 20
        while server.state.predictions.capacity.in_use < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        refused = server.predict(poster)
        assert "the server is busy" in problem(refused, 503)
        assert int(refused.headers["retry-after"]) >= 1
        assert server.client.get("/healthz").status_code == 200
        assert server.client.get("/readyz").status_code == 503
        assert server.client.get("/").status_code == 200
        brake.free.set()
        assert [each.result().status_code for each in waiting] == [200] * 4
        assert server.predict(poster).status_code == 200


OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


def test_a_request_of_a_page_has_room_where_programs_fill_the_queue(
    serve_with: Serve, brake: Brake, poster: bytes, until: Callable[..., None]
) -> None:
    with serve_with(Limits(queue=2, for_pages=1)) as server, ThreadPoolExecutor(3) as clients:
        waiting = [clients.submit(predict_alone, server.url, poster) for _ in range(2)]
        until(lambda: server.state.predictions.capacity.in_use == 2)
        problem(server.predict(poster), 503)
        waiting.append(clients.submit(predict_alone, server.url, poster, OWN_PAGE))
        until(lambda: server.state.predictions.capacity.in_use == 3)
        problem(server.predict(poster, headers=OWN_PAGE), 503)
        brake.free.set()
        assert [each.result().status_code for each in waiting] == [200] * 3


def test_a_request_of_a_page_goes_before_programs(
    serve_with: Serve, brake: Brake, poster: bytes, until: Callable[..., None]
) -> None:
    with serve_with(Limits(batch=1)) as server, ThreadPoolExecutor(4) as clients:
        jobs = server.state.predictions.predictor.jobs
        done = [clients.submit(predict_alone, server.url, poster)]
        assert brake.reached.wait(10)
        for waiting in (1, 2):
            done.append(clients.submit(predict_alone, server.url, poster))
            until(lambda waiting=waiting: jobs.qsize() == waiting)
        done.append(clients.submit(server.predict, poster, poster, headers=OWN_PAGE))
        until(lambda: jobs.qsize() == 3)
        brake.free.set()
        assert [each.result().status_code for each in done] == [200] * 4
    assert brake.pictures == [1, 2, 1, 1]


@pytest.mark.parametrize(("patience", "together"), [(20.0, [2]), (0.0, [1, 1])])
def test_a_picture_that_is_being_decoded_is_waited_for_a_while(
    serve_with: Serve,
    brake: Brake,
    encode: Encode,
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    patience: float,
    together: list[int],
) -> None:
    decoded, real = threading.Event(), decode_queue.decode
    slow = encode("PNG", seed=1)

    def held(data: bytes, *more: Any) -> Any:
        assert data != slow or decoded.wait(20)
        return real(data, *more)

    monkeypatch.setattr(decode_queue, "decode", held)
    brake.free.set()
    with serve_with(Limits(gather_seconds=patience)) as server, ThreadPoolExecutor(2) as clients:
        done = [clients.submit(predict_alone, server.url, slow)]
        until(lambda: server.state.predictions.capacity.in_use == 1)
        done.append(clients.submit(predict_alone, server.url, encode("PNG", seed=2)))
        if together == [2]:
            until(lambda: server.state.predictions.capacity.in_use == 2)
        else:
            assert done[1].result().status_code == 200
        decoded.set()
        assert [each.result().status_code for each in done] == [200, 200]
    assert brake.pictures == together


def test_past_the_memory_for_uploads_the_answer_is_503(serve_with: Serve, poster: bytes) -> None:
    with serve_with(Limits(upload_memory=300_000)) as server:
        problem(server.predict(bytes(400_000)), 503)
        assert server.state.upload_memory.in_use == 0
        assert server.predict(poster).status_code == 200


def test_past_its_deadline_a_request_is_given_up(serve_with: Serve, brake: Brake, poster: bytes) -> None:
    with serve_with(Limits(answer_seconds=0.4)) as server:
        late = server.predict(poster)
        assert "took too long" in problem(late, 503)
        assert late.headers["retry-after"]
        assert server.state.predictions.capacity.in_use == 0
        brake.free.set()


def test_a_client_that_leaves_frees_its_room_in_the_queue(
    serve_with: Serve, brake: Brake, poster: bytes, until: Callable[..., None]
) -> None:
    with serve_with(Limits(queue=1)) as server:
        body = PART + poster + b"\r\n--b--\r\n"
        with server.connect() as link:
            link.sendall(head(f"Content-Length: {len(body)}") + body)
            assert brake.reached.wait(10)
        until(lambda: server.state.predictions.capacity.in_use == 0)
        brake.free.set()
        assert server.predict(poster).status_code == 200


def test_a_client_that_leaves_during_an_upload_frees_its_memory(
    live: Any, until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    with live.connect() as link:
        link.sendall(head("Content-Length: 5000") + PART + bytes(1000))
        until(lambda: live.state.upload_memory.in_use > 1000)
    until(lambda: live.state.upload_memory.in_use == 0)
    assert live.client.get("/healthz").status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_past_the_connection_limit_the_longest_idle_one_is_closed(serve_with: Serve) -> None:
    with serve_with(Limits(connections=8)) as server, ExitStack() as held:
        idle = [held.enter_context(server.connect()) for _ in range(12)]
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        idle[0].settimeout(5)
        assert ended(idle[0])


def test_health_and_pages_answer_during_a_flood(live: Any, poster: bytes) -> None:
    stop = threading.Event()
    codes: set[int] = set()

    def flood() -> None:
        with httpx.Client(base_url=live.url, timeout=30) as client:
            while not stop.is_set():
                codes.add(client.post("/api/v1/predict", files={"image": poster}).status_code)

    clients = [threading.Thread(target=flood) for _ in range(12)]
    for each in clients:
        each.start()
    try:
        for _ in range(5):
            assert live.client.get("/healthz").status_code == 200
            assert live.client.get("/").status_code == 200
            assert live.predict(poster).status_code == 200
    finally:
        stop.set()
        for each in clients:
            each.join()
    assert codes <= {200, 503}


def head(*lines: str) -> bytes:
    lines_of_head = ["POST /api/v1/predict HTTP/1.1", "Host: localhost", f"Content-Type: {FORM}", *lines]
    return "\r\n".join(lines_of_head).encode() + b"\r\n\r\n"


def predict_alone(url: str, poster: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(f"{url}/api/v1/predict", files={"image": poster}, timeout=30, headers=headers)


def drip(link: socket.socket, data: bytes) -> bytes:
    """Send a byte now and then until the server answers or closes; the answer."""
    link.settimeout(0.05)
    for _ in range(300):
        try:
            link.sendall(data[:1])
            data = data[1:] or b"x"
            return link.recv(4096)
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("the server never closes")


def ended(link: socket.socket) -> bool:
    try:
        return link.recv(1) == b""
    except ConnectionResetError:
        return True


def rest(link: socket.socket) -> None:
    """Read until the server closes."""
    while not ended(link):
        pass
