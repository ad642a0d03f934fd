"""Genres by name."""

from __future__ import annotations

import pytest

from poster_genre.errors import UsageError
from poster_genre.genres import GENRES, INDEX, genre_index


def test_the_case_of_a_genres_name_does_not_matter():
    assert genre_index(" sci-fi ") == INDEX["Sci-Fi"]
    assert genre_index("N/A") == INDEX["N/A"]


def test_an_unknown_genre_is_refused_with_all_25_names():
    with pytest.raises(UsageError) as refused:
        genre_index("Noir")
    assert all(genre in str(refused.value) for genre in (*GENRES, "Noir"))


def test_an_unknown_genre_is_shown_printable_and_cut():
    with pytest.raises(UsageError) as refused:
        genre_index("\x1b[2J" + "x" * 100_000)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500
