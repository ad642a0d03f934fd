"""Runs in and on folders whose names are not UTF-8."""

from __future__ import annotations

import html
import os
import sys

import pytest

from poster_genre.cli.main import main
from poster_genre.model.model_file import load_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of any bytes")


def test_a_run_on_data_and_in_a_folder_of_any_name_ends_with_its_report(small_compact, drawn_data, tmp_path):
    data, out = (tmp_path / os.fsdecode(name) for name in (b"data\xff", b"run\xfe"))
    data.symlink_to(drawn_data)
    assert main(["train", "--data", str(data), "--out", str(out), "--epochs", "1"]) == 0
    assert r"--data 'data\xff'" in html.unescape((out / "report.html").read_text(encoding="utf-8"))
    provenance = load_model(out / "model.npz").provenance
    assert provenance["data"] == r"data\xff"
    assert "run" not in provenance["command"]
