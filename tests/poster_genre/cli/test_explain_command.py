"""poster-genre explain: what the command itself refuses."""

from __future__ import annotations

import numpy as np

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.cli.main import main


def test_explaining_with_a_network_that_overflows_is_an_error_and_writes_nothing(
    posters, model_file, tmp_path, capsys
):
    classifier = PosterGenreClassifier.load(model_file)
    for name, parameter in classifier.model_.parameters().items():
        if name.endswith("weight"):
            parameter.data[...] = np.sign(parameter.data) * np.float32(3e38)
    classifier.save(tmp_path / "damaged.npz")
    out = tmp_path / "map.png"
    words = ["explain", str(posters[0]), "--out", str(out), "--model-file", str(tmp_path / "damaged.npz")]
    with np.errstate(all="ignore"):
        assert main(words) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "not a finite number" in printed.err
    assert not out.exists()
