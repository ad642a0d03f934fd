"""Fetches the public data set at one fixed commit, and keeps it only if it is that data set to the last
byte.

Bytes arrive in ``<name>.part``, which the next attempt or the next run continues. The finished file is
checked against the id that git gives to the folder of images, and only then takes its name. It stays a zip,
which every command reads.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from poster_genre.data.archives import open_source
from poster_genre.errors import PosterGenreError
from poster_genre.progress import progress_bar

REPOSITORY = "laxmimerit/Movies-Poster_Dataset"
COMMIT = "0f2cea5ba255a8197cd749135080c93c3c931d48"
IMAGES_TREE = "5f715ab3f6a61dc59aab941a9bd430ae64c73eda"
BASE_URL = "https://codeload.github.com"
FILE_NAME = "Movies-Poster_Dataset.zip"

_BLOCK = 1 << 16
_REAL_PROGRESS = 1 << 20
_LONGEST_PAUSE = 60.0
_GIT_FILE, _GIT_EXECUTABLE, _GIT_LINK, _GIT_FOLDER = b"100644", b"100755", b"120000", b"40000"


class _Interrupted(Exception):
    """The transfer broke off; another attempt may go on. ``wait``: seconds that the server asked for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class _Origin:
    """Where the bytes of a partial file came from: url, the server's validator, and the whole length if it
    told.
    """

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
    row the partial file stays for the next run and PosterGenreError says so; between failures ``pause``
    seconds pass, twice as many each time. A file that stands there already is checked, and left alone
    whatever comes of it.
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
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PosterGenreError(
            f"the folder {target.parent} cannot be made ({error.strerror or error})"
        ) from error
    part = _Part(target)
    for last_chance in (False, True):
        _fetch(part, url, attempts, timeout, pause, progress)
        try:
            verify(part.path, images_tree, progress)
        except PosterGenreError as error:
            # Cut short unnoticed, or joined from two versions of a file: once more, from the first byte.
            part.discard()
            if last_chance:
                raise PosterGenreError(
                    f"{url} did not send the data set ({error}); nothing was kept"
                ) from error
        else:
            break
    part.finish(target)
    return target


class _Part:
    """The partial file and, beside it, a note of where its bytes came from."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")

    def origin(self, url: str) -> _Origin | None:
        """None where there is nothing to continue."""
        try:
            origin = _Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return origin if origin.url == url and self.size() else None

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def remember(self, origin: _Origin) -> None:
        self._note.write_text(json.dumps(asdict(origin)), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.path, target)
        self._note.unlink(missing_ok=True)


def _fetch(part: _Part, url: str, attempts: int, timeout: float, pause: float, progress: bool) -> None:
    """Fills the partial file, going on where it ends."""
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
            except _Interrupted as error:
                gained = part.size() - before
                failures = 1 if gained >= _REAL_PROGRESS else failures + 1
                if failures >= attempts:
                    raise PosterGenreError(
                        f"the download from {url} failed {failures} times, at last because {error}; "
                        f"{part.size():,} bytes are kept in {part.path}, run the command again to go on"
                    ) from error
                time.sleep(min(_LONGEST_PAUSE, max(error.wait, pause * 2 ** (failures - 1))))


def _request(part: _Part, url: str, timeout: float, bar: Any) -> None:
    """One attempt, from the end of the partial file if the server goes along. _Interrupted where it broke
    off.
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
        _refused(part, url, error)
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(
            f"the server cannot be reached ({getattr(error, 'reason', None) or error})"
        ) from error
    with response:
        if url.startswith("https:") and not response.url.startswith("https:"):
            raise PosterGenreError(
                f"{url} leads to {response.url}, which is not encrypted; nothing was fetched"
            )
        start, origin = _start(part, url, origin, response)
        _receive(part, response, start, origin, bar)


def _refused(part: _Part, url: str, error: urllib.error.HTTPError) -> NoReturn:
    if error.code == 416:
        part.discard()
        raise _Interrupted("the server has no more bytes than were fetched before") from error
    if error.code in (408, 425, 429) or error.code >= 500:
        wait = error.headers.get("Retry-After", "")
        raise _Interrupted(
            f"the server answered {error.code}", float(wait) if wait.isdigit() else 0.0
        ) from error
    raise PosterGenreError(f"{url} answered {error.code} {error.reason}; check the address") from error


def _start(
    part: _Part, url: str, origin: _Origin | None, response: http.client.HTTPResponse
) -> tuple[int, _Origin]:
    """The first byte that the answer brings, and what is now known of the file."""
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
        raise _Interrupted("the server continued another file than the one begun")
    return part.size(), _Origin(url, validator, total)


def _validator(response: http.client.HTTPResponse) -> str | None:
    """What names this version of the file in If-Range; a weak ETag does not promise equal bytes."""
    tag = response.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


def _receive(part: _Part, response: http.client.HTTPResponse, start: int, origin: _Origin, bar: Any) -> None:
    received = start
    bar.total = origin.total
    bar.n = start
    bar.refresh()
    try:
        part.remember(origin)
        file = part.path.open("r+b" if start else "wb")
    except OSError as error:
        raise _unwritable(part, error) from error
    with file:
        file.seek(start)
        while True:
            try:
                block = response.read1(_BLOCK)
            except TimeoutError as error:
                raise _Interrupted("the server fell silent") from error
            except (OSError, http.client.HTTPException) as error:
                raise _Interrupted(f"the connection broke ({error})") from error
            if not block:
                break
            try:
                file.write(block)
            except OSError as error:
                raise _unwritable(part, error) from error
            received += len(block)
            bar.update(len(block))
    if origin.total is not None and received != origin.total:
        raise _Interrupted(f"the server sent {received:,} of {origin.total:,} bytes")


def _unwritable(part: _Part, error: OSError) -> PosterGenreError:
    return PosterGenreError(
        f"{part.path} cannot be written ({error.strerror or error}); free some space or choose another folder"
    )


def verify(path: Path, images_tree: str = IMAGES_TREE, progress: bool = True) -> None:
    """PosterGenreError unless the zip has train.csv and an Images folder of exactly this git tree id."""
    source = open_source(path)
    source.read(source.csv_path)
    folder = str(PurePosixPath(source.csv_path).parent / "Images")
    found = git_tree_id(path, folder, progress)
    if found != images_tree:
        raise PosterGenreError(
            f"{path} is not the published data set (its folder Images has the git tree id {found}, "
            f"expected {images_tree})"
        )


def git_tree_id(archive: Path, folder: str, progress: bool = True) -> str:
    """The id that git gives to a folder of a zip, recomputed from the contents.

    A blob's id is the SHA-1 of "blob <length>\\\\0<bytes>"; a tree's that of "tree <length>\\\\0" and its
    entries "<mode> <name>\\\\0<20 bytes of id>", sorted by name with "/" after a folder's ("Git Internals -
    Git Objects").
    """
    prefix = "" if folder in ("", ".") else folder.rstrip("/") + "/"
    tree: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if m.filename.startswith(prefix) and not m.is_dir()]
            with progress_bar("Verifying", len(members), " files", progress) as bar:
                for member in members:
                    *folders, name = member.filename[len(prefix) :].split("/")
                    place = tree
                    for step in folders:
                        place = place.setdefault(step, {})
                    place[name] = (_git_mode(member), _git_id(b"blob", opened.read(member)))
                    bar.update()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise PosterGenreError(f"{archive} is not a complete zip archive ({error})") from error
    return _tree_id(tree).hex()


def _tree_id(tree: dict[str, Any]) -> bytes:
    entries = []
    for name, content in tree.items():
        raw = name.encode()
        if isinstance(content, dict):
            entries.append((raw + b"/", _GIT_FOLDER + b" " + raw + b"\0" + _tree_id(content)))
        else:
            mode, blob = content
            entries.append((raw, mode + b" " + raw + b"\0" + blob))
    return _git_id(b"tree", b"".join(entry for _, entry in sorted(entries)))


def _git_id(kind: bytes, content: bytes) -> bytes:
    return hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content).digest()


def _git_mode(member: zipfile.ZipInfo) -> bytes:
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        return _GIT_LINK
    return _GIT_EXECUTABLE if mode & 0o111 else _GIT_FILE
