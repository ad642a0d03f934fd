"""A pool of threads that kernels share their work among.

Work is cut by the shape of the data alone, never by the number of threads: which thread does a piece and when
changes nothing in the result, so that the same input gives the same bits on one thread and on sixteen.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PIECE_BYTES = 2**20


def available_cores() -> int:
    """Cores that this process may run on; ``OMP_NUM_THREADS`` lowers the number."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores


_changing = threading.Lock()
_size = available_cores()
_helpers: ThreadPoolExecutor | None = None


def size() -> int:
    """Threads at work in ``run``, the calling one among them."""
    return _size


def resize(threads: int) -> None:
    """Use this many threads from the next ``run`` on."""
    global _size, _helpers
    with _changing:
        retired, _helpers, _size = _helpers, None, threads
    if retired is not None:
        retired.shutdown(wait=False)


def run(task: Callable[[int], Any], count: int) -> None:
    """Call ``task(0) ... task(count - 1)``, several at once; return when all are done, raise what one raised.

    The tasks must write to different memory. Any number of threads may call ``run`` at a time, also from
    inside a task: each caller works through its own tasks, with whatever helpers are free.
    """
    helpers = min(_size, count) - 1
    if helpers < 1:
        for i in range(count):
            task(i)
        return
    pending = iter(range(count))
    drawing = threading.Lock()

    def work() -> None:
        while True:
            with drawing:
                i = next(pending, None)
            if i is None:
                return
            task(i)

    # A copy of the context carries the caller's np.errstate along.
    futures = [_submit(contextvars.copy_context().run, work) for _ in range(helpers)]
    try:
        work()
    finally:
        # One that has not begun by now has nothing left to do.
        for future in futures:
            if not future.cancel():
                future.exception()
    for future in futures:
        if not future.cancelled():
            future.result()


def run_stretches(task: Callable[[int, int], Any], total: int, step: int) -> None:
    """Call ``task(first, last)`` for every stretch of ``step`` numbers in 0..total, several at once."""
    run(lambda t: task(t * step, min((t + 1) * step, total)), -(-total // step))


def stretch(total: int, nbytes: int) -> int:
    """How many of ``total`` rows that take ``nbytes`` together make a piece worth handing to a thread."""
    return max(1, min(total, total * PIECE_BYTES // nbytes))


def _submit(*call: Any) -> Any:
    global _helpers
    with _changing:
        if _helpers is None:
            _helpers = ThreadPoolExecutor(max(1, _size - 1), thread_name_prefix="minicnn")
        return _helpers.submit(*call)


def _start_afresh_after_fork() -> None:
    """The child of a fork has the executor but none of its threads, and perhaps a lock that one held."""
    global _changing, _helpers
    _changing, _helpers = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_after_fork)
