"""The set-up of Numba: how kernels are compiled and loaded, and the message at the first compilation.

Kernels compile at their first call, once for each dtype, and are stored on disk (``cache_folder``).
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from minicnn.kernels.runtime.best_effort_stream import BestEffortStream
from minicnn.kernels.runtime.cache_folder import cache_folder

Function = TypeVar("Function", bound=Callable[..., Any])

_decorating = threading.Lock()
_announced = threading.Event()


def jit(function: Function, **options: bool) -> Function:
    """Compile ``function`` to machine code that runs without the GIL: ``thread_pool.run`` can run several.

    Plain serial loops, no ``parallel=True``: that costs seconds of compilation a kernel, and Numba's fallback
    threading layer aborts the process when two threads enter it at once. Contracting a * b + c to one
    rounding is allowed; nothing that assumes away NaN, infinity or the order of a sum.
    ``options`` are more of Numba's. ``NUMBA_DISABLE_JIT=1`` leaves the function as it is.
    """
    import numba

    config: Any = numba.config
    if config.DISABLE_JIT:
        return function
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, **options}
    folder = cache_folder()
    # Numba reads the folder from a global when a function is decorated; other users' functions keep theirs.
    with _decorating:
        before = config.CACHE_DIR
        try:
            config.CACHE_DIR = "" if folder is None else str(folder)
            compiled: Any = numba.njit(cache=folder is not None, **settings)(function)
        finally:
            config.CACHE_DIR = before
    compiled._cache = _Cache(compiled._cache, folder)
    return compiled


def inner(function: Function) -> Function:
    """``jit`` for a function that only other kernels call: it compiles faster without an entry for Python."""
    return jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def inlined(function: Function) -> Function:
    """``inner`` for a small function in a hot loop, which LLVM then merges into every caller."""
    return jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


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
        """The compiled function from disk, or None: Numba then compiles it."""
        with self._alone():
            try:
                code = self._inner.load_overload(signature, context)
            except Exception:
                # Unpickling a damaged file can raise any exception. The file is dropped, and compiled again.
                code = None
                with contextlib.suppress(OSError):
                    self._inner.flush()
        if code is None:
            _announce(self._folder)
        return code

    def save_overload(self, signature: Any, data: Any) -> None:
        """Stores a compiled function, where that is possible."""
        with self._alone(), contextlib.suppress(OSError):
            self._inner.save_overload(signature, data)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Excludes other processes, where the system has file locks."""
        with contextlib.ExitStack() as stack:
            if self._folder is not None:
                with contextlib.suppress(ImportError, OSError):
                    import fcntl

                    lock = stack.enter_context(open(self._folder / "lock", "a"))
                    fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _announce(folder: Path | None) -> None:
    if not _announced.is_set():
        _announced.set()
        how_often = "once" if folder is not None else "and again next time, as no cache folder can be written"
        message = f"minicnn: compiling kernels for this machine, {how_often} (about 5 s) ..."
        print(message, file=BestEffortStream(sys.stderr), flush=True)
