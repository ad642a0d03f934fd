"""``poster-genre predict``: pictures of every kind, and files that cannot be read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from poster_genre.cli.main import main
from poster_genre.cli.predict import NOT_SURE
from poster_genre.genres import GENRES
from poster_genre.model.model_file import save_model


def test_predict_answers_in_json_for_every_kind_of_input(posters, model_file, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("this is no picture at all")
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(posters[1], folder / "a.JPG")
    (folder / "notes.txt").write_text("skip me")
    arguments = [posters[0], text, folder, tmp_path / "missing.png", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "poster_genre", "predict", *map(str, arguments), "--top", "2", "--json",
         "--model-file", model_file],
        input=posters[2].read_bytes(), capture_output=True,
    )  # fmt: skip
    assert done.returncode == 1
    answers = json.loads(done.stdout)
    assert [answer["file"] for answer in answers] == [
        str(posters[0]), str(text), str(folder / "a.JPG"), str(tmp_path / "missing.png"), "-",
    ]  # fmt: skip
    assert all(
        set(answer) == {"file", "top", "probabilities", "sure", "unlike_posters", "error"}
        for answer in answers
    )
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


def test_names_of_files_are_printed_without_control_characters(posters, model_file, tmp_path, capsys):
    name = "a\x1b[31m\nb\udce9.jpg"
    shutil.copy(posters[0], tmp_path / name)
    assert main(["predict", str(tmp_path), str(tmp_path / f"no {name}"), "--model-file", model_file]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == f"{tmp_path}/a\\x1b[31m\\nb\\xe9.jpg"
    assert printed.err.startswith(f"error: {tmp_path}/no a\\x1b[31m\\nb\\xe9.jpg cannot be read")
    assert printed.err.count("\n") == 1


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


@pytest.fixture
def poster_file(coloured_posters, tmp_path):
    Image.fromarray(coloured_posters[0][0]).resize((120, 180)).save(tmp_path / "poster.jpg")
    return tmp_path / "poster.jpg"


@pytest.mark.parametrize(("limit", "sure"), [(0.0, True), (1e9, False)])
def test_predict_reports_sure_as_text_and_as_json(fitted, poster_file, tmp_path, capsys, limit, sure):
    calibration = replace(fitted.trained_.calibration, sure_above=limit)
    save_model(replace(fitted.trained_, calibration=calibration), tmp_path / "model.npz")
    arguments = ["predict", str(poster_file), "--model-file", str(tmp_path / "model.npz")]
    assert main(arguments) == 0
    assert (NOT_SURE in capsys.readouterr().out) is not sure
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["sure"] is sure


def test_predict_reports_once_that_a_model_has_no_calibration(fitted, poster_file, tmp_path, capsys):
    save_model(replace(fitted.trained_, calibration=None), tmp_path / "model.npz")
    arguments = ["predict", *[str(poster_file)] * 2, "--json", "--model-file", str(tmp_path / "model.npz")]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.err.count("no calibration") == 1
    assert [prediction["sure"] for prediction in json.loads(printed.out)] == [None, None]
