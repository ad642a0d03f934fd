"""The answers of the API: the classifier's own numbers, in the documented form."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.cli.main import main
from poster_genre.data.image_reader import accepted, formats
from poster_genre.explain.explain import explain
from poster_genre.genres import GENRES
from tests.poster_genre.web.problem_document import problem

Encode = Callable[..., bytes]


def test_the_numbers_are_those_of_the_command_line(
    live: Any, web_model: Path, encode: Encode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for seed, kind in enumerate(("JPEG", "PNG", "WEBP")):
        files.append(tmp_path / f"{seed}.{kind.lower()}")
        files[-1].write_bytes(encode(kind, size=(50 + seed, 70), seed=seed))
    assert main(["predict", *map(str, files), "--model-file", str(web_model), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    answer = live.predict(*(file.read_bytes() for file in files))
    assert answer.status_code == 200
    for web, cli in zip(answer.json()["results"], printed, strict=True):
        assert set(web) == set(cli)
        assert [entry["genre"] for entry in web["top"]] == [entry["genre"] for entry in cli["top"]]
        assert web["sure"] == cli["sure"]
        for genre in GENRES:
            assert abs(web["probabilities"][genre] - cli["probabilities"][genre]) <= 1e-6


def test_the_numbers_are_those_of_the_classifier(
    live: Any, web_classifier: PosterGenreClassifier, poster: bytes
) -> None:
    row = web_classifier.predict_proba([poster])[0]
    [result] = live.predict(poster).json()["results"]
    np.testing.assert_allclose([result["probabilities"][genre] for genre in GENRES], row, rtol=0, atol=1e-6)


def test_requests_that_arrive_together_get_their_own_answers(live: Any, encode: Encode) -> None:
    posters = [encode("PNG", seed=seed) for seed in range(24)]
    alone = [live.predict(poster).json()["results"][0]["probabilities"] for poster in posters]
    with ThreadPoolExecutor(12) as clients:
        together = list(clients.map(live.predict, posters))
    for one, other in zip(alone, together, strict=True):
        probabilities = other.json()["results"][0]["probabilities"]
        np.testing.assert_allclose(list(probabilities.values()), list(one.values()), rtol=0, atol=1e-6)


def test_several_pictures_are_answered_in_order_and_a_bad_one_leaves_the_others_alone(
    live: Any, encode: Encode
) -> None:
    red, blue = encode("PNG", seed=0), encode("PNG", seed=2)
    answer = live.predict(red, b"no picture at all, just words", blue)
    assert answer.status_code == 200
    first, bad, last = answer.json()["results"]
    assert [first["file"], bad["file"], last["file"]] == ["image 1", "image 2", "image 3"]
    assert first["probabilities"]["Action"] > last["probabilities"]["Action"]
    assert bad["top"] == []
    assert "image 2 is a text file" in bad["error"]


def test_top_says_how_many_genres_are_listed(live: Any, poster: bytes) -> None:
    for query, count in (("", 3), ("?top=1", 1), ("?top=25", 25)):
        answer = live.client.post(f"/api/v1/predict{query}", files={"image": poster})
        top = answer.json()["results"][0]["top"]
        assert len(top) == count
        assert [entry["probability"] for entry in top] == sorted(
            (entry["probability"] for entry in top), reverse=True
        )


@pytest.mark.parametrize("top", ["0", "26", "-1", "x", "1.5", "99999999999999999999999", "²"])
def test_any_other_top_is_refused(live: Any, poster: bytes, top: str) -> None:
    answer = live.client.post("/api/v1/predict", params={"top": top}, files={"image": poster})
    assert problem(answer, 422) == "top must be a whole number from 1 to 25"


def test_where_no_picture_can_be_read_the_answer_is_a_problem(live: Any) -> None:
    answer = live.predict(b"%PDF-1.4 ...")
    assert problem(answer, 422) == f"image 1 is a PDF document; give a picture in {accepted()} format"
    assert answer.json()["results"][0]["error"] == answer.json()["detail"]


def test_a_lenient_client_gets_the_same_as_an_answer(live: Any) -> None:
    answer = live.predict(b"%PDF-1.4 ...", headers={"Prefer": "handling=lenient"})
    assert answer.status_code == 200
    assert "PDF" in answer.json()["results"][0]["error"]


def test_names_and_metadata_are_never_echoed(live: Any, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET-DESCRIPTION"
    for data in (encode("JPEG", exif=exif.tobytes(), comment=b"SECRET-COMMENT"), b"\xff\xd8SECRET-BYTES"):
        answer = live.client.post("/api/v1/predict", files={"image": ("SECRET-NAME.jpg", data)})
        assert "SECRET" not in answer.text
        assert "SECRET" not in str(answer.headers)


def test_a_heat_map_is_that_of_explain(
    live: Any, web_classifier: PosterGenreClassifier, poster: bytes
) -> None:
    for method in ("grad-cam", "occlusion"):
        form = {"genre": "drama", "method": method}
        answer = live.client.post("/api/v1/explain", files={"image": poster}, data=form).json()
        expected = explain(web_classifier, poster, "Drama", method=method)
        assert (answer["genre"], answer["method"]) == ("Drama", method)
        assert (answer["height"], answer["width"]) == expected.heat.shape
        np.testing.assert_allclose(answer["heat"], expected.heat, rtol=0, atol=1e-3)
        assert answer["probability"] == pytest.approx(expected.probability, abs=1e-6)


def test_without_a_genre_the_most_probable_one_is_explained(live: Any, poster: bytes) -> None:
    [result] = live.predict(poster).json()["results"]
    answer = live.client.post("/api/v1/explain", files={"image": poster}).json()
    assert answer["genre"] == result["top"][0]["genre"]


def test_occlusion_reports_its_progress_line_by_line(live: Any, poster: bytes) -> None:
    form, accept = {"method": "occlusion"}, {"Accept": "application/x-ndjson"}
    answer = live.client.post("/api/v1/explain", files={"image": poster}, data=form, headers=accept)
    assert answer.headers["content-type"] == "application/x-ndjson"
    *steps, last = [json.loads(line) for line in answer.text.splitlines()]
    done = [step["done"] for step in steps]
    assert len(done) > 1
    assert done == sorted(done)
    assert done[-1] == steps[-1]["of"]
    assert last["result"]["method"] == "occlusion"


@pytest.mark.parametrize(
    ("form", "detail"),
    [
        ({"genre": "Cookery"}, "there is no such genre; the 25 are: Action"),
        ({"method": "guess"}, "there is no such method; choose one of grad-cam, occlusion"),
    ],
)
def test_an_unknown_genre_or_method_is_refused(
    live: Any, poster: bytes, form: dict[str, str], detail: str
) -> None:
    answer = live.client.post("/api/v1/explain", files={"image": poster}, data=form)
    assert problem(answer, 422).startswith(detail)


def test_one_readable_picture_at_a_time_is_explained(live: Any, poster: bytes) -> None:
    two = live.client.post("/api/v1/explain", files=[("image", poster), ("image", poster)])
    assert problem(two, 422) == "one picture at a time can be explained"
    assert "damaged" in problem(live.client.post("/api/v1/explain", files={"image": poster[:200]}), 422)


def test_the_model_is_described(live: Any, web_classifier: PosterGenreClassifier) -> None:
    about = live.client.get("/api/v1/model").json()
    assert about["version"] == web_classifier.model_version
    assert tuple(genre["name"] for genre in about["genres"]) == GENRES
    assert about["calibrated"] is True
    assert about["train_posters"] == 64
    assert about["limits"]["bytes"] == 10 * 2**20


@pytest.mark.parametrize("kind", formats())
def test_every_format_of_the_list_is_read_whatever_its_name_says(
    live: Any, encode: Encode, kind: str
) -> None:
    assert live.predict(encode(kind)).status_code == 200


def test_unusual_pictures_are_read(live: Any, encode: Encode) -> None:
    frames = [Image.new("RGB", (20, 30), colour) for colour in ("red", "blue", "green")]
    animated = io.BytesIO()
    frames[0].save(animated, "WEBP", save_all=True, append_images=frames[1:])
    deep = io.BytesIO()
    Image.fromarray(np.full((30, 20), 40_000, np.uint16)).save(deep, "PNG")
    turned = Image.Exif()
    turned[0x0112] = 6
    unusual = [
        encode("JPEG", mode="CMYK"),
        encode("PNG", mode="RGBA"),
        encode("PNG", mode="P"),
        encode("PNG", mode="1"),
        encode("JPEG", exif=turned.tobytes()),
        animated.getvalue(),
        deep.getvalue(),
        encode("PNG", size=(1, 1)),
    ]
    answer = live.predict(*unusual)
    assert [result["error"] for result in answer.json()["results"]] == [None] * len(unusual)


def test_nothing_is_written_to_disk(live: Any, encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **more: Any) -> None:
        raise AssertionError("an upload reached the disk")

    for name in ("NamedTemporaryFile", "SpooledTemporaryFile", "TemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    written: list[str] = []
    watching(written)
    answer = live.predict(encode("BMP", size=(1500, 1500)))
    watching(None)
    assert answer.status_code == 200
    assert written == []


_seen: list[str] | None = None


def watching(seen: list[str] | None) -> None:
    """Note every file that any thread opens for writing; None stops."""
    global _seen
    if _seen is None and not getattr(watching, "hooked", False):
        sys.addaudithook(note_writing)
        watching.hooked = True  # type: ignore[attr-defined]
    _seen = seen


def note_writing(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event == "open" and arguments[2] & 0o3:  # O_WRONLY or O_RDWR
        _seen.append(str(arguments[0]))
