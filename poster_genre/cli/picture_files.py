"""Pictures named on the command line: files, folders of files, named pipes, and ``-`` for standard input."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from poster_genre.errors import PosterGenreError, printable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp")
STANDARD_INPUT = "-"
WRITER_SECONDS = 5.0  # how long a pipe that no program writes to is waited for


def list_pictures(names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """(name, None) for each picture, folders replaced by the pictures below them.

    (name, reason) for an empty name and for a folder that has no pictures or cannot be listed.
    """
    for name in names:
        if not name:
            yield name, "an empty name is no picture; a variable in the command may be unset"
        elif name == STANDARD_INPUT or not os.path.isdir(name):
            yield name, None
        else:
            yield from list_folder(name)


def list_folder(folder: str) -> Iterator[tuple[str, str | None]]:
    """``list_pictures`` for one folder and all below it."""
    unlisted: list[OSError] = []
    files = sorted(
        Path(directory, file)
        for directory, _, names in os.walk(folder, onerror=unlisted.append)
        for file in names
        if Path(file).suffix.lower() in SUFFIXES and may_be_file(Path(directory, file))
    )
    for error in unlisted:
        yield str(error.filename), f"{error.filename} cannot be listed ({error.strerror or error})"
    if not files and not unlisted:
        yield folder, f"{folder} is a folder without pictures ({', '.join(SUFFIXES)})"
    for file in files:
        yield str(file), None


def may_be_file(path: Path) -> bool:
    """False for pipes and devices. True where it cannot be determined, so that reading reports the error."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def picture_source(name: str) -> tuple[bytes | Path, str]:
    """The picture for ``read_poster`` and ``load_poster``, and its name for their messages.

    A file's path, or the bytes of standard input or of a pipe. PosterGenreError, naming it, if it cannot be
    read.
    """
    from poster_genre.data.image_reader import is_pipe

    if name == STANDARD_INPUT:
        return read_standard_input(), "standard input"
    if os.path.isdir(name):
        raise PosterGenreError(f"{name} is a folder; name one picture file")
    return (read_pipe(name) if is_pipe(name) else Path(name)), printable(name)


def read_standard_input() -> bytes:
    """All bytes of standard input. PosterGenreError if it is closed, a terminal or too long."""
    from poster_genre.data.image_reader import MAX_BYTES

    if sys.stdin is None:
        raise PosterGenreError("standard input is closed; redirect a picture to it, or name a file")
    if sys.stdin.isatty():
        raise PosterGenreError("standard input is a terminal; redirect a picture to it, or name a file")
    try:
        data: bytes = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise PosterGenreError(f"standard input cannot be read ({error.strerror or error})") from error
    return refuse_too_long(data, "standard input")


def read_pipe(name: str) -> bytes:
    """All bytes that other programs write to the pipe, until they close it.

    PosterGenreError if no program writes to it within ``WRITER_SECONDS``. An ordinary ``open`` would wait for
    a writer for ever; a non-blocking one returns at once.
    """
    from poster_genre.data.image_reader import MAX_BYTES

    data = bytearray()
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise PosterGenreError(f"{name} cannot be read ({error.strerror or error})") from error
    try:
        deadline = time.monotonic() + WRITER_SECONDS
        while len(data) <= MAX_BYTES:
            try:
                block = os.read(descriptor, 1 << 16)
            except BlockingIOError:  # there is a writer, but it has written nothing yet
                select.select([descriptor], [], [])
                continue
            data += block
            if not block and (data or time.monotonic() > deadline):
                break
            if not block:  # there is no writer
                time.sleep(0.02)
    finally:
        os.close(descriptor)
    if not data:
        raise PosterGenreError(f"{name} is a pipe that no program writes to; name a picture file")
    return refuse_too_long(bytes(data), name)


def refuse_too_long(data: bytes, name: str) -> bytes:
    """``data`` itself, or PosterGenreError if it is longer than a picture may be."""
    from poster_genre.data.image_reader import MAX_BYTES

    if len(data) > MAX_BYTES:
        raise PosterGenreError(f"{name} is larger than {MAX_BYTES:,} bytes; give a smaller picture")
    return data
