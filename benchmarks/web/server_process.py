"""A ``poster-genre serve`` process to measure."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server(model: Path, threads: int | None) -> Iterator[tuple[int, Callable[[], float]]]:
    """A running server: its port, and a function that reads its resident memory in MB."""
    command = [sys.executable, "-m", "poster_genre", "serve", "--port", "0", "--model-file", str(model)]
    command += ["--threads", str(threads)] if threads is not None else []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        port = ready(process)

        def memory() -> float:
            status = Path(f"/proc/{process.pid}/status").read_text()
            return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

        try:
            yield port, memory
        finally:
            process.terminate()


def ready(process: subprocess.Popen[str]) -> int:
    """The port of a server, once it listens."""
    if process.stderr is None:
        raise RuntimeError("the server's standard error is not piped")
    for line in process.stderr:
        if address := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            return int(address[1])
    raise RuntimeError("the server ended before it was ready")
