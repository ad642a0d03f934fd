"""The program as a shell runs it."""

from __future__ import annotations

import subprocess
import sys


def in_process(*words, **options):
    """A fresh interpreter; the exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "poster_genre", *map(str, words)], capture_output=True, text=True, **options
    )
    return done.returncode, done.stdout, done.stderr
