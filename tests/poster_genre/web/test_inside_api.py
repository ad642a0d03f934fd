"""What the Inside page asks the server: the library's numbers, pictures of them, and bounded memory."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.transforms import load_poster
from poster_genre.explain.layer_trace import images
from poster_genre.explain.layer_trace.steps import image_shape, network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_poster
from poster_genre.genres import GENRES
from poster_genre.web.api.trace_endpoints import WAITING, Inside
from poster_genre.web.inference.trace_sessions import Visits
from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import Problem

STREAM = np.random.default_rng(5)


@pytest.fixture(scope="module")
def pixels(web_classifier: PosterGenreClassifier, poster: bytes) -> np.ndarray:
    return load_poster(poster, web_classifier.trained_.spec.input_size)


@pytest.fixture(scope="module")
def trace(web_classifier: PosterGenreClassifier, pixels: np.ndarray) -> Trace:
    """The same poster, followed here."""
    steps = network_steps(web_classifier.trained_.network, web_classifier.trained_.spec.input_size)
    return trace_poster(steps, web_classifier, pixels)


@pytest.fixture(scope="module")
def entered(live: Any, poster: bytes) -> dict[str, Any]:
    return enter(live, poster).json()


def enter(live: Any, *posters: bytes) -> Any:
    return live.client.post("/api/v1/inside", files=[("image", each) for each in posters])


def get(live: Any, entered: dict[str, Any], path: str, **query: Any) -> Any:
    return live.client.get(f"/api/v1/inside/{entered['token']}/{path}", params=query)


def opened(answer: Any) -> Image.Image:
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


def test_the_steps_are_told_with_shape_and_parameters(entered: dict[str, Any], trace: Trace) -> None:
    assert [step["name"] for step in entered["steps"]] == [step.name for step in trace.steps]
    for told, step in zip(entered["steps"], trace.steps, strict=True):
        assert (told["height"], told["width"], told["channels"]) == image_shape(step.shape)
    layers = [s for s in entered["steps"] if s["count"]]
    assert sum(s["count"] for s in layers) == sum(
        p.data.size
        for s in trace.steps
        if s.layer and not s.layer.children()
        for p in s.layer.parameters().values()
    )


def test_the_answers_are_the_classifiers(
    entered: dict[str, Any], web_classifier: PosterGenreClassifier, pixels: np.ndarray
) -> None:
    expected = web_classifier.predict_proba(pixels[None])[0]
    assert [each["answer"] for each in entered["genres"]] == expected.astype(float).tolist()
    np.testing.assert_allclose([each["probability"] for each in entered["genres"]], expected, atol=1e-6)


def test_every_number_is_the_one_that_the_plain_layers_computed(
    live: Any, entered: dict[str, Any], trace: Trace
) -> None:
    for step in trace.steps:
        place = tuple(int(STREAM.integers(size)) for size in image_shape(step.shape))
        row, column, channel = place
        answer = get(live, entered, f"numbers/{step.index}", row=row, column=column, channel=channel).json()
        [found] = [each for each in answer["chain"] if each["step"] == step.index]
        assert found["value"] == float(trace.image(step.index)[place])
        assert np.prod(np.array(answer["field"][2:]) - answer["field"][:2]) >= 1


def test_the_input_is_explained_by_the_pixel(live: Any, entered: dict[str, Any], pixels: np.ndarray) -> None:
    [found] = get(live, entered, "numbers/0", row=3, column=2, channel=1).json()["chain"]
    assert (found["pixel"], found["colour"]) == (int(pixels[3, 2, 1]), "green")
    assert found["value"] == pytest.approx((found["pixel"] / 255 - found["mean"]) / found["std"], abs=1e-6)


def test_the_mirror_image_can_be_followed_too(
    live: Any,
    entered: dict[str, Any],
    web_classifier: PosterGenreClassifier,
    pixels: np.ndarray,
    trace: Trace,
) -> None:
    other = trace_poster(trace.steps, web_classifier, pixels[:, ::-1])
    answer = get(live, entered, "numbers/1", row=4, column=1, channel=2, mirrored=1).json()
    assert answer["chain"][0]["value"] == float(other.outputs[1][4, 1, 2])
    picture = np.array(opened(get(live, entered, "poster.png", mirrored=1)))
    np.testing.assert_array_equal(picture, pixels[:, ::-1])


@pytest.mark.parametrize("ground", ["light", "dark"])
def test_a_map_is_its_numbers_in_the_palettes_colours(
    live: Any, entered: dict[str, Any], trace: Trace, ground: Any
) -> None:
    picture = opened(get(live, entered, "maps/2.png", channel=3, ground=ground))
    image, scale = trace.image(2), entered["steps"][2]["scale"]
    levels = np.clip(np.round(127 * image[:, :, 3] / scale), -127, 127) + 128
    palette = np.frombuffer(images.palette(ground), np.uint8).reshape(256, 3)
    np.testing.assert_array_equal(np.array(picture.convert("RGB")), palette[levels.astype(int)])


def test_the_atlas_holds_every_map_where_the_page_looks_for_it(live: Any, entered: dict[str, Any]) -> None:
    step = entered["steps"][4]
    atlas = np.array(opened(get(live, entered, "maps/4.png")).convert("RGB"))
    tall, wide = step["tile"]
    for channel in range(step["channels"]):
        top, left = channel // step["columns"] * tall, channel % step["columns"] * wide
        one = np.array(opened(get(live, entered, "maps/4.png", channel=channel)).convert("RGB"))
        np.testing.assert_array_equal(atlas[top : top + tall, left : left + wide], one)


def test_large_maps_are_averaged_for_the_atlas() -> None:
    image = STREAM.normal(size=(201, 120, 5)).astype(np.float32)
    assert images.reduction_factor(201, 120) == 3
    sheet = Image.open(io.BytesIO(images.atlas(image, 1.0, "light")))
    columns = images.atlas_columns(67, 40, 5)
    assert sheet.size == (40 * columns, 67 * -(-5 // columns))
    first = image[:3, :3, 0].mean()
    assert np.array(sheet)[0, 0] == 128 + round(127 * float(np.clip(first, -1, 1)))


def test_in_both_palettes_zero_is_the_ground_and_signs_differ() -> None:
    for ground, bright in (("light", True), ("dark", False)):
        palette = np.frombuffer(images.palette(ground), np.uint8).reshape(256, 3).astype(int)  # type: ignore[arg-type]
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
    live: Any, entered: dict[str, Any], trace: Trace
) -> None:
    found = get(live, entered, "genres/action").json()
    assert found["genre"] == "Action"
    total = sum(each["x"] * each["weight"] for each in found["features"]) + found["bias"]
    assert total == pytest.approx(float(trace.outputs[-1][GENRES.index("Action")]), abs=1e-5)


def test_every_genre_can_be_asked_for_by_its_name(live: Any, entered: dict[str, Any]) -> None:
    for name in GENRES:
        assert get(live, entered, f"genres/{quote(name, safe='')}").json()["genre"] == name


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
        ("maps/1.png?ground=pink", 422),
        ("genres/gardening", 404),
    ],
)
def test_a_question_without_an_answer_is_a_problem(
    live: Any, entered: dict[str, Any], path: str, status: int
) -> None:
    answer = live.client.get(f"/api/v1/inside/{entered['token']}/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "gardening" not in answer.text


def test_what_is_no_picture_or_two_is_refused(live: Any, poster: bytes) -> None:
    assert enter(live, b"no picture").status_code == 422
    assert enter(live, poster, poster).status_code == 422
    assert enter(live).status_code in (415, 422)


def test_a_strangers_token_opens_nothing(live: Any) -> None:
    answer = live.client.get("/api/v1/inside/AAAAAAAAAAAAAAAAAAAAAA/poster.png")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "this poster is no longer in memory; send it again",
    )


def test_nothing_that_shows_a_poster_is_left_in_a_cache(live: Any, entered: dict[str, Any]) -> None:
    assert get(live, entered, "poster.png").headers["cache-control"] == "no-store"
    assert get(live, entered, "maps/1.png").headers["cache-control"] == "no-store"


# Memory.


def blank(size: int = 1000) -> np.ndarray:
    return np.zeros(size, np.uint8)


def with_visits(act: Any, **options: Any) -> None:
    async def run() -> None:
        act(Visits(**options))

    asyncio.run(run())


def test_the_poster_longest_unseen_goes_when_there_are_too_many() -> None:
    def act(visits: Visits) -> None:
        first, second = visits.keep(blank()), visits.keep(blank())
        visits.pixels(first)
        third = visits.keep(blank())
        assert list(visits.visits) == [first, third]
        with pytest.raises(Problem, match="no longer in memory"):
            visits.pixels(second)

    with_visits(act, pixel_bytes=2000)


def test_an_unseen_poster_is_forgotten_with_its_traces(trace: Trace) -> None:
    clock = SimpleNamespace(now=0.0)

    def act(visits: Visits) -> None:
        old, new = visits.keep(blank()), visits.keep(blank())
        visits.keep_trace(old, False, trace)
        clock.now = 50
        visits.pixels(new)
        clock.now = 100
        visits.forget()
        assert list(visits.visits) == [new]
        assert not visits.traces

    with_visits(act, seconds=100, clock=lambda: clock.now)


def test_posters_are_forgotten_even_if_nobody_comes_back() -> None:
    async def run() -> None:
        visits = Visits(seconds=0.02)
        visits.keep(blank())
        for _ in range(200):
            await asyncio.sleep(0.01)
            if not visits.visits:
                return
        raise AssertionError("the poster is still there")

    asyncio.run(run())


def test_traces_stay_within_their_share_of_memory_but_the_last_stays(trace: Trace) -> None:
    def act(visits: Visits) -> None:
        tokens = [visits.keep(blank()) for _ in range(5)]
        for token in tokens:
            visits.keep_trace(token, False, trace)
        assert [token for token, _ in visits.traces] == tokens[-2:]
        visits.trace_bytes = 1
        visits.keep_trace(tokens[0], True, trace)
        assert list(visits.traces) == [(tokens[0], True)]

    with_visits(act, trace_bytes=2 * trace.nbytes)


def test_a_trace_that_was_dropped_is_computed_again_alike(live: Any, entered: dict[str, Any]) -> None:
    before = get(live, entered, "numbers/2", row=1, column=1, channel=1).json()
    live.app.app.state.inside.visits.traces.clear()
    assert get(live, entered, "numbers/2", row=1, column=1, channel=1).json() == before


def test_a_full_queue_answers_503(web_classifier: PosterGenreClassifier) -> None:
    async def run() -> None:
        inside = Inside(SimpleNamespace(classifier=web_classifier, limits=Limits()))  # type: ignore[arg-type]
        inside.waiting = WAITING
        with pytest.raises(Problem) as caught:
            await inside.compute(lambda: None)
        assert (caught.value.status, inside.waiting) == (503, WAITING)

    asyncio.run(run())
