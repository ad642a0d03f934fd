"""Occlusion: what covering a cell costs, in log-odds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poster_genre.explain.explain import explain
from poster_genre.explain.occlusion import occlusion
from poster_genre.genres import GENRES, INDEX
from poster_genre.model.calibration import log_odds
from poster_genre.model.networks import SPECS
from tests.poster_genre.explain.shape_posters import hits


def test_the_maximum_is_on_the_shape_of_the_genre(occlusion_maps, cases):
    assert hits(occlusion_maps, cases) > 0.85


class OneCellModel:
    """Log-odds 2 for every genre, or 0 where one cell of 2x2 pixels has the mean colour throughout."""

    def __init__(self, row, column):
        self.spec = replace(SPECS["compact"], input_size=(24, 16), mean=(0.2, 0.4, 0.6))
        self.cell = (slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2))

    def probabilities(self, pixels):
        colour = np.round(255 * np.array(self.spec.mean))
        is_visible = (pixels[:, *self.cell] != colour).any(axis=(1, 2, 3))
        return np.repeat(1 / (1 + np.exp(-2.0 * is_visible))[:, None], len(GENRES), axis=1)


@pytest.mark.parametrize(("row", "column"), [(5, 3), (0, 0), (11, 7)])
def test_the_loss_of_a_cell_is_shared_by_the_cells_that_are_covered_with_it(row, column):
    pixels = np.full((24, 16, 3), 9, np.uint8)
    lost = occlusion(OneCellModel(row, column), pixels, 0)
    near = [np.maximum(1 - np.abs(np.arange(n) - i) / 2, 0) for n, i in ((12, row), (8, column))]
    np.testing.assert_allclose(lost, 2 * np.outer(*near), rtol=1e-5)


def test_progress_is_reported_up_to_the_last_square(fitted, coloured_posters):
    reports = []
    pixels = coloured_posters[0][0]
    explain(fitted, pixels, "Action", method="occlusion", progress=lambda *report: reports.append(report))
    done = [count for count, _ in reports]
    assert done == sorted(set(done))
    assert reports[-1][0] == reports[-1][1] == 13 * 9


def test_covering_the_only_part_costs_its_log_odds_and_covering_mean_colour_nothing(fitted, coloured_posters):
    model = fitted.trained_
    pixels = coloured_posters[0][0].copy()
    colour = np.round(255 * np.array(model.spec.mean)).astype(np.uint8)
    pixels[4:, :] = colour
    pixels[:, 4:] = colour
    genre = INDEX["Drama"]
    blank = np.full_like(pixels, colour)
    expected = log_odds(model.probabilities(pixels[None])) - log_odds(model.probabilities(blank[None]))
    lost = occlusion(model, pixels, genre)
    assert lost[0, 0] >= max(0.0, expected[0, genre]) / 4 - 1e-6
    assert not lost[3:, 3:].any()
