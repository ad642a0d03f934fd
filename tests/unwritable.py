"""A folder that the tests' own process cannot write to, for root as well."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


def unwritable_folder(tmp_path: Path) -> Path:
    """For a user, a new folder in ``tmp_path`` without write permission. Root ignores permissions, but cannot
    create files in the kernel's file system ``/sys``. Skips the test where there is neither.
    """
    if os.name == "nt":
        pytest.skip("folders have no write permission on Windows")
    if os.geteuid() != 0:
        folder = tmp_path / "unwritable"
        folder.mkdir(mode=0o500)
        return folder
    if sys.platform != "linux" or not Path("/sys/kernel").is_dir():
        pytest.skip("root ignores permissions, and there is no /sys")
    return Path("/sys/kernel")
