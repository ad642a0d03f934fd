"""Drawings on axes: what they show, and what they refuse."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from minicnn import visualize

RNG = np.random.default_rng(0)


def new_axes(panels=1):
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    return axes if panels > 1 else axes[0]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_a_number_grid_writes_each_number_in_its_cell_and_outlines_the_frame():
    axes = new_axes()
    visualize.number_grid(axes, np.array([[1, -2], [3, 0]]), title="t", frame=(0, 1, 2, 1))
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "1"),
        ((1, 0), "-2"),
        ((0, 1), "3"),
        ((1, 1), "0"),
    }
    [frame] = axes.patches
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((0.5, -0.5), 1, 2)
    assert axes.get_title() == "t"


def test_floats_are_rounded_to_the_digits_asked_for():
    axes = new_axes()
    visualize.number_grid(axes, np.array([[0.126]]), digits=1)
    assert texts(axes) == ["0.1"]


@pytest.mark.parametrize("place", [(0, 0), (2, 1), (3, 3)])
def test_a_computation_shows_the_patch_and_its_sum(place):
    image, kernel = RNG.integers(-4, 5, (6, 5)), RNG.integers(-3, 4, (3, 2))
    axes = new_axes(4)
    visualize.computation(axes, image, kernel, *place)
    row, column = place
    patch = image[row : row + 3, column : column + 2]
    assert texts(axes[1]) == [str(v) for v in patch.flat]
    assert axes[3].get_title() == f"products, sum {(patch * kernel).sum()}"


def test_a_signed_map_is_white_at_zero_with_a_bar_of_the_limit():
    axes = new_axes()
    visualize.signed_map(axes, np.array([[-1.0, 0.5]]), limit=3)
    [image] = axes.images
    assert image.get_clim() == (-3, 3)
    assert image.cmap(image.norm(0.0))[:3] == pytest.approx((0.97, 0.97, 0.97), abs=0.01)
    assert len(axes.figure.axes) == 2


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"inputs": 5, "kernel": 3}, {(i + p, i) for i in range(3) for p in range(3)}),
        ({"inputs": 7, "kernel": 3, "stride": 2}, {(2 * i + p, i) for i in range(3) for p in range(3)}),
        ({"inputs": 7, "kernel": 2, "dilation": 3}, {(i + 3 * p, i) for i in range(4) for p in range(2)}),
    ],
)
def test_wiring_draws_one_line_for_each_product(settings, lines):
    axes = new_axes()
    visualize.wiring(axes, **settings)
    ends = [line.get_xdata() for line in axes.lines]
    places = sorted({end[1] for end in ends})
    assert {(int(a), places.index(b)) for a, b in ends} == lines
    assert len(ends) == len(lines)


def test_receptive_fields_are_squares_around_the_centre():
    axes = new_axes()
    visualize.receptive_field(axes, [3, 7], image=(9, 11))
    squares = {(p.get_xy(), p.get_width(), p.get_height()) for p in axes.patches}
    assert squares == {((0, 0), 11, 9), ((4.0, 3.0), 3, 3), ((2.0, 1.0), 7, 7)}


def test_a_roofline_is_the_lesser_of_peak_and_bandwidth():
    axes = new_axes()
    visualize.roofline(axes, {"dense": (0.5, 4.0), "conv": (40.0, 70.0)}, peak=100, bandwidth=10)
    x, y = axes.lines[0].get_data()
    np.testing.assert_allclose(y, np.minimum(100, 10 * x))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["dense", "conv"]


def test_kernels_stand_with_channels_in_rows_and_filters_in_columns():
    axes = new_axes()
    weights = RNG.standard_normal((3, 3, 2, 4))
    visualize.kernel_grid(axes, weights)
    picture = axes.images[0].get_array()
    np.testing.assert_allclose(picture[0, 0], weights[0, 0, 0, 0])
    np.testing.assert_allclose(picture[-1, -1], weights[2, 2, 1, 3])
    np.testing.assert_allclose(picture[0, -1], weights[0, 2, 0, 3])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1", "2", "3"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "1"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda axes: visualize.number_grid(axes, np.zeros(3)), "expected an array of numbers"),
        (lambda axes: visualize.signed_map(axes, np.zeros((0, 3))), "expected an array of numbers"),
        (
            lambda axes: visualize.computation([axes] * 4, np.zeros((3, 3)), np.ones((2, 2)), 2, 0),
            "not inside",
        ),
        (lambda axes: visualize.wiring(axes, inputs=2, kernel=3), "does not fit"),
        (lambda axes: visualize.receptive_field(axes, [], image=(3, 3)), "at least 1 pixel"),
        (lambda axes: visualize.roofline(axes, {}, peak=0, bandwidth=1), "above 0"),
        (lambda axes: visualize.kernel_grid(axes, np.zeros((3, 3))), "expected weights of shape"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(draw, message):
    axes = new_axes()
    with pytest.raises(ValueError, match=message):
        draw(axes)
