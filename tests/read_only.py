"""A folder that the tests' own process cannot write to, for root as well."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Makes ``folder`` and what it holds read-only. Skips the test where the system offers no way to do that.

    For a user the permissions suffice. Root ignores them, so for root the folder is mounted over itself,
    read-only.
    """
    if os.name == "nt":
        pytest.skip("folders have no write permission on Windows")
    if os.geteuid() != 0:
        mode = folder.stat().st_mode
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(mode)
        return
    if not _mount("--bind", str(folder), str(folder)):
        pytest.skip("root ignores permissions, and cannot mount a folder read-only here")
    try:
        if not _mount("-o", "remount,bind,ro", str(folder)):
            pytest.skip("root ignores permissions, and cannot mount a folder read-only here")
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)


def _mount(*arguments: str) -> bool:
    try:
        return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
