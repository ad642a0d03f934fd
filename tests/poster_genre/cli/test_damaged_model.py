"""A network whose weights are finite but overflow: no command prints "nan" as if it were a result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.cli.main import main


@pytest.fixture
def overflowing(model_file, tmp_path):
    """The name of a model file with weights near the largest float32."""
    classifier = PosterGenreClassifier.load(model_file)
    for name, parameter in classifier.trained_.network.parameters().items():
        if name.endswith("weight"):
            parameter.data[...] = np.sign(parameter.data) * np.float32(3e38)
    classifier.save(tmp_path / "overflowing.npz")
    with np.errstate(all="ignore"):
        yield str(tmp_path / "overflowing.npz")


def test_explaining_is_an_error_and_writes_nothing(posters, overflowing, tmp_path, capsys):
    out = tmp_path / "map.png"
    assert main(["explain", str(posters[0]), "--out", str(out), "--model-file", overflowing]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "not a finite number" in printed.err
    assert not out.exists()


def test_predicting_is_an_error_and_its_json_is_valid(posters, overflowing, capsys):
    assert main(["predict", str(posters[0]), "--json", "--model-file", overflowing]) == 1
    printed = capsys.readouterr()
    [prediction] = json.loads(printed.out)
    assert (prediction["top"], prediction["probabilities"]) == ([], {})
    assert "not a finite number" in prediction["error"]
    assert "not a finite number" in printed.err
