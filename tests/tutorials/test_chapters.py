"""The form of every chapter: its sections, exercises, questions, and that what it points to exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from course.exercise import Exercise, Questions

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "tutorials" / "chapters").glob("*.md"))
SECTIONS = ["## Exercises", "## Recall", "## See it live", "## Read in the library now", "## Papers"]
STUB = re.compile(
    r"^(?:def|class) (\w+)\((?:(?!^```).)*?### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL | re.MULTILINE
)

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def section(text: str, heading: str) -> str:
    """The text between a heading of the second level and the next one."""
    return re.split(r"^## ", text.split(f"\n{heading}\n")[1], flags=re.MULTILINE)[0]


def test_there_are_sixteen_chapters_and_one_to_set_up():
    assert [path.stem[:2] for path in CHAPTERS] == [f"{number:02}" for number in range(17)]


@every_chapter
def test_it_opens_with_its_number_and_has_all_sections_in_order(chapter):
    text = chapter.read_text(encoding="utf-8")
    assert re.search(rf"^# {int(chapter.stem[:2])}\. ", text, re.MULTILINE)
    places = [text.find(f"\n{heading}\n") for heading in SECTIONS]
    assert min(places) > 0
    assert places == sorted(places)


@every_chapter
def test_every_exercise_has_a_docstring_two_hints_and_a_check(chapter):
    text = chapter.read_text(encoding="utf-8")
    exercises = section(text, "## Exercises")
    parts = re.split(r"^### Exercise \d+\.", exercises, flags=re.MULTILINE)[1:]
    assert parts
    for part in parts:
        names = STUB.findall(part)
        assert names, part[:200]
        assert '"""' in part.split("### BEGIN SOLUTION")[0]
        assert part.count("<details><summary>Hint ") == 2, names
        assert part.count("</details>") == part.count("<details>")
        assert re.search(r"^check\.\w+\(\w+\)", part, re.MULTILINE), names


@every_chapter
def test_it_asks_five_questions_with_folded_answers(chapter):
    recall = section(chapter.read_text(encoding="utf-8"), "## Recall")
    assert recall.count("<details><summary>") == recall.count("</details>") == 5


@every_chapter
def test_it_points_to_the_inside_page_to_files_that_exist_and_to_the_next_chapter(chapter):
    text = chapter.read_text(encoding="utf-8")
    assert "http://127.0.0.1:8000/inside" in section(text, "## See it live")
    reading = section(text, "## Read in the library now")
    for path in re.findall(r"`((?:minicnn|poster_genre|benchmarks|tests|tutorials)/[\w./]*)`", reading):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([\w./-]+\.(?:ipynb|md|py))\)", text):
        assert (chapter.parents[1] / link).exists(), link
    later = CHAPTERS[CHAPTERS.index(chapter) + 1 :]
    if later:
        assert f"({later[0].stem}.ipynb)" in text


@every_chapter
def test_both_notebooks_are_there(chapter):
    folder = chapter.parents[1]
    assert (folder / f"{chapter.stem}.ipynb").exists()
    assert (folder / "solutions" / f"{chapter.stem}.ipynb").exists()


@every_chapter
def test_the_modules_of_its_check_and_of_its_test_are_there(chapter):
    number = chapter.stem[:2]
    assert (ROOT / "tutorials" / "course" / f"chapter{number}.py").exists()
    assert (Path(__file__).parent / f"test_chapter{number}.py").exists()


def checks() -> Iterator[Any]:
    """Every exercise of every chapter, and all questions."""
    for chapter in CHAPTERS:
        module = import_module(f"course.chapter{chapter.stem[:2]}")
        for name, value in vars(module).items():
            if isinstance(value, (Exercise, Questions)):
                yield pytest.param(value, id=f"{chapter.stem[:2]}-{name}")


@pytest.mark.parametrize("check", list(checks()))
def test_an_unfilled_stub_is_answered_kindly(check):
    def unfilled(*_, **__):
        raise NotImplementedError

    report = check.diagnose(unfilled)
    assert set(report.keys.values()) == {"unfilled"}
    if isinstance(check, Exercise):
        assert report.keys == {check.name: "unfilled"}
        assert "is not written yet" in str(report)
    else:
        assert set(report.keys) == set(check.right)
