"""The Inside page in a real browser: what it shows is what the library computes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.transforms import load_poster
from poster_genre.explain.layer_trace.images import display_scale
from poster_genre.explain.layer_trace.receptive_field import receptive_field
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_poster
from poster_genre.genres import GENRES
from poster_genre.web.limits import Limits
from tests.poster_genre.model.ensembles import ensemble_classifier
from tests.poster_genre.web.chromium import Encode, Open, file, opener, shot, violations
from tests.poster_genre.web.live_server import running


@pytest.fixture
def open_inside(browser: Any, live: Any, poster: bytes) -> Iterator[Open]:
    """The page with the test's poster instead of its first example."""
    with opener(browser, live) as opened:

        def inside(address: str = "", **options: Any) -> Any:
            page = opened("/model", **options)
            page.route("**/static/examples/romance.jpg", lambda route: route.fulfill(body=poster))
            page.goto(f"{live.url}/inside{address}")
            page.wait_for_selector('#trace[data-state="shown"] .computation', state="attached")
            return page

        yield inside


@pytest.fixture(scope="module")
def trace(web_classifier: PosterGenreClassifier, poster: bytes) -> Trace:
    pixels = load_poster(poster, web_classifier.trained_.spec.input_size)
    return trace_poster(
        network_steps(web_classifier.trained_.network, web_classifier.trained_.spec.input_size),
        web_classifier.trained_,
        pixels,
    )


def shown(locator: Any) -> float:
    return float(locator.text_content().replace("−", "-"))


def choose(page: Any, step: int, channel: int, row: int, column: int) -> None:
    """By the address, then by mouse or keys as a test likes."""
    with page.expect_response(re.compile(rf"/numbers/{step}\?row={row}&column={column}&channel={channel}&")):
        page.evaluate(f"location.hash = '#step={step}&map={channel}&at={row},{column}'")
    page.wait_for_selector(f'.computation.focused[data-step="{step}"]')


def strip(page: Any, step: int) -> Any:
    """The maps of a step, whose part of the network is opened."""
    page.evaluate(
        """step => {
            const fold = document.getElementById(`step-${step}`).closest(".group").querySelector(".fold");
            if (fold.getAttribute("aria-expanded") === "false") fold.click();
        }""",
        step,
    )
    return page.locator(f"#step-{step} canvas.strip")


def result(page: Any, step: int) -> Any:
    return page.locator(f'.computation[data-step="{step}"] .result strong')


def state(page: Any) -> list[int]:
    """[step, channel, row, column] as the address has them."""
    return [int(n) for n in re.findall(r"\d+", page.evaluate("decodeURIComponent(location.hash)"))]


def test_a_click_on_a_map_shows_the_librarys_numbers_and_their_sum(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    page.check("#digits")
    strip(page, 4).click(position={"x": 8, "y": 8})
    page.wait_for_selector('.computation.focused[data-step="4"]')
    step, channel, row, column = state(page)
    assert step == 4
    block = page.locator('.computation[data-kind="convolution"]')
    grids = block.locator("table.grid")

    def cells(which: int) -> np.ndarray:
        return np.array([shown(cell) for cell in grids.nth(which).locator("td").all()])

    patch, kernel, products = cells(0), cells(1), cells(2)
    pressed = int(block.locator('.bars button[aria-pressed="true"] .name').text_content().split()[-1])
    x, weight = trace.image(3), trace.steps[4].layer.weight.data  # type: ignore[union-attr]
    padded = np.pad(x[:, :, pressed], 1)[row : row + 3, column : column + 3]
    np.testing.assert_allclose(patch, padded.ravel(), rtol=1e-7)
    np.testing.assert_allclose(kernel, weight[:, :, pressed, channel].ravel(), rtol=1e-7)
    np.testing.assert_allclose(products, patch * kernel, rtol=1e-6)
    assert np.float32(shown(result(page, 4))) == trace.image(4)[row, column, channel]
    assert np.float32(shown(result(page, 5))) == trace.image(5)[row, column, channel]
    assert np.float32(shown(result(page, 6))) == trace.image(6)[row, column, channel]
    shot(page, "inside-convolution")


def test_the_receptive_field_is_described_and_framed(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    choose(page, 5, 1, 6, 5)
    top, left, bottom, right = receptive_field(trace.steps, 5, 6, 5, 1)
    framed = f"rows {top} to {bottom - 1} of 24, columns {left} to {right - 1} of 16"
    page.wait_for_function(
        "text => document.getElementById('view-poster').ariaLabel.includes(text)", arg=framed
    )
    assert f"{right - left} × {bottom - top} pixels" in page.text_content("#read")


def test_a_number_of_the_patch_leads_to_itself(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    choose(page, 4, 2, 5, 5)
    page.locator("table.grid >> nth=0").locator("button").nth(4).click()
    page.wait_for_selector('.computation.focused[data-step="3"]')
    step, channel, row, column = state(page)
    assert (step, row, column) == (3, 5, 5)
    page.check("#digits")
    assert np.float32(shown(result(page, 3))) == trace.image(3)[5, 5, channel]


def test_max_pooling_marks_the_largest_number(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    pool = next(step.index for step in trace.steps if step.name == "pool2")
    choose(page, pool, 1, 2, 3)
    page.check("#digits")
    window = trace.image(trace.steps[pool].inputs[0])[4:6, 6:8, 1]
    winner = page.locator("td.winner")
    assert winner.count() == 1
    assert np.float32(shown(winner)) == window.max() == np.float32(shown(result(page, pool)))


def test_a_residual_sum_shows_its_two_addends(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    total = next(step for step in trace.steps if step.name == "block1_1")
    choose(page, total.index, 0, 3, 3)
    page.check("#digits")
    values = page.locator(f'.computation[data-step="{total.index}"] dd')
    addends = [np.float32(shown(values.nth(i))) for i in range(2)]
    assert addends == [trace.image(i)[3, 3, 0] for i in total.inputs]


def test_arrow_keys_move_the_pixel_and_the_map(open_inside: Open) -> None:
    page = open_inside()
    choose(page, 2, 1, 4, 4)
    page.focus("#view-map")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "Home"):
        page.keyboard.press(key)
    page.wait_for_function("location.hash.includes('3%2C0')")
    assert state(page) == [2, 1, 3, 0]
    strip(page, 2).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.hash.includes('map=2')")
    assert page.get_attribute("#step-2 canvas.strip", "aria-valuetext") == "map 2 of 4"
    page.keyboard.press("End")
    page.wait_for_function("location.hash.includes('map=3')")


def score_of_action(page: Any) -> Any:
    """The block on the score of Action, with all digits."""
    page.check("#digits")
    page.locator("#genres button", has_text="Action").click()
    block = page.locator('.computation[data-genre="Action"]')
    block.wait_for()
    return block


def test_a_genres_contributions_and_bias_sum_to_its_score(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    block = score_of_action(page)
    *pushes, total = [shown(each) for each in block.locator(".waterfall .value").all()]
    score = trace.outputs[-1][GENRES.index("Action")]
    assert sum(pushes) == pytest.approx(float(score), abs=1e-5)
    assert total == pytest.approx(float(score), abs=1e-5)
    assert np.float32(shown(block.locator(".result strong"))) == score
    expected = page.locator("#genres button", has_text="Action").locator(".value").text_content()
    assert page.locator('.computation[data-kind="prediction"] .result strong').text_content() == expected
    shot(page, "inside-genre")


def test_the_waterfall_parts_the_pushes_by_sign_and_strength(open_inside: Open, trace: Trace) -> None:
    page = open_inside()
    block = score_of_action(page)
    dense, genre = trace.steps[-1].layer, GENRES.index("Action")
    products = trace.outputs[trace.steps[-1].inputs[0]].astype(np.float64) * dense.weight.data[:, genre]
    order = np.sort(products)
    expected = {
        "strongest upwards": order[order > 0][-10:],
        "smaller upwards": order[order > 0][:-10],
        "strongest downwards": order[order < 0][:10],
        "smaller downwards": order[order < 0][10:],
    }
    rows = {
        row.locator(".name").text_content(): shown(row.locator(".value"))
        for row in block.locator("li").all()
        if row.locator(".track").count()
    }
    for name, values in expected.items():
        if len(values):
            assert rows[f"{len(values)} {name}"] == pytest.approx(values.sum(), abs=1e-6)
    rest = np.concatenate([expected["smaller upwards"], expected["smaller downwards"]])
    many = abs(rest.sum()) > abs(products.sum() - rest.sum())
    assert ("Many small pushes decide." in block.text_content()) is bool(many)


def test_each_picture_has_the_scale_of_its_own_step_and_says_what_lies_beyond(
    open_inside: Open, trace: Trace
) -> None:
    page = open_inside()
    choose(page, 1, 2, 3, 4)
    page.wait_for_function("() => document.querySelector('#tones-map span').textContent !== ''")
    colour = page.text_content("#caption-input").removeprefix("Reads ")
    for name, step, channel in (("input", 0, ("red", "green", "blue").index(colour)), ("map", 1, 2)):
        image = trace.image(step)
        scale = display_scale(image)
        low, high = page.locator(f"#tones-{name} span").all_text_contents()
        assert float(high.removeprefix("≥ ")) == pytest.approx(scale, rel=5e-3)
        assert low == f"≤ −{high.removeprefix('≥ ')}"
        share = float((np.abs(image[:, :, channel]) > scale * (1 - 0.5 / 127)).mean())
        text = page.text_content(f"#clipped-{name}")
        if share >= 0.02:
            assert abs(int(text.split()[0]) / 100 - share) <= 0.01
        elif share < 0.005:
            assert text == ""


def test_a_map_whose_numbers_lie_beyond_the_scale_says_so(
    open_inside: Open, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poster_genre.web.api.trace_endpoints.images.display_scale", lambda image: 1e-6)
    page = open_inside()
    choose(page, 1, 2, 3, 4)
    page.wait_for_function(
        "() => /at an end of the scale/.test(document.getElementById('clipped-map').textContent)"
    )
    assert int(page.text_content("#clipped-map").split()[0]) > 90


def test_opening_the_page_shifts_its_layout_hardly(live: Any, open_page: Open) -> None:
    page = open_page("/inside")
    page.wait_for_selector('#trace[data-state="shown"] .computation', state="attached")
    shift = page.evaluate(
        """() => new Promise((resolve) => {
            let sum = 0;
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) sum += entry.value;
            }).observe({ type: "layout-shift", buffered: true });
            setTimeout(() => resolve(sum), 800);
        })"""
    )
    assert shift < 0.1


def test_the_mirror_image_shows_its_own_numbers(
    open_inside: Open, web_classifier: PosterGenreClassifier, poster: bytes, trace: Trace
) -> None:
    page = open_inside()
    page.check("#digits")
    choose(page, 1, 1, 4, 1)
    with page.expect_response(re.compile("mirrored=1")):
        page.check("#mirror")
    pixels = load_poster(poster, web_classifier.trained_.spec.input_size)
    value = trace_poster(trace.steps, web_classifier.trained_, pixels[:, ::-1]).outputs[1][4, 1, 1]
    page.wait_for_function(
        "value => Math.abs(parseFloat(document.querySelector('.computation.focused .result strong')"
        ".textContent.replace('−', '-')) - value) < 1e-6",
        arg=float(value),
    )


def test_a_poster_whose_session_ended_is_sent_again(open_inside: Open, live: Any) -> None:
    page = open_inside()
    strip(page, 2).scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    sessions = live.state.traces.sessions
    for token in list(sessions.sessions):
        sessions.end(token)
    with page.expect_response(re.compile("numbers/2")) as first:
        strip(page, 2).click(position={"x": 8, "y": 8})
    assert first.value.status == 204
    page.wait_for_selector('.computation.focused[data-step="2"]')
    assert page.is_hidden("#problem")


def test_a_file_can_be_chosen_and_one_that_is_no_picture_is_refused(
    open_inside: Open, encode: Encode
) -> None:
    page = open_inside()
    before = page.text_content("#status")
    assert "%" in before
    page.set_input_files("#file", [file("own.png", encode("PNG", seed=2))])
    page.wait_for_function(
        "before => document.getElementById('status').textContent.includes('%')"
        " && document.getElementById('status').textContent !== before",
        arg=before,
    )
    page.set_input_files("#file", [file("a.png", b"this file holds words, no picture")])
    page.wait_for_selector("#problem", state="visible")
    assert "This file is a text file" in page.text_content("#problem")


def test_a_picture_above_the_limits_can_be_traced(open_inside: Open) -> None:
    page = open_inside()
    out = io.BytesIO()
    Image.new("RGB", (5010, 5000), "red").save(out, "PNG")
    before = page.text_content("#status")
    page.set_input_files("#file", [file("large.png", out.getvalue())])
    page.wait_for_function(
        "before => document.getElementById('status').textContent.includes('%')"
        " && document.getElementById('status').textContent !== before",
        arg=before,
    )
    assert page.is_hidden("#problem")


@pytest.mark.parametrize(("width", "height"), [(320, 640), (768, 1024), (3840, 2160)])
def test_no_width_makes_the_page_scroll_sideways(open_inside: Open, width: int, height: int) -> None:
    page = open_inside(viewport={"width": width, "height": height})
    strip(page, 4).click(position={"x": 8, "y": 8})
    page.wait_for_selector('.computation.focused[data-step="4"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.is_visible("table.grid >> nth=0")
    shot(page, f"inside-{width}")


def test_axe_finds_nothing_in_light_and_dark_colours(open_inside: Open) -> None:
    page = open_inside(reduced_motion="reduce")
    problems = violations(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        strip(page, 6).click(position={"x": 8, "y": 8})
        page.wait_for_selector('.computation.focused[data-step="6"]')
        problems += violations(page)
        page.locator("#genres button").first.click()
        page.wait_for_selector('.computation[data-kind="genre"]')
        page.mouse.move(0, 0)
        problems += violations(page)
        shot(page, f"inside-{scheme}")
    assert problems == []


def test_a_click_on_the_edge_of_a_strip_is_a_click_on_its_nearest_map(open_inside: Open) -> None:
    page = open_inside()
    strip(page, 2)
    page.evaluate(
        """() => {
            const strip = document.querySelector("#step-2 canvas.strip");
            const { left, top } = strip.getBoundingClientRect();
            const at = { clientX: left - 0.4, clientY: top - 0.4, bubbles: true };
            strip.dispatchEvent(new MouseEvent("click", at));
        }"""
    )
    page.wait_for_selector('.computation.focused[data-step="2"]')
    assert state(page) == [2, 0, 0, 0]


# Several networks side by side.


@pytest.fixture(scope="module")
def live_ensemble() -> Iterator[Any]:
    with running(ensemble_classifier(), Limits()) as server:
        yield server


def test_every_map_of_every_network_is_shown_and_leads_to_its_own_numbers(
    browser: Any, live_ensemble: Any, poster: bytes
) -> None:
    classifier = live_ensemble.state.classifier
    pixels = load_poster(poster, classifier.trained_.spec.input_size)
    model = classifier.trained_
    trace = trace_poster(network_steps(model.network, model.spec.input_size), model, pixels)
    with opener(browser, live_ensemble) as opened:
        page = opened("/model")
        page.route("**/static/examples/romance.jpg", lambda route: route.fulfill(body=poster))
        page.goto(f"{live_ensemble.url}/inside")
        page.wait_for_selector(".computation", state="attached")
        page.check("#digits")
        folded = page.locator(".member .fold").filter(has_text="the same again from another start")
        assert [each.get_attribute("aria-expanded") for each in folded.all()] == ["false", "false"]
        assert not page.is_visible("#group-8")
        strips = page.locator("canvas.strip")
        last_maps = [int(strips.nth(i).get_attribute("aria-valuemax")) for i in range(strips.count())]
        drawn = [step for step in trace.steps[:-1] if type(step.layer).__name__ not in ("Dropout", "Flatten")]
        assert last_maps == [step.shape[-1] - 1 for step in drawn]
        ends = {step.member: step.index for step in trace.steps if step.member and len(step.shape) == 3}
        assert sorted(ends) == ["0", "1", "2"]
        for index in ends.values():
            choose(page, index, 3, 1, 2)
            assert np.float32(shown(result(page, index))) == trace.image(index)[1, 2, 3]
        filters = page.locator(".filters").all()
        assert [each.locator("canvas").count() for each in filters] == [8, 8, 8]
        concatenation = next(step.index for step in trace.steps if step.name == "networks")
        choose(page, concatenation, 40, 0, 0)
        assert "Network 2" in page.text_content('.computation[data-kind="concatenation"]')
        page.locator("#genres button").first.click()
        page.wait_for_selector('.computation[data-kind="genre"]')
        assert {"Network 1", "Network 2"} <= set(page.locator(".contributions small").all_text_contents())
        shot(page, "inside-networks")
