"""Standard streams that are closed, full or broken: the exit code and what is printed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from poster_genre.cli.main import main

PROGRAM = shlex.join([sys.executable, "-m", "poster_genre"])
FULL = "/dev/full"

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason="needs /dev/full")


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """``PROGRAM`` followed by ``command``, run by bash, with buffered output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["bash", "-c", f"{PROGRAM} {command}"], capture_output=True, text=True, env=environment
    )


@posix
def test_predicting_from_a_closed_standard_input_is_an_error_in_a_sentence(model_file):
    done = shell(f"predict - --model-file {shlex.quote(model_file)} <&-")
    assert done.returncode == 1
    assert done.stderr == "error: standard input is closed; redirect a picture to it, or name a file\n"


def test_predicting_from_a_terminal_is_an_error_and_does_not_wait(model_file, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert main(["predict", "-", "--model-file", model_file]) == 1
    assert "standard input is a terminal" in capsys.readouterr().err


@posix
@needs_full
@pytest.mark.parametrize("option", ["--version", "--help", "predict --help"])
def test_output_that_cannot_be_written_is_an_error_in_a_sentence(option):
    done = shell(f"{option} > {FULL}")
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written (No space left on device)\n"


@posix
@needs_full
def test_a_mistake_exits_with_2_where_standard_error_is_full():
    assert shell(f"dance 2> {FULL}").returncode == 2


@posix
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_streams_do_not_fail_a_command(redirection, tmp_path):
    done = shell(f"synth {tmp_path}/drawn --count 1 {redirection}")
    assert done.returncode == 0
    assert (tmp_path / "drawn" / "train.csv").exists()


@posix
def test_messages_of_a_closed_standard_error_do_not_go_to_standard_output(model_file, tmp_path):
    done = shell(f"predict {tmp_path}/missing.jpg --json --model-file {shlex.quote(model_file)} 2>&-")
    assert done.returncode == 1
    assert done.stdout.startswith("[")
    assert "error: " not in done.stdout


def train(data: Path, out: Path) -> int:
    return main(["train", "--data", str(data), "--out", str(out), "--epochs", "1"])


@needs_full
def test_training_succeeds_where_standard_error_is_full(small_compact, drawn_data, tmp_path, monkeypatch):
    with open(FULL, "w", buffering=1) as full:
        monkeypatch.setattr("sys.stderr", full)
        assert train(drawn_data, tmp_path / "run") == 0
        with suppress(OSError):
            full.close()
    assert (tmp_path / "run" / "model.npz").exists()


def test_training_succeeds_where_standard_error_is_a_pipe_without_a_reader(
    small_compact, drawn_data, tmp_path, monkeypatch
):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as broken:
        monkeypatch.setattr("sys.stderr", broken)
        assert train(drawn_data, tmp_path / "run") == 0
        with suppress(OSError):
            broken.close()
    assert (tmp_path / "run" / "model.npz").exists()


def test_training_succeeds_where_the_standard_streams_are_closed(
    small_compact, drawn_data, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert train(drawn_data, tmp_path / "run") == 0


def test_predict_ends_without_a_message_when_its_reader_ends_first(posters, model_file):
    process = subprocess.Popen(
        [sys.executable, "-m", "poster_genre", "predict", *map(str, posters), "--model-file", model_file],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert errors == b""
