"""Decoded and resized posters, kept on disk: the second run starts at once, and memory holds only what is in
use.

An entry is two files named after a hash of everything that decides their content (the image files and their
checksums, the size, the version of the transforms, Pillow's version): ``<key>.json`` lists the rows that
could not be decoded, ``<key>.npy`` holds the others as uint8 (n, height, width, 3). Each is written under a
name of its own, synced and renamed, the array last, so that an entry is there whole or not at all. Two
processes that build the same entry write the same bytes, and whichever comes last wins.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from minicnn.serialize import LEFTOVER, atomic_write
from poster_genre.data.dataset import Defect, PosterDataset
from poster_genre.data.transforms import VERSION, load_poster
from poster_genre.errors import PosterGenreError
from poster_genre.progress import progress_bar

_CHUNK = 64
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class CachedPosters:
    """images: uint8 (m, height, width, 3), read-only, one for each row of ``dataset``.

    dataset: the given one without the rows that could not be decoded, these added to its defects. readable:
    bool (n,), which of the given rows are in it.
    """

    images: np.ndarray
    dataset: PosterDataset
    readable: np.ndarray


def cached_posters(
    dataset: PosterDataset, size: tuple[int, int], progress: bool = True, threads: int | None = None
) -> CachedPosters:
    """Every poster of ``dataset`` at ``size = (height, width)``, from the cache or decoded into it.

    The cache lies in ``POSTER_GENRE_CACHE``, or else in the user's cache directory; where that cannot be
    written, a warning says so and a temporary file, or at last the memory, takes its place. ``threads``
    decode (default: one a core, at most 8).
    """
    height, width = size
    if min(height, width) < 1:
        raise PosterGenreError(f"cached_posters: expected a (height, width) of at least (1, 1), got {size}")
    if len(dataset) == 0:
        raise PosterGenreError("cached_posters: expected at least one poster, got none")
    directory = cache_directory()
    key = _key(dataset, size)
    found = _open_entry(directory, key, len(dataset), size)
    if found is not None:
        images, unreadable = found
        # A damaged zip, downloaded again, has the same checksums: what failed once is tried once more.
        failures = {i: error for i in unreadable if isinstance(error := _decode(dataset, i, size), str)}
        if len(failures) == len(unreadable):
            return _result(dataset, images, failures)
    images, failures = _build(directory, key, dataset, size, progress, threads)
    return _result(dataset, images, failures)


def cache_directory() -> Path:
    """``POSTER_GENRE_CACHE``, or poster-genre in the platform's place for caches."""
    chosen = os.environ.get("POSTER_GENRE_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "poster-genre"


def _key(dataset: PosterDataset, size: tuple[int, int]) -> str:
    import PIL

    digest = hashlib.sha256(f"{VERSION} {PIL.__version__} {size[0]}x{size[1]}\n".encode())
    for i, poster_id in enumerate(dataset.ids):
        try:
            content = dataset.source.fingerprint(dataset.file(i))
        except PosterGenreError:
            content = "unreadable"
        digest.update(f"{poster_id} {content}\n".encode())
    return digest.hexdigest()[:32]


def _result(dataset: PosterDataset, images: np.ndarray, failures: dict[int, str]) -> CachedPosters:
    images.flags.writeable = False
    readable = np.ones(len(dataset), bool)
    readable[list(failures)] = False
    if not readable.any():
        raise PosterGenreError(f"{dataset.name}: none of the {len(dataset):,} images can be decoded")
    if not failures:
        return CachedPosters(images, dataset, readable)
    usable = dataset.subset(readable)
    known = {defect.subject for defect in usable.defects if defect.kind == "unreadable image"}
    for i, reason in failures.items():
        if dataset.ids[i] not in known:
            usable.defects.append(Defect("unreadable image", dataset.ids[i], reason))
            known.add(dataset.ids[i])
    return CachedPosters(images, usable, readable)


def _decode(dataset: PosterDataset, i: int, size: tuple[int, int]) -> np.ndarray | str:
    try:
        return load_poster(dataset.read(i), size, name=PurePosixPath(dataset.file(i)).name)
    except PosterGenreError as error:
        return str(error)


def decode_all(
    dataset: PosterDataset, size: tuple[int, int], progress: bool, threads: int | None = None
) -> Iterator[np.ndarray | str]:
    """Row by row, in order: the poster, or a sentence that says why there is none."""
    workers = threads or min(os.cpu_count() or 1, 8)
    bar = progress_bar("Decoding posters", len(dataset), " posters", progress)
    with bar, ThreadPoolExecutor(workers) as pool:  # Pillow decodes without holding the interpreter's lock.
        for start in range(0, len(dataset), _CHUNK):
            rows = range(start, min(start + _CHUNK, len(dataset)))
            for decoded in pool.map(lambda i: _decode(dataset, i, size), rows):
                yield decoded
                bar.update()


def _build(
    directory: Path,
    key: str,
    dataset: PosterDataset,
    size: tuple[int, int],
    progress: bool,
    threads: int | None,
) -> tuple[np.ndarray, dict[int, str]]:
    """The array and the failures, kept in the cache directory or in the best place there is."""
    needed = len(dataset) * math.prod(size) * 3

    def fill(file: IO[bytes]) -> dict[int, str]:
        return _write_array(file, len(dataset), size, decode_all(dataset, size, progress, threads))

    try:
        directory.mkdir(parents=True, exist_ok=True)
        _sweep(directory)
        _require_space(directory, needed)
        failures = _write_entry(directory, key, fill)
        found = _open_entry(directory, key, len(dataset), size)
        if found is None:
            raise OSError(errno.EIO, "what was written does not read back")
        return found[0], failures
    except OSError as error:
        _warn(f"the decoded posters cannot be kept in {directory} ({error.strerror or error})")
    try:
        _require_space(Path(tempfile.gettempdir()), needed)
        with tempfile.TemporaryFile(prefix="poster-genre-") as temporary:
            failures = fill(temporary)
            temporary.flush()
            return _map(temporary, len(dataset) - len(failures), size), failures
    except OSError as error:
        _warn(f"nor in a temporary file ({error.strerror or error}); memory will hold them")
    memory = io.BytesIO()
    try:
        failures = fill(memory)
        return _held(memory, len(dataset) - len(failures), size), failures
    except MemoryError as error:
        raise PosterGenreError(
            f"{len(dataset):,} posters of {size[1]}x{size[0]} pixels need {needed / 1e6:,.0f} MB; "
            "free some space, or let POSTER_GENRE_CACHE name a folder on a larger disk"
        ) from error


def _write_entry(directory: Path, key: str, fill: Callable[[IO[bytes]], dict[int, str]]) -> dict[int, str]:
    array = directory / f"{key}.npy"
    failures: dict[int, str] = {}
    try:
        with atomic_write(array) as file:
            failures = fill(file)
            with atomic_write(directory / f"{key}.json") as index:
                index.write(json.dumps({"unreadable": sorted(failures)}).encode())
    except PermissionError:
        # Windows does not replace a file that another process has mapped; that one holds the same bytes.
        if not array.exists():
            raise
    return failures


def _write_array(
    file: IO[bytes], rows: int, size: tuple[int, int], posters: Iterable[np.ndarray | str]
) -> dict[int, str]:
    """Writes the posters as an .npy file; the rows that are sentences are left out and returned."""
    length = _write_header(file, rows, size)
    failures = {}
    for i, poster in enumerate(posters):
        if isinstance(poster, str):
            failures[i] = poster
        else:
            file.write(poster.tobytes())
    if failures:
        file.seek(0)
        if _write_header(file, rows - len(failures), size) != length:
            raise OSError(errno.EIO, "the header of the array changed its length")
        file.seek(0, os.SEEK_END)
    return failures


def _write_header(file: IO[bytes], rows: int, size: tuple[int, int]) -> int:
    shape = (rows, *size, 3)
    # NumPy pads the header so that the first axis may take any number of digits in place.
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _open_entry(
    directory: Path, key: str, rows: int, size: tuple[int, int]
) -> tuple[np.ndarray, list[int]] | None:
    """The array and the rows it lacks; None where the entry is missing, cut short or not this one."""
    try:
        unreadable = json.loads((directory / f"{key}.json").read_bytes())["unreadable"]
        with (directory / f"{key}.npy").open("rb") as file:
            return _map(file, rows - len(unreadable), size), [int(i) for i in unreadable]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _map(file: IO[bytes], rows: int, size: tuple[int, int]) -> np.ndarray:
    """The .npy file as a memory map."""
    offset = _check_array(file, rows, size)
    shape = (rows, *size, 3)
    return np.memmap(file, np.uint8, "r", offset, shape) if rows else np.zeros(shape, np.uint8)


def _held(memory: io.BytesIO, rows: int, size: tuple[int, int]) -> np.ndarray:
    offset = _check_array(memory, rows, size)
    return np.frombuffer(memory.getbuffer(), np.uint8, offset=offset).reshape(rows, *size, 3)


def _check_array(file: IO[bytes], rows: int, size: tuple[int, int]) -> int:
    """Where the pixels begin; OSError where the header or the length of the file is not that of such an
    array.
    """
    shape = (rows, *size, 3)
    file.seek(0)
    np.lib.format.read_magic(file)
    found = np.lib.format.read_array_header_1_0(file)
    offset = file.tell()
    if found != (shape, False, np.dtype(np.uint8)):
        raise OSError(errno.EIO, f"expected an array of shape {shape}, found {found}")
    if file.seek(0, os.SEEK_END) != offset + math.prod(shape):
        raise OSError(errno.EIO, "the array is cut short")
    return offset


def _require_space(directory: Path, needed: int) -> None:
    """Better to know before an hour of decoding than after it."""
    if shutil.disk_usage(directory).free < needed + 1_000_000:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.0f} MB do not fit on the disk")


def _sweep(directory: Path) -> None:
    """Removes what processes that died while writing left behind a day ago or more."""
    for leftover in directory.glob(f"*{LEFTOVER}"):
        with suppress(OSError):  # Another process may have removed it first.
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                leftover.unlink()


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
