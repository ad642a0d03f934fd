"""The standard streams of a command: closed, full or broken ones must not change what the command does."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from minicnn.kernels.runtime.best_effort_stream import BestEffortStream
from poster_genre.errors import FAILED, printable


@contextmanager
def usable_streams() -> Iterator[None]:
    """Inside, closed streams are the null device, and standard error drops what cannot be written to it.

    Characters that a stream's encoding lacks are written as backslash escapes.
    """
    with ExitStack() as stack:
        out, err = (
            stack.enter_context(open(os.devnull, "w", encoding="utf-8")) if stream is None else stream
            for stream in (sys.stdout, sys.stderr)
        )
        for stream in (out, err):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(BestEffortStream(err)))
        yield
        flush_or_discard(err)


def flush_or_discard(stream: TextIO) -> OSError | None:
    """Flush; if that fails, send what the stream still holds to the null device, and return the error.

    Otherwise the interpreter would try to write it once more when it ends, and change the exit code to 120.
    """
    try:
        stream.flush()
    except OSError as error:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        return error
    return None


def flush_output(code: int) -> int:
    """Flush standard output; the exit code, which is FAILED where it was 0 and the output was not written."""
    error = flush_or_discard(sys.stdout)
    if error is None:
        return code
    if code == 0 and not isinstance(error, BrokenPipeError):
        complain(f"standard output cannot be written ({error.strerror or error})", FAILED)
    return code or FAILED


def complain(text: str, code: int) -> int:
    """Print an error to standard error, as one line of printable characters; returns ``code``."""
    print(f"error: {printable(text)}", file=sys.stderr)
    return code
