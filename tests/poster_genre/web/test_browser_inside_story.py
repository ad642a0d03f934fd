"""The Inside page's first screen, the way back, and what moves: in a real browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from minicnn.saliency import input_gradient
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.layer_trace.trace import Trace
from poster_genre.genres import GENRES
from tests.poster_genre.web.chromium import Open, shot, violations
from tests.poster_genre.web.test_browser_inside_page import choose, open_inside, shown, strip, trace

__all__ = ["open_inside", "trace"]  # fixtures


def above_the_fold(page: Any, selector: str) -> bool:
    height = page.viewport_size["height"]
    boxes = [each.bounding_box() for each in page.locator(selector).all()]
    return bool(boxes) and all(box and box["y"] + box["height"] <= height for box in boxes)


def test_the_first_screen_goes_from_the_poster_to_the_genres(open_inside: Open) -> None:
    page = open_inside(viewport={"width": 1280, "height": 800})
    titles = page.locator(".story-stage .stage-title").all_text_contents()
    assert titles[0] == "The poster"
    assert 2 <= len(titles) <= 6
    assert above_the_fold(page, ".story-picture")
    assert above_the_fold(page, "#genres button")
    assert page.locator(".step:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollHeight") < 3000
    shot(page, "inside-story")


def test_a_picture_of_the_story_opens_its_part_and_folds_it_again(open_inside: Open) -> None:
    page = open_inside()
    stage = page.locator(".story-stage").nth(1)
    group = stage.get_attribute("data-group")
    stage.click()
    assert page.is_visible(f"#group-{group} .step >> nth=0")
    assert stage.get_attribute("aria-expanded") == "true"
    stage.click()
    assert not page.is_visible(f"#group-{group} .step >> nth=0")
    assert stage.get_attribute("aria-expanded") == "false"


def test_a_linked_number_opens_its_part(open_inside: Open) -> None:
    page = open_inside("#step=4&map=1&at=2,3")
    page.wait_for_selector('.computation.focused[data-step="4"]', state="attached")
    assert page.is_visible("#step-4")


def test_the_number_panel_is_one_link_away_from_the_poster(open_inside: Open) -> None:
    page = open_inside()
    link = page.get_by_role("link", name="Skip to the number panel")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'number-panel'")
    before = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, select, canvas[tabindex]")].filter((each) =>
            each.offsetParent && each.compareDocumentPosition(document.getElementById("number-panel"))
            & Node.DOCUMENT_POSITION_FOLLOWING).length"""
    )
    assert before < 60


def test_the_way_back_shows_the_librarys_gradient_and_its_sum(
    open_inside: Open, web_classifier: PosterGenreClassifier, trace: Trace
) -> None:
    page = open_inside()
    page.check("#digits")
    choose(page, 0, 1, 5, 6)
    with page.expect_response(re.compile(r"gradients/Horror/numbers/0\?")):
        page.select_option("#direction", "Horror")
    page.wait_for_selector('.computation.focused[data-kind="gradient"]')
    one_hot = np.zeros((1, len(GENRES)), np.float32)
    one_hot[0, GENRES.index("Horror")] = 1
    _, expected = input_gradient([web_classifier.trained_.network], trace.outputs[0][None], one_hot)
    block = page.locator('.computation[data-kind="gradient"]').first
    assert np.float32(shown(block.locator(".result strong"))) == expected[0, 5, 6, 1]
    above, kernel, products = (
        np.array([shown(cell) for cell in block.locator("table.grid").nth(i).locator("td").all()])
        for i in range(3)
    )
    pressed = int(block.locator('.bars button[aria-pressed="true"] .name').text_content().split()[-1])
    weight = trace.steps[1].layer.weight.data  # type: ignore[union-attr]
    np.testing.assert_allclose(kernel, weight[::-1, ::-1, 1, pressed].ravel(), rtol=1e-7)
    np.testing.assert_allclose(products, above * kernel, rtol=1e-6)
    sizes = page.locator(".stage-gradient").all_text_contents()
    assert all(text.startswith("gradient ") for text in sizes)
    shot(page, "inside-way-back")


def test_a_number_of_the_gradient_above_leads_to_its_own_gradient(open_inside: Open) -> None:
    page = open_inside()
    page.check("#digits")
    choose(page, 3, 1, 2, 3)
    page.select_option("#direction", "Drama")
    page.wait_for_selector('.computation[data-kind="gradient"] table.grid button')
    cell = page.locator('.computation[data-kind="gradient"] table.grid >> nth=0').locator("button").first
    value = shown(cell)
    cell.click()
    page.wait_for_selector('.computation.focused[data-step="4"]')
    found = shown(page.locator(".computation.focused .result strong"))
    assert found == pytest.approx(value, rel=1e-7)
    page.select_option("#direction", "")
    page.wait_for_selector('.computation.focused[data-kind="convolution"]')


def test_every_step_has_its_gradient_written_out(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    page.select_option("#direction", "Drama")
    page.wait_for_selector('.computation.focused[data-kind="gradient"]')
    for step in trace.steps:
        choose(page, step.index, 1, 0, 0)
        text = page.text_content('.computation.focused[data-kind="gradient"]')
        assert "The library's own backward pass" in text
        assert "undefined" not in text
        assert "NaN" not in text


def test_the_window_slides_with_the_pointer_and_comes_back(open_inside: Open) -> None:
    page = open_inside()
    choose(page, 4, 1, 5, 4)
    page.wait_for_load_state("networkidle")
    picture = "document.getElementById('view-input').toDataURL()"
    before = page.evaluate(picture)
    page.hover("#view-map", position={"x": 4, "y": 4})
    page.wait_for_function(f"before => {picture} !== before", arg=before)
    page.mouse.move(0, 0)
    page.wait_for_function(f"before => {picture} === before", arg=before)


def test_the_maps_of_a_genre_get_no_frame_under_the_pointer(open_inside: Open) -> None:
    page = open_inside()
    page.locator("#genres button").first.click()
    page.wait_for_selector('.computation[data-kind="genre"]')
    page.wait_for_load_state("networkidle")
    picture = "document.getElementById('view-map').toDataURL()"
    before = page.evaluate(picture)
    page.hover("#view-map", position={"x": 4, "y": 4})
    assert page.evaluate(picture) == before


def test_the_products_add_up_under_the_pointer(open_inside: Open) -> None:
    page = open_inside()
    page.check("#digits")
    choose(page, 4, 1, 5, 4)
    cells = page.locator("table.grid").nth(2).locator("td").all()
    products = [shown(cell) for cell in cells]
    for last in (0, 3, 8):
        cells[last].hover()
        text = page.text_content(".adding").replace("−", "-")
        found = float(re.findall(r"-?[\d.]+(?:e-?\d+)?", text.split("=")[-1])[0])
        assert found == pytest.approx(sum(products[: last + 1]), rel=1e-6, abs=1e-9)


def test_with_less_motion_each_press_adds_one_product(open_inside: Open) -> None:
    page = open_inside(reduced_motion="reduce")
    choose(page, 4, 1, 5, 4)
    button = page.get_by_role("button", name="Add them up")
    button.click()
    button.click()
    page.wait_for_timeout(900)
    assert "after 2 of 9" in page.text_content(".adding")


def test_without_that_wish_the_sum_runs_to_its_end(open_inside: Open) -> None:
    page = open_inside()
    choose(page, 4, 1, 5, 4)
    page.get_by_role("button", name="Add them up").click()
    page.wait_for_function("() => document.querySelector('.adding').textContent.includes('after 9 of 9')")


def test_a_word_of_the_glossary_is_explained_on_hover_and_focus(open_inside: Open) -> None:
    page = open_inside()
    word = page.locator("#caption-poster .glossary")
    meaning = page.locator("#caption-poster .meaning")
    assert not meaning.is_visible()
    word.hover()
    assert "part of the poster" in meaning.text_content()
    assert meaning.is_visible()
    page.mouse.move(0, 0)
    assert not meaning.is_visible()
    word.focus()
    assert meaning.is_visible()
    page.keyboard.press("Escape")
    assert not meaning.is_visible()


def test_a_map_shows_the_patches_that_it_looks_for(open_inside: Open) -> None:
    page = open_inside()
    choose(page, 3, 1, 2, 3)
    page.click("#patches summary")
    page.wait_for_selector("#patches-picture", state="visible")
    page.wait_for_function("() => document.getElementById('patches-picture').naturalWidth > 0")
    assert "drawn posters" in page.text_content("#patches-text")
    before = page.get_attribute("#patches-picture", "src")
    page.click("#next")
    page.wait_for_function(
        "before => document.getElementById('patches-picture').getAttribute('src') !== before", arg=before
    )
    choose(page, 0, 1, 2, 3)
    assert page.is_hidden("#patches")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_way_back(open_inside: Open, scheme: str) -> None:
    page = open_inside(reduced_motion="reduce", color_scheme=scheme)
    strip(page, 4).click(position={"x": 8, "y": 8})
    page.wait_for_selector('.computation.focused[data-step="4"]')
    page.select_option("#direction", "Drama")
    page.wait_for_selector('.computation.focused[data-kind="gradient"]')
    page.wait_for_load_state("networkidle")
    assert violations(page) == []


def test_a_layout_with_less_room_keeps_its_place(open_inside: Open) -> None:
    page = open_inside(viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shift = page.evaluate(
        """() => new Promise((resolve) => {
            let sum = 0;
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) sum += entry.value;
            }).observe({ type: "layout-shift", buffered: true });
            setTimeout(() => resolve(sum), 500);
        })"""
    )
    assert shift < 0.1
