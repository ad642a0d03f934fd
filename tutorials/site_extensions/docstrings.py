"""The docstrings of both packages, which are plain text, as reStructuredText.

They follow a few conventions, made for readers of the source:

    an indented block               formulas, drawings, aligned columns: shown as it stands
    lines that begin with ``name``  one field a line, its text indented below where it is long
    columns, two spaces or more     a table: shown as it stands
    *, - or 1. and a space          an item of a list
    >>>                             an example

Elsewhere characters mean themselves, except that double backquotes enclose code.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

from sphinx.application import Sphinx

FIELD = re.compile(r"(``[^`]+``(?:, ``[^`]+``)*)(:\s+|\s{2,}|\s(?=\S))(.*)")
FIRST_FIELD = re.compile(r"``[^`]+``(?:, ``[^`]+``)*(:\s|:$|\s{2,})")
COLUMNS = re.compile(r"\S.* {2,}\S")
ITEM = re.compile(r"(?:[*-]|\d+\.) +\S")
LITERAL = re.compile(r"(``.+?``)", re.DOTALL)


def restructured(lines: list[str]) -> list[str]:
    """The lines of a docstring as lines of reStructuredText."""
    result: list[str] = []
    for paragraph in paragraphs(lines):
        result += [*_paragraph(paragraph), ""]
    return result


def paragraphs(lines: list[str]) -> list[list[str]]:
    """Runs of lines without a blank one; an indented block keeps the blank lines inside it."""
    found: list[list[str]] = [[]]
    for number, line in enumerate(lines):
        if line.strip():
            found[-1].append(line.rstrip())
            continue
        following = next((later for later in lines[number:] if later.strip()), "")
        if found[-1] and _indented(found[-1][-1]) and _indented(following) and _indented(found[-1][0]):
            found[-1].append("")
        elif found[-1]:
            found.append([])
    return [paragraph for paragraph in found if paragraph]


def _indented(line: str) -> bool:
    return line.startswith(" ")


def _paragraph(lines: list[str]) -> list[str]:
    outer = [line for line in lines if not _indented(line)]
    if outer and lines[0].startswith(">>>"):
        return lines
    if outer and ITEM.match(lines[0]):
        return _items(lines)
    if outer and _are_fields(lines):
        return _fields(lines)
    if outer and all(COLUMNS.match(line) and not re.search(r"[.:;,)] {2}", line) for line in outer):
        return _literal(lines)
    return _prose_and_blocks(lines)


def _are_fields(lines: list[str]) -> bool:
    outer = [line for line in lines if line and not _indented(line)]
    return bool(FIRST_FIELD.match(lines[0])) and all(FIELD.match(line) for line in outer)


def _prose_and_blocks(lines: list[str]) -> list[str]:
    """Prose, with each run of indented lines as a literal block."""
    result: list[str] = []
    start = 0
    while start < len(lines):
        block = _indented(lines[start])
        end = start
        while end < len(lines) and (not lines[end] or _indented(lines[end]) == block):
            end += 1
        part = lines[start:end]
        if not block:
            result += [*escaped("\n".join(part)).split("\n"), ""]
        elif _are_fields(without_margin(part)):
            result += _fields(without_margin(part))
        else:
            result += _literal(part)
        start = end
    return result


def _literal(lines: list[str]) -> list[str]:
    """A block in which every character stays where it is."""
    return [".. code-block:: text", "", *("   " + line for line in without_margin(lines)), ""]


def without_margin(lines: list[str]) -> list[str]:
    """The lines without the indentation that they have in common."""
    return textwrap.dedent("\n".join(lines)).split("\n")


def _fields(lines: list[str]) -> list[str]:
    """A definition for each field, with its indented lines."""
    result: list[str] = []
    for line in lines:
        match = FIELD.match(line)
        if match and not _indented(line):
            result += ["", match[1], f"   {match[3]}"] if match[3] else ["", match[1], "   \\"]
        else:
            result.append(f"   {line.strip()}")
    text = "\n".join([*result, ""])
    return [line.rstrip() for line in escaped(text).split("\n")]


def _items(lines: list[str]) -> list[str]:
    """The items of a list; other lines continue the item above them."""
    result: list[str] = []
    for line in lines:
        match = ITEM.match(line)
        if match and not _indented(line):
            marker, _, text = line.partition(" ")
            width = len(marker) + 1
            result += ["", f"{marker} {escaped(text.strip())}"]
        else:
            result.append(" " * width + escaped(line.strip()))
    return result


def escaped(text: str) -> str:
    """Text in which only double backquotes have a meaning."""
    parts = LITERAL.split(text)
    for i in range(0, len(parts), 2):
        part = re.sub(r"([\\*`|])", r"\\\1", parts[i])
        part = re.sub(r"(\w)_(?!\w)", r"\1\\_", part)
        parts[i] = re.sub(r"::$", r":\\:", part, flags=re.MULTILINE)
        if i and re.match(r"\w", parts[i]):  # a literal ends at a space or a sign
            parts[i] = "\\ " + parts[i]
    return "".join(parts)


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """The event ``autodoc-process-docstring``: changes the lines in place."""
    lines[:] = restructured(lines)


def skip(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """The event ``autodoc-skip-member``: leaves out fields that a NamedTuple's docstring has."""
    if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number"):
        return True
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the two events."""
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
