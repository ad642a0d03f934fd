"""Answers on the predict page: genres, doubt, heat maps, and what can be saved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.explain import explain
from poster_genre.model.out_of_distribution import PosterDistance
from tests.poster_genre.web.chromium import Encode, Open, file, screenshots, shot, shown, upload


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
    expected = explain(web_classifier, poster, genre).heat
    assert tuple(bright[:2]) == expected.shape
    alpha = np.reshape(bright[2:], expected.shape)
    np.testing.assert_allclose(alpha, 255 * (0.2 + 0.65 * np.sqrt(expected)), atol=4)
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
    page.wait_for_function("() => /Bright|Nothing/.test(document.getElementById('why-text').textContent)")
    assert genre in page.text_content("#why-text")
    steps = page.evaluate("window.steps")
    assert max(steps) == 1
    assert steps == sorted(steps)


def test_an_unsure_answer_is_marked(
    open_page: Open, live: Any, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = live.state.classifier.trained_
    page = open_page()
    for bits, text in ((1e9, "Not sure"), (-1.0, "A film may have several genres")):
        calibration = replace(model.calibration, sure_above=bits)
        monkeypatch.setattr(live.state.classifier, "trained_", replace(model, calibration=calibration))
        upload(page, file("film.png", encode("PNG")))
        page.wait_for_function(f"() => document.getElementById('doubt').textContent.startsWith('{text}')")
        assert len(shown(page)) == 25


def test_a_picture_that_is_unlike_posters_is_marked_and_not_called_sure(
    open_page: Open, live: Any, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = live.state.classifier.trained_
    features = model.descriptions(np.zeros((1, *model.spec.input_size, 3), np.uint8)).shape[1]
    everything = PosterDistance(
        np.full(features, 1e3, np.float32), np.eye(features, 1, dtype=np.float32), 1.0, 9
    )
    monkeypatch.setattr(live.state.classifier, "trained_", replace(model, distance=everything))
    page = open_page()
    upload(page, file("film.png", encode("PNG")))
    page.wait_for_function(
        "() => document.getElementById('doubt').textContent.startsWith('This does not look like a film')"
    )
    assert live.predict(encode("PNG")).json()["results"][0]["sure"] is False


def test_the_result_can_be_saved_as_a_picture_and_as_json(open_page: Open, live: Any, poster: bytes) -> None:
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
        if folder := screenshots():
            card.save(folder / "card.png")
