"""The standard streams of a command: closed, full or broken ones must not change what the command does."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

from poster_genre.errors import FAILED
from poster_genre.progress import BestEffortStream


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


def flush_output(code: int) -> int:
    """Flush standard output; the exit code, which is FAILED where it was 0 and the output was not written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # From here on standard output is the null device, so that the interpreter's own flush succeeds.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code == 0 and not isinstance(error, BrokenPipeError):
            complain(f"standard output cannot be written ({error.strerror or error})", FAILED)
        return code or FAILED
    return code


def complain(text: str, code: int) -> int:
    """Print an error to standard error; returns ``code``."""
    print(f"error: {text}", file=sys.stderr)
    return code
