"""``poster-genre train``: the files it writes, the runs it resumes, and what it refuses."""

from __future__ import annotations

import html
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from poster_genre.cli.main import main
from tests.poster_genre.cli.command_line import run_command
from tests.poster_genre.data.layouts import only_split
from tests.unwritable import unwritable_folder


def test_training_writes_the_documented_files(trained_run):
    assert {path.name for path in trained_run.iterdir()} == {
        "last.npz", "best.npz", "history.csv", "curves.png", "model.npz", "report.html",
    }  # fmt: skip


def test_training_prints_measures_beside_baselines_and_the_paths_of_the_files(
    small_compact, drawn_data, tmp_path, capsys
):
    out = tmp_path / "run"
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--epochs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "genre priors" in printed
    assert "macro AUC" in printed
    assert str(out / "model.npz") in printed


def test_the_same_command_gives_the_same_model_file(small_compact, drawn_data, tmp_path, trained_run):
    out = tmp_path / "elsewhere"
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--threads", "2"]) == 0
    assert (out / "model.npz").read_bytes() == (trained_run / "model.npz").read_bytes()


def snapshot(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "not empty.*--resume"),
        (["--resume", "--epochs", "7"], "--epochs 2, not 7"),
        (["--resume", "--seed", "9"], "--seed 0, not 9"),
        (["--resume", "--lr", "0.5"], "--lr 0.005, not 0.5"),
        (["--resume", "--model", "original"], "--model compact, not original"),
    ],
)
def test_a_run_that_does_not_fit_the_folder_exits_with_2_and_touches_nothing(
    small_compact, drawn_data, trained_run, capsys, arguments, message
):
    before = snapshot(trained_run)
    assert main(["train", "--data", str(drawn_data), "--out", str(trained_run), *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert snapshot(trained_run) == before


def test_resuming_on_other_posters_exits_with_2(small_compact, trained_run, tmp_path, capsys):
    from poster_genre.drawing.synthetic import write_dataset

    other = write_dataset(tmp_path / "other", 90, 4, size=(60, 40), progress=False)
    before = snapshot(trained_run)
    assert main(["train", "--data", str(other), "--out", str(trained_run), "--resume"]) == 2
    assert "other posters" in capsys.readouterr().err
    assert snapshot(trained_run) == before


def test_resuming_without_a_checkpoint_exits_with_2_and_creates_nothing(drawn_data, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--resume"]) == 2
    assert "no checkpoint" in capsys.readouterr().err
    assert not out.exists()


def test_resuming_from_something_that_is_no_checkpoint_exits_with_2(drawn_data, tmp_path, model_file, capsys):
    shutil.copy(model_file, tmp_path / "last.npz")
    assert main(["train", "--data", str(drawn_data), "--out", str(tmp_path), "--resume"]) == 2
    (tmp_path / "last.npz").write_bytes(b"\x80\x04pickle")
    assert main(["train", "--data", str(drawn_data), "--out", str(tmp_path), "--resume"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]


def test_resuming_a_finished_run_leaves_its_model_as_it_is(small_compact, drawn_data, trained_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(trained_run, out)
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--resume"]) == 0
    for name in ("model.npz", "history.csv", "best.npz"):
        assert (out / name).read_bytes() == (trained_run / name).read_bytes()


def test_a_bad_model_file_to_start_from_leaves_no_folder_behind(drawn_data, tmp_path, capsys):
    (tmp_path / "bad.npz").write_text("no model")
    out = tmp_path / "run"
    arguments = ["train", "--data", str(drawn_data), "--out", str(out), "--init", str(tmp_path / "bad.npz")]
    assert main(arguments) == 1
    assert "bad.npz" in capsys.readouterr().err
    assert not out.exists()


def test_data_that_is_not_there_leaves_no_folder_behind(tmp_path, capsys):
    assert main(["train", "--data", str(tmp_path / "no"), "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_training_without_val_posters_says_so_and_uses_one_half(small_compact, drawn_data, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "train-only", "train")
    out = tmp_path / "run"
    assert main(["train", "--data", str(data), "--out", str(out), "--epochs", "1"]) == 0
    assert "no val posters" in capsys.readouterr().err
    from poster_genre.classifier import PosterGenreClassifier

    assert (PosterGenreClassifier.load(out / "model.npz").trained_.thresholds == 0.5).all()


def test_training_without_train_posters_fails(small_compact, drawn_data, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "val-only", "val")
    assert main(["train", "--data", str(data), "--out", str(tmp_path / "run")]) == 1
    assert "train split" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_run_killed_and_resumed_ends_with_the_same_bytes(drawn_data, tmp_path):
    arguments = ["train", "--data", str(drawn_data), "--epochs", "3", "--batch-size", "16", "--threads", "2"]
    assert run_command(*arguments, "--out", tmp_path / "whole")[0] == 0
    cut = tmp_path / "cut"
    process = subprocess.Popen(
        [sys.executable, "-m", "poster_genre", *arguments, "--out", str(cut)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not (cut / "history.csv").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cut / "model.npz").exists()
    assert run_command("train", "--data", drawn_data, "--out", cut, "--resume")[0] == 0
    assert (cut / "model.npz").read_bytes() == (tmp_path / "whole" / "model.npz").read_bytes()
    rows = (cut / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3"]


def test_an_output_folder_below_a_file_is_refused_before_the_posters_are_read(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main(["train", "--data", "nowhere", "--out", str(tmp_path / "file" / "run")]) == 2
    assert "cannot be a folder" in capsys.readouterr().err


def test_an_output_folder_without_permission_is_refused_before_the_posters_are_read(tmp_path, capsys):
    folder = unwritable_folder(tmp_path)
    assert main(["train", "--data", "nowhere", "--out", str(folder / "run")]) == 1
    assert "cannot write to" in capsys.readouterr().err


def test_a_run_on_data_in_a_folder_whose_name_is_not_utf8_ends_with_its_report(
    small_compact, drawn_data, tmp_path, capsys
):
    data, out = (tmp_path / os.fsdecode(name) for name in (b"p\xf6ster", b"r\xf6n"))
    try:
        shutil.copytree(drawn_data, data)
        (data / "Images" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"")
    except (OSError, ValueError):
        pytest.skip("this file system has UTF-8 names only")
    (data / "Images" / "loop.jpg").symlink_to("loop.jpg")
    assert main(["train", "--data", str(data), "--out", str(out), "--epochs", "1"]) == 0
    assert r"--data 'p\xf6ster'" in html.unescape((out / "report.html").read_text(encoding="utf-8"))
    model, report = str(out / "model.npz"), str(tmp_path / "val.html")
    arguments = ["--data", str(data), "--split", "val", "--model-file", model, "--report", report]
    assert main(["evaluate", *arguments]) == 0
    assert main(["dataset", str(data), "--out", str(out)]) == 0
    assert "caf\\xe9.jpg: its name is not UTF-8; rename it" in capsys.readouterr().out


def test_resuming_from_a_file_that_is_no_checkpoint_says_so(model_file, tmp_path, capsys):
    shutil.copy(model_file, tmp_path / "last.npz")
    assert main(["train", "--data", "x", "--out", str(tmp_path), "--resume"]) == 2
    assert "is not a checkpoint that 'poster-genre train' wrote" in capsys.readouterr().err


def test_a_diverging_loss_is_an_error_that_names_the_learning_rate(
    small_compact, drawn_data, tmp_path, capsys
):
    arguments = ["train", "--data", str(drawn_data), "--out", str(tmp_path / "run"), "--model", "compact"]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main([*arguments, "--epochs", "2", "--lr", "1e38"]) == 1
    assert "--lr below 1e+38" in capsys.readouterr().err


def test_the_curves_do_not_show_binary_accuracy_and_say_how_they_were_measured(trained_run):
    assert "accuracy" not in (trained_run / "history.csv").read_text()
    assert "without the mirror images" in (trained_run / "report.html").read_text()
