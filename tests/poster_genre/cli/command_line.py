"""The program in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def run_command(*arguments, **options):
    """A fresh interpreter; the exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "poster_genre", *map(str, arguments)],
        capture_output=True,
        text=True,
        **options,
    )
    return done.returncode, done.stdout, done.stderr
