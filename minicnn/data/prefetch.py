"""Batches prepared by a background thread while the training thread works."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def read_ahead(batches: Generator[T, None, None], ahead: int) -> Generator[T, None, None]:
    """The same batches, prepared by a thread that stays at most ``ahead`` of them in front.

    The thread starts with the first batch that is requested, and ends when the consumer stops, early or not.
    An exception in the thread is raised in the consumer, with its traceback.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def work() -> None:
        try:
            for batch in batches:
                if stop.is_set():
                    return
                ready.put((batch, None))
            end: BaseException | None = None
        except BaseException as error:
            end = error
        if not stop.is_set():
            ready.put((None, end))

    worker = threading.Thread(target=work, name="minicnn-loader", daemon=True)
    worker.start()
    try:
        while True:
            batch, error = ready.get()
            if error is not None:
                raise error
            if batch is None:
                return
            yield batch
    finally:
        stop.set()
        # Once stop is set the worker puts at most one more item, and an emptied queue has room for it.
        while not ready.empty():
            ready.get_nowait()
        if worker is not threading.current_thread():
            worker.join()
