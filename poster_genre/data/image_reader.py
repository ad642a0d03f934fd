"""Reads any accepted picture as an upright RGB image: JPEG, PNG, WebP, AVIF, GIF and BMP, of any colour mode.

AVIF is accepted where the installed Pillow decodes it.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poster_genre.data.upright_rgb import upright_rgb
from poster_genre.errors import PosterGenreError, printable

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 50_000_000
MAX_BYTES = 100_000_000
_OTHER_FORMATS = (
    (rb"%PDF", "a PDF document"),
    (rb"(II\*\0|MM\0\*)", "a TIFF picture"),
    (rb"(%!PS|\xc5\xd0\xd3\xc6)", "an EPS or PostScript file"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", "an SVG drawing"),
    (rb"\s*<(!doctype html|html)", "a web page"),
    (rb"....ftyp(heic|heix|mif1)", "an HEIC picture"),
    (rb"[\t\n\r\x20-\x7e]{16}", "a text file"),
)
_AVIF = (rb"....ftyp(avif|avis)", "an AVIF picture")
_PILLOW = r"PIL\."


@cache
def formats() -> tuple[str, ...]:
    """The accepted formats by Pillow's names for them."""
    from PIL import features

    return ("JPEG", "PNG", "WEBP", "GIF", "BMP", *(("AVIF",) if "avif" in features.get_supported() else ()))


def accepted() -> str:
    """The accepted formats, as a phrase."""
    return f"JPEG, PNG, WebP, {'AVIF, ' if 'AVIF' in formats() else ''}GIF or BMP"


ImageInput = Any
"""bytes, a path, a PIL image, or a uint8 array of shape (h, w), (h, w, 3) or (h, w, 4)."""


def read_poster(source: ImageInput, name: str | None = None) -> Image.Image:
    """Any accepted picture as an upright RGB image of 8 bits a channel, in its own size.

    EXIF orientation is applied, transparency is composited over white, 16-bit grey is scaled to 8 bits, and
    of an animation the first frame is taken. PosterGenreError, naming the picture (``name``, or the path),
    where it is of another format, damaged, or larger than ``MAX_PIXELS`` by its header. The source is not
    changed.
    """
    with decoded(source, name) as picture:
        return upright_rgb(picture)


@contextmanager
def decoded(source: ImageInput, name: str | None = None) -> Iterator[Image.Image]:
    """The decoded picture as it is stored: of any mode, not turned. The errors of ``read_poster``.

    Within the context Pillow's exceptions become PosterGenreErrors that name the picture.
    """
    from PIL import Image

    _silence_pillow()
    if isinstance(source, np.ndarray):
        yield _from_array(source, name or "the array")
        return
    if isinstance(source, Image.Image):
        name = name or "the picture"
        with _pillow_errors_as_ours(name):
            _decode(source, name)
            yield source
        return
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, name = bytes(source), name or "the picture"
    elif isinstance(source, (str, os.PathLike)):
        data, name = _read_file(Path(source)), name or printable(str(Path(source)))
    else:
        raise PosterGenreError(
            f"a poster must be bytes, a path, a PIL image or a uint8 array, got {type(source).__name__}"
        )
    if not data:
        raise PosterGenreError(f"{name} is empty (0 bytes); give a picture in {accepted()} format")
    with _pillow_errors_as_ours(name, data), Image.open(io.BytesIO(data), formats=formats()) as picture:
        _decode(picture, name)
        yield picture


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
    picture = Image.fromarray(array)
    _decode(picture, name)
    return picture


def _decode(picture: Image.Image, name: str) -> None:
    """Decode an opened picture, after a look at its size."""
    width, height = picture.size
    if width < 1 or height < 1:
        raise PosterGenreError(f"{name} has no pixels ({width}x{height}); give another picture")
    if width * height > MAX_PIXELS:
        raise PosterGenreError(_too_large(name, f"{width}x{height}, "))
    picture.load()


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
            f"{name} is {_recognise(data)}; give a picture in {accepted()} format"
        ) from error
    except Exception as error:  # On damaged bytes the decoders raise nearly every type of exception.
        raise PosterGenreError(
            f"{name} is truncated or damaged ({printable(str(error), 160)}); get the file again"
        ) from error


def _too_large(name: str, dimensions: str = "") -> str:
    return f"{name} is too large ({dimensions}more than {MAX_PIXELS:,} pixels); give a smaller picture"


def _recognise(data: bytes) -> str:
    """What the first bytes of a file that is not an accepted picture show it to be."""
    other_formats = _OTHER_FORMATS if "AVIF" in formats() else (*_OTHER_FORMATS, _AVIF)
    for pattern, description in other_formats:
        if re.match(pattern, data[:2048], re.IGNORECASE | re.DOTALL):
            return description
    return "not a picture that can be read, or its header is damaged"


def _silence_pillow() -> None:
    """Ignore Pillow's warnings about metadata; whatever affects the pixels is an exception.

    The filter stays installed, because ``warnings.catch_warnings`` is not thread-safe.
    """
    if not any(getattr(module, "pattern", None) == _PILLOW for _, _, _, module, _ in list(warnings.filters)):
        warnings.filterwarnings("ignore", module=_PILLOW)
