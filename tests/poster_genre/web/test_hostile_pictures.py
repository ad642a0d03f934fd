"""Hostile pictures: every one is answered in one sentence, none with a 5xx, none by a hang."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from poster_genre.data.image_reader import accepted, formats
from poster_genre.errors import PosterGenreError
from poster_genre.web.limits import Limits
from poster_genre.web.security.decompression_bombs import check_cost
from tests.poster_genre.web.problem_document import problem

Encode = Callable[..., bytes]
KINDS = formats()
AT_A_TIME = 32


def post_all(live: Any, pictures: list[bytes]) -> list[str | None]:
    """The error of each, in as few requests as possible."""
    errors: list[str | None] = []
    for start in range(0, len(pictures), AT_A_TIME):
        chunk = pictures[start : start + AT_A_TIME]
        answer = live.predict(*chunk, headers={"Prefer": "handling=lenient"})
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert len(results) == len(chunk)
        errors += [result["error"] for result in results]
    return errors


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_off_anywhere_is_read_or_refused_in_one_sentence(
    live: Any, encode: Encode, kind: str
) -> None:
    whole = encode(kind, size=(24, 36))
    cuts = sorted({*range(min(len(whole), 64)), *range(64, len(whole), max(1, len(whole) // 64))})
    errors = post_all(live, [whole[:cut] for cut in cuts])
    assert errors[0] == f"image 1 is empty (0 bytes); give a picture in {accepted()} format"
    assert all(error is None or (error.startswith("image ") and "\n" not in error) for error in errors)
    assert sum(error is not None for error in errors) > len(errors) // 2


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits_are_read_or_refused(live: Any, encode: Encode, kind: str) -> None:
    whole = encode(kind, size=(24, 36))
    rng = np.random.default_rng(KINDS.index(kind))
    damaged = []
    for _ in range(96):
        data = bytearray(whole)
        for index in rng.integers(0, len(data), rng.integers(1, 6)):
            data[index] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(data))
    post_all(live, damaged)


def test_random_bytes_behind_a_real_signature_are_refused(live: Any) -> None:
    signatures = [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBPVP8 ", b"GIF89a", b"BM"]
    rng = np.random.default_rng(3)
    errors = post_all(live, [start + rng.bytes(300) for start in signatures for _ in range(6)])
    assert None not in errors


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, colour: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    inside = b"".join(chunk(*each) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + inside + chunk(b"IEND", b"")


def bombs() -> Iterator[tuple[str, bytes]]:
    zeros = zlib.compress(bytes(30_000_000), 9)
    yield "PNG of 2.5 billion pixels", png(50_000, 50_000, (b"IDAT", zeros))
    yield "PNG of 36 million pixels", png(6000, 6000, (b"IDAT", zeros), depth=1, colour=0)
    yield "GIF", b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;"
    yield "BMP", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 90, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, *[0] * 5)
    lossless = (14_000 - 1) | (14_000 - 1) << 14
    webp = b"VP8L" + struct.pack("<IBI", 5, 0x2F, lossless) + b"\0"
    yield "WebP", b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp


BOMBS = dict(bombs())


@pytest.mark.parametrize("name", BOMBS)
def test_a_decompression_bomb_is_refused_by_its_header(live: Any, name: str) -> None:
    bomb = BOMBS[name]
    assert len(bomb) < 100_000
    assert "too large" in (detail := problem(live.predict(bomb), 422))
    assert "more than 25,000,000 pixels" in detail


def test_the_error_for_a_picture_above_the_limit_gives_its_size(live: Any, encode: Encode) -> None:
    out = io.BytesIO()
    Image.new("1", (5001, 5000)).save(out, "PNG")
    detail = problem(live.predict(out.getvalue()), 422)
    assert detail == ("image 1 is too large (5001x5000, more than 25,000,000 pixels); give a smaller picture")


def blank(form: str, mode: str, side: int, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, form, **options)
    return out.getvalue()


def test_formats_whose_decoders_take_more_memory_have_a_lower_limit() -> None:
    limits = Limits()
    large = {
        "WebP": blank("WEBP", "RGB", 4100, lossless=True),
        "CMYK": blank("JPEG", "CMYK", 4700, progressive=True),
    }
    for data in large.values():
        with pytest.raises(PosterGenreError, match="MB to decode; give a smaller picture, or save it as PNG"):
            check_cost(data, "image 1", limits)
    check_cost(blank("WEBP", "RGB", 3900, lossless=True), "image 1", limits)
    check_cost(blank("JPEG", "CMYK", 4700), "image 1", limits)
    check_cost(blank("JPEG", "RGB", 4900, progressive=True), "image 1", limits)


def test_a_jpeg_with_hundreds_of_scans_is_refused(live: Any, encode: Encode) -> None:
    whole = encode("JPEG", size=(64, 64), progressive=True)
    start = whole.index(b"\xff\xda")
    scan = whole[start : whole.index(b"\xff", start + 20)]
    detail = problem(live.predict(whole[:start] + scan * 500 + whole[start:]), 422)
    assert "is a JPEG in" in detail


def test_a_large_run_length_bitmap_is_refused_and_a_small_one_is_not_the_servers_fault(live: Any) -> None:
    header = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54 + 1024, 40, 2000, 2000, 1, 8, 1, *[0] * 5)
    runs = b"\x01\x05" * 600_000
    detail = problem(live.predict(header + bytes(1024) + runs), 422)
    assert detail == "image 1 is a large run-length BMP; save it as PNG"
    small = live.predict(header + bytes(1024) + runs[:1000])
    assert small.status_code in (200, 422)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>', "an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "an EPS or PostScript file"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"II*\0\x08\0\0\0\0\0", "a TIFF picture"),
        (b"\0\0\0 ftypheic\0\0\0\0", "an HEIC picture"),
        (b"<!DOCTYPE html><title>x</title>", "a web page"),
        (b"\0\0\1\0\1\0\x10\x10\0\0\1\0 \0", "not a picture that can be read"),
        (b"8BPS\0\1" + bytes(40), "not a picture that can be read"),
        (b"PK\x03\x04" + bytes(40), "not a picture that can be read"),
    ],
)
def test_other_kinds_of_file_are_named_and_refused(live: Any, data: bytes, what: str) -> None:
    assert what in problem(live.predict(data), 422)


def test_the_server_answers_after_all_hostile_pictures(live: Any, poster: bytes) -> None:
    assert live.predict(poster).status_code == 200
    assert live.client.get("/readyz").status_code == 200
    assert live.state.predictions.capacity.in_use == 0
    assert live.state.upload_memory.in_use == 0


def test_the_limits_are_what_the_documentation_says() -> None:
    limits = Limits()
    assert (limits.body, limits.pixels, limits.pictures) == (10 * 2**20, 25_000_000, 32)
