"""What all commands have in common: help, usage, exit codes and output paths."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from PIL import Image

from poster_genre.cli import demo
from poster_genre.cli.main import main
from poster_genre.data.dataset import load_dataset
from tests.poster_genre.cli.command_line import run_command

COMMANDS = (
    "train",
    "ensemble",
    "evaluate",
    "predict",
    "explain",
    "dataset",
    "download",
    "synth",
    "serve",
    "demo",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert (
        f"example:\n  poster-genre {command} " in printed
        or f"example:\n  poster-genre {command}\n" in printed
    )


def test_help_and_version_load_nothing_heavy():
    code = (
        "import sys; from poster_genre.cli.main import main; main(['train', '--help']); main(['--version']);"
        "print([m for m in ('numba', 'matplotlib', 'pandas', 'PIL', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package(capsys):
    from minicnn import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"poster-genre {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["train", "--data", "x"],
        ["train", "--data", "x", "--out", "y", "--epochs", "0"],
        ["train", "--data", "x", "--out", "y", "--lr", "-1"],
        ["train", "--data", "x", "--out", "y", "--lr", "nan"],
        ["train", "--data", "x", "--out", "y", "--model", "vgg"],
        ["train", "--data", "x", "--out", "y", "--threads", "two"],
        ["evaluate", "--data", "x", "--split", "all"],
        ["evaluate", "--data", "x"],
        ["predict"],
        ["predict", "x.jpg", "--top", "0"],
        ["predict", "x.jpg", "--top", "26"],
        ["synth", "x", "--count", "-5"],
    ],
)
def test_an_impossible_command_line_exits_with_2_and_writes_nothing(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert "error:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


COMPLETE = {
    "train": {"--data": "x", "--out": "y", "--init": "z"},
    "ensemble": {"": "m", "--data": "x", "--out": "y"},
    "evaluate": {"--data": "x", "--split": "val", "--model-file": "m", "--report": "r"},
    "predict": {"": "x.jpg", "--model-file": "m"},
    "explain": {"": "x.jpg", "--out": "y.png", "--model-file": "m"},
    "dataset": {"": "x", "--out": "y"},
    "download": {"": "x"},
    "synth": {"": "x"},
    "serve": {"--model-file": "m"},
    "demo": {"--out": "y"},
}
"""A command's arguments, all that name files among them; "": the argument without an option."""
PATHS = [
    (command, option)
    for command, arguments in COMPLETE.items()
    for option in arguments
    if option != "--split" and (command, option) != ("predict", "")
]


def command_line(command, changes):
    """A complete command line, with some of its arguments changed."""
    arguments = COMPLETE[command] | changes
    return [command, *(word for pair in arguments.items() for word in (pair if pair[0] else pair[1:]))]


def test_every_command_is_among_those_with_complete_arguments():
    assert tuple(COMPLETE) == COMMANDS


@pytest.mark.parametrize(("command", "option"), PATHS)
def test_an_empty_path_is_refused_and_does_not_mean_the_current_folder(
    command, option, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(command_line(command, {option: ""})) == 2
    assert "expected a path, got an empty text" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("train", "--init"),
        ("ensemble", ""),
        ("evaluate", "--model-file"),
        ("predict", "--model-file"),
        ("explain", "--model-file"),
        ("serve", "--model-file"),
    ],
)
def test_a_pipe_is_refused_as_a_model_file(command, option, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert main(command_line(command, {option: str(tmp_path / "pipe")})) == 2
    assert "is a pipe; name a file" in capsys.readouterr().err


# Errors of any command.


def failing(error):
    def run(arguments):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RuntimeError("the cat\nsat on it"), 1, "error: RuntimeError: the cat"),
        (OSError(28, "No space left on device", "/disk"), 1, "error: /disk: No space left"),
        (MemoryError(), 1, "error: out of memory"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
    ],
)
def test_any_failure_is_one_line_and_an_exit_code(monkeypatch, capsys, error, code, message):
    monkeypatch.setattr(demo, "run", failing(error))
    assert main(["demo"]) == code
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert printed.count("\n") == 1


def test_debug_lets_the_traceback_through(monkeypatch):
    monkeypatch.setattr(demo, "run", failing(RuntimeError("cat")))
    monkeypatch.setenv("POSTER_GENRE_DEBUG", "1")
    with pytest.raises(RuntimeError, match="cat"):
        main(["demo"])


def test_synth_writes_a_data_set_once(tmp_path, capsys):
    out = tmp_path / "drawn"
    assert main(["synth", str(out), "--count", "3", "--seed", "1"]) == 0
    assert len(load_dataset(out)) == 3
    assert main(["synth", str(out), "--count", "3"]) == 2


def test_commands_need_no_writable_home(posters, model_file, tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path / "none"), "XDG_CACHE_HOME": "/proc/none"}
    environment.pop("POSTER_GENRE_CACHE")
    assert run_command("predict", posters[0], "--model-file", model_file, env=environment)[0] == 0


def test_dataset_prints_and_plots_what_is_in_it(drawn_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", str(drawn_data)]) == 0
    assert "90 rows" in capsys.readouterr().out
    (picture,) = tmp_path.glob("poster-genre-dataset/*.png")
    with Image.open(picture) as image:
        assert image.format == "PNG"


def test_files_of_the_operating_system_do_not_make_a_folder_non_empty(small_compact, drawn_data, tmp_path):
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert main(["train", "--data", str(drawn_data), "--out", str(tmp_path), "--epochs", "1"]) == 0
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "Thumbs.db").write_bytes(b"x")
    assert main(["synth", str(tmp_path / "drawn"), "--count", "1"]) == 0
