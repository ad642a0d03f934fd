"""The pages as HTML documents: well formed, nothing from another origin, nothing inline, no dead links."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.web.pages.example_posters import (
    EXAMPLES,
    SIZE,
    ExamplePoster,
    draw_example,
    is_answered_rightly,
)
from poster_genre.web.pages.html_templates import NAVIGATION
from poster_genre.web.pages.markdown_html import document_html, inline_html
from poster_genre.web.static_files import load_static_files
from tests.poster_genre.web.problem_document import problem

PATHS = [f"/{path}" for path, _ in NAVIGATION]
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Reader(HTMLParser):
    """Tags with their attributes; AssertionError where they do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_well_formed_and_loads_only_static_files(live: Any, path: str) -> None:
    answer = live.client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    tags = Reader(answer.text).tags
    assert [tag for tag, _ in tags].count("h1") == 1
    assert ("html", {"lang": "en"}) in tags
    for tag, attributes in tags:
        assert "style" not in attributes, "the content policy forbids inline styles"
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "style"
        if tag == "script":
            assert attributes["src"]
        loaded = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if loaded:
            assert loaded.startswith("static/")  # relative: a proxy can put the pages under any path
            assert live.client.get(urljoin(path, loaded)).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_every_link_of_a_page_has_a_target(live: Any, path: str) -> None:
    tags = Reader(live.client.get(path).text).tags
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    for tag, attributes in tags:
        href = attributes.get("href") or ""
        if tag == "a" and href.startswith("#"):
            assert href[1:] in ids
        elif tag == "a" and not href.startswith("https://") and "hidden" not in attributes:
            assert not href.startswith("/")
            assert live.client.get(urljoin(path, href)).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/nothing/at/all", "/static/none.css", "/inside/x"])
def test_an_unknown_address_is_a_page_with_a_way_home_for_a_browser(live: Any, path: str) -> None:
    answer = live.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    tags = Reader(answer.text).tags
    homes = {urljoin(path, attributes["href"]) for tag, attributes in tags if tag == "a"}
    assert "/" in homes
    for tag, attributes in tags:
        if tag in ("link", "script"):
            loaded = urljoin(path, attributes.get("href") or attributes["src"])
            assert live.client.get(loaded).status_code == 200
    assert problem(live.client.get(path), 404)  # a program gets the problem document


@pytest.mark.parametrize("name", ["inside", "model", "api"])
def test_a_slash_too_many_leads_to_the_page_by_a_relative_address(live: Any, name: str) -> None:
    answer = live.client.get(f"/{name}/")
    assert (answer.status_code, answer.headers["location"]) == (307, f"../{name}")


def test_an_example_of_the_api_has_an_address_without_javascript(live: Any) -> None:
    for path in ("/", "/api"):
        text = live.client.get(path).text
        assert "http://127.0.0.1:8000/api/v1/predict" in text
        assert "{origin}" not in text


def test_scripts_and_styles_name_no_other_origin() -> None:
    for name, file in load_static_files().items():
        if name.endswith((".css", ".js")):
            origins = set(re.findall(rb"https?://[^\s\"')]+", file.body))
            assert not origins, (name, origins)


def test_every_element_that_the_script_reads_is_on_the_page(live: Any) -> None:
    script = live.client.get("/static/app.js").text
    ids = {attributes.get("id") for _, attributes in Reader(live.client.get("/").text).tags}
    read = set(re.findall(r'\$\("([\w-]+)"\)', script))
    assert read
    assert read <= ids


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_an_example_is_the_drawn_poster_of_its_genres_and_seed(example: ExamplePoster) -> None:
    shipped = Image.open(io.BytesIO(load_static_files()[f"examples/{example.file}"].body))
    assert (shipped.height, shipped.width) == SIZE
    drawn = Image.open(io.BytesIO(draw_example(example.genres, example.seed)))
    difference = np.abs(np.asarray(drawn, np.int16) - np.asarray(shipped, np.int16)).mean()
    assert difference < 6, "python -m poster_genre.web.pages.example_posters draws it"


def test_the_packaged_network_answers_every_example_rightly() -> None:
    classifier, files = PosterGenreClassifier.load(), load_static_files()
    for file, genres, _ in EXAMPLES:
        assert is_answered_rightly(classifier, files[f"examples/{file}"].body, genres), file
    assert len({genre for example in EXAMPLES for genre in example.genres}) >= 8
    assert {f"examples/{example.file}" for example in EXAMPLES} == {
        n for n in files if n.startswith("examples/")
    }


def test_the_api_page_lists_every_path_and_status(live: Any) -> None:
    text = live.client.get("/api").text
    for path, methods in live.client.get("/openapi.json").json()["paths"].items():
        assert path in text
        for operation in methods.values():
            for status in operation["responses"]:
                assert f"<td>{status}</td>" in text


def test_a_model_card_is_shown_where_there_is_one(live: Any) -> None:
    text = live.client.get("/model").text
    assert live.state.classifier.model_version in text
    card = resources.files("poster_genre.model") / "MODEL_CARD.md"
    if card.is_file():
        title = card.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        assert title.split()[0] in text


def test_markdown_becomes_html() -> None:
    text = "# A & B\n\nSome *soft* and **hard** `x < y`.\n\n- one\n  more\n- two\n\n"
    text += "| a | b | |\n|---|--:|---|\n| 1 | 2 | 3 |\n"
    html = document_html(text + "\n```\n<b>\n\nraw\n```\n\n1. first\n2. second\n\n[web](https://a.example)")
    assert "<h2>A &amp; B</h2>" in html
    assert "<em>soft</em> and <strong>hard</strong> <code>x &lt; y</code>" in html
    assert re.search(r"<ul>\s*<li>one\s+more</li>\s*<li>two</li>\s*</ul>", html)
    assert re.search(r'<th scope="col">a</th>\s*<th scope="col">b</th>\s*<td></td>', html)
    assert re.search(r"<td>1</td>\s*<td>2</td>", html)
    assert '<pre tabindex="0"><code>&lt;b&gt;\n\nraw</code></pre>' in html
    assert '<pre tabindex="0"><code>an indented line</code></pre>' in document_html("    an indented line\n")
    assert re.search(r"<ol>\s*<li>first</li>\s*<li>second</li>\s*</ol>", html)
    assert '<a href="https://a.example" rel="noreferrer">web</a>' in html
    assert "style=" not in html


def test_one_line_of_markdown_has_no_paragraph_around_it() -> None:
    assert inline_html("`a` & *b*") == "<code>a</code> &amp; <em>b</em>"


def test_links_within_the_repository_become_text() -> None:
    assert document_html("see [the card](MODEL_CARD.md)") == "<p>see the card</p>\n"


@pytest.mark.parametrize(
    "text",
    [
        "<script>x</script>",
        "[x](javascript:alert(1))",
        "![x](https://a.example/b.png)",
        '[a](https://b"onx=)',
    ],
)
def test_markdown_lets_nothing_active_through(text: str) -> None:
    html = document_html(text)
    assert "<script" not in html
    assert "javascript:" not in html
    assert "<img" not in html
    assert not re.search(r'"[^">]*"onx', html)
