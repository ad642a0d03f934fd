"""Decoded and resized posters, stored on disk: the second run starts at once, and memory holds only the
posters in use.

An entry (``cache_entry``) is named after a hash of everything that decides its content: the image files and
their checksums, the size, the version of the transforms, Pillow's version. Two processes that build the same
entry write the same bytes, and the last one wins. An entry whose pixels do not have their checksums is
decoded again.
"""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from minicnn.serialize import LEFTOVER
from poster_genre.data.cache_entry import (
    DamagedEntryError,
    Failures,
    Size,
    map_pixels,
    open_entry,
    pixels_in_memory,
    write_entry,
    write_pixels,
)
from poster_genre.data.dataset import PosterDataset
from poster_genre.data.decoding import map_images
from poster_genre.data.defects import Defect
from poster_genre.data.transforms import VERSION, load_poster
from poster_genre.errors import PosterGenreError, printable

_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class CachedPosters:
    """images: uint8 (m, height, width, 3), read-only, one for each row of ``dataset``.

    dataset: the argument without the rows that could not be decoded, and with a defect for each of them.
    readable: bool (n,), which rows of the argument are in it.
    """

    images: np.ndarray
    dataset: PosterDataset
    readable: np.ndarray


def cached_posters(
    dataset: PosterDataset, size: Size, progress: bool = True, threads: int | None = None
) -> CachedPosters:
    """Every poster of ``dataset`` at ``size = (height, width)``, from the cache or decoded into it.

    The cache is the folder ``POSTER_GENRE_CACHE``, or else one in the user's cache folder. Where that cannot
    be written, a warning says so, and a temporary file or, without one, memory takes its place. ``threads``
    decode (default: one a core, at most 8).
    """
    height, width = size
    if min(height, width) < 1:
        raise PosterGenreError(f"cached_posters: expected a (height, width) of at least (1, 1), got {size}")
    if len(dataset) == 0:
        raise PosterGenreError("cached_posters: expected at least one poster, got none")
    directory = cache_directory()
    key = _key(dataset, size)
    try:
        entry = open_entry(directory, key, len(dataset), size)
    except DamagedEntryError:
        _print(f"note: the decoded posters in {directory / key}.npy are damaged; they are decoded again")
        entry = None
    if entry is not None:
        images, unreadable = entry
        # A damaged zip, downloaded again, has the same checksums: a row that failed is decoded once more.
        failures = {i: error for i in unreadable if isinstance(error := _decode(dataset, i, size), str)}
        if len(failures) == len(unreadable):
            return _result(dataset, images, failures)
    images, failures = _build(directory, key, dataset, size, progress, threads)
    return _result(dataset, images, failures)


def cache_directory() -> Path:
    """``POSTER_GENRE_CACHE``, or poster-genre in the platform's folder for caches: ``~/.cache`` on Linux.

    PosterGenreError where the user has no home folder.
    """
    chosen = os.environ.get("POSTER_GENRE_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    try:
        return Path(platformdirs.user_cache_dir("poster-genre", appauthor=False))
    except RuntimeError as error:
        raise PosterGenreError(
            f"there is no cache folder ({error}); set POSTER_GENRE_CACHE to a folder for decoded posters"
        ) from error


def _decode(dataset: PosterDataset, i: int, size: Size) -> np.ndarray | str:
    """The poster of a row, or a sentence that says why it cannot be decoded."""
    try:
        return load_poster(dataset.read(i), size, name=printable(PurePosixPath(dataset.file(i)).name))
    except PosterGenreError as error:
        return str(error)


def _key(dataset: PosterDataset, size: Size) -> str:
    import PIL

    digest = hashlib.sha256(f"{VERSION} {PIL.__version__} {size[0]}x{size[1]}\n".encode())
    for i, poster_id in enumerate(dataset.ids):
        try:
            content = dataset.archive.checksum(dataset.file(i))
        except PosterGenreError:
            content = "unreadable"
        digest.update(f"{poster_id} {content}\n".encode())
    return digest.hexdigest()[:32]


def _result(dataset: PosterDataset, images: np.ndarray, failures: Failures) -> CachedPosters:
    images.flags.writeable = False
    readable = np.ones(len(dataset), bool)
    readable[list(failures)] = False
    if not readable.any():
        raise PosterGenreError(
            f"{dataset.name}: none of the {len(dataset):,} images can be decoded; "
            "'poster-genre dataset' lists the reasons"
        )
    if not failures:
        return CachedPosters(images, dataset, readable)
    usable = dataset.subset(readable)
    listed = {defect.subject for defect in usable.defects if defect.kind == "unreadable image"}
    for i, reason in failures.items():
        if dataset.ids[i] not in listed:
            usable.defects.append(Defect("unreadable image", dataset.ids[i], reason))
            listed.add(dataset.ids[i])
    return CachedPosters(images, usable, readable)


def _build(
    directory: Path,
    key: str,
    dataset: PosterDataset,
    size: Size,
    progress: bool,
    threads: int | None,
) -> tuple[np.ndarray, Failures]:
    """The array and the failures, stored in the cache directory, a temporary file or memory."""
    needed = len(dataset) * math.prod(size) * 3

    def fill(file: IO[bytes]) -> tuple[Failures, list[int]]:
        rows = range(len(dataset))
        decoded = map_images(
            lambda i: _decode(dataset, i, size),
            rows,
            "Decoding posters",
            " posters",
            progress=progress,
            threads=threads,
        )
        return write_pixels(file, len(rows), size, decoded)

    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_stale_files(directory)
        _require_space(directory, needed)
        return write_entry(directory, key, len(dataset), size, fill)
    except OSError as error:
        _print(f"warning: the decoded posters cannot be stored in {directory} ({error.strerror or error})")
    try:
        _require_space(Path(tempfile.gettempdir()), needed)
        with tempfile.TemporaryFile(prefix="poster-genre-") as temporary:
            failures, _ = fill(temporary)
            temporary.flush()
            return map_pixels(temporary, len(dataset) - len(failures), size), failures
    except OSError as error:
        _print(f"warning: nor in a temporary file ({error.strerror or error}); memory will hold them")
    memory = io.BytesIO()
    try:
        failures, _ = fill(memory)
        return pixels_in_memory(memory, len(dataset) - len(failures), size), failures
    except MemoryError as error:
        raise PosterGenreError(
            f"{len(dataset):,} posters of {size[1]}x{size[0]} pixels need {_megabytes(needed)}; "
            "free some space, or let POSTER_GENRE_CACHE name a folder on a larger disk"
        ) from error


def _require_space(directory: Path, needed: int) -> None:
    """OSError, before the posters are decoded, where they do not fit on the disk."""
    free = shutil.disk_usage(directory).free
    if free < needed + 1_000_000:
        raise OSError(
            errno.ENOSPC, f"{_megabytes(needed)} are needed and {_megabytes(free)} are free on the disk"
        )


def _megabytes(size: int) -> str:
    """ "254 MB"; below 10 MB with one decimal, and never "0.0 MB" for a size above 0."""
    megabytes = max(size / 1e6, 0.1 if size else 0.0)
    return f"{megabytes:,.0f} MB" if megabytes >= 10 else f"{megabytes:.1f} MB"


def _remove_stale_files(directory: Path) -> None:
    """Removes the temporary files of processes that died while writing, once they are a day old."""
    for leftover in directory.glob(f"*{LEFTOVER}"):
        with suppress(OSError):  # Another process may have removed it first.
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                leftover.unlink()


def _print(text: str) -> None:
    print(text, file=sys.stderr)
