"""Names and cells in messages: one line, valid UTF-8, bounded."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poster_genre.errors import printable, quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tt0000001", "tt0000001"),
        ("Zoë 映画", "Zoë 映画"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("two\nlines\t\x1b[31m\x00", r"two\nlines\t\x1b[31m\x00"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="file names are UTF-16 on Windows")
def test_control_characters_and_bytes_that_are_not_utf8_are_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(st.text(st.characters()))
def test_any_text_becomes_one_line_that_utf8_can_encode(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown


def test_a_long_text_is_cut_and_states_its_length() -> None:
    assert printable("x" * 99_000_000, 5) == "xxxxx... (99,000,000 characters)"
    assert printable("xxxxx", 5) == "xxxxx"
    assert quoted("Drama") == "'Drama'"
    assert len(quoted("\n" * 1000)) < 200
