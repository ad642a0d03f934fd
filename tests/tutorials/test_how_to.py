"""The programs of the how-to pages."""

from __future__ import annotations

import csv
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minicnn.gradcheck import check_layer
from poster_genre.data.dataset import load_dataset
from poster_genre.drawing.synthetic import write_dataset

HOW_TO = Path(__file__).parents[2] / "tutorials" / "how_to"


def program(name: str) -> dict:
    """The names that a program of a how-to page defines."""
    return runpy.run_path(str(HOW_TO / f"{name}.py"))


def test_the_gradients_of_the_example_layer_are_right():
    layer = program("channel_scale")["ChannelScale"](3, dtype=np.float64)
    results = check_layer(layer, (2, 5, 4, 3))
    assert {result.tensor for result in results} == {"x", "weight"}
    assert all(result.passed for result in results)


def test_the_example_kernel_agrees_with_its_twin():
    names = program("channel_sums")
    dy, x = np.random.default_rng(0).standard_normal((2, 3, 50, 40, 5))
    assert len(x[..., 0].ravel()) > names["BLOCK"]
    expected = np.einsum("nijc,nijc->c", dy, x)
    np.testing.assert_allclose(names["channel_sums"](dy, x), expected, rtol=1e-9)
    np.testing.assert_allclose(names["channel_sums_reference"](dy, x), expected, rtol=1e-9)


def test_a_short_table_becomes_the_table_of_a_data_set(tmp_path):
    write_dataset(tmp_path / "drawn", 6, seed=1)
    before = load_dataset(tmp_path / "drawn")
    table = tmp_path / "drawn" / "train.csv"
    with open(table, newline="") as stream:
        rows = [(row["Id"], eval(row["Genre"])) for row in csv.DictReader(stream)]
    lines = [f"Images/{poster}.jpg,{';'.join(genres)}" for poster, genres in rows]
    (tmp_path / "drawn" / "labels.csv").write_text("\n".join(["file,labels", *lines]))
    table.unlink()
    assert program("genre_table")["main"]([str(tmp_path / "drawn")]) == 0
    after = load_dataset(tmp_path / "drawn")
    assert after.ids == before.ids
    assert not after.defects
    np.testing.assert_array_equal(after.labels, before.labels)


def test_a_label_that_is_no_genre_is_named(tmp_path, capsys):
    (tmp_path / "labels.csv").write_text("file,labels\nImages/a.jpg,Horrible\n")
    assert program("genre_table")["main"]([str(tmp_path)]) == 1
    assert "Horrible" in capsys.readouterr().err
    assert not (tmp_path / "train.csv").exists()


def test_labels_of_ones_own_are_trained_and_predicted(tmp_path, capsys, monkeypatch):
    names = program("own_labels")
    spec = names["model_spec"]("compact")
    small = {**spec.arguments, "widths": [4, 4, 4], "stem": 4, "last": 4}
    tiny = replace(spec, input_size=(16, 16), arguments=small)
    for function in ("train", "predict"):
        monkeypatch.setitem(names[function].__globals__, "model_spec", lambda name: tiny)
    write_dataset(tmp_path / "drawn", 24, seed=1)
    files = sorted((tmp_path / "drawn" / "Images").iterdir())
    lines = [f"Images/{file.name},{('dark;old', 'old', '')[i % 3]}" for i, file in enumerate(files)]
    (tmp_path / "drawn" / "labels.csv").write_text("\n".join(["file,labels", *lines]))
    assert names["main"](["train", str(tmp_path / "drawn"), str(tmp_path / "out.npz"), "1"]) == 0
    assert "\nold " in capsys.readouterr().out
    assert names["main"](["predict", str(tmp_path / "out.npz"), str(files[0])]) == 0
    assert capsys.readouterr().out.startswith(f"{files[0].name}: dark ")


@pytest.mark.parametrize("name", ["genre_table", "own_labels"])
def test_a_command_without_arguments_says_how_it_is_used(name, capsys):
    assert program(name)["main"]([]) == 2
    assert "python tutorials/how_to" in capsys.readouterr().err
