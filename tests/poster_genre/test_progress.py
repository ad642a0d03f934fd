"""Progress on standard error: a bar on a terminal, lines elsewhere, and nothing that can stop the work."""

from __future__ import annotations

import io

import pytest

from poster_genre import progress
from poster_genre.progress import progress_bar


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    """A text stream on a full disk."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def work(total: int = 3) -> None:
    with progress_bar("Decoding posters", total, " posters") as bar:
        for _ in range(total):
            bar.update()


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    work()
    assert "Decoding posters: 100%" in stream.getvalue()
    assert "3/3" in stream.getvalue()


def test_a_file_gets_no_line_of_quick_work(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    work()
    assert stream.getvalue() == ""


def test_a_file_gets_plain_lines_of_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    work(2)
    assert stream.getvalue() == "Decoding posters: 1 of 2 posters\nDecoding posters: 2 of 2 posters\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_work_goes_on_where_standard_error_is_full(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr("sys.stderr", Full(terminal))
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    work()


def test_work_goes_on_where_standard_error_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    work()
