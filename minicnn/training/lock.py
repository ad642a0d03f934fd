"""A lock file for one process at a time, which the operating system releases when that process ends."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class HeldError(Exception):
    """Another process, or another block of this one, holds the lock."""


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path``, which exists until the end of the block.

    A file that a killed process left does not matter. Raises HeldError. On a file system that has no locks
    the block runs without one.
    """
    descriptor = _acquire(path)
    try:
        yield
    finally:
        # Removed while it is held, so that the next holder makes its own; Windows removes closed files only.
        if sys.platform == "win32":
            os.close(descriptor)
        with contextlib.suppress(OSError):
            path.unlink()
        if sys.platform != "win32":
            os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass  # its holder has just removed it: make a new one
        except OSError as error:
            os.close(descriptor)
            if error.errno in BUSY:
                raise HeldError(str(path)) from None
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in BUSY:
                raise
