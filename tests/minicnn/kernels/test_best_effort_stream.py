"""A stream that drops what cannot be written."""

import io
import sys

import pytest

from minicnn.kernels.runtime.best_effort_stream import BestEffortStream


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_it_outlives_the_stream_that_it_writes_to():
    closed = io.StringIO()
    stream = BestEffortStream(closed)
    assert stream.write("before") == 6
    assert closed.getvalue() == "before"
    closed.close()
    assert stream.write("after") == 5
    stream.flush()


@pytest.mark.parametrize("target", [None, Full()])
def test_what_cannot_be_written_is_dropped(target):
    stream = BestEffortStream(target)
    assert print("text", file=stream, flush=True) is None
    assert stream.write("text") == 4


def test_a_closed_or_missing_stream_is_no_terminal():
    closed = io.StringIO()
    closed.close()
    assert not BestEffortStream(closed).isatty()
    assert not BestEffortStream(None).isatty()
    assert BestEffortStream(sys.__stderr__).isatty() == sys.__stderr__.isatty()
