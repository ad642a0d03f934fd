"""The folder on disk that stores the machine code of compiled kernels.

Its name contains a hash of every kernel's source: an edit to any of them, also one that another file calls,
makes everything compile again.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np


@functools.cache
def source_hash() -> str:
    """Identifies the state of all kernels: their sources, that of the geometries whose fields they read, and
    the versions of Numba and NumPy.
    """
    import numba

    kernels, shapes = Path(__file__).parents[1], Path(__file__).parents[2] / "shapes.py"
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for path in [shapes, *sorted(kernels.rglob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> Path | None:
    """The folder for machine code: in ``NUMBA_CACHE_DIR`` or the user's cache folder, else in a folder for
    temporary files that belongs to the user alone. None where none can be written: every process compiles.
    """
    for base in _bases():
        try:
            folder = base() / f"kernels-{source_hash()}"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The files are run as machine code: the folder must not belong to another user.
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except (OSError, RuntimeError):
            continue
    return None


def _bases() -> Iterator[Callable[[], Path]]:
    """Functions that return a folder to try, in the order of preference."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        yield lambda: Path(chosen) / "minicnn"
    yield _user_cache
    yield _temporary_cache


def _user_cache() -> Path:
    """The platform's folder for caches: ``~/.cache/minicnn``, ``~/Library/Caches/minicnn``, or on Windows a
    folder in ``%LOCALAPPDATA%``.
    """
    import platformdirs  # compiling needs it, importing minicnn does not

    return Path(platformdirs.user_cache_dir("minicnn", appauthor=False))


def _temporary_cache() -> Path:
    """PermissionError where another user owns the folder, or can write to it."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"minicnn-{user}"
    folder.mkdir(exist_ok=True, mode=0o700)
    if hasattr(os, "getuid") and (folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022):
        raise PermissionError(f"{folder} belongs to someone else")
    return folder
