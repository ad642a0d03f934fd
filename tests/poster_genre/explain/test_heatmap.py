"""The heat map as a picture, and the command that writes it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from poster_genre.cli.main import main
from poster_genre.explain.explain import ExplainResult
from poster_genre.explain.heatmap import describe, heat_layer, overlay, render
from poster_genre.genres import GENRES


@pytest.fixture
def corner():
    """All the heat in the upper left corner."""
    heat = np.zeros((24, 16), np.float32)
    heat[:6, :4] = 1
    return heat


@pytest.fixture
def poster():
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 200, 3), dtype=np.uint8))


@pytest.fixture
def model_file(fitted, tmp_path):
    fitted.save(tmp_path / "model.npz")
    return str(tmp_path / "model.npz")


@pytest.fixture
def poster_file(coloured_posters, tmp_path):
    Image.fromarray(coloured_posters[0][0]).resize((120, 180)).save(tmp_path / "poster.jpg")
    return tmp_path / "poster.jpg"


def test_the_layer_is_brighter_and_more_opaque_where_it_is_hot(corner):
    layer = np.asarray(heat_layer(corner, (240, 160)))
    assert layer.shape == (240, 160, 4)
    hot, cold = layer[20, 10], layer[200, 120]
    assert hot[:3].astype(int).sum() > cold[:3].astype(int).sum() + 300
    assert hot[3] > cold[3]


def test_the_overlay_has_the_poster_s_size_and_leaves_the_poster_alone(corner, poster):
    before = np.asarray(poster).copy()
    laid = overlay(poster, corner)
    assert (laid.size, laid.mode) == (poster.size, "RGB")
    np.testing.assert_array_equal(np.asarray(poster), before)


@pytest.mark.parametrize("size", [(1, 1), (40, 60), (200, 300), (900, 30), (30, 1500), (2000, 3000)])
@pytest.mark.parametrize("genre", ["N/A", "Documentary"])
def test_a_card_can_be_made_of_any_poster(corner, size, genre):
    card = render(ExplainResult(genre, 0.987, corner, "occlusion", 1.2), Image.new("RGB", size, "teal"))
    assert card.mode == "RGB"
    assert 100 < card.width < 2000
    assert 100 < card.height < 1200


def test_the_caption_says_what_is_left_when_the_hottest_place_is_covered(corner):
    said = describe(ExplainResult("Horror", 0.5, corner, "occlusion", float(np.log(3))))
    assert "25%" in said


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_an_empty_map_is_called_empty(corner, method):
    assert "nothing" in describe(ExplainResult("Horror", 0.1, 0 * corner, method, 0.0))


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_the_command_writes_a_picture_and_says_what_it_is(poster_file, model_file, tmp_path, capsys, method):
    out = tmp_path / "map.png"
    words = ["explain", str(poster_file), "--genre", "war", "--out", str(out), "--model-file", model_file]
    assert main([*words, "--method", method]) == 0
    said = capsys.readouterr().out
    assert said.startswith("War ")
    assert method in said
    with Image.open(out) as card:
        assert card.format == "PNG"


def test_the_command_reads_standard_input_and_picks_the_genre(
    poster_file, model_file, tmp_path, capsys, monkeypatch
):
    stdin = io.TextIOWrapper(io.BytesIO(poster_file.read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert main(["explain", "-", "--out", str(tmp_path / "map.png"), "--model-file", model_file]) == 0
    assert capsys.readouterr().out.split()[0] in GENRES


def test_the_command_has_a_help_with_an_example(capsys):
    assert main(["explain", "--help"]) == 0
    assert "poster-genre explain poster.jpg --genre Horror --out map.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "says"),
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
def test_what_cannot_be_explained_is_refused_in_a_sentence_and_leaves_nothing(
    poster_file, model_file, tmp_path, capsys, words, code, says
):
    names = {"poster": poster_file, "model": model_file, "out": tmp_path / "out"}
    words = [word.format(**names) for word in words]
    before = set(tmp_path.iterdir())
    assert main(["explain", *words, "--model-file", model_file]) == code
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert set(tmp_path.iterdir()) == before


def test_predict_says_not_sure_in_words_and_in_json(fitted, poster_file, tmp_path, capsys):
    import json
    from dataclasses import replace

    from poster_genre.cli.predict import NOT_SURE
    from poster_genre.model.model_file import save_model

    for limit, sure in ((0.0, True), (1e9, False)):
        calibration = replace(fitted.trained_.calibration, sure_above=limit)
        other = replace(fitted.trained_, calibration=calibration)
        save_model(other, tmp_path / "model.npz")
        words = ["predict", str(poster_file), "--model-file", str(tmp_path / "model.npz")]
        assert main(words) == 0
        assert (NOT_SURE in capsys.readouterr().out) is not sure
        assert main([*words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["sure"] is sure


def test_predict_says_once_that_a_model_has_no_calibration(fitted, poster_file, tmp_path, capsys):
    import json
    from dataclasses import replace

    from poster_genre.model.model_file import save_model

    save_model(replace(fitted.trained_, calibration=None), tmp_path / "model.npz")
    words = ["predict", *[str(poster_file)] * 2, "--json", "--model-file", str(tmp_path / "model.npz")]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.err.count("no calibration") == 1
    assert [answer["sure"] for answer in json.loads(said.out)] == [None, None]
