"""The download from local servers that break off, stall, and send wrong headers."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poster_genre.data.dataset import load_dataset
from poster_genre.data.download import COMMIT, FILE_NAME, REPOSITORY, _Part, download
from poster_genre.errors import PosterGenreError
from tests.poster_genre.data.download_server import (
    Handler,
    Server,
    chunked,
    cut_at,
    honest,
    silent_at,
    status,
    without_ranges,
)
from tests.poster_genre.data.layouts import ROOT, sound, tree_id_by_git, write_folder, write_zip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    csv, images = sound(20)
    return write_zip(tmp_path / "made.zip", csv, images, ROOT)


@pytest.fixture
def tree(tmp_path: Path) -> str:
    return tree_id_by_git(write_folder(tmp_path / "checkout", *sound(20)), "Images")


@pytest.fixture
def server(archive: Path) -> Iterator[Server]:
    server = Server(archive.read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(server: Server, tree: str, tmp_path: Path) -> Callable[..., Path]:
    def fetch(**options: Any) -> Path:
        settings = {"attempts": 3, "timeout": 0.5, "pause": 0.01, "progress": False, **options}
        return download(tmp_path / "out", base_url=server.url, images_tree=tree, **settings)

    return fetch


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_whole_file_arrives_under_its_name_and_is_a_data_set(
    fetch: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    path = fetch()
    assert path == tmp_path / "out" / FILE_NAME
    assert path.read_bytes() == server.content
    assert server.paths == [f"/{REPOSITORY}/zip/{COMMIT}"]
    assert left_in(tmp_path / "out") == [FILE_NAME]
    assert len(load_dataset(path)) == len(load_dataset(tmp_path / "out")) == 20


def test_a_name_that_ends_in_zip_is_the_file_itself(server: Server, tree: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "posters.zip"
    assert download(out, base_url=server.url, images_tree=tree, progress=False) == out
    assert out.read_bytes() == server.content


def test_a_transfer_that_broke_off_goes_on_where_it_stopped(
    fetch: Callable[..., Path], server: Server
) -> None:
    server.behaviours = [cut_at(0.3), cut_at(0.7)]
    assert fetch().read_bytes() == server.content
    size = len(server.content)
    assert server.ranges() == [None, f"bytes={int(size * 0.3)}-", f"bytes={int(size * 0.7)}-"]
    assert server.requests[1]["If-Range"] == server.tag


def test_a_server_that_falls_silent_is_left_and_asked_again(
    fetch: Callable[..., Path], server: Server
) -> None:
    server.behaviours = [silent_at(0.5), silent_at(0.5)]
    assert fetch().read_bytes() == server.content
    assert server.ranges()[1] == f"bytes={int(len(server.content) * 0.5)}-"


def test_what_an_earlier_run_fetched_is_used_by_the_next(fetch: Callable[..., Path], server: Server) -> None:
    server.behaviours = [cut_at(0.6), status(503), status(503)]
    with pytest.raises(PosterGenreError, match=r"failed 3 times.*bytes are in .*run the command again"):
        fetch()
    assert fetch().read_bytes() == server.content
    assert server.ranges()[-1] == f"bytes={int(len(server.content) * 0.6)}-"


def test_nothing_looks_complete_after_a_failure(
    fetch: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    server.behaviours = [cut_at(0.9)] * 9
    with pytest.raises(PosterGenreError):
        fetch()
    assert left_in(tmp_path / "out") == [f"{FILE_NAME}.part", f"{FILE_NAME}.part.json"]
    with pytest.raises(PosterGenreError):
        load_dataset(tmp_path / "out")


def test_a_server_without_ranges_starts_over(fetch: Callable[..., Path], server: Server) -> None:
    server.behaviours = [lambda handler: without_ranges(handler, 2000), without_ranges]
    assert fetch().read_bytes() == server.content
    assert server.ranges()[1] == "bytes=2000-"


def test_ranges_are_used_without_a_validator_too(fetch: Callable[..., Path], server: Server) -> None:
    server.behaviours = [lambda h: honest(h, 2000, validate=False), lambda h: honest(h, validate=False)]
    assert fetch().read_bytes() == server.content
    assert "If-Range" not in server.requests[1]


def test_a_file_that_changed_between_attempts_is_fetched_from_its_start(
    fetch: Callable[..., Path], server: Server, archive: Path
) -> None:
    def cut_then_change(handler: Handler) -> None:
        cut_at(0.5)(handler)
        with zipfile.ZipFile(archive, "a") as changed:
            changed.writestr(f"{ROOT}README.md", "a later packing of the same commit")
        server.content = archive.read_bytes()
        server.tag = '"another"'

    server.behaviours = [cut_then_change]
    assert fetch().read_bytes() == server.content


def test_pieces_of_two_files_are_not_taken_for_one(
    fetch: Callable[..., Path], server: Server, archive: Path
) -> None:
    """The server ignores If-Range and states no total, so only the verification can detect it."""
    first = bytes(len(server.content))

    def other_file(handler: Handler) -> None:
        handler.answer(200, {"Content-Length": len(first)}, first[: len(first) // 2])

    server.behaviours = [other_file]
    assert fetch().read_bytes() == server.content
    assert server.ranges() == [None, f"bytes={len(first) // 2}-", None]


@pytest.mark.parametrize("change", ["total", "tag", "start"])
def test_a_continuation_of_another_file_is_noticed_at_once(
    fetch: Callable[..., Path], server: Server, change: str
) -> None:
    def lying(handler: Handler) -> None:
        size = len(server.content)
        start = int(size * 0.5)
        total = size + (change == "total")
        tag = '"other"' if change == "tag" else server.tag
        first = start + 1 if change == "start" else start
        headers = {
            "Content-Length": size - start,
            "Content-Range": f"bytes {first}-{total - 1}/{total}",
            "ETag": tag,
        }
        handler.answer(206, headers, server.content[start:])

    server.behaviours = [cut_at(0.5), lying]
    assert fetch().read_bytes() == server.content
    assert server.ranges()[2] is None


def test_a_length_that_is_too_small_does_not_pass_for_the_file(
    fetch: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    def short(handler: Handler) -> None:
        handler.answer(200, {"Content-Length": len(server.content) - 50}, server.content)

    server.behaviours = [short]
    assert fetch().read_bytes() == server.content
    shutil.rmtree(tmp_path / "out")
    server.behaviours = [short] * 9
    with pytest.raises(
        PosterGenreError, match=r"did not send the data set \(.*not a complete zip.*nothing was saved"
    ):
        fetch()
    assert left_in(tmp_path / "out") == []


def test_a_length_that_is_too_large_is_a_broken_transfer(
    fetch: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    def long(handler: Handler) -> None:
        handler.answer(200, {"Content-Length": len(server.content) + 50}, server.content)

    server.behaviours = [long] * 9
    size = len(server.content)
    with pytest.raises(PosterGenreError, match=f"sent {size:,} of {size + 50:,} bytes"):
        fetch()
    assert FILE_NAME not in left_in(tmp_path / "out")


def test_a_chunked_answer_that_ends_early_is_not_complete(fetch: Callable[..., Path], server: Server) -> None:
    server.behaviours = [chunked(1500), chunked(None)]
    assert fetch().read_bytes() == server.content
    assert len(server.requests) == 2


def test_a_busy_server_is_asked_again_after_the_time_it_names(
    fetch: Callable[..., Path], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("poster_genre.data.download.time.sleep", waits.append)
    server.behaviours = [status(429, **{"Retry-After": "7"}), status(502)]
    fetch(pause=1.0)
    assert waits == [7.0, 2.0]


def test_a_range_beyond_the_end_starts_over(fetch: Callable[..., Path], server: Server) -> None:
    server.behaviours = [cut_at(0.5), status(416)]
    assert fetch().read_bytes() == server.content
    assert server.ranges()[-1] is None


@pytest.mark.parametrize("code", [403, 404, 410])
def test_an_address_that_is_refused_is_not_asked_again(
    fetch: Callable[..., Path], server: Server, tmp_path: Path, code: int
) -> None:
    server.behaviours = [status(code)] * 3
    with pytest.raises(PosterGenreError, match=f"answered {code}"):
        fetch()
    assert len(server.requests) == 1
    assert left_in(tmp_path / "out") == []


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(PosterGenreError, match="cannot be reached"):
        download(tmp_path, base_url=url, attempts=2, pause=0.01, timeout=1, progress=False)


def test_another_data_set_is_refused_and_not_kept(
    fetch: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    csv, images = sound(20)
    images["tt0000004.jpg"] += b"\0"
    server.content = write_zip(tmp_path / "other.zip", csv, images, ROOT).read_bytes()
    with pytest.raises(PosterGenreError, match="is not the published data set"):
        fetch()
    assert left_in(tmp_path / "out") == []


def test_a_page_in_place_of_the_file_is_refused(
    fetch: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    server.content = b"<html>Please sign in to this network</html>"
    with pytest.raises(PosterGenreError, match="did not send the data set"):
        fetch()
    assert left_in(tmp_path / "out") == []


def test_a_complete_file_is_verified_and_not_fetched_again(
    fetch: Callable[..., Path], server: Server
) -> None:
    fetch()
    assert fetch().read_bytes() == server.content
    assert len(server.requests) == 1


def test_a_file_in_the_way_is_left_alone(fetch: Callable[..., Path], server: Server, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FILE_NAME).write_bytes(b"mine")
    with pytest.raises(PosterGenreError, match="move it away"):
        fetch()
    assert (tmp_path / "out" / FILE_NAME).read_bytes() == b"mine"
    assert server.requests == []


def test_bytes_of_another_address_are_not_continued(
    fetch: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    part = _Part(tmp_path / "out" / FILE_NAME)
    part.path.parent.mkdir()
    part.path.write_bytes(b"x" * 100)
    note = part.path.with_name(part.path.name + ".json")
    for text in (json.dumps({"url": "http://elsewhere", "validator": None, "total": None}), "{", ""):
        note.write_text(text)
        assert part.origin(server.url) is None
    assert fetch().read_bytes() == server.content
    assert server.ranges() == [None]


def test_a_download_prints_nothing_where_there_is_no_terminal(
    fetch: Callable[..., Path], server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch(progress=True)
    assert capfd.readouterr() == ("", "")


def test_a_folder_or_address_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PosterGenreError, match="cannot be a folder, because"):
        download(tmp_path / "file" / "out", progress=False)
    with pytest.raises(PosterGenreError, match="base URL"):
        download(tmp_path / "out", base_url="file:///etc", progress=False)
