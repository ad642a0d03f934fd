"""The demo, with few posters: it writes its files, can be repeated, and refuses folders of other files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from poster_genre.cli.main import main
from poster_genre.demo.colour_baseline import colour_histograms
from poster_genre.demo.drawn_posters import drawn_poster, drawn_posters
from poster_genre.demo.run import demo_spec, run_demo
from poster_genre.errors import UsageError

QUICK = replace(
    demo_spec().with_recipe(epochs=1),
    input_size=(24, 16),
    arguments={**demo_spec().arguments, "widths": [4, 8], "blocks": [1, 1]},
)
FILES = {".poster-genre-demo", "curves.png", "history.csv", "model.npz", "predictions.png", "report.html"}


def quick_demo(out):
    return run_demo(out, train_posters=40, val_posters=30, spec=QUICK)


def test_the_demo_writes_its_pictures_and_works_a_second_time(tmp_path, capsys):
    out = tmp_path / "demo"
    first = quick_demo(out)
    assert {path.name for path in out.iterdir()} == FILES
    picture = (out / "predictions.png").read_bytes()
    with Image.open(out / "predictions.png") as image:
        assert image.width > 1000
    (out / "predictions.png").write_bytes(b"old")
    assert quick_demo(out) == first
    assert (out / "predictions.png").read_bytes() == picture
    assert "predictions.png" in capsys.readouterr().out


def test_the_demo_refuses_a_folder_with_other_files_and_changes_nothing(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no demo wrote"):
        quick_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert main(["demo", "--out", str(tmp_path / "thesis.txt")]) == 2


def test_a_drawn_poster_is_the_same_film_at_any_size():
    (small, genres), (large, same) = drawn_poster(5, 3, (96, 64)), drawn_poster(5, 3, (360, 240))
    assert genres == same
    assert (small.size, large.size) == ((64, 96), (240, 360))


def test_drawn_posters_depend_on_the_seed_alone(capsys):
    pixels, labels = drawn_posters(4, 9, (48, 32))
    again, same = drawn_posters(4, 9, (48, 32))
    np.testing.assert_array_equal(pixels, again)
    np.testing.assert_array_equal(labels, same)
    assert (drawn_posters(4, 10, (48, 32))[0] != pixels).any()
    assert (labels.sum(axis=1) >= 1).all()


def test_colour_histograms_count_every_pixel_in_its_box():
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0, 0] = (255, 0, 64)
    histogram = colour_histograms(pixels)
    assert histogram[0, 3 * 16 + 1] == 0.25
    assert histogram[0, 0] == 0.75
