"""Shrinking in strips: the bits of the picture converted whole, in a fraction of the memory."""

from __future__ import annotations

import io
import itertools
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from poster_genre.data import upright_rgb
from poster_genre.data.image_reader import read_poster
from poster_genre.data.transforms import load_poster

MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "HSV", "I", "I;16")
MEGABYTE = 2**20


def drawn(mode: str, width: int, height: int, seed: int = 0) -> Image.Image:
    """Noise over a gradient, in any mode; half of it is transparent where the mode has transparency."""
    rng = np.random.default_rng(seed)
    grey = np.add.outer(np.arange(height) * 3, np.arange(width)) + rng.integers(0, 60, (height, width))
    if mode in ("I", "I;16"):
        picture = Image.fromarray((grey * 97 % 65536).astype(np.uint16 if mode == "I;16" else np.int32))
        assert picture.mode == mode
        return picture
    colours = np.stack([grey, grey[::-1], grey * 2, grey * 5], axis=2).astype(np.uint8)
    picture = Image.fromarray(colours, "RGBA")
    if mode == "PA":
        return picture.convert("RGB").convert("P").convert("PA")
    return (
        picture
        if mode == "RGBA"
        else picture.convert("RGB" if mode in ("P", "YCbCr", "HSV") else "RGBA").convert(mode)
    )


def converted_whole(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """The definition: Pillow turns, converts and resizes the whole picture."""
    upright = read_poster(picture)
    return np.asarray(upright.resize(size[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0))


@given(
    st.sampled_from(MODES),
    st.integers(1, 90),
    st.integers(1, 90),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(0, 9),
    st.integers(1, 3000),
)
@settings(max_examples=150, deadline=None)
def test_strips_give_the_bits_of_the_picture_converted_whole(
    mode: str, width: int, height: int, size: tuple[int, int], tag: int, strip_pixels: int
) -> None:
    picture = drawn(mode, width, height)
    picture.getexif()[upright_rgb.ORIENTATION] = tag
    before, upright_rgb.STRIP_PIXELS = upright_rgb.STRIP_PIXELS, strip_pixels
    try:
        np.testing.assert_array_equal(load_poster(picture, size), converted_whole(picture, size))
    finally:
        upright_rgb.STRIP_PIXELS = before


@pytest.mark.parametrize("tag", range(1, 9))
def test_a_strip_is_that_part_of_the_upright_picture(tag: int) -> None:
    picture = drawn("RGB", 23, 17)
    picture.getexif()[upright_rgb.ORIENTATION] = tag
    upright = ImageOps.exif_transpose(picture)
    strip = upright_rgb.upright_strip(picture, upright_rgb.orientation(picture), 5, 11)
    assert strip.tobytes() == upright.crop((0, 5, upright.width, 11)).tobytes()


def test_strips_cover_every_row_once_and_end_at_whole_blocks() -> None:
    for width, height, rows in ((5000, 5000, 8), (1, 25_000_000, 43_000), (25_000_000, 1, 1), (3, 7, 2)):
        covered = list(upright_rgb.strips(width, height, rows))
        assert covered[0][0] == 0
        assert covered[-1][1] == height
        assert all(end == start for (_, end), (start, _) in itertools.pairwise(covered))
        assert all((end - start) % rows == 0 for start, end in covered[:-1])


def blank_png(side: int, bits: int, colour_type: int, channels: int, extra: bytes = b"") -> bytes:
    """A PNG of zeros, side x side, without ever holding its pixels."""
    row, packer, body = b"\0" * (1 + side * channels * bits // 8), zlib.compressobj(9), b""
    for _ in range(side):
        body += packer.compress(row)
    header = struct.pack(">IIBBBBB", side, side, bits, colour_type, 0, 0, 0)
    parts = ((b"IHDR", header), (b"", extra), (b"IDAT", body + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        data
        if not kind
        else struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def palette_chunks() -> bytes:
    chunks = ((b"PLTE", bytes(768)), (b"tRNS", b"\x80\x80"))
    return b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def turned_jpeg(side: int) -> bytes:
    exif = Image.Exif()
    exif[upright_rgb.ORIENTATION] = 6
    out = io.BytesIO()
    Image.new("CMYK", (side, side), (10, 200, 30, 0)).save(out, "JPEG", exif=exif)
    return out.getvalue()


MEASURE = """
import sys
from pathlib import Path
from poster_genre.data.transforms import load_poster

def status(name):
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) // 1024

data = Path(sys.argv[1]).read_bytes()
load_poster(Path(sys.argv[2]).read_bytes(), (192, 128))
idle = status("VmRSS")
load_poster(data, (192, 128))
print(status("VmHWM") - idle, status("VmRSS") - idle)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
@pytest.mark.parametrize(
    "kind",
    ["16-bit grey", "16-bit grey with alpha", "RGBA", "palette with alpha", "turned CMYK JPEG"],
)
def test_25_megapixels_of_any_kind_take_250_megabytes_at_most(tmp_path: Path, kind: str) -> None:
    make = {
        "16-bit grey": lambda side: blank_png(side, 16, 0, 1),
        "16-bit grey with alpha": lambda side: blank_png(side, 16, 4, 2),
        "RGBA": lambda side: blank_png(side, 8, 6, 4),
        "palette with alpha": lambda side: blank_png(side, 8, 3, 1, palette_chunks()),
        "turned CMYK JPEG": turned_jpeg,
    }[kind]
    for name, side in (("large", 5000), ("small", 100)):
        (tmp_path / name).write_bytes(make(side))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "large", tmp_path / "small"],
        check=True,
        capture_output=True,
        text=True,
    )
    peak, after = map(int, done.stdout.split())
    assert peak <= 250
    assert after <= 50
