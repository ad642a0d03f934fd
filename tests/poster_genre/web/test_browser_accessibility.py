"""The predict page by keyboard, for screen readers, at every width, light and dark, without layout shifts."""

from __future__ import annotations

import re

import pytest

from tests.poster_genre.web.chromium import Open, file, shot, shown, upload, violations


def test_everything_can_be_done_with_the_keyboard(open_page: Open, poster: bytes) -> None:
    page = open_page()

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"{selector} does not show that it has the focus"
                return
        raise AssertionError(f"Tab never reaches {selector}")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    with page.expect_file_chooser() as chooser:
        tab_to("#choose")
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


def test_the_result_is_announced_to_screen_readers(open_page: Open, poster: bytes) -> None:
    page = open_page()
    assert page.get_attribute("#status", "role") == "status"
    upload(page, file("film.jpg", poster))
    (first, value), *_ = shown(page)
    page.wait_for_function(
        "text => document.getElementById('status').textContent.includes(text)", arg=f"{first} {value}"
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


def test_the_layout_does_not_shift_while_a_poster_is_read(open_page: Open, poster: bytes) -> None:
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


def test_colours_follow_the_system_until_the_user_chooses(open_page: Open) -> None:
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


@pytest.mark.parametrize("path", ["/", "/model", "/api"])
def test_axe_finds_nothing_in_light_and_dark_colours(open_page: Open, poster: bytes, path: str) -> None:
    page = open_page(path, reduced_motion="reduce")
    problems = violations(page)
    if path == "/":
        upload(page, file("film.jpg", poster), file("broken.png", b"no picture, just words"))
        shown(page)
        page.click("#more")
        page.click("#top .genre >> nth=0")
        page.wait_for_selector("#heat", state="visible")
        page.mouse.move(0, 0)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        shot(page, f"result-{scheme}" if path == "/" else f"{path[1:]}-{scheme}")
        problems += violations(page)
    assert problems == []
