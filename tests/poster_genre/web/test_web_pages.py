"""The pages as documents: nothing from elsewhere, nothing inline, everything that they name is there."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.drawing.synthetic import draw_poster
from poster_genre.genres import GENRES
from poster_genre.web.api.openapi_parts import PROBLEMS
from poster_genre.web.pages import page_routes
from poster_genre.web.pages.example_posters import EXAMPLES, SIZE
from poster_genre.web.pages.markdown_html import to_html
from poster_genre.web.pages.static_files import load_assets

PATHS = [path for path, _ in page_routes.NAV]
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Reader(HTMLParser):
    """Tags with their attributes; complains where they do not nest."""

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
def test_a_page_is_sound_and_wants_nothing_from_elsewhere(live: Any, path: str) -> None:
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
        wanted = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if wanted:
            assert wanted.startswith("/static/")
            assert live.client.get(wanted).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_every_link_within_a_page_leads_somewhere(live: Any, path: str) -> None:
    tags = Reader(live.client.get(path).text).tags
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    for tag, attributes in tags:
        href = attributes.get("href") or ""
        if tag == "a" and href.startswith("#"):
            assert href[1:] in ids
        elif tag == "a" and href.startswith("/") and "hidden" not in attributes:
            assert live.client.get(href).status_code == 200


def test_scripts_and_styles_name_no_other_origin() -> None:
    for name, asset in load_assets().items():
        if name.endswith((".css", ".js")):
            found = set(re.findall(rb"https?://[^\s\"')]+", asset.body))
            assert not found, (name, found)


def test_every_element_that_the_script_asks_for_is_on_the_page(live: Any) -> None:
    script = live.client.get("/static/app.js").text
    ids = {attributes.get("id") for _, attributes in Reader(live.client.get("/").text).tags}
    asked = set(re.findall(r'\$\("([\w-]+)"\)', script))
    assert asked
    assert asked <= ids


def test_the_examples_are_drawn_posters_of_the_genres_that_they_name() -> None:
    assets = load_assets()
    for place, (name, genres) in enumerate(EXAMPLES):
        assert set(genres) <= set(GENRES)
        shipped = Image.open(io.BytesIO(assets[f"examples/{name}"].body))
        assert (shipped.height, shipped.width) == SIZE
        drawn = draw_poster(genres, np.random.default_rng([0, place]), size=SIZE)
        difference = np.abs(np.asarray(drawn, np.int16) - np.asarray(shipped, np.int16)).mean()
        assert difference < 6, f"{name} differs: python -m poster_genre.web.pages.example_posters draws it"


def test_the_readable_interface_names_every_path_and_status(live: Any) -> None:
    text = live.client.get("/api").text
    for path in live.client.get("/openapi.json").json()["paths"]:
        assert path in text
    for status in PROBLEMS:
        assert f"<td>{status}</td>" in text


def test_a_model_card_is_shown_where_there_is_one(live: Any) -> None:
    text = live.client.get("/model").text
    assert live.serving.classifier.model_version in text
    card = resources.files("poster_genre.model") / "MODEL_CARD.md"
    if card.is_file():
        title = card.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        assert title.split()[0] in text


def test_markdown_becomes_html() -> None:
    text = "# A & B\n\nSome *soft* and **hard** `x < y`.\n\n- one\n  more\n- two\n\n"
    text += "| a | b |\n|---|--:|\n| 1 | 2 |\n"
    html = to_html(text + "\n```\n<b>\n\nraw\n```\n\n1. first\n2. second")
    assert "<h2>A &amp; B</h2>" in html
    assert "<em>soft</em> and <strong>hard</strong> <code>x &lt; y</code>" in html
    assert "<ul><li>one more</li><li>two</li></ul>" in html
    assert '<th scope="col">a</th>' in html
    assert "<td>1</td><td>2</td>" in html
    assert '<pre tabindex="0"><code>&lt;b&gt;\n\nraw</code></pre>' in html
    indented = to_html("Text.\n\n    an indented line\n")
    assert '<pre tabindex="0"><code>an indented line</code></pre>' in indented
    assert "<ol><li>first</li><li>second</li></ol>" in html


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
    html = to_html(text)
    assert "<script" not in html
    assert "javascript:" not in html
    assert "<img" not in html
    assert not re.search(r'"[^">]*"onx', html)
