"""Memory of the trace sessions: bounded in size and time, and so is the queue of the traces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.transforms import load_poster
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_poster
from poster_genre.web.api.deadline import Deadline
from poster_genre.web.inference.trace_queue import TraceQueue
from poster_genre.web.inference.trace_sessions import TraceSessions
from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import Problem


@pytest.fixture(scope="module")
def trace(web_classifier: PosterGenreClassifier, poster: bytes) -> Trace:
    size = web_classifier.trained_.spec.input_size
    steps = network_steps(web_classifier.trained_.network, size)
    return trace_poster(steps, web_classifier.trained_, load_poster(poster, size))


def pixels(size: int = 1000) -> np.ndarray:
    return np.zeros(size, np.uint8)


def on_event_loop(check: Callable[[TraceSessions], None], limits: Limits, **options: Any) -> None:
    """Call ``check`` with sessions that may set timers."""

    async def run() -> None:
        check(TraceSessions(limits, **options))

    asyncio.run(run())


def test_past_the_memory_limit_the_least_recently_used_session_ends() -> None:
    def check(sessions: TraceSessions) -> None:
        first, second = sessions.start(pixels()), sessions.start(pixels())
        sessions.pixels(first)
        third = sessions.start(pixels())
        assert list(sessions.sessions) == [first, third]
        with pytest.raises(Problem, match="no longer in memory"):
            sessions.pixels(second)

    on_event_loop(check, Limits(session_pixels=2000))


def test_an_unused_session_expires_with_its_traces(trace: Trace) -> None:
    clock = SimpleNamespace(now=0.0)

    def check(sessions: TraceSessions) -> None:
        old, new = sessions.start(pixels()), sessions.start(pixels())
        sessions.store_trace(old, False, trace)
        clock.now = 50
        sessions.pixels(new)
        clock.now = 100
        sessions.end_expired()
        assert list(sessions.sessions) == [new]
        assert not sessions.traces.traces

    on_event_loop(check, Limits(session_seconds=100), clock=lambda: clock.now)


def test_sessions_expire_without_any_further_request() -> None:
    async def run() -> None:
        sessions = TraceSessions(Limits(session_seconds=0.02))
        sessions.start(pixels())
        for _ in range(200):
            await asyncio.sleep(0.01)
            if not sessions.sessions:
                return
        raise AssertionError("the poster is still in memory")

    asyncio.run(run())


def test_traces_stay_within_their_memory_but_the_last_stays(trace: Trace) -> None:
    def check(sessions: TraceSessions) -> None:
        tokens = [sessions.start(pixels()) for _ in range(5)]
        for token in tokens:
            sessions.store_trace(token, False, trace)
        assert [token for token, _ in sessions.traces.traces] == tokens[-2:]
        sessions.traces.max_bytes = 1
        sessions.store_trace(tokens[0], True, trace)
        assert list(sessions.traces.traces) == [(tokens[0], True)]

    on_event_loop(check, Limits(session_traces=2 * trace.nbytes))


def test_a_full_trace_queue_answers_503() -> None:
    async def run() -> None:
        queue = TraceQueue(Limits())
        queue.capacity.in_use = Limits().traces
        with pytest.raises(Problem) as caught:
            await queue.run(lambda: None, own_page=False)
        assert (caught.value.status, queue.capacity.in_use) == (503, Limits().traces)
        queue.close()

    asyncio.run(run())


def test_a_deadline_counts_all_the_work_of_a_request() -> None:
    class Connected:
        async def receive(self) -> dict[str, str]:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

    async def run() -> None:
        deadline = Deadline(Connected(), Limits(answer_seconds=0.6))  # type: ignore[arg-type]
        await deadline.wait_for(asyncio.sleep(0.4))
        with pytest.raises(Problem, match="took too long") as caught:
            await deadline.wait_for(asyncio.sleep(0.4))
        assert caught.value.status == 503

    asyncio.run(run())
