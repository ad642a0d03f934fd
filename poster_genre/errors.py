"""Errors whose text is written for the user: what is wrong, where, and what to do."""

from __future__ import annotations


class PosterGenreError(ValueError):
    """An operation failed. The command line prints the text and exits with 1."""


class UsageError(PosterGenreError):
    """The arguments cannot work. The command line prints the text and exits with 2."""


# Exit codes of the command line.
FAILED, USAGE, INTERRUPTED = 1, 2, 130

SHOWN_CHARACTERS = 80


def printable(text: str, limit: int | None = None) -> str:
    """``text`` as one line that any terminal, file and JSON parser accepts.

    Control characters and line breaks become escapes such as ``\\n``, and the bytes of a file name that is
    not UTF-8 (lone surrogates in Python, PEP 383) become ``\\xe9``. A text of more than ``limit`` characters
    is cut and ends in its length.
    """
    length = len(text)
    if limit is not None and length > limit:
        return f"{printable(text[:limit])}... ({length:,} characters)"
    return text if text.isprintable() else "".join(map(_escaped, text))


def quoted(text: str) -> str:
    """An Id, cell or genre name in quotation marks, for a message: printable, of a bounded length."""
    return f"'{printable(text, SHOWN_CHARACTERS)}'"


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
