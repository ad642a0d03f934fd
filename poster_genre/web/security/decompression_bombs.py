"""What a picture would cost to decode, read from its header before it is decoded."""

from __future__ import annotations

import io
from typing import NamedTuple

from poster_genre.data.image_reader import formats
from poster_genre.errors import PosterGenreError
from poster_genre.web.limits import Limits

START_OF_SCAN = b"\xff\xda"  # in a JPEG's pixel data 0xFF is followed by 0 or a restart marker only


# Bytes for each pixel, in the decoded picture and in the decoder beside it.
WEBP_BYTES = 16  # two canvases of 4, the frame and the picture
PICTURE_BYTES, COEFFICIENT_BYTES = 4, 2  # a progressive JPEG keeps one coefficient for each pixel and channel


def check_cost(data: bytes, name: str, limits: Limits) -> int:
    """The number of pixels by the header; PosterGenreError for a picture that would take too much to decode.

    0 for bytes that are no picture: ``load_poster`` has the better message for them.
    """
    header = read_header(data, name, limits)
    if header is None:
        return 0
    dimensions = f"{header.width}x{header.height}"
    if header.pixels > limits.pixels:
        raise PosterGenreError(
            f"{name} is too large ({dimensions}, more than {limits.pixels:,} pixels); give a smaller picture"
        )
    if max(header.width, header.height) > limits.side:
        raise PosterGenreError(
            f"{name} is too long ({dimensions}, more than {limits.side:,} pixels a side); cut out the poster"
        )
    scans = data.count(START_OF_SCAN) if data.startswith(b"\xff\xd8") else 0
    if scans > limits.scans or scans * header.pixels > limits.scanned_pixels:
        raise PosterGenreError(f"{name} is a JPEG in {scans} scans, which is too many; save it anew")
    if header.decoding_bytes(scans) > limits.decoding_bytes:
        raise PosterGenreError(
            f"{name} is too large for a {header.format} picture ({dimensions}): it would take more than "
            f"{limits.decoding_bytes >> 20} MB to decode; give a smaller picture, or save it as PNG"
        )
    if data.startswith(b"BM") and data[30:31] in (b"\x01", b"\x02") and len(data) > limits.run_length_bytes:
        raise PosterGenreError(f"{name} is a large run-length BMP; save it as PNG")
    return header.pixels


class Header(NamedTuple):
    """What a picture's header says: Pillow's names for its format and mode, its size in pixels."""

    format: str
    mode: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    def decoding_bytes(self, scans: int) -> int:
        """About how much memory decoding takes; ``scans`` of a JPEG over its pixels, of others 0."""
        if self.format == "WEBP":
            return self.pixels * WEBP_BYTES
        channels = len(self.mode) if scans > 1 else 0
        return self.pixels * (PICTURE_BYTES + COEFFICIENT_BYTES * channels)


def read_header(data: bytes, name: str, limits: Limits) -> Header | None:
    """The header; None where there is no readable one.

    PosterGenreError for a picture so large that Pillow refuses to open it.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=formats()) as picture:
            return Header(str(picture.format), picture.mode, *picture.size)
    except Image.DecompressionBombError:
        raise PosterGenreError(
            f"{name} is too large (more than {limits.pixels:,} pixels); give a smaller picture"
        ) from None
    except Exception:  # On damaged bytes Pillow raises nearly every type of exception.
        return None
