"""The commands, end to end: what they print, the exit codes, and what they leave on disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from poster_genre import commands
from poster_genre.cli import main
from poster_genre.dataset import load_dataset
from poster_genre.genres import GENRES

COMMANDS = ("train", "evaluate", "predict", "dataset", "download", "synth", "demo")
MEASURES = (
    "macro_map", "macro_auc", "micro_ap", "top1", "hit_at_3", "precision_at_3", "recall_at_3", "micro_f1",
    "macro_f1", "hamming_loss", "binary_accuracy", "bce", "n_genres_macro", "calibration_error",
)  # fmt: skip


def in_process(*words, **options):
    """A fresh interpreter; the exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "poster_genre", *map(str, words)], capture_output=True, text=True, **options
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def model_file(trained_run):
    return str(trained_run / "model.npz")


@pytest.fixture
def posters(drawn_data):
    return sorted((drawn_data / "Images").glob("*.jpg"))


# Help, version and usage.


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"example:\n  poster-genre {command} " in said or f"example:\n  poster-genre {command}\n" in said


def test_help_and_version_load_nothing_heavy():
    code = (
        "import sys; from poster_genre.cli import main; main(['train', '--help']); main(['--version']);"
        "print([m for m in ('numba', 'matplotlib', 'pandas', 'PIL', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package(capsys):
    from minicnn import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"poster-genre {__version__}\n"


@pytest.mark.parametrize(
    "words",
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
def test_what_cannot_be_meant_exits_with_2_and_writes_nothing(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert "error:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# Train.


def test_training_leaves_the_promised_files(trained_run):
    assert {path.name for path in trained_run.iterdir()} == {
        "last.npz", "best.npz", "history.csv", "curves.png", "model.npz", "report.html",
    }  # fmt: skip


def test_training_prints_measures_beside_baselines_and_where_things_are(
    small_compact, drawn_data, tmp_path, capsys
):
    out = tmp_path / "run"
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "genre priors" in said
    assert "macro AUC" in said
    assert str(out / "model.npz") in said


def test_the_same_command_gives_the_same_model_file(small_compact, drawn_data, tmp_path, trained_run):
    out = tmp_path / "elsewhere"
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--threads", "2"]) == 0
    assert (out / "model.npz").read_bytes() == (trained_run / "model.npz").read_bytes()


def snapshot(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "not empty.*--resume"),
        (["--resume", "--epochs", "7"], "--epochs 2, not 7"),
        (["--resume", "--seed", "9"], "--seed 0, not 9"),
        (["--resume", "--lr", "0.5"], "--lr 0.005, not 0.5"),
        (["--resume", "--model", "original"], "--model compact, not original"),
    ],
)
def test_a_run_that_does_not_fit_the_folder_exits_with_2_and_touches_nothing(
    small_compact, drawn_data, trained_run, capsys, words, says
):
    before = snapshot(trained_run)
    assert main(["train", "--data", str(drawn_data), "--out", str(trained_run), *words]) == 2
    assert re.search(says, capsys.readouterr().err)
    assert snapshot(trained_run) == before


def test_resuming_on_other_posters_exits_with_2(small_compact, trained_run, tmp_path, capsys):
    from poster_genre.synthetic import write_dataset

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


def test_resuming_a_finished_run_changes_nothing_that_counts(
    small_compact, drawn_data, trained_run, tmp_path
):
    out = tmp_path / "run"
    shutil.copytree(trained_run, out)
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--resume"]) == 0
    for name in ("model.npz", "history.csv", "best.npz"):
        assert (out / name).read_bytes() == (trained_run / name).read_bytes()


def test_a_bad_model_file_to_start_from_leaves_no_folder_behind(drawn_data, tmp_path, capsys):
    (tmp_path / "bad.npz").write_text("no model")
    out = tmp_path / "run"
    words = ["train", "--data", str(drawn_data), "--out", str(out), "--init", str(tmp_path / "bad.npz")]
    assert main(words) == 1
    assert "bad.npz" in capsys.readouterr().err
    assert not out.exists()


def test_data_that_is_not_there_leaves_no_folder_behind(tmp_path, capsys):
    assert main(["train", "--data", str(tmp_path / "no"), "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def only_split(source: Path, target: Path, split: str) -> Path:
    """A data set with the rows of one split alone."""
    shutil.copytree(source / "Images", target / "Images")
    kept = set(load_dataset(source).split(split).ids)
    head, *rows = (source / "train.csv").read_text().splitlines()
    (target / "train.csv").write_text(
        "\n".join([head, *(row for row in rows if row.split(",")[0] in kept)]) + "\n"
    )
    return target


def test_training_without_val_posters_says_so_and_uses_one_half(small_compact, drawn_data, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "train-only", "train")
    out = tmp_path / "run"
    assert main(["train", "--data", str(data), "--out", str(out), "--epochs", "1"]) == 0
    assert "no val posters" in capsys.readouterr().err
    from poster_genre.classifier import PosterGenreClassifier

    assert (PosterGenreClassifier.load(out / "model.npz").thresholds_ == 0.5).all()


def test_training_without_train_posters_fails(small_compact, drawn_data, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "val-only", "val")
    assert main(["train", "--data", str(data), "--out", str(tmp_path / "run")]) == 1
    assert "train split" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_run_killed_and_resumed_ends_with_the_same_bytes(drawn_data, tmp_path):
    words = ["train", "--data", str(drawn_data), "--epochs", "3", "--batch-size", "16", "--threads", "2"]
    assert in_process(*words, "--out", tmp_path / "whole")[0] == 0
    cut = tmp_path / "cut"
    process = subprocess.Popen(
        [sys.executable, "-m", "poster_genre", *words, "--out", str(cut)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not (cut / "history.csv").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cut / "model.npz").exists()
    assert in_process("train", "--data", drawn_data, "--out", cut, "--resume")[0] == 0
    assert (cut / "model.npz").read_bytes() == (tmp_path / "whole" / "model.npz").read_bytes()
    rows = (cut / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3"]


# Evaluate.


def test_evaluate_prints_one_json_document_with_the_promised_keys(drawn_data, model_file):
    code, out, _ = in_process(
        "evaluate", "--data", drawn_data, "--split", "val", "--model-file", model_file, "--json"
    )
    assert code == 0
    result = json.loads(out)
    assert set(result) == {*MEASURES, "split", "n_posters", "cross_fitted_folds", "baselines", "per_genre"}
    assert result["n_posters"] == len(load_dataset(drawn_data).split("val"))
    assert set(result["baselines"]) == {"all_zeros", "genre_priors"}
    assert all(set(row) == set(MEASURES) for row in result["baselines"].values())
    assert list(result["per_genre"]) == list(GENRES)


def test_evaluate_works_on_a_folder_that_holds_one_split(drawn_data, model_file, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "test-only", "test")
    outputs = []
    for folder in (drawn_data, data):
        words = ["evaluate", "--data", str(folder), "--split", "test", "--model-file", model_file, "--json"]
        assert main(words) == 0
        outputs.append(json.loads(capsys.readouterr().out))
    assert outputs[0] == outputs[1]


def test_evaluate_of_a_split_without_posters_fails_in_a_sentence(drawn_data, model_file, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "test-only", "test")
    assert main(["evaluate", "--data", str(data), "--split", "val", "--model-file", model_file]) == 1
    assert "val" in capsys.readouterr().err


def test_evaluate_prints_a_table_and_writes_a_report(drawn_data, model_file, tmp_path, capsys):
    report = tmp_path / "report.html"
    words = ["evaluate", "--data", str(drawn_data), "--split", "val", "--model-file", model_file]
    assert main([*words, "--report", str(report)]) == 0
    said = capsys.readouterr()
    assert "at least 10 positives" in said.out
    assert "chosen on val" in said.out
    assert report.read_text().startswith("<!doctype html>")


def test_evaluate_with_a_model_file_that_is_none_fails_in_a_sentence(drawn_data, tmp_path, capsys):
    bad = tmp_path / "model.npz"
    bad.write_bytes(b"\x80\x04.")
    assert main(["evaluate", "--data", str(drawn_data), "--split", "val", "--model-file", str(bad)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "pickle" in error


# Predict.


def test_predict_answers_in_json_for_every_kind_of_input(posters, model_file, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("this is no picture at all")
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(posters[1], folder / "a.JPG")
    (folder / "notes.txt").write_text("skip me")
    words = [posters[0], text, folder, tmp_path / "missing.png", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "poster_genre", "predict", *map(str, words), "--top", "2", "--json",
         "--model-file", model_file],
        input=posters[2].read_bytes(), capture_output=True,
    )  # fmt: skip
    assert done.returncode == 1
    answers = json.loads(done.stdout)
    assert [answer["file"] for answer in answers] == [
        str(posters[0]), str(text), str(folder / "a.JPG"), str(tmp_path / "missing.png"), "-",
    ]  # fmt: skip
    assert all(set(answer) == {"file", "top", "probabilities", "sure", "error"} for answer in answers)
    assert [answer["error"] is None for answer in answers] == [True, False, True, False, True]
    for answer in answers:
        if answer["error"] is None:
            assert list(answer["probabilities"]) == list(GENRES)
            best = sorted(answer["probabilities"].values(), reverse=True)[:2]
            assert [entry["probability"] for entry in answer["top"]] == best
            assert all(answer["probabilities"][e["genre"]] == e["probability"] for e in answer["top"])
        else:
            assert (answer["top"], answer["probabilities"]) == ([], {})
    assert b"text.jpg" in done.stderr
    assert b"Traceback" not in done.stderr


def test_predict_prints_names_and_shares(posters, model_file, capsys):
    assert main(["predict", str(posters[0]), "--model-file", model_file, "--top", "4"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == str(posters[0])
    assert sum(re.match(r"  \S+ +\d+\.\d% ", line) is not None for line in lines) == 4


def test_predict_of_a_folder_without_pictures_fails(tmp_path, model_file, capsys):
    assert main(["predict", str(tmp_path), "--model-file", model_file]) == 1
    assert "folder without pictures" in capsys.readouterr().err


def test_predict_of_many_posters_keeps_their_order(posters, model_file, capsys):
    assert main(["predict", *map(str, posters), "--model-file", model_file, "--json"]) == 0
    assert [answer["file"] for answer in json.loads(capsys.readouterr().out)] == [str(p) for p in posters]


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "I;16", "1"])
def test_predict_takes_pictures_of_any_kind(tmp_path, model_file, mode, capsys):
    path = tmp_path / f"poster.{'jpg' if mode == 'CMYK' else 'png'}"
    Image.new(mode, (1, 1)).save(path)
    assert main(["predict", str(path), "--model-file", model_file]) == 0


def test_predict_survives_a_reader_that_leaves_early(posters, model_file):
    process = subprocess.Popen(
        [sys.executable, "-m", "poster_genre", "predict", *map(str, posters), "--model-file", model_file],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert errors == b""


# What goes wrong anywhere.


def failing(error):
    def run(arguments):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (RuntimeError("the cat\nsat on it"), 1, "error: RuntimeError: the cat"),
        (OSError(28, "No space left on device", "/disk"), 1, "error: /disk: No space left"),
        (MemoryError(), 1, "error: out of memory"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
    ],
)
def test_any_failure_is_one_line_and_an_exit_code(monkeypatch, capsys, error, code, says):
    monkeypatch.setattr(commands, "run_demo", failing(error))
    assert main(["demo"]) == code
    said = capsys.readouterr().err
    assert said.startswith(says)
    assert said.count("\n") == 1


def test_debug_lets_the_traceback_through(monkeypatch):
    monkeypatch.setattr(commands, "run_demo", failing(RuntimeError("cat")))
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
    assert in_process("predict", posters[0], "--model-file", model_file, env=environment)[0] == 0


def test_dataset_prints_and_plots_what_is_in_it(drawn_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", str(drawn_data)]) == 0
    assert "90 rows" in capsys.readouterr().out
    (picture,) = tmp_path.glob("poster-genre-dataset/*.png")
    with Image.open(picture) as image:
        assert image.format == "PNG"


# Places and names that cannot be used.


def test_an_output_folder_below_a_file_is_refused_before_the_posters_are_read(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main(["train", "--data", "nowhere", "--out", str(tmp_path / "file" / "run")]) == 2
    assert "cannot be a folder" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission_is_refused_before_the_posters_are_read(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["train", "--data", "nowhere", "--out", str(tmp_path / "run")]) == 1
    assert "cannot write to" in capsys.readouterr().err


def test_what_the_operating_system_left_does_not_fill_a_folder(small_compact, drawn_data, tmp_path):
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert main(["train", "--data", str(drawn_data), "--out", str(tmp_path), "--epochs", "1"]) == 0
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "Thumbs.db").write_bytes(b"x")
    assert main(["synth", str(tmp_path / "drawn"), "--count", "1"]) == 0


@pytest.mark.parametrize("place", ["nowhere/report.html", "folder"])
def test_a_report_that_cannot_be_written_is_refused_before_the_model_is_loaded(place, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    words = ["evaluate", "--data", "x", "--split", "val", "--model-file", "y", "--report"]
    assert main([*words, str(tmp_path / place)]) in (1, 2)
    assert place.split("/")[0] in capsys.readouterr().err


def test_resuming_from_a_file_that_is_no_checkpoint_says_so(model_file, tmp_path, capsys):
    shutil.copy(model_file, tmp_path / "last.npz")
    assert main(["train", "--data", "x", "--out", str(tmp_path), "--resume"]) == 2
    assert "is not a checkpoint that 'poster-genre train' wrote" in capsys.readouterr().err


def test_a_loss_that_explodes_is_answered_with_the_flag_to_turn(small_compact, drawn_data, tmp_path, capsys):
    words = ["train", "--data", str(drawn_data), "--out", str(tmp_path / "run"), "--model", "compact"]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main([*words, "--epochs", "2", "--lr", "1e38"]) == 1
    assert "--lr below 1e+38" in capsys.readouterr().err


def test_an_empty_name_is_an_error_and_not_the_current_folder(model_file, posters, capsys):
    assert main(["predict", "", str(posters[0]), "--model-file", model_file, "--json"]) == 1
    empty, poster = json.loads(capsys.readouterr().out)
    assert "an empty name" in empty["error"]
    assert poster["error"] is None


def test_a_dangling_link_in_a_folder_is_reported(model_file, posters, tmp_path, capsys):
    shutil.copy(posters[0], tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "gone.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "c.jpg")
    assert main(["predict", str(tmp_path), "--model-file", model_file, "--json"]) == 1
    answers = json.loads(capsys.readouterr().out)
    assert [Path(answer["file"]).name for answer in answers] == ["a.jpg", "b.jpg"]
    assert "cannot be read" in answers[1]["error"]


def test_a_folder_that_cannot_be_listed_is_reported(monkeypatch, tmp_path):
    from poster_genre import predict

    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.png").write_bytes(b"x")
    (tmp_path / "shut").mkdir()
    listed = os.scandir

    def scandir(place):
        if Path(place).name == "shut":
            raise PermissionError(13, "Permission denied", str(place))
        return listed(place)

    monkeypatch.setattr(os, "scandir", scandir)
    (shut, problem), (picture, none) = predict.pictures([str(tmp_path)])
    assert Path(shut).name == "shut"
    assert "cannot be listed (Permission denied)" in problem
    assert (Path(picture).name, none) == ("a.png", None)


def test_closed_standard_streams_do_no_harm(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["synth", str(tmp_path / "drawn"), "--count", "1"]) == 0


def test_the_curves_do_not_show_binary_accuracy_and_say_how_they_were_measured(trained_run):
    assert "accuracy" not in (trained_run / "history.csv").read_text()
    assert "without the mirror images" in (trained_run / "report.html").read_text()
