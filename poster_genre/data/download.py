"""Downloads the public data set at one fixed commit, and verifies it to the last byte.

Bytes are written to ``<name>.part``, which the next attempt or the next run continues. The finished file is
renamed to its final name only after its images have the published git tree id. It stays a zip, which every
command reads.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from poster_genre.data.archives import open_archive
from poster_genre.data.git_tree import git_tree_id
from poster_genre.errors import PosterGenreError, printable
from poster_genre.output_path import refuse_unwritable_folder
from poster_genre.progress import progress_bar

REPOSITORY = "laxmimerit/Movies-Poster_Dataset"
COMMIT = "0f2cea5ba255a8197cd749135080c93c3c931d48"
IMAGES_TREE = "5f715ab3f6a61dc59aab941a9bd430ae64c73eda"
BASE_URL = "https://codeload.github.com"
FILE_NAME = "Movies-Poster_Dataset.zip"

_BLOCK = 1 << 16
_PROGRESS_THAT_COUNTS = 1 << 20  # bytes after which an interruption is no longer a failure in a row
_LONGEST_PAUSE = 60.0


class _InterruptedError(Exception):
    """The transfer was interrupted; another attempt may continue it. ``wait``: seconds of Retry-After."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class _Origin:
    """The source of a partial file: url, the server's validator, and the whole length where it is known."""

    url: str
    validator: str | None = None
    total: int | None = None


def download(
    out: str | os.PathLike[str],
    *,
    base_url: str = BASE_URL,
    images_tree: str = IMAGES_TREE,
    attempts: int = 8,
    timeout: float = 30.0,
    pause: float = 1.0,
    progress: bool = True,
) -> Path:
    """The path of the data set's zip: ``out`` itself where it ends in .zip, or else a file in the folder
    ``out``.

    A connection that is silent for ``timeout`` seconds counts as broken. After ``attempts`` failures in a
    row the partial file stays for the next run, and PosterGenreError says so; the pause between failures is
    ``pause`` seconds at first and doubles each time. An existing file is verified and never changed.
    """
    target = Path(out) if Path(out).suffix.lower() == ".zip" else Path(out) / FILE_NAME
    if urllib.parse.urlsplit(base_url).scheme not in ("http", "https"):
        raise PosterGenreError(f"download: expected a base URL with https:// or http://, got {base_url!r}")
    url = f"{base_url.rstrip('/')}/{REPOSITORY}/zip/{COMMIT}"
    if target.exists():
        try:
            verify(target, images_tree, progress)
        except PosterGenreError as error:
            raise PosterGenreError(f"{error}; move it away, then download again") from error
        return target
    refuse_unwritable_folder(target.parent)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target)
    for last_chance in (False, True):
        _fetch(part, url, attempts, timeout, pause, progress)
        try:
            verify(part.path, images_tree, progress)
        except PosterGenreError as error:
            # The file was cut short unnoticed, or consists of two versions: start again at the first byte.
            part.discard()
            if last_chance:
                raise PosterGenreError(
                    f"{url} did not send the data set ({error}); nothing was saved, try again later"
                ) from error
        else:
            break
    part.finish(target)
    return target


class _Part:
    """The partial file and, beside it, a JSON file with the origin of its bytes."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._origin_file = target.with_name(target.name + ".part.json")

    def origin(self, url: str) -> _Origin | None:
        """None where there are no bytes from ``url`` to continue."""
        try:
            origin = _Origin(**json.loads(self._origin_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return origin if origin.url == url and self.size() else None

    def size(self) -> int:
        """Bytes in the partial file, 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def record(self, origin: _Origin) -> None:
        """Store the origin of the bytes that follow."""
        self._origin_file.write_text(json.dumps(asdict(origin)), encoding="utf-8")

    def discard(self) -> None:
        """Remove the partial file."""
        self.path.unlink(missing_ok=True)
        self._origin_file.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Rename the partial file to ``target``, once its bytes are on the disk."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.path, target)
        self._origin_file.unlink(missing_ok=True)


def _fetch(part: _Part, url: str, attempts: int, timeout: float, pause: float, progress: bool) -> None:
    """Completes the partial file, in as many attempts as it takes. PosterGenreError after ``attempts``
    failures in a row.
    """
    begun = part.size() if part.origin(url) else 0
    failures = 0
    bar = progress_bar(
        "Downloading",
        None,
        "B",
        progress,
        unit_scale=True,
        unit_divisor=1024,
        initial=begun,
    )
    with bar:
        while True:
            before = part.size()
            try:
                _request(part, url, timeout, bar)
                return
            except _InterruptedError as error:
                gained = part.size() - before
                failures = 1 if gained >= _PROGRESS_THAT_COUNTS else failures + 1
                if failures >= attempts:
                    raise PosterGenreError(
                        f"the download from {url} failed {failures} times, the last time because {error}; "
                        f"{part.size():,} bytes are in {part.path}, run the command again to continue"
                    ) from error
                time.sleep(min(_LONGEST_PAUSE, max(error.wait, pause * 2 ** (failures - 1))))


def _request(part: _Part, url: str, timeout: float, bar: Any) -> None:
    """One attempt, from the end of the partial file where the server supports ranges. _InterruptedError where
    the transfer is interrupted.
    """
    origin = part.origin(url)
    headers = {"User-Agent": "poster-genre", "Accept-Encoding": "identity"}
    if origin is not None:
        headers["Range"] = f"bytes={part.size()}-"
        if origin.validator:
            headers["If-Range"] = origin.validator
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        _handle_status(part, url, error)
    except (OSError, http.client.HTTPException) as error:
        raise _InterruptedError(
            f"the server cannot be reached ({getattr(error, 'reason', None) or error})"
        ) from error
    with response:
        if url.startswith("https:") and not response.url.startswith("https:"):
            raise PosterGenreError(
                f"{url} redirects to {response.url}, which is not encrypted; nothing was downloaded"
            )
        start, origin = _start_of(part, url, origin, response)
        _receive(part, response, start, origin, bar)


def _handle_status(part: _Part, url: str, error: urllib.error.HTTPError) -> NoReturn:
    """_InterruptedError for a status that may change with time, PosterGenreError for any other."""
    if error.code == 416:
        part.discard()
        raise _InterruptedError("the server has no more bytes than the partial file") from error
    if error.code in (408, 425, 429) or error.code >= 500:
        wait = error.headers.get("Retry-After", "")
        raise _InterruptedError(
            f"the server answered {error.code}", float(wait) if wait.isdigit() else 0.0
        ) from error
    raise PosterGenreError(f"{url} answered {error.code} {error.reason}; check the address") from error


def _start_of(
    part: _Part, url: str, origin: _Origin | None, response: http.client.HTTPResponse
) -> tuple[int, _Origin]:
    """The position of the response's first byte in the file, and the origin that its headers state."""
    validator = _validator(response)
    length = response.headers.get("Content-Length", "")
    if response.status != 206:
        total = int(length) if length.isdigit() else None
        return 0, _Origin(url, validator, total)
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    first, _, whole = span.partition("/")
    begin = first.partition("-")[0]
    total = int(whole) if whole.isdigit() else None
    changed = origin is None or (
        (origin.validator and validator and origin.validator != validator)
        or (origin.total is not None and total is not None and origin.total != total)
    )
    if unit != "bytes" or begin != str(part.size()) or changed:
        part.discard()
        raise _InterruptedError("the server continued another file than the partial one")
    return part.size(), _Origin(url, validator, total)


def _validator(response: http.client.HTTPResponse) -> str | None:
    """The value for If-Range that identifies this version of the file; a weak ETag may stand for other
    bytes.
    """
    tag = response.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


def _receive(part: _Part, response: http.client.HTTPResponse, start: int, origin: _Origin, bar: Any) -> None:
    """Writes the body of a response to the partial file, from position ``start``."""
    received = start
    bar.total = origin.total
    bar.n = start
    bar.refresh()
    try:
        part.record(origin)
        file = part.path.open("r+b" if start else "wb")
    except OSError as error:
        raise _unwritable(part, error) from error
    with file:
        file.seek(start)
        while True:
            try:
                block = response.read1(_BLOCK)
            except TimeoutError as error:
                raise _InterruptedError("the server sent nothing for too long") from error
            except (OSError, http.client.HTTPException) as error:
                raise _InterruptedError(f"the connection broke ({error})") from error
            if not block:
                break
            try:
                file.write(block)
            except OSError as error:
                raise _unwritable(part, error) from error
            received += len(block)
            bar.update(len(block))
    if origin.total is not None and received != origin.total:
        raise _InterruptedError(f"the server sent {received:,} of {origin.total:,} bytes")


def _unwritable(part: _Part, error: OSError) -> PosterGenreError:
    return PosterGenreError(
        f"{part.path} cannot be written ({error.strerror or error}); free some space or choose another folder"
    )


def verify(path: Path, images_tree: str = IMAGES_TREE, progress: bool = True) -> None:
    """PosterGenreError unless the zip has train.csv and an Images folder of exactly this git tree id."""
    archive = open_archive(path)
    archive.read(archive.csv_path)
    folder = str(PurePosixPath(archive.csv_path).parent / "Images")
    actual = git_tree_id(path, folder, progress)
    if actual != images_tree:
        raise PosterGenreError(
            f"{printable(str(path))} is not the published data set (its folder Images has the git tree id "
            f"{actual}, expected {images_tree})"
        )
