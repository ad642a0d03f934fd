"""A ``poster-genre serve`` process to measure."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class RunningServer:
    """A server that takes connections on a port of 127.0.0.1."""

    port: int
    process: subprocess.Popen[str]

    def resident(self) -> float:
        """Memory in use, in MB."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """The most memory that was in use so far, in MB."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith(f"{name}:")]
        return int(line.split()[1]) / 1024

    def seconds_to_stop(self) -> float:
        """Send SIGTERM, and wait for the end of the process."""
        start = time.perf_counter()
        self.process.terminate()
        self.process.wait(120)
        return time.perf_counter() - start


@contextmanager
def server(model: Path, threads: int | None) -> Iterator[RunningServer]:
    """A ``poster-genre serve`` process that ends with the context."""
    command = [sys.executable, "-m", "poster_genre", "serve", "--port", "0", "--model-file", str(model)]
    command += ["--threads", str(threads)] if threads is not None else []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield RunningServer(ready(process), process)
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
