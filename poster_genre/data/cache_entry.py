"""One entry of the cache: decoded posters in two files.

``<key>.npy`` is an array of uint8 (n, height, width, 3), mapped into memory and not read as a whole.
``<key>.json`` lists the rows that it lacks, because they could not be decoded, and its checksums: CRC-32 of
every ``ROWS_PER_CHECKSUM`` posters. Each file is written under a temporary name, synced and renamed, the
array last, so that an entry is complete or absent.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from minicnn.serialize import atomic_write

ROWS_PER_CHECKSUM = 64

Size = tuple[int, int]
"""(height, width) in pixels."""

Failures = dict[int, str]
"""Row -> the reason why it has no picture."""


class DamagedEntryError(Exception):
    """The pixels of an entry do not have their checksums."""


def open_entry(directory: Path, key: str, rows: int, size: Size) -> tuple[np.ndarray, list[int]] | None:
    """The array and the rows that it lacks; None where the entry is missing, cut short or not this one.

    DamagedEntryError where it is complete and its pixels are not those that were written.
    """
    try:
        index = json.loads((directory / f"{key}.json").read_bytes())
        unreadable = [int(i) for i in index["unreadable"]]
        checksums = [int(value) for value in index["crc32"]]
        with (directory / f"{key}.npy").open("rb") as file:
            pixels = map_pixels(file, rows - len(unreadable), size)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if not _has_checksums(pixels, checksums):
        raise DamagedEntryError
    return pixels, unreadable


def write_entry(
    directory: Path,
    key: str,
    rows: int,
    size: Size,
    write: Callable[[IO[bytes]], tuple[Failures, list[int]]],
) -> tuple[np.ndarray, Failures]:
    """Write an entry and open it: the array, and the rows that it lacks.

    ``write`` is ``write_pixels`` for the posters. OSError where the entry cannot be written, or does not read
    back as it was written.
    """
    array = directory / f"{key}.npy"
    failures: Failures = {}
    try:
        with atomic_write(array) as file:
            failures, checksums = write(file)
            index = {"unreadable": sorted(failures), "crc32": checksums}
            with atomic_write(directory / f"{key}.json") as index_file:
                index_file.write(json.dumps(index).encode())
    except PermissionError:
        # Windows does not replace a file that another process has mapped; that one holds the same bytes.
        if os.name != "nt" or not array.exists():
            raise
    try:
        entry = open_entry(directory, key, rows, size)
    except DamagedEntryError:
        entry = None
    if entry is None:
        raise OSError(errno.EIO, "the file does not read back as it was written")
    return entry[0], failures


def write_pixels(
    file: IO[bytes], rows: int, size: Size, posters: Iterable[np.ndarray | str]
) -> tuple[Failures, list[int]]:
    """Write ``rows`` posters as an ``.npy`` file. Those that are texts, the reason why there is no picture,
    are left out.

    Returns the texts by row, and the checksums of what was written.
    """
    length = _write_header(file, rows, size)
    failures: Failures = {}
    checksums: list[int] = []
    for i, poster in enumerate(posters):
        if isinstance(poster, str):
            failures[i] = poster
            continue
        data = poster.tobytes()
        if (i - len(failures)) % ROWS_PER_CHECKSUM == 0:
            checksums.append(0)
        checksums[-1] = zlib.crc32(data, checksums[-1])
        file.write(data)
    if failures:
        file.seek(0)
        if _write_header(file, rows - len(failures), size) != length:
            raise OSError(errno.EIO, "the header of the array changed its length")
        file.seek(0, os.SEEK_END)
    return failures, checksums


def map_pixels(file: IO[bytes], rows: int, size: Size) -> np.ndarray:
    """The array as a read-only memory map; OSError where the file does not hold an array of that shape."""
    offset = _offset_of_pixels(file, rows, size)
    shape = (rows, *size, 3)
    return np.memmap(file, np.uint8, "r", offset, shape) if rows else np.zeros(shape, np.uint8)


def pixels_in_memory(memory: io.BytesIO, rows: int, size: Size) -> np.ndarray:
    """The same of a file in memory, without a copy."""
    offset = _offset_of_pixels(memory, rows, size)
    return np.frombuffer(memory.getbuffer(), np.uint8, offset=offset).reshape(rows, *size, 3)


def _has_checksums(pixels: np.ndarray, checksums: Sequence[int]) -> bool:
    """Whether the pixels are those that ``checksums`` were computed from. Reads all of them."""
    chunks = (pixels[i : i + ROWS_PER_CHECKSUM] for i in range(0, len(pixels), ROWS_PER_CHECKSUM))
    return [zlib.crc32(chunk.data) for chunk in chunks] == list(checksums)


def _write_header(file: IO[bytes], rows: int, size: Size) -> int:
    """Returns the position after the header. NumPy pads it so that any number of rows fits in place."""
    shape = (rows, *size, 3)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _offset_of_pixels(file: IO[bytes], rows: int, size: Size) -> int:
    """Where the pixels begin; OSError where the header or the length of the file is another."""
    shape = (rows, *size, 3)
    file.seek(0)
    try:
        np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0(file)
    except MemoryError:
        raise
    except Exception as error:  # NumPy parses the header as Python, which raises several types when damaged
        raise OSError(errno.EIO, "the header of the array is damaged") from error
    offset = file.tell()
    if header != (shape, False, np.dtype(np.uint8)):
        raise OSError(errno.EIO, f"expected an array of shape {shape}, got {header}")
    if file.seek(0, os.SEEK_END) != offset + math.prod(shape):
        raise OSError(errno.EIO, "the array is cut short")
    return offset
