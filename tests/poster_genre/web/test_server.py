"""``poster-genre serve`` as a process: it starts warmed up, and stops once every request is answered."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from poster_genre.cli.main import main
from poster_genre.data.arrays import split_arrays
from poster_genre.data.dataset import load_dataset
from poster_genre.drawing.synthetic import write_dataset
from poster_genre.web.server import address, bind, posters_of, start_listening

POSIX = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


@contextmanager
def process(model: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running ``poster-genre serve`` on a free port, and its URL."""
    command = [sys.executable, "-m", "poster_genre", "serve", "--port", "0", "--model-file", str(model)]
    with subprocess.Popen([*command, "--threads", "1"], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            line = ""
            for line in running.stderr:
                if url := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield running, url[0]
                    break
            else:
                raise AssertionError(f"the server ended before it was ready: {line}")
        finally:
            running.kill()


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_after_the_requests_in_progress(
    web_model: Path, poster: bytes, number: signal.Signals
) -> None:
    with process(web_model) as (running, url):
        assert httpx.get(f"{url}/readyz").status_code == 200
        port = int(url.rsplit(":", 1)[1])
        body = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + poster + b"\r\n--b--\r\n"
        head = (
            "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", port), timeout=20) as link:
            link.sendall(head.encode() + body[:-50])
            running.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(0.5)
            link.sendall(body[-50:])
            answer = b""
            while piece := link.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"probabilities"' in answer
        assert running.wait(20) == 0


def test_a_port_that_is_taken_is_one_sentence(
    web_model: Path, capsys: pytest.CaptureFixture[str], until: Callable[..., None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--port", port, "--model-file", str(web_model)]) == 1
    assert re.search(rf"error: cannot listen on 127\.0\.0\.1, port {port} \(", capsys.readouterr().err)


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "0", "--model-file", str(tmp_path / "none.npz")]) == 1
    assert "there is no model file" in capsys.readouterr().err


def test_without_the_extra_the_error_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("poster_genre.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 1
    assert "pip install 'poster-genre[web]'" in capsys.readouterr().err


def test_a_bound_address_takes_no_connection_before_it_listens() -> None:
    with bind("127.0.0.1", 0) as listener:
        where = listener.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where, timeout=5)
        start_listening(listener, *where)
        with socket.create_connection(where, timeout=5):
            pass


def test_an_unusable_address_is_an_error_before_the_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--host", "256.1.1.1", "--model-file", str(tmp_path / "none.npz")]) == 1
    assert "cannot listen on 256.1.1.1" in capsys.readouterr().err


def test_small_answers_are_sent_at_once() -> None:
    with bind("127.0.0.1", 0) as listener:
        start_listening(listener, "127.0.0.1", 0)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP, "asyncio sets TCP_NODELAY on no other"


def test_the_address_is_a_url() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address("127.0.0.1", listener))
    with bind("localhost", 0) as listener:
        assert address("::1", listener).startswith("http://[::1]:")


def test_importing_the_package_loads_no_web_framework() -> None:
    code = (
        "import sys, poster_genre, poster_genre.cli.main;"
        "print([name for name in ('starlette', 'uvicorn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ready_means_between_start_and_shutdown(serve_with: Callable[..., Any]) -> None:
    from poster_genre.web.limits import Limits

    with serve_with(Limits()) as server:
        state = server.state
        assert state.ready
    assert not state.ready


def test_the_posters_that_are_searched_for_patches_are_the_val_ones(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", 60, seed=1, size=(60, 40))
    dataset = load_dataset(tmp_path / "data")
    pixels = posters_of(str(tmp_path / "data"), (24, 16))
    expected, _, _ = split_arrays(dataset, "val", (24, 16))
    np.testing.assert_array_equal(pixels, expected)


def test_data_that_cannot_be_served_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--port", "0", "--data", str(tmp_path / "none")]) != 0
    assert capsys.readouterr().err.count("\n") == 1
