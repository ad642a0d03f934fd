"""How many threads one matrix product of NumPy runs on, set from any thread.

The setting decides the speed of a product and, in the last digit, its result: OpenBLAS cuts a product among
its threads, and the edges of the pieces are added up in another order. Kernels that share their products out
among threads therefore make each on one thread (``run_products``).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from minicnn.kernels.runtime import thread_pool


class Library(NamedTuple):
    """A loaded BLAS: its number of threads, and whether each calling thread has a number of its own."""

    get_threads: Callable[[], int]
    set_threads: Callable[[int], Any]
    by_thread: bool


@functools.cache
def libraries() -> list[Library]:
    """The BLAS libraries in this process; usually one, that of NumPy."""
    from threadpoolctl import ThreadpoolController

    return [
        Library(
            controller.get_num_threads,
            _setter(controller),
            by_thread=getattr(controller, "threading_layer", "") == "openmp",
        )
        for controller in ThreadpoolController().select(user_api="blas").lib_controllers
    ]


def _setter(controller: Any) -> Callable[[int], Any]:
    """The function that sets the number of threads, whichever thread calls it.

    For an OpenBLAS with threads of its own this is the library's: from version 3.8 of threadpoolctl on,
    ``set_num_threads`` of its controller does nothing in any thread but the first that called it.
    """
    if controller.internal_api == "openblas" and controller.threading_layer != "openmp":
        for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
            function = getattr(controller.dynlib, f"{prefix}openblas_set_num_threads{suffix}", None)
            if function is not None:
                return function
    return controller.set_num_threads


_lock = threading.Lock()
_serial_users = 0
_threads_before: list[int] = []


@functools.cache
def _process_wide() -> list[Library]:
    return [library for library in libraries() if not library.by_thread]


@functools.cache
def _by_thread() -> list[Library]:
    return [library for library in libraries() if library.by_thread]


def set_blas_threads(threads: int) -> None:
    """The number of threads of one matrix product: of the whole process, or, where an OpenBLAS built with
    OpenMP has it so, of the calling thread.
    """
    global _threads_before
    with _lock:
        if _serial_users:
            _threads_before = [threads] * len(_threads_before)
        else:
            _set(_process_wide(), [threads] * len(_process_wide()))
    for library in _by_thread():
        library.set_threads(threads)


@contextlib.contextmanager
def serial_blas() -> Iterator[None]:
    """Matrix products on one thread each, at least those of the calling thread.

    A setting that belongs to the whole process is lowered by the first to enter and restored by the last to
    leave.
    """
    global _serial_users, _threads_before
    with _lock:
        if _serial_users == 0:
            _threads_before = [library.get_threads() for library in _process_wide()]
            _set(_process_wide(), [1] * len(_process_wide()))
        _serial_users += 1
    own = [library.get_threads() for library in _by_thread()]
    _set(_by_thread(), [1] * len(own))
    try:
        yield
    finally:
        _set(_by_thread(), own)
        with _lock:
            _serial_users -= 1
            if _serial_users == 0:
                _set(_process_wide(), _threads_before)


def run_products(task: Callable[[int], Any], count: int) -> None:
    """``thread_pool.run`` for tasks with matrix products: each product on the thread of its task alone."""

    def serial_task(i: int) -> None:
        with serial_blas():
            task(i)

    with serial_blas():
        thread_pool.run(serial_task, count)


def _set(targets: list[Library], threads: list[int]) -> None:
    for library, number in zip(targets, threads, strict=True):
        library.set_threads(number)


def _start_afresh_after_fork() -> None:
    """The child of a fork has no thread in ``serial_blas``, and perhaps a lock that one held."""
    global _lock, _serial_users
    _lock = threading.Lock()
    if _serial_users:
        _serial_users = 0
        _set(_process_wide(), _threads_before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_after_fork)
