"""Reading pictures: formats, colour modes, orientation, and what is refused."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from poster_genre.data.image_reader import formats, read_poster
from poster_genre.errors import PosterGenreError
from tests.poster_genre.data.layouts import jpeg

UPRIGHT = np.zeros((4, 6, 3), np.uint8)


UPRIGHT[:2, :3] = (250, 10, 10)


UPRIGHT[2:, :3] = (10, 250, 10)


UPRIGHT[:2, 3:] = (10, 10, 250)


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def pixels(source: object) -> np.ndarray:
    picture = read_poster(source)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def refusal(source: object, name: str | None = None) -> str:
    with pytest.raises(PosterGenreError) as caught:
        read_poster(source, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", formats())
def test_each_accepted_format_gives_its_pixels(form: str) -> None:
    options: dict[str, dict[str, object]] = {
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 100, "subsampling": 0},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    big = np.kron(UPRIGHT, np.ones((8, 8, 1), np.uint8))
    result = pixels(encode(Image.fromarray(big), form, **options.get(form, {})))
    assert np.abs(result.astype(int) - big).max() <= (30 if form in ("JPEG", "AVIF") else 0)
    assert np.abs(result.astype(int) - big).mean() < 2


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_paths_images_and_arrays_give_the_same(tmp_path: Path, kind: Callable[[bytes], object]) -> None:
    data = encode(Image.fromarray(UPRIGHT), "PNG")
    path = tmp_path / "poster.png"
    path.write_bytes(data)
    with Image.open(path) as image:
        for source in (kind(data), path, str(path), image, UPRIGHT):
            assert (pixels(source) == UPRIGHT).all()


def _turned(orientation: int) -> np.ndarray:
    """The pixels that a camera stores for an upright picture: the inverse of the turn that EXIF states."""
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(stored[orientation](UPRIGHT))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(_turned(orientation)), "PNG", exif=exif)
    assert (pixels(data) == UPRIGHT).all()


def test_damaged_exif_is_ignored_without_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(Image.fromarray(UPRIGHT), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x99" * 30)
    assert pixels(data).shape == UPRIGHT.shape
    assert capfd.readouterr() == ("", "")


def test_transparency_is_composited_over_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0] = 200
    rgba[0, :, 3] = (0, 128, 255)
    result = pixels(encode(Image.fromarray(rgba), "PNG"))
    assert result[0, 0].tolist() == [255, 255, 255]
    assert np.abs(result[0, 1].astype(int) - [227, 127, 127]).max() <= 1
    assert result[0, 2].tolist() == [200, 0, 0]
    grey = Image.fromarray(np.array([[[0, 0], [0, 255]]], np.uint8))
    assert pixels(encode(grey, "PNG"))[0, :, 0].tolist() == [255, 0]


def test_a_palette_with_a_transparent_colour_shows_white_there() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    assert pixels(encode(image, "PNG"))[0].tolist() == [[10, 20, 30], [200, 100, 50]]
    assert pixels(encode(image, "PNG", transparency=0))[0].tolist() == [[255, 255, 255], [200, 100, 50]]
    assert pixels(encode(image, "GIF", transparency=0))[0].tolist() == [[255, 255, 255], [200, 100, 50]]
    assert pixels(encode(image, "PNG", transparency=b"\x00\xff"))[0, 0].tolist() == [255, 255, 255]


def test_grey_and_black_and_white_become_three_equal_channels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    assert (pixels(encode(Image.fromarray(grey), "PNG")) == grey[..., None]).all()
    assert (pixels(grey) == grey[..., None]).all()
    bits = Image.fromarray(grey > 100)
    assert set(pixels(encode(bits, "PNG")).ravel().tolist()) == {0, 255}


def test_cmyk_jpeg_comes_out_in_its_colours() -> None:
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(pixels(encode(cmyk, "JPEG", quality=100)).astype(int) - [255, 0, 0]).max() <= 3


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    levels = np.array([[0, 257, 1000, 32768, 65535]], np.uint16)
    expected = np.rint(levels / 257).astype(np.uint8)
    assert (pixels(encode(Image.fromarray(levels), "PNG"))[0, :, 0] == expected[0]).all()


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for form in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if form == "WEBP" else {}
        data = encode(frames[0], form, save_all=True, append_images=frames[1:], duration=50, **options)
        assert pixels(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty"),
        (b"this is a text file named .jpg", "is a text file"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        (b"%PDF-1.7 and so on", "is a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is an EPS"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "is an SVG drawing"),
        (encode(Image.new("RGB", (2, 2)), "TIFF"), "is a TIFF picture"),
        (encode(Image.new("RGB", (2, 2)), "PPM"), "not a picture that can be read"),
        (bytes(range(128, 160)), "not a picture that can be read"),
    ],
)
def test_other_formats_are_refused_and_named(data: bytes, expected: str) -> None:
    text = refusal(data, "poster.jpg")
    assert text.startswith("poster.jpg is")
    assert expected in text


@pytest.mark.parametrize("form", formats())
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_truncated_file_is_refused_by_name(form: str, share: float) -> None:
    data = encode(Image.open(io.BytesIO(jpeg(1, (60, 90)))), form)
    assert refusal(data[: int(len(data) * share)], "half.jpg").startswith("half.jpg is")


def _png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    pixels = b"IDAT" + zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk
        + struct.pack(">I", len(pixels) - 4)
        + pixels
        + struct.pack(">I", zlib.crc32(pixels))
    )


@pytest.mark.parametrize(("width", "height"), [(8000, 8000), (10_000, 10_000), (60_000, 60_000)])
def test_an_image_bomb_is_refused_from_its_header(width: int, height: int) -> None:
    assert "too large" in refusal(_png_header(width, height))


def test_decoding_prints_and_warns_of_nothing_in_any_thread(capfd: pytest.CaptureFixture[str]) -> None:
    sources = [
        encode(Image.fromarray(UPRIGHT), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01"),
        _png_header(10_000, 10_000),
    ] * 20

    def attempt(data: bytes) -> bool:
        try:
            return read_poster(data) is not None
        except PosterGenreError:
            return False

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(attempt, sources)) == 20
    assert capfd.readouterr() == ("", "")


@settings(max_examples=60)
@given(st.data())
def test_damaged_bytes_give_a_picture_or_one_sentence(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(formats()))
    raw = bytearray(encode(Image.fromarray(UPRIGHT), form))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        answer = read_poster(bytes(raw)).mode
    except PosterGenreError as error:
        answer = str(error)
    assert answer == "RGB" or (answer.startswith("the picture") and "\n" not in answer)


def test_paths_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    assert "nowhere.jpg cannot be read" in refusal(tmp_path / "nowhere.jpg")
    assert "cannot be read" in refusal(tmp_path)
    assert "cannot be read" in refusal("bad\0name.jpg")
    assert "got int" in refusal(7)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3)),
        np.full((4, 4, 3), np.nan, np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused(array: np.ndarray) -> None:
    assert "expected uint8 of shape" in refusal(array)


def test_floating_point_pictures_are_refused() -> None:
    assert "floating-point" in refusal(Image.new("F", (2, 2)))


def test_the_source_picture_is_not_changed() -> None:
    image = Image.fromarray(UPRIGHT.copy())
    result = read_poster(image)
    result.paste((1, 2, 3), (0, 0, 6, 4))
    assert (np.asarray(image) == UPRIGHT).all()


def test_the_transparent_level_of_a_16_bit_grey_png_becomes_white() -> None:
    grey = np.array([[0, 1000], [1001, 65535]], np.uint16)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG", transparency=1000)
    seen = np.asarray(read_poster(out.getvalue()))
    assert seen[..., 0].tolist() == [[0, 255], [4, 255]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are those of Unix")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "is a pipe" in refusal(tmp_path / "pipe.jpg")
