"""What a visitor meets first: an answered example, the average poster, one's own poster from page to page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from poster_genre.genres import GENRES
from tests.poster_genre.web.chromium import DONE, Open, file, shot, shown, upload

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SIZES = [{"viewport": {"width": 1280, "height": 800}}, PHONE]


def bottom(page: Any, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    return float(box["y"] + box["height"])


@pytest.mark.parametrize("options", SIZES, ids=["desktop", "phone"])
def test_the_page_opens_with_an_answered_example_and_the_others_in_view(
    open_page: Open, options: dict[str, Any]
) -> None:
    page = open_page(**options)
    page.wait_for_selector(DONE)
    page.wait_for_selector("#frame", state="visible")
    shot(page, f"first-{options['viewport']['width']}")
    assert "Drawn as Comedy and Romance; the network says " in page.text_content("#status")
    for selector in (".example >> nth=0", "#choose", "#status"):
        assert bottom(page, selector) <= options["viewport"]["height"]
    assert page.locator("button:disabled:visible").count() == 0
    assert page.is_hidden("#clear")
    assert page.is_hidden("#hide")


def test_ones_own_poster_takes_the_place_of_the_example(open_page: Open, poster: bytes) -> None:
    page = open_page()
    page.wait_for_selector(DONE)
    upload(page, file("film.jpg", poster))
    page.wait_for_selector('#poster[alt="Poster: film.jpg"]')
    shown(page)
    assert page.is_hidden("#gallery")
    assert page.is_visible("#clear")


def test_after_a_click_on_an_example_its_answer_is_in_view(open_page: Open) -> None:
    page = open_page(**PHONE, reduced_motion="reduce")
    page.wait_for_selector(DONE)
    page.click(".example >> nth=2")
    page.wait_for_selector('#poster[alt="Poster: Drawn as Comedy and Action"]')
    shown(page)
    page.wait_for_timeout(300)
    box = page.locator("#top").bounding_box()
    assert 0 <= box["y"] < box["y"] + box["height"] / 2 < 844


def test_after_a_tap_on_a_genre_the_map_is_in_view(open_page: Open, poster: bytes) -> None:
    page = open_page(**PHONE, reduced_motion="reduce")
    upload(page, file("film.jpg", poster))
    shown(page)
    page.locator("#keep").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#top .genre').click()")
    page.wait_for_selector("#heat", state="visible")
    page.wait_for_timeout(300)
    shot(page, "phone-map")
    box = page.locator("#heat").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 844


def test_each_bar_has_a_mark_at_the_average_poster(open_page: Open, live: Any, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    priors = dict(zip(GENRES, live.state.classifier.trained_.priors, strict=True))
    for genre, _ in shown(page):
        row = page.locator(f'.genre[data-genre="{genre}"]')
        if priors[genre] == 0:
            assert row.locator(".average").is_hidden()
            continue
        left = float(row.locator(".average").evaluate("node => node.style.left").rstrip("%"))
        assert left == pytest.approx(100 * priors[genre], abs=1e-3)
        probability = live.state.classifier.predict_proba([poster])[0][GENRES.index(genre)]
        ratio = probability / priors[genre]
        text = row.locator(".than").text_content()
        if not 0.94 < ratio < 1.06:
            assert text.startswith(f"{ratio:.1f} times" if ratio < 9.9 else f"{np.round(ratio):.0f} times")


def test_a_poster_goes_along_to_the_inside_page_and_back(open_page: Open, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    answer = shown(page)
    page.click("text=Look inside")
    page.wait_for_selector('#trace[data-state="shown"]', state="attached")
    assert answer[0][0] in page.text_content("#status")
    page.click("text=Predict")
    page.wait_for_selector('#poster[alt="Poster: film.jpg"]')
    assert shown(page) == answer
    page.reload()
    page.wait_for_selector('#poster[alt="Poster: film.jpg"]')


def test_a_poster_is_kept_in_its_own_tab_alone_and_until_it_is_cleared(
    open_page: Open, poster: bytes
) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    shown(page)
    page.wait_for_function("() => sessionStorage.getItem('poster') !== null")
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(DONE)
    assert "Drawn as" in other.get_attribute("#poster", "alt")
    assert page.evaluate("async () => (await indexedDB.databases()).length") == 0
    page.click("#clear")
    assert page.evaluate("sessionStorage.getItem('poster')") is None


def test_files_that_find_no_room_are_counted(open_page: Open, poster: bytes) -> None:
    page = open_page()
    upload(page, *[file(f"{i}.jpg", poster) for i in range(62)])
    assert page.text_content("#left-out") == (
        "2 files were left out: the page holds 60 posters. Clear it to add others."
    )
    page.wait_for_function("() => document.querySelectorAll('#shelf .card').length === 60")


def test_a_map_says_what_it_measures(open_page: Open, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    genre = shown(page)[0][0]
    assert "Grad-CAM" in page.text_content("#method-text")
    page.check('input[value="occlusion"]')
    assert "covers the poster piece by piece" in page.text_content("#method-text")
    page.check('input[value="grad-cam"]')
    page.click("#top .genre >> nth=0")
    page.wait_for_selector("#heat", state="visible")
    assert f"raises the score of {genre}." in page.text_content("#why-text")
    assert page.text_content("#scale") == "no effectstrongest effect"


def test_the_answer_waits_for_a_guess_and_is_compared_with_what_was_drawn(open_page: Open) -> None:
    page = open_page()
    page.wait_for_selector(DONE)
    page.check("#guess-first")
    assert page.is_hidden("#answer")
    assert page.is_disabled("#show-answer")
    for genre in ("Comedy", "War", "Western"):
        page.check(f'input[name="guess"][value="{genre}"]')
    assert page.is_disabled('input[name="guess"][value="Drama"]')
    shot(page, "guess")
    page.click("#show-answer")
    assert page.is_visible("#answer")
    first_three = [genre for genre, _ in shown(page)[:3]]
    network = len({"Comedy", "Romance"} & set(first_three))
    text = page.text_content("#verdict")
    assert f"you found 1 of 2, the network's first three have {network}." in text
    assert text.endswith({0: "You were better.", 1: "A draw.", 2: "The network was better."}[network])


def test_a_guess_of_ones_own_poster_is_compared_with_the_networks_first_three(
    open_page: Open, poster: bytes
) -> None:
    page = open_page()
    page.wait_for_selector(DONE)
    page.check("#guess-first")
    upload(page, file("film.jpg", poster))
    page.wait_for_selector('#poster[alt="Poster: film.jpg"]')
    page.check('input[name="guess"][value="Action"]')
    page.wait_for_selector("#show-answer:enabled")
    page.click("#show-answer")
    first_three = [genre for genre, _ in shown(page)[:3]]
    right = int("Action" in first_three)
    assert page.text_content("#verdict") == (
        f"{right} of your 1 are among the network's first three: {', '.join(first_three)}."
    )


def test_a_result_is_copied_as_a_phrase_with_the_address(open_page: Open, poster: bytes) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    upload(page, file("film.jpg", poster))
    (first, value), *others = shown(page)[:3]
    page.click("#copy-result")
    page.wait_for_function("() => document.getElementById('copy-result').textContent === 'Copied'")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith(f"This poster looks like {first} ({value}")
    assert all(f"{genre} ({percent})" in text for genre, percent in others)
    assert text.endswith(page.url)


def test_where_the_clipboard_is_refused_the_text_is_selected(open_page: Open, poster: bytes) -> None:
    page = open_page()
    upload(page, file("film.jpg", poster))
    shown(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    page.click("#copy-result")
    page.wait_for_selector("#result-text", state="visible")
    assert page.evaluate("getSelection().toString()").startswith("This poster looks like ")


def test_the_system_shares_the_card_and_the_phrase_where_it_can(open_page: Open, poster: bytes) -> None:
    page = open_page("/model")
    page.add_init_script(
        """navigator.canShare = () => true;
        navigator.share = async ({ files: [it], text }) => (window.shared = [it.type, it.size, text]);"""
    )
    page.goto(page.url.replace("/model", "/"))
    upload(page, file("film.jpg", poster))
    shown(page)
    page.click("#share")
    page.wait_for_function("() => window.shared")
    kind, size, text = page.evaluate("window.shared")
    assert kind == "image/png"
    assert size > 10_000
    assert text.startswith("This poster looks like ")
