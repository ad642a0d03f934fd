"""Posters on the predict page: uploaded, dropped, pasted, drawn, photographed, several, bad."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.image_reader import accepted
from poster_genre.genres import GENRES, INDEX
from tests.poster_genre.web.chromium import DONE, Encode, Open, file, shot, shown, upload


def give(page: Any, event: str, data: bytes) -> None:
    """Drop or paste a file."""
    page.evaluate(
        """([event, text]) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "given.png", { type: "image/png" }));
            const made = event === "paste"
                ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
                : new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true });
            document.getElementById("stage").dispatchEvent(made);
        }""",
        [event, base64.b64encode(data).decode()],
    )


def test_an_upload_shows_the_classifiers_own_numbers(
    open_page: Open, web_classifier: PosterGenreClassifier, poster: bytes
) -> None:
    page = open_page()
    shot(page, "empty")
    upload(page, file("film.jpg", poster))
    rows = shown(page)
    page.click("#more")
    page.wait_for_selector("#rest", state="visible")
    shot(page, "all-25", full_page=True)
    row = web_classifier.predict_proba([poster])[0]
    order = np.argsort(-row, kind="stable")
    assert [genre for genre, _ in rows] == [GENRES[i] for i in order]
    for genre, value in rows:
        p = float(row[INDEX[genre]])
        assert value == ("< 1 %" if p < 0.005 else "> 99 %" if p >= 0.995 else f"{int(100 * p + 0.5)} %")
    bars = page.eval_on_selector_all("#top .fill", "all => all.map(e => e.style.transform)")
    widths = [1 + float(re.search(r"-?[\d.]+", bar)[0]) / 100 for bar in bars]  # type: ignore[index]
    np.testing.assert_allclose(widths, row[order[:3]], atol=1e-4)


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_poster_can_be_dropped_or_pasted(open_page: Open, encode: Encode, event: str) -> None:
    page = open_page()
    if event == "drop":
        give(page, "dragenter", encode("PNG"))
        assert page.locator("body.dragging").count() == 1
    give(page, event, encode("PNG"))
    assert len(shown(page)) == 25
    assert page.locator("body.dragging").count() == 0
    assert page.is_visible("#poster")


def test_an_example_is_one_click_away(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(DONE)
    page.click(".example >> nth=1")
    page.wait_for_selector('#poster[alt="Poster: Drawn as Drama and Adventure"]')
    assert len(shown(page)) == 25


def test_a_bad_file_is_one_sentence_and_the_page_goes_on(open_page: Open, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.svg", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"))
    page.wait_for_selector("#problem", state="visible")
    text = page.text_content("#problem")
    assert f"This file is an SVG drawing; give a picture in {accepted()} format." in text
    page.wait_for_selector("#unseen", state="visible")
    shot(page, "bad-file")
    upload(page, file("film.jpg", poster))
    assert len(shown(page)) == 25
    assert page.is_hidden("#problem")


def test_a_picture_above_the_limits_is_sent_smaller_with_a_note(open_page: Open) -> None:
    page = open_page()
    out = io.BytesIO()
    Image.new("RGB", (5010, 5000), "red").save(out, "PNG")
    upload(page, file("large.png", out.getvalue()))
    assert len(shown(page)) == 25
    assert "a smaller copy of it was sent" in page.text_content("#doubt")


def test_several_posters_become_a_gallery(open_page: Open, encode: Encode) -> None:
    page = open_page()
    posters = [file(f"film{seed}.png", encode("PNG", seed=seed)) for seed in range(4)]
    upload(page, *posters, file("broken.png", b"no picture, just words"))
    page.wait_for_selector("#shelf li:nth-child(5) .bad")
    page.wait_for_function("() => document.querySelectorAll('#shelf .line').length === 12")
    shot(page, "gallery", full_page=True)
    page.click("#shelf li:nth-child(3) .card")
    assert page.get_attribute("#shelf li:nth-child(3) .card", "aria-current") == "true"
    assert page.get_attribute("#poster", "alt") == "Poster: film2.png"
    first = page.text_content("#shelf li:nth-child(3) .line >> nth=0")
    assert first.startswith(page.text_content("#top .name >> nth=0"))
    page.click("#clear")
    assert page.is_hidden("#gallery")
    assert page.is_visible("#drop")


def test_on_a_phone_a_photo_can_be_taken(open_page: Open) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.is_visible("#camera")
    assert page.get_attribute("#photo", "capture") == "environment"
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, nav a, .brand")]
            .filter((e) => e.checkVisibility())
            .map((e) => [e.id || e.textContent, e.getBoundingClientRect()])
            .filter(([, box]) => box.height < 24 || box.width < 24)
            .map(([name]) => name)"""
    )
    assert small == []


def test_a_request_to_a_busy_server_is_repeated(open_page: Open, live: Any, poster: bytes) -> None:
    page = open_page()
    capacity = live.state.predictions.capacity
    room = capacity.limit, capacity.for_pages
    capacity.limit, capacity.for_pages = 0, 0

    def make_room(answer: Any) -> None:
        if answer.status == 503:
            capacity.limit, capacity.for_pages = room

    page.on("response", make_room)
    upload(page, file("film.jpg", poster))
    assert len(shown(page)) == 25
    complaints = open_page.complaints  # type: ignore[attr-defined]
    assert complaints
    assert all("503" in each for each in complaints), "the browser notes each, which no page can prevent"
    open_page.complaints.clear()  # type: ignore[attr-defined]
