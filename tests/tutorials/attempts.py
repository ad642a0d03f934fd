"""Attempts at the exercises of the course, made from the solutions in the sources of the chapters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("jupytext")
pytest.importorskip("jupyter_client")

from build_notebooks import CHAPTERS, made


def attempt(chapter: int, name: str, *changes: tuple[str, str]) -> Callable[..., Any]:
    """The function or class ``name`` that the solution of a chapter defines, parts of its text replaced.

    Each change is (text, replacement); the text must be in the solution's cell.
    """
    cells = _code_cells(chapter)
    imports = [line for cell in cells for line in cell.splitlines() if line.startswith(("import ", "from "))]
    [text] = [cell for cell in cells if f"def {name}(" in cell or f"class {name}(" in cell]
    for before, after in changes:
        assert before in text, f"the solution of {name} has no {before!r}"
        text = text.replace(before, after)
    namespace: dict[str, Any] = {}
    exec("\n".join(imports), namespace)
    exec(compile(text, f"<{name}>", "exec"), namespace)
    return namespace[name]


@functools.cache
def _code_cells(chapter: int) -> list[str]:
    [source] = CHAPTERS.glob(f"{chapter:02}_*.md")
    return [cell.source for cell in made(source, solutions=True).cells if cell.cell_type == "code"]
