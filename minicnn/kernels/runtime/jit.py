"""The one place that sets Numba up: how kernels compile, where the machine code is kept, what the user hears.

Kernels compile at their first call, once for each dtype, and are kept on disk in a folder named by the hash
of every kernel's source: an edit to any of them, also one that another file calls, starts afresh.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

_decorating = threading.Lock()
_announced = threading.Event()


def jit(function: Function) -> Function:
    """Compile ``function`` to machine code that runs without the GIL: ``workers.run`` can run several.

    Plain serial loops, no ``parallel=True``: that costs seconds of compilation a kernel, and Numba's fallback
    threading layer aborts the process when two threads enter it at once. Contracting a * b + c to one
    rounding is allowed; nothing that assumes away NaN, infinity or the order of a sum.
    ``NUMBA_DISABLE_JIT=1`` leaves the function as it is.
    """
    import numba

    config: Any = numba.config
    if config.DISABLE_JIT:
        return function
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    folder = cache_folder()
    # Numba reads the folder from a global when a function is decorated; other users' functions keep theirs.
    with _decorating:
        before = config.CACHE_DIR
        try:
            config.CACHE_DIR = "" if folder is None else str(folder)
            compiled: Any = numba.njit(cache=folder is not None, **options)(function)
        finally:
            config.CACHE_DIR = before
    compiled._cache = _Cache(compiled._cache, folder)
    return compiled


def plain(x: np.ndarray) -> np.ndarray:
    """x as kernels take it: contiguous, aligned, not marked read-only. Copies only what is not contiguous.

    Numba compiles a kernel anew for each combination of those, at a second apiece. A read-only array comes
    back as another view of the same memory; kernels write into arrays of their own only.
    """
    x = np.require(x, requirements=("C", "A"))
    return x if x.flags.writeable else np.asarray(_Unlocked(x))


class _Unlocked:
    """The memory of a read-only array, through the array interface, without the mark."""

    def __init__(self, x: np.ndarray) -> None:
        self.owner = x
        self.__array_interface__ = {**x.__array_interface__, "data": (x.ctypes.data, False)}


@functools.cache
def source_hash() -> str:
    """Names the state of all kernels: their sources and the versions that compile them."""
    import numba

    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> Path | None:
    """Where machine code is kept: under ``NUMBA_CACHE_DIR`` or the user's cache folder, else under a folder
    for temporary files that belongs to the user alone, else None: every process compiles for itself.
    """
    for base in _bases():
        try:
            folder = base() / f"kernels-{source_hash()}"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # What is loaded from here is run: nobody else may have put it here.
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except (OSError, RuntimeError):
            continue
    return None


def _bases() -> Iterator[Callable[[], Path]]:
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
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"minicnn-{user}"
    folder.mkdir(exist_ok=True, mode=0o700)
    if hasattr(os, "getuid") and (folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022):
        raise PermissionError(f"{folder} belongs to someone else")
    return folder


class _Cache:
    """Numba's cache of one function, with three things added: one process at a time touches the files (two
    that save at once can leave each other's code under the wrong signature), a file that cannot be read or
    written means compiling and no error, and the first compilation is announced.
    """

    def __init__(self, inner: Any, folder: Path | None) -> None:
        self._inner = inner
        self._folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def load_overload(self, signature: Any, context: Any) -> Any:
        with self._alone():
            try:
                found = self._inner.load_overload(signature, context)
            except Exception:
                # Unpickling a damaged file can raise nearly anything; forgetting it and compiling mends it.
                found = None
                with contextlib.suppress(OSError):
                    self._inner.flush()
        if found is None:
            _announce(self._folder)
        return found

    def save_overload(self, signature: Any, data: Any) -> None:
        with self._alone(), contextlib.suppress(OSError):
            self._inner.save_overload(signature, data)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            if self._folder is not None:
                with contextlib.suppress(ImportError, OSError):
                    import fcntl

                    lock = held.enter_context(open(self._folder / "lock", "a"))
                    fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _announce(folder: Path | None) -> None:
    if not _announced.is_set():
        _announced.set()
        kept = "once" if folder is not None else "and again next time, as no cache folder can be written"
        print(f"minicnn: compiling kernels for this machine, {kept} (about 5 s) ...", file=sys.stderr)
