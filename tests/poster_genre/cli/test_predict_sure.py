"""``poster-genre predict``: whether a prediction is sure, as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image

from poster_genre.cli.main import main
from poster_genre.cli.predict import NOT_SURE
from poster_genre.model.model_file import save_model


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
