"""The predict page in a real browser, by mouse, by keyboard, on a phone and read aloud.

Screenshots go to the folder that POSTER_GENRE_SCREENSHOTS names, if it does.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain import explain
from poster_genre.genres import GENRES, INDEX

playwright_api = pytest.importorskip("playwright.sync_api", reason="needs the extra browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path")

SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
DONE = '#reading[data-state="done"]'
Encode = Callable[..., bytes]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES.split())
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, live: Any) -> Iterator[Open]:
    """Open a path. In the end the console must be empty and no request may have left for elsewhere."""
    contexts, complaints = [], []

    def opened(path: str = "/", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)

        def only_here(route: Any) -> None:
            if route.request.url.startswith(live.url):
                route.continue_()
            else:
                complaints.append(f"a request to {route.request.url}")
                route.abort()

        context.route(re.compile("^(?!blob:|data:)"), only_here)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(live.url + path)
        return page

    opened.complaints = complaints  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def shot(page: Any, name: str, **options: Any) -> None:
    folder = os.environ.get("POSTER_GENRE_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(500)
        page.screenshot(path=Path(folder) / f"{name}.png", **options)


def file(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def upload(page: Any, *files: dict[str, Any]) -> None:
    page.set_input_files("#file", list(files))


def shown(page: Any) -> list[tuple[str, str]]:
    """(genre, value) of every row, once there is an answer."""
    page.wait_for_selector(DONE)
    rows = page.locator(".genre")
    return [
        (rows.nth(i).locator(".name").text_content(), rows.nth(i).locator(".value").text_content())
        for i in range(rows.count())
    ]


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
    page.click(".example >> nth=1")
    assert len(shown(page)) == 25
    page.wait_for_selector("#frame", state="visible")
    assert page.get_attribute("#poster", "alt") == "Poster: space.jpg"


def test_a_bad_file_is_told_in_one_sentence_and_the_page_goes_on(open_page: Open, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.svg", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"))
    page.wait_for_selector("#problem", state="visible")
    said = page.text_content("#problem")
    assert "This file is an SVG drawing; give a picture in JPEG, PNG, WebP, GIF or BMP format." in said
    page.wait_for_selector("#unseen", state="visible")
    shot(page, "bad-file")
    upload(page, file("film.jpg", poster))
    assert len(shown(page)) == 25
    assert page.is_hidden("#problem")


def test_a_picture_above_the_caps_is_sent_smaller_and_that_is_said(open_page: Open) -> None:
    page = open_page()
    out = io.BytesIO()
    Image.new("RGB", (5010, 5000), "red").save(out, "PNG")
    upload(page, file("large.png", out.getvalue()))
    assert len(shown(page)) == 25
    assert "a smaller copy of it was sent" in page.text_content("#doubt")


def test_a_genre_shows_its_heat_map_over_the_poster(
    open_page: Open, web_classifier: PosterGenreClassifier, poster: bytes
) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    genre = shown(page)[0][0]
    page.click("#top .genre >> nth=0")
    page.wait_for_selector("#heat", state="visible")
    shot(page, "heat")
    assert page.get_attribute("#top .genre >> nth=0", "aria-pressed") == "true"
    bright = page.evaluate(
        """() => {
            const heat = document.getElementById("heat");
            const { data } = heat.getContext("2d").getImageData(0, 0, heat.width, heat.height);
            return [heat.height, heat.width, ...data.filter((_, i) => i % 4 === 3)];
        }"""
    )
    wanted = explain(web_classifier, poster, genre).heat
    assert tuple(bright[:2]) == wanted.shape
    alpha = np.reshape(bright[2:], wanted.shape)
    np.testing.assert_allclose(alpha, 255 * (0.2 + 0.65 * np.sqrt(wanted)), atol=4)
    box, over = page.locator("#poster").bounding_box(), page.locator("#heat").bounding_box()
    assert box == over
    page.click("#hide")
    assert page.is_hidden("#heat")


def test_occlusion_shows_its_progress_and_then_its_map(open_page: Open, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    genre = shown(page)[0][0]
    page.check('input[value="occlusion"]')
    page.evaluate(
        """() => {
            window.steps = [];
            const progress = document.getElementById("progress");
            const note = () => window.steps.push(progress.value);
            new MutationObserver(note).observe(progress, { attributes: true });
        }"""
    )
    page.click("#top .genre >> nth=0")
    page.wait_for_function("() => /Bright|Nothing/.test(document.getElementById('why-said').textContent)")
    assert genre in page.text_content("#why-said")
    steps = page.evaluate("window.steps")
    assert max(steps) == 1
    assert steps == sorted(steps)


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


def test_doubt_is_shown_as_such(
    open_page: Open, live: Any, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration = live.serving.classifier.calibration_
    page = open_page()
    for bits, said in ((1e9, "Not sure"), (-1.0, "A film may have several genres")):
        monkeypatch.setattr(
            live.serving.classifier,
            "calibration_",
            type(calibration)(
                calibration.slope, calibration.offset, bits, calibration.posters, calibration.labels_digest
            ),
        )
        upload(page, file("film.png", encode("PNG")))
        page.wait_for_function(f"() => document.getElementById('doubt').textContent.startsWith('{said}')")
        assert len(shown(page)) == 25


def test_the_result_can_be_kept_as_a_picture_and_as_json(open_page: Open, live: Any, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    shown(page)
    with page.expect_download() as saved:
        page.click("#save-json")
    document = json.loads(Path(saved.value.path()).read_text())
    [result] = live.predict(poster).json()["results"]
    assert document == {"results": [{**result, "file": "film.jpg"}]}
    page.click("#top .genre >> nth=0")
    page.wait_for_selector("#heat", state="visible")
    with page.expect_download() as saved:
        page.click("#save-card")
    with Image.open(saved.value.path()) as card:
        assert (card.format, card.size) == ("PNG", (1200, 800))
        assert len(card.convert("RGB").getcolors(2**24)) > 100
        if folder := os.environ.get("POSTER_GENRE_SCREENSHOTS"):
            card.save(Path(folder) / "card.png")


def test_everything_can_be_done_with_the_keyboard(open_page: Open, poster: bytes) -> None:
    page = open_page()

    def tab_to(wanted: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"{wanted} does not show that it has the focus"
                return
        raise AssertionError(f"Tab never reaches {wanted}")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    with page.expect_file_chooser() as chooser:
        tab_to("#drop")
        page.keyboard.press("Enter")
    chooser.value.set_files([file("film.jpg", poster)])
    shown(page)
    tab_to("#top .genre")
    page.keyboard.press("Space")
    page.wait_for_selector("#heat", state="visible")
    tab_to("#more")
    page.keyboard.press("Enter")
    assert page.is_visible("#rest")
    tab_to("#hide")
    page.keyboard.press("Enter")
    assert page.is_hidden("#heat")
    tab_to('input[name="method"]')
    page.keyboard.press("ArrowRight")
    assert page.is_checked('input[value="occlusion"]')
    tab_to("#save-json")
    tab_to(".example")


def test_what_happens_is_said_to_a_screen_reader(open_page: Open, poster: bytes) -> None:
    page = open_page()
    assert page.get_attribute("#status", "role") == "status"
    upload(page, file("film.jpg", poster))
    (first, value), *_ = shown(page)
    page.wait_for_function(
        "said => document.getElementById('status').textContent.includes(said)", arg=f"{first} {value}"
    )
    assert page.locator("#top button").nth(0).get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("path", ["/", "/model", "/api"])
@pytest.mark.parametrize("width", [320, 3840])
def test_no_width_makes_the_page_scroll_sideways(
    open_page: Open, poster: bytes, path: str, width: int
) -> None:
    page = open_page(path, viewport={"width": width, "height": 640 if width < 400 else 2160})
    if path == "/":
        upload(page, file("a-rather-long-file-name-without-any-spaces-in-it-at-all.jpg", poster))
        shown(page)
        page.click("#more")
        shot(page, f"width-{width}", full_page=True)
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner


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


def test_nothing_jumps_while_a_poster_is_read(open_page: Open, poster: bytes) -> None:
    page = open_page()
    page.evaluate(
        """() => {
            window.shift = 0;
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) window.shift += entry.value;
            }).observe({ type: "layout-shift", buffered: true });
        }"""
    )
    before = page.locator(".examples").bounding_box()
    upload(page, file("film.jpg", poster))
    shown(page)
    page.click("#top .genre >> nth=0")
    page.wait_for_selector("#heat", state="visible")
    page.wait_for_timeout(600)
    assert page.locator(".examples").bounding_box() == pytest.approx(before, abs=0.5)
    assert page.evaluate("window.shift") < 0.01


def test_colours_follow_the_system_until_the_visitor_chooses(open_page: Open) -> None:
    page = open_page(color_scheme="dark")

    def ground() -> int:
        return sum(
            map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor")))
        )

    assert ground() < 150
    page.click("#theme")
    assert ground() > 600
    page.reload()
    assert ground() > 600
    page.click("#theme")
    assert ground() < 150
    page.emulate_media(color_scheme="light")
    page.click("#theme")
    assert ground() > 600


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/model", "/api"])
def test_an_accessibility_engine_finds_nothing(
    open_page: Open, poster: bytes, path: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra browser").Axe()
    page = open_page(path, color_scheme=scheme, reduced_motion="reduce")
    problems = axe.run(page).response["violations"]
    if path == "/":
        upload(page, file("film.jpg", poster), file("broken.png", b"no picture, just words"))
        shown(page)
        page.click("#more")
        page.click("#top .genre >> nth=0")
        page.wait_for_selector("#heat", state="visible")
        page.mouse.move(0, 0)
        shot(page, f"result-{scheme}")
        problems += axe.run(page).response["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in problems] == []


def test_a_server_that_is_busy_is_asked_again(open_page: Open, live: Any, poster: bytes) -> None:
    page = open_page()
    queue = live.serving.workers
    real = queue.limits
    queue.limits = type(real)(queue=0)
    page.on("response", lambda answer: setattr(queue, "limits", real) if answer.status == 503 else None)
    upload(page, file("film.jpg", poster))
    assert len(shown(page)) == 25
    [complaint] = open_page.complaints  # type: ignore[attr-defined]
    assert "503" in complaint, "the browser itself notes it, which no page can prevent"
    open_page.complaints.clear()  # type: ignore[attr-defined]
