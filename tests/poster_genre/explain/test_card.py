"""The card with poster, heat map and caption."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from poster_genre.explain.card import caption_of, render_card
from poster_genre.explain.explain import ExplainResult


@pytest.mark.parametrize("size", [(1, 1), (40, 60), (200, 300), (900, 30), (30, 1500), (2000, 3000)])
@pytest.mark.parametrize("genre", ["N/A", "Documentary"])
def test_a_card_of_any_poster_has_a_bounded_size(corner_heat, size, genre):
    result = ExplainResult(genre, 0.987, corner_heat, "occlusion", 1.2)
    card = render_card(result, Image.new("RGB", size, "teal"))
    assert card.mode == "RGB"
    assert 100 < card.width < 2000
    assert 100 < card.height < 1200


def test_the_caption_gives_the_probability_left_with_the_brightest_part_covered(corner_heat):
    text = caption_of(ExplainResult("Horror", 0.5, corner_heat, "occlusion", float(np.log(3))))
    assert "25%" in text


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_the_caption_of_an_empty_map_says_that_there_is_no_evidence(corner_heat, method):
    text = caption_of(ExplainResult("Horror", 0.1, 0 * corner_heat, method, 0.0))
    assert "no evidence for Horror" in text
