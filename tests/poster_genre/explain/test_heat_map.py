"""Heat maps: resized, and as colours over a poster."""

from __future__ import annotations

import numpy as np
from PIL import Image

from poster_genre.explain.heat_map import heat_layer, overlay, resize_map


def test_a_constant_map_stays_constant():
    np.testing.assert_allclose(resize_map(np.full((3, 2), 0.7), (12, 9)), 0.7, rtol=1e-6)


def test_a_resized_map_has_the_cells_values_at_their_centres():
    grid = np.random.default_rng(4).random((4, 3))
    np.testing.assert_allclose(resize_map(grid, (12, 9))[1::3, 1::3], grid, rtol=1e-6)
    np.testing.assert_allclose(resize_map(grid, (4, 3)), grid, rtol=1e-6)


def test_the_layer_is_brighter_and_more_opaque_where_it_is_hot(corner_heat):
    layer = np.asarray(heat_layer(corner_heat, (240, 160)))
    assert layer.shape == (240, 160, 4)
    hot, cold = layer[20, 10], layer[200, 120]
    assert hot[:3].astype(int).sum() > cold[:3].astype(int).sum() + 300
    assert hot[3] > cold[3]


def test_the_overlay_has_the_posters_size_and_leaves_the_poster_unchanged(corner_heat):
    pixels = np.random.default_rng(1).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    poster = Image.fromarray(pixels.copy())
    result = overlay(poster, corner_heat)
    assert (result.size, result.mode) == (poster.size, "RGB")
    np.testing.assert_array_equal(np.asarray(poster), pixels)
