"""The endpoints of the layer trace: the library's own numbers, and pictures of them."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from minicnn.saliency import input_gradient
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.transforms import load_poster
from poster_genre.explain.layer_trace import images
from poster_genre.explain.layer_trace.steps import image_shape, network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_poster
from poster_genre.genres import GENRES

STREAM = np.random.default_rng(5)


@pytest.fixture(scope="module")
def pixels(web_classifier: PosterGenreClassifier, poster: bytes) -> np.ndarray:
    return load_poster(poster, web_classifier.trained_.spec.input_size)


@pytest.fixture(scope="module")
def trace(web_classifier: PosterGenreClassifier, pixels: np.ndarray) -> Trace:
    """The trace of the same poster, computed without the server."""
    return trace_poster(
        network_steps(web_classifier.trained_.network, web_classifier.trained_.spec.input_size),
        web_classifier.trained_,
        pixels,
    )


@pytest.fixture(scope="module")
def session(live: Any, poster: bytes) -> dict[str, Any]:
    return start(live, poster).json()


def start(live: Any, *posters: bytes) -> Any:
    return live.client.post("/api/v1/inside", files=[("image", each) for each in posters])


def get(live: Any, session: dict[str, Any], path: str, **query: Any) -> Any:
    return live.client.get(f"/api/v1/inside/{session['token']}/{path}", params=query)


def opened(answer: Any) -> Image.Image:
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


def test_the_steps_have_their_shapes_and_parameters(session: dict[str, Any], trace: Trace) -> None:
    assert [step["name"] for step in session["steps"]] == [step.name for step in trace.steps]
    for described, step in zip(session["steps"], trace.steps, strict=True):
        assert (described["height"], described["width"], described["channels"]) == image_shape(step.shape)
    layers = [s for s in session["steps"] if s["count"]]
    assert sum(s["count"] for s in layers) == sum(
        p.data.size
        for s in trace.steps
        if s.layer and not s.layer.children()
        for p in s.layer.parameters().values()
    )


def test_the_answers_are_the_classifiers(
    session: dict[str, Any], web_classifier: PosterGenreClassifier, pixels: np.ndarray
) -> None:
    expected = web_classifier.predict_proba(pixels[None])[0]
    assert [each["predicted"] for each in session["genres"]] == expected.astype(float).tolist()
    np.testing.assert_allclose([each["probability"] for each in session["genres"]], expected, atol=1e-6)


def test_every_number_is_the_one_that_the_plain_layers_computed(
    live: Any, session: dict[str, Any], trace: Trace
) -> None:
    for step in trace.steps:
        position = tuple(int(STREAM.integers(size)) for size in image_shape(step.shape))
        row, column, channel = position
        answer = get(live, session, f"numbers/{step.index}", row=row, column=column, channel=channel).json()
        [found] = [each for each in answer["chain"] if each["step"] == step.index]
        assert found["value"] == float(trace.image(step.index)[position])
        assert np.prod(np.array(answer["receptive_field"][2:]) - answer["receptive_field"][:2]) >= 1


def test_the_input_is_explained_by_the_pixel(live: Any, session: dict[str, Any], pixels: np.ndarray) -> None:
    [found] = get(live, session, "numbers/0", row=3, column=2, channel=1).json()["chain"]
    assert (found["pixel"], found["colour"]) == (int(pixels[3, 2, 1]), "green")
    assert found["value"] == pytest.approx((found["pixel"] / 255 - found["mean"]) / found["std"], abs=1e-6)


def test_the_mirror_image_can_be_traced_too(
    live: Any,
    session: dict[str, Any],
    web_classifier: PosterGenreClassifier,
    pixels: np.ndarray,
    trace: Trace,
) -> None:
    other = trace_poster(trace.steps, web_classifier.trained_, pixels[:, ::-1])
    answer = get(live, session, "numbers/1", row=4, column=1, channel=2, mirrored=1).json()
    assert answer["chain"][0]["value"] == float(other.outputs[1][4, 1, 2])
    picture = np.array(opened(get(live, session, "poster.png", mirrored=1)))
    np.testing.assert_array_equal(picture, pixels[:, ::-1])


@pytest.mark.parametrize("background", ["light", "dark"])
def test_a_map_is_its_numbers_in_the_palettes_colours(
    live: Any, session: dict[str, Any], trace: Trace, background: Any
) -> None:
    picture = opened(get(live, session, "maps/2.png", channel=3, background=background))
    image, scale = trace.image(2), session["steps"][2]["scale"]
    levels = np.clip(np.round(127 * image[:, :, 3] / scale), -127, 127) + 128
    palette = np.frombuffer(images.palette(background), np.uint8).reshape(256, 3)
    np.testing.assert_array_equal(np.array(picture.convert("RGB")), palette[levels.astype(int)])


def test_the_atlas_has_every_map_where_the_page_reads_it(live: Any, session: dict[str, Any]) -> None:
    step = session["steps"][4]
    atlas = np.array(opened(get(live, session, "maps/4.png")).convert("RGB"))
    tall, wide = step["tile"]
    for channel in range(step["channels"]):
        top, left = channel // step["columns"] * tall, channel % step["columns"] * wide
        one = np.array(opened(get(live, session, "maps/4.png", channel=channel)).convert("RGB"))
        np.testing.assert_array_equal(atlas[top : top + tall, left : left + wide], one)


def test_large_maps_are_averaged_for_the_atlas() -> None:
    image = STREAM.normal(size=(201, 120, 5)).astype(np.float32)
    assert images.reduction_factor(201, 120) == 3
    sheet = Image.open(io.BytesIO(images.atlas(image, 1.0, "light")))
    columns = images.atlas_columns(67, 40, 5)
    assert sheet.size == (40 * columns, 67 * -(-5 // columns))
    first = image[:3, :3, 0].mean()
    assert np.array(sheet)[0, 0] == 128 + round(127 * float(np.clip(first, -1, 1)))


def test_in_both_palettes_zero_is_the_background_and_signs_differ() -> None:
    for background, bright in (("light", True), ("dark", False)):
        palette = np.frombuffer(images.palette(background), np.uint8).reshape(256, 3).astype(int)  # type: ignore[arg-type]
        assert (palette[128].min() > 200) == bright
        assert palette[200][0] > palette[200][2]  # orange
        assert palette[56][2] > palette[56][0]  # blue


def test_the_filters_are_the_first_layers_weights(
    live: Any, web_classifier: PosterGenreClassifier, trace: Trace
) -> None:
    weight = trace.steps[1].layer.weight.data  # type: ignore[union-attr]
    sheet = np.array(opened(live.client.get("/api/v1/inside/filters.png")))
    assert sheet.shape == (3, 3 * weight.shape[3], 3)
    for o in range(weight.shape[3]):
        peak = np.abs(weight[..., o]).max()
        expected = 127.5 + 127.5 * weight[..., o].astype(np.float64) / peak
        np.testing.assert_allclose(sheet[:, 3 * o : 3 * o + 3], expected, atol=0.51)


def test_a_genres_contributions_and_bias_make_its_score(
    live: Any, session: dict[str, Any], trace: Trace
) -> None:
    answer = get(live, session, "genres/action").json()
    assert answer["genre"] == "Action"
    total = sum(each["x"] * each["weight"] for each in answer["features"]) + answer["bias"]
    assert total == pytest.approx(float(trace.outputs[-1][GENRES.index("Action")]), abs=1e-5)


def test_every_genre_can_be_requested_by_its_name(live: Any, session: dict[str, Any]) -> None:
    for name in GENRES:
        assert get(live, session, f"genres/{quote(name, safe='')}").json()["genre"] == name


def test_a_gradient_is_the_one_that_the_librarys_backward_pass_computes(
    live: Any, session: dict[str, Any], web_classifier: PosterGenreClassifier, trace: Trace
) -> None:
    one_hot = np.zeros((1, len(GENRES)), np.float32)
    one_hot[0, GENRES.index("Sci-Fi")] = 1
    _, expected = input_gradient([web_classifier.trained_.network], trace.outputs[0][None], one_hot)
    for row, column, channel in [(0, 0, 0), (5, 3, 2), (23, 15, 1)]:
        answer = get(live, session, "gradients/sci-fi/numbers/0", row=row, column=column, channel=channel)
        [found] = answer.json()["chain"]
        assert found["value"] == float(expected[0, row, column, channel])
        assert found["difference"] <= 1e-5 * np.abs(expected).max()
    answer = get(live, session, "gradients/Sci-Fi").json()
    assert answer["genre"] == "Sci-Fi"
    assert answer["steps"][0]["rms"] == pytest.approx(np.sqrt(np.mean(expected.astype(float) ** 2)))


def test_gradient_maps_are_pictures_of_the_gradient(live: Any, session: dict[str, Any]) -> None:
    atlas = np.array(opened(get(live, session, "gradients/Drama/maps/2.png")).convert("RGB"))
    one = np.array(opened(get(live, session, "gradients/Drama/maps/2.png", channel=0)).convert("RGB"))
    tall, wide = session["steps"][2]["tile"]
    assert one.shape[:2] == (session["steps"][2]["height"], session["steps"][2]["width"])
    np.testing.assert_array_equal(atlas[:tall, :wide], one)
    other = np.array(opened(get(live, session, "gradients/Horror/maps/2.png", channel=0)).convert("RGB"))
    assert not np.array_equal(one, other)


def test_the_patches_of_a_map_are_shown_side_by_side(live: Any, session: dict[str, Any]) -> None:
    answer = live.client.get("/api/v1/inside/patches/3", params={"channel": 1}).json()
    assert "drawn posters" in answer["source"]
    values = [patch["value"] for patch in answer["patches"]]
    assert values == sorted(values, reverse=True)
    assert min(values) > 0
    picture = opened(live.client.get("/api/v1/inside/patches/3.png", params={"channel": 1}))
    assert picture.size == ((images.TILE + images.GAP) * len(values) - images.GAP, images.TILE)
    for path, status in (
        ("0?channel=0", 404),
        ("3?channel=99999", 404),
        ("3", 422),
        ("999.png?channel=0", 404),
    ):
        assert live.client.get(f"/api/v1/inside/patches/{path}").status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("numbers/1?row=0&column=0", 422),
        ("numbers/1?row=0&column=-1&channel=0", 422),
        ("numbers/1?row=0&column=0&channel=0&mirrored=2", 422),
        ("numbers/1?row=99999&column=0&channel=0", 404),
        ("numbers/999?row=0&column=0&channel=0", 404),
        ("numbers/1?row=0&column=0&channel=0&input=3", 404),
        ("maps/1.png?channel=9999", 404),
        ("maps/999.png", 404),
        ("maps/1.png?background=pink", 422),
        ("genres/gardening", 404),
        ("gradients/gardening", 404),
        ("gradients/Drama/maps/999.png", 404),
        ("gradients/Drama/numbers/0?row=0&column=0", 422),
        ("gradients/Drama/numbers/0?row=0&column=0&channel=3", 404),
        ("gradients/Drama/numbers/0?row=0&column=0&channel=0&output=9999", 404),
    ],
)
def test_an_invalid_request_is_a_problem(live: Any, session: dict[str, Any], path: str, status: int) -> None:
    answer = live.client.get(f"/api/v1/inside/{session['token']}/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "gardening" not in answer.text


def test_what_is_no_picture_or_two_is_refused(live: Any, poster: bytes) -> None:
    assert start(live, b"no picture").status_code == 422
    assert start(live, poster, poster).status_code == 422
    assert start(live).status_code in (415, 422)


def test_an_unknown_token_is_status_404(live: Any) -> None:
    answer = live.client.get("/api/v1/inside/AAAAAAAAAAAAAAAAAAAAAA/poster.png")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "this poster is no longer in memory; send it again",
    )


def test_pictures_of_a_poster_must_not_be_cached(live: Any, session: dict[str, Any]) -> None:
    assert get(live, session, "poster.png").headers["cache-control"] == "no-store"
    assert get(live, session, "maps/1.png").headers["cache-control"] == "no-store"


def test_a_dropped_trace_is_computed_again_with_the_same_numbers(live: Any, session: dict[str, Any]) -> None:
    before = get(live, session, "numbers/2", row=1, column=1, channel=1).json()
    live.state.traces.sessions.traces.traces.clear()
    assert get(live, session, "numbers/2", row=1, column=1, channel=1).json() == before
