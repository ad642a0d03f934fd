"""``poster-genre explain``: the picture it writes and what it refuses."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from poster_genre.cli.main import main
from poster_genre.genres import GENRES


@pytest.fixture
def model_file(fitted, tmp_path):
    fitted.save(tmp_path / "model.npz")
    return str(tmp_path / "model.npz")


@pytest.fixture
def poster_file(coloured_posters, tmp_path):
    Image.fromarray(coloured_posters[0][0]).resize((120, 180)).save(tmp_path / "poster.jpg")
    return tmp_path / "poster.jpg"


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_the_command_writes_a_png_and_prints_genre_and_method(
    poster_file, model_file, tmp_path, capsys, method
):
    out = tmp_path / "map.png"
    arguments = ["explain", str(poster_file), "--genre", "war", "--out", str(out), "--model-file", model_file]
    assert main([*arguments, "--method", method]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("War ")
    assert method in printed
    with Image.open(out) as card:
        assert card.format == "PNG"


def test_the_command_reads_standard_input_and_picks_the_genre(
    poster_file, model_file, tmp_path, capsys, monkeypatch
):
    stdin = io.TextIOWrapper(io.BytesIO(poster_file.read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert main(["explain", "-", "--out", str(tmp_path / "map.png"), "--model-file", model_file]) == 0
    assert capsys.readouterr().out.split()[0] in GENRES


def test_the_help_has_an_example(capsys):
    assert main(["explain", "--help"]) == 0
    assert "poster-genre explain poster.jpg --genre Horror --out map.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{poster}", "--genre", "Noir", "--out", "{out}.png"], 2, "Western"),
        (["{poster}", "--out", "{out}.gif"], 2, ".png"),
        (["{poster}", "--out", "{out}.png", "--method", "guess"], 2, "grad-cam"),
        (["{poster}"], 2, "--out"),
        (["nowhere.jpg", "--out", "{out}.png"], 1, "nowhere.jpg"),
        (["{model}", "--out", "{out}.png"], 1, "JPEG, PNG"),
        (["{poster}", "--out", "{out}/no/such/folder.png"], 1, "folder"),
    ],
)
def test_a_refusal_is_one_sentence_and_writes_no_file(
    poster_file, model_file, tmp_path, capsys, arguments, code, message
):
    names = {"poster": poster_file, "model": model_file, "out": tmp_path / "out"}
    arguments = [argument.format(**names) for argument in arguments]
    before = set(tmp_path.iterdir())
    assert main(["explain", *arguments, "--model-file", model_file]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert set(tmp_path.iterdir()) == before
