"""Reads any accepted picture as an upright RGB image: JPEG, PNG, WebP, GIF and BMP, of any colour mode."""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poster_genre.errors import PosterGenreError, printable

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 50_000_000
MAX_BYTES = 100_000_000
_ACCEPTED = "JPEG, PNG, WebP, GIF or BMP"
_OTHER_FORMATS = (
    (rb"%PDF", "a PDF document"),
    (rb"(II\*\0|MM\0\*)", "a TIFF picture"),
    (rb"(%!PS|\xc5\xd0\xd3\xc6)", "an EPS or PostScript file"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", "an SVG drawing"),
    (rb"\s*<(!doctype html|html)", "a web page"),
    (rb"....ftyp(avif|avis)", "an AVIF picture"),
    (rb"....ftyp(heic|heix|mif1)", "an HEIC picture"),
    (rb"[\t\n\r\x20-\x7e]{16}", "a text file"),
)
_PILLOW = r"PIL\."

ImageInput = Any
"""bytes, a path, a PIL image, or a uint8 array of shape (h, w), (h, w, 3) or (h, w, 4)."""


def read_poster(source: ImageInput, name: str | None = None) -> Image.Image:
    """Any accepted picture as an upright RGB image of 8 bits a channel.

    EXIF orientation is applied, transparency is composited over white, 16-bit grey is scaled to 8 bits, and
    of an animation the first frame is taken. PosterGenreError, naming the picture (``name``, or the path),
    where it is of another format, damaged, or larger than ``MAX_PIXELS`` by its header. The source is not
    changed.
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        return _from_array(source, name or "the array")
    if isinstance(source, Image.Image):
        name = name or "the picture"
        with _pillow_errors_as_ours(name):
            return _decode(source, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, name = bytes(source), name or "the picture"
    elif isinstance(source, (str, os.PathLike)):
        data, name = _read_file(Path(source)), name or printable(str(Path(source)))
    else:
        raise PosterGenreError(
            f"a poster must be bytes, a path, a PIL image or a uint8 array, got {type(source).__name__}"
        )
    if not data:
        raise PosterGenreError(f"{name} is empty (0 bytes); give a picture in {_ACCEPTED} format")
    _silence_pillow()
    with _pillow_errors_as_ours(name, data), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        return _decode(picture, name)


def is_pipe(path: str | Path) -> bool:
    """Whether this is a named pipe, or a process substitution ``<(...)`` of the shell."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _read_file(path: Path) -> bytes:
    name = printable(str(path))
    if is_pipe(path):  # to open one without a writer would wait for ever
        raise PosterGenreError(f"{name} is a pipe; give a file, or its bytes on standard input")
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PosterGenreError(f"{name} cannot be read ({reason}); check the path") from error
    if len(data) > MAX_BYTES:
        raise PosterGenreError(f"{name} is larger than {MAX_BYTES:,} bytes; give a smaller picture")
    return data


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    """The picture of a uint8 array (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)."""
    from PIL import Image

    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise PosterGenreError(
            f"{name}: expected uint8 of shape (h, w), (h, w, 3) or (h, w, 4), got {array.dtype} {array.shape}"
        )
    if channels == 1:
        array = array.reshape(array.shape[:2])
    return _decode(Image.fromarray(array), name)


def _decode(picture: Image.Image, name: str) -> Image.Image:
    """The pixels of an opened picture, upright and RGB."""
    width, height = picture.size
    if width < 1 or height < 1:
        raise PosterGenreError(f"{name} has no pixels ({width}x{height}); give another picture")
    if width * height > MAX_PIXELS:
        raise PosterGenreError(_too_large(name, f"{width}x{height}, "))
    picture.load()
    return _to_rgb(_rotate(picture))


@contextmanager
def _pillow_errors_as_ours(name: str, data: bytes = b"") -> Iterator[None]:
    """Turns the exceptions of Pillow into a PosterGenreError about the picture called ``name``."""
    from PIL import Image

    try:
        yield
    except PosterGenreError:
        raise
    except Image.DecompressionBombError as error:
        raise PosterGenreError(_too_large(name)) from error
    except Image.UnidentifiedImageError as error:
        raise PosterGenreError(
            f"{name} is {_recognise(data)}; give a picture in {_ACCEPTED} format"
        ) from error
    except Exception as error:  # On damaged bytes the decoders raise nearly every type of exception.
        raise PosterGenreError(
            f"{name} is truncated or damaged ({printable(str(error), 160)}); get the file again"
        ) from error


def _too_large(name: str, dimensions: str = "") -> str:
    return f"{name} is too large ({dimensions}more than {MAX_PIXELS:,} pixels); give a smaller picture"


def _rotate(picture: Image.Image) -> Image.Image:
    """A copy of the picture, turned as the EXIF tag Orientation (0x0112) says."""
    from PIL import Image

    turn = Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    try:
        method = turns.get(picture.getexif().get(0x0112, 1))
    except Exception:  # Damaged EXIF does not affect the pixels: the picture is not turned.
        method = None
    return picture.copy() if method is None else picture.transpose(method)


def _to_rgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB of a picture in any mode but floating point; transparency is composited over white."""
    from PIL import Image

    if picture.mode.startswith("I"):
        # Pillow clips 16-bit values to 255 instead of scaling them: 65535 = 257 * 255.
        grey = np.clip(np.asarray(picture).astype(np.int64), 0, 65535)
        clear = picture.info.get("transparency")  # of a PNG the one level of grey that is transparent
        if isinstance(clear, int):
            grey = np.where(grey == clear, 65535, grey)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise PosterGenreError("a picture of floating-point pixels has no defined range; give 8 or 16 bits")
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        colours = picture.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(white, colours).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _recognise(data: bytes) -> str:
    """What the first bytes of a file that is not an accepted picture show it to be."""
    for pattern, description in _OTHER_FORMATS:
        if re.match(pattern, data[:2048], re.IGNORECASE | re.DOTALL):
            return description
    return "not a picture that can be read, or its header is damaged"


def _silence_pillow() -> None:
    """Ignore Pillow's warnings about metadata; whatever affects the pixels is an exception.

    The filter stays installed, because ``warnings.catch_warnings`` is not thread-safe.
    """
    if not any(getattr(module, "pattern", None) == _PILLOW for _, _, _, module, _ in list(warnings.filters)):
        warnings.filterwarnings("ignore", module=_PILLOW)
