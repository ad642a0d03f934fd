"""Pictures: that they are whole PNG files showing what they should, and leave nothing else behind."""

import math
import os
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

from minicnn import visualize
from minicnn.training.lr_finder import LearningRateRange
from minicnn.visualize import feature_maps, filter_grid, mosaic, plot_history, plot_learning_rate_range

RNG = np.random.default_rng(0)
ROWS = [
    {"epoch": i, "loss": 1 / i, "val_loss": 1.2 / i, "lr": 0.1, "macro_map": i / 9, "seconds": 2.0}
    for i in range(1, 5)
]
RANGE = LearningRateRange(np.geomspace(1e-5, 1, 50), np.linspace(2, 1, 50), 1e-3)


def read(path):
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    return matplotlib.image.imread(path)


DRAW = {
    "history": lambda path: plot_history(ROWS, path),
    "range": lambda path: plot_learning_rate_range(RANGE, path),
    "colour filters": lambda path: filter_grid(RNG.standard_normal((3, 3, 3, 8)), path),
    "filters": lambda path: filter_grid(RNG.standard_normal((3, 3, 4, 8)).astype(np.float32), path),
    "maps": lambda path: feature_maps(RNG.standard_normal((12, 8, 5)).astype(np.float32), path),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_a_whole_png_with_a_picture_in_it_appears_and_nothing_else(draw, tmp_path):
    draw(tmp_path / "picture.png")
    picture = read(tmp_path / "picture.png")
    assert min(picture.shape[:2]) > 50
    assert picture[..., :3].std() > 0.01
    assert os.listdir(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_a_failed_drawing_leaves_the_old_file_alone(draw, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def fail(self, file, **options):
        file.write(b"half")
        raise MemoryError("planted")

    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(MemoryError, match="planted"):
        draw(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["picture.png"]


def test_drawing_does_not_touch_pyplot_and_importing_does_not_load_matplotlib(tmp_path):
    code = (
        "import sys; from minicnn.visualize import plot_history; assert 'matplotlib' not in sys.modules\n"
        f"plot_history([{{'epoch': 1, 'loss': 0.5}}], {str(tmp_path / 'h.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "rows",
    [
        [{"loss": 0.5}],
        [{"epoch": 1, "loss": 0.5, "val_loss": None}],
        [{"epoch": 1, "loss": math.nan, "val_loss": math.nan, "macro_map": math.nan}],
        [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4, "val_loss": 0.6, "lr": 0.1, "note": "text"}],
    ],
)
def test_history_with_gaps_is_drawn(rows, tmp_path):
    plot_history(rows, tmp_path / "history.png")
    read(tmp_path / "history.png")


def drawn_axes(monkeypatch, draw):
    """The axes of the figure that ``draw`` would have saved."""
    caught = []
    for module in (visualize.curves, visualize.tensors):
        monkeypatch.setattr(module, "save_figure", lambda figure, path: caught.append(figure))
    draw()
    return caught[0].axes


def test_history_shows_every_curve_under_its_name(monkeypatch):
    axes = drawn_axes(monkeypatch, lambda: plot_history(ROWS, "unused"))
    assert [a.get_title(loc="left") for a in axes] == ["Loss", "Measures", "Learning rate"]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["training", "validation"]
    assert [text.get_text() for text in axes[1].get_legend().get_texts()] == ["macro map"]
    np.testing.assert_allclose(axes[0].get_lines()[0].get_ydata(), [1, 1 / 2, 1 / 3, 1 / 4])
    assert {a.get_xlabel() for a in axes} == {"epoch"}


def test_the_best_validation_loss_is_marked(monkeypatch):
    rows = [{"epoch": i, "loss": 1.0, "val_loss": v} for i, v in enumerate([0.5, 0.3, 0.4], start=1)]
    (axes,) = drawn_axes(monkeypatch, lambda: plot_history(rows, "unused"))
    assert [text.get_text() for text in axes.texts] == ["best 0.3"]
    assert axes.texts[0].xy == (2, 0.3)


def test_the_suggested_rate_is_marked_only_when_there_is_one(monkeypatch):
    (axes,) = drawn_axes(monkeypatch, lambda: plot_learning_rate_range(RANGE, "unused"))
    assert "falls fastest at 0.001" in [text.get_text() for text in axes.get_legend().get_texts()]
    nothing = RANGE._replace(suggestion=math.nan)
    (axes,) = drawn_axes(monkeypatch, lambda: plot_learning_rate_range(nothing, "unused"))
    assert len(axes.get_legend().get_texts()) == 2


def test_a_mosaic_holds_every_tile_once_with_gaps_between():
    tiles = np.arange(3 * 30 * 24, dtype=float).reshape(3, 30, 24)
    picture = mosaic(tiles, 2)
    assert picture.shape == (62, 50)
    assert np.array_equal(picture[:30, :24], tiles[0])
    assert np.array_equal(picture[:30, 26:], tiles[1])
    assert np.array_equal(picture[32:, :24], tiles[2])
    assert np.isnan(picture[30:32]).all()
    assert np.isnan(picture[32:, 24:]).all()


def test_small_tiles_are_enlarged_by_a_whole_factor():
    picture = mosaic(np.array([[[1.0, 2.0], [3.0, 4.0]]]), 1)
    assert picture.shape == (24, 24)
    assert np.unique(picture[:12, 12:]).tolist() == [2.0]


def test_colour_filters_show_zero_as_grey_and_their_largest_weight_at_the_edge(monkeypatch):
    weights = np.zeros((2, 2, 3, 1))
    weights[0, 0] = [[4.0], [0.0], [-4.0]]
    (axes,) = drawn_axes(monkeypatch, lambda: filter_grid(weights, "unused"))
    picture = axes.get_images()[0].get_array()
    np.testing.assert_allclose(picture[0, 0], [1, 0.5, 0])
    np.testing.assert_allclose(picture[-1, -1], [0.5, 0.5, 0.5])


def test_constant_weights_and_dead_channels_are_drawn_without_a_warning(tmp_path):
    filter_grid(np.zeros((3, 3, 3, 2)), tmp_path / "filters.png")
    feature_maps(np.zeros((1, 4, 4, 2)), tmp_path / "maps.png")
    assert len(os.listdir(tmp_path)) == 2


def test_what_is_left_out_is_said(monkeypatch):
    (axes,) = drawn_axes(monkeypatch, lambda: feature_maps(np.zeros((4, 4, 9)), "unused", limit=6))
    assert axes.get_title(loc="left") == "9 feature maps of 4x4 (the first 6)"
    (axes,) = drawn_axes(monkeypatch, lambda: filter_grid(np.zeros((3, 3, 5, 30)), "unused"))
    assert (
        axes.get_title(loc="left") == "30 filters of 3x3 over 5 channels (the first 16 filters, 5 channels)"
    )


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: plot_history([], path),
        lambda path: filter_grid(np.zeros((3, 3, 3)), path),
        lambda path: feature_maps(np.zeros((2, 4, 4, 3)), path),
        lambda path: feature_maps(np.zeros((4, 4)), path),
    ],
)
def test_bad_input_is_refused_before_a_file_appears(draw, tmp_path):
    with pytest.raises(ValueError, match="expected"):
        draw(tmp_path / "picture.png")
    assert not os.listdir(tmp_path)
