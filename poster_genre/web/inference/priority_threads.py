"""Threads that run functions for coroutines, in order of priority; abandoned ones are never begun."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

T = TypeVar("T")


class Priority(IntEnum):
    """The order of work: smaller numbers first."""

    OWN_PAGE = 0
    PROGRAM = 1
    SHUTDOWN = 2

    @classmethod
    def of(cls, own_page: bool) -> Priority:
        """That of a request of one of the server's own pages, or of another one."""
        return cls.OWN_PAGE if own_page else cls.PROGRAM


@dataclass(order=True)
class Task:
    """A function to run; compared by priority, then rank, then order of arrival."""

    priority: Priority
    rank: int
    number: int
    run: Callable[[], Any] | None = field(compare=False)
    future: asyncio.Future[Any] | None = field(default=None, compare=False)
    abandoned: bool = field(default=False, compare=False)


class PriorityThreads:
    """``threads`` threads called ``name`` and the queue in front of them."""

    def __init__(self, threads: int, name: str) -> None:
        self.tasks: queue.PriorityQueue[Task] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._threads = [
            threading.Thread(target=self._run_tasks, name=f"{name} {i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[], T], own_page: bool, rank: int = 0) -> T:
        """The result of ``work()`` on one of the threads.

        Of one priority a smaller ``rank`` goes first. Where the coroutine is cancelled before a thread has
        begun, ``work`` is not called; one that has begun goes on to its end, and its result is dropped.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task = Task(Priority.of(own_page), rank, next(self._numbers), work, future)
        self.tasks.put(task)
        try:
            return await future
        finally:
            task.abandoned = True

    def close(self) -> None:
        """Finish the tasks that were not abandoned, then end the threads. Blocks."""
        for _ in self._threads:
            self.tasks.put(Task(Priority.SHUTDOWN, 0, next(self._numbers), None))
        for thread in self._threads:
            thread.join()

    def _run_tasks(self) -> None:
        while (task := self.tasks.get()).run is not None:
            if task.abandoned or task.future is None:
                continue
            result, error = None, None
            try:
                result = task.run()
            except Exception as raised:  # the coroutine raises it
                error = raised
            task.future.get_loop().call_soon_threadsafe(resolve, task.future, result, error)


def resolve(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    """Set a future that is not cancelled to its result or error."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
