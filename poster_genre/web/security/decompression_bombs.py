"""What a picture would cost to decode, read from its header before it is decoded."""

from __future__ import annotations

import io

from poster_genre.data.image_reader import FORMATS
from poster_genre.errors import PosterGenreError
from poster_genre.web.limits import Limits

START_OF_SCAN = b"\xff\xda"  # in a JPEG's pixel data 0xFF is followed by 0 or a restart marker only


def check_cost(data: bytes, name: str, limits: Limits) -> None:
    """PosterGenreError for a picture that would take too much memory or time to decode.

    Bytes that are no picture pass: ``load_poster`` has the better message for them.
    """
    dimensions = dimensions_of(data, name, limits)
    if dimensions is None:
        return
    width, height = dimensions
    if width * height > limits.pixels:
        raise PosterGenreError(
            f"{name} is too large ({width}x{height}, more than {limits.pixels:,} pixels); give a smaller "
            "picture"
        )
    if data.startswith(b"\xff\xd8"):
        scans = data.count(START_OF_SCAN)
        if scans > limits.scans or scans * width * height > limits.scanned_pixels:
            raise PosterGenreError(f"{name} is a JPEG in {scans} scans, which is too many; save it anew")
    if data.startswith(b"BM") and data[30:31] in (b"\x01", b"\x02") and len(data) > limits.run_length_bytes:
        raise PosterGenreError(f"{name} is a large run-length BMP; save it as PNG")


def dimensions_of(data: bytes, name: str, limits: Limits) -> tuple[int, int] | None:
    """(width, height) from the header; None where there is no readable one.

    PosterGenreError for a picture so large that Pillow refuses to open it.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.size
    except Image.DecompressionBombError:
        raise PosterGenreError(
            f"{name} is too large (more than {limits.pixels:,} pixels); give a smaller picture"
        ) from None
    except Exception:  # On damaged bytes Pillow raises nearly every type of exception.
        return None
