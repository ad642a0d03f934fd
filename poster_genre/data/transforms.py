"""The one path from a picture to the network's input. Training and serving both walk it.

bytes -> ``read_poster`` -> RGB -> ``resize_poster`` -> uint8 (h, w, 3) -> ``Normalisation.apply`` -> float32
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poster_genre.errors import PosterGenreError

if TYPE_CHECKING:
    from PIL import Image

VERSION = 1
"""Raised whenever the same bytes come to mean other pixels, so that posters cached before are not used."""

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

Source = Any
"""bytes, a path, a PIL image, or a uint8 array of shape (h, w), (h, w, 3) or (h, w, 4)."""


def load_poster(source: Source, size: tuple[int, int], name: str | None = None) -> np.ndarray:
    """``read_poster``, then ``resize_poster``: uint8 (height, width, 3) with ``size = (height, width)``."""
    return resize_poster(read_poster(source, name), size)


def read_poster(source: Source, name: str | None = None) -> Image.Image:
    """Any accepted picture as an upright RGB image of 8 bits a channel.

    EXIF orientation is applied, transparency is laid over white, 16-bit grey is scaled, and of an animation
    the first frame is taken. PosterGenreError, naming the picture (``name``, or the path), where it is of
    another format, broken, or larger than ``MAX_PIXELS``, which its header tells before anything is decoded.
    The source is not changed.
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        return _from_array(source, name or "the array")
    if isinstance(source, Image.Image):
        name = name or "the picture"
        with _one_sentence(name):
            return _decode(source, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, name = bytes(source), name or "the picture"
    elif isinstance(source, (str, os.PathLike)):
        data, name = _read_file(Path(source)), name or str(Path(source))
    else:
        raise PosterGenreError(
            f"a poster must be bytes, a path, a PIL image or a uint8 array, got {type(source).__name__}"
        )
    if not data:
        raise PosterGenreError(f"{name} is empty (0 bytes)")
    _silence_pillow()
    with _one_sentence(name, data), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        return _decode(picture, name)


def resize_poster(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """The picture squashed to ``size = (height, width)``: uint8 (height, width, 3).

    Shrinking averages over all that an output pixel covers (Pillow widens the cubic kernel by the scale), so
    a poster at 208 and the same at 300 pixels of width give nearly the same input. Of Pillow's filters this
    one came out best: the difference, relative to the detail kept, was about a third of plain box
    averaging's.
    """
    from PIL import Image

    height, width = size
    if height < 1 or width < 1:
        raise PosterGenreError(f"resize_poster: expected a (height, width) of at least (1, 1), got {size}")
    if image.mode != "RGB":
        raise PosterGenreError(
            f"resize_poster: expected an RGB image, got mode {image.mode}; read_poster makes one"
        )
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.array(image)


@dataclass(frozen=True)
class Normalisation:
    """``(x / 255 - mean) / std``, a channel at a time; mean and std are on the scale of 0 to 1."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        for field in ("mean", "std"):
            values = tuple(float(v) for v in getattr(self, field))
            if len(values) != 3 or not np.isfinite(values).all():
                raise PosterGenreError(f"Normalisation: {field} must be 3 finite numbers, got {values}")
            object.__setattr__(self, field, values)
        if min(self.std) <= 0:
            raise PosterGenreError(f"Normalisation: std must be above 0, got {self.std}")

    @classmethod
    def fit(cls, images: np.ndarray) -> Normalisation:
        """Mean and standard deviation of every channel over uint8 images (n, h, w, 3)."""
        _check_pixels("Normalisation.fit", images)
        if images.size == 0:
            raise PosterGenreError("Normalisation.fit: expected at least one image, got none")
        counts = np.zeros((3, 256), np.int64)
        for image in images.reshape(-1, *images.shape[-2:]):
            for channel in range(3):
                counts[channel] += np.bincount(image[:, channel], minlength=256)
        levels = np.arange(256) / 255
        total = counts.sum(axis=1)
        mean = counts @ levels / total
        variance = counts @ levels**2 / total - mean**2
        # A channel that never varies has nothing to scale.
        std = np.where(variance > 1e-12, np.sqrt(np.maximum(variance, 0)), 1.0)
        return cls(tuple(mean), tuple(std))

    def apply(self, images: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
        """uint8 (..., 3) to ``dtype`` (..., 3)."""
        _check_pixels("Normalisation.apply", images)
        mean, std = np.array(self.mean), np.array(self.std)
        scaled = np.multiply(images, (1 / (255 * std)).astype(dtype), dtype=dtype)
        scaled -= (mean / std).astype(dtype)
        return scaled

    def to_dict(self) -> dict[str, list[float]]:
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> Normalisation:
        return cls(tuple(values["mean"]), tuple(values["std"]))  # type: ignore[arg-type]


def _check_pixels(name: str, images: np.ndarray) -> None:
    if images.dtype != np.uint8 or images.ndim < 3 or images.shape[-1] != 3:
        raise PosterGenreError(
            f"{name}: expected uint8 images of shape (n, h, w, 3), got {images.dtype} {images.shape}"
        )


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PosterGenreError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error
    if len(data) > MAX_BYTES:
        raise PosterGenreError(f"{path} is larger than {MAX_BYTES:,} bytes; give a smaller picture")
    return data


def _from_array(array: np.ndarray, name: str) -> Image.Image:
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

    width, height = picture.size
    if width < 1 or height < 1:
        raise PosterGenreError(f"{name} has no pixels ({width}x{height})")
    if width * height > MAX_PIXELS:
        raise PosterGenreError(_too_large(name, f"{width}x{height}, "))
    picture.load()
    return _to_rgb(_rotate(picture))


@contextmanager
def _one_sentence(name: str, data: bytes = b"") -> Iterator[None]:
    """Turns what Pillow raises into a PosterGenreError about the picture called ``name``."""
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
    except Exception as error:  # On damaged bytes its decoders raise nearly every type there is.
        raise PosterGenreError(f"{name} is truncated or damaged ({error}); get the file again") from error


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
    except Exception:  # Broken EXIF is no reason to refuse whole pixels: the picture is taken as it lies.
        method = None
    return picture.copy() if method is None else picture.transpose(method)


def _to_rgb(picture: Image.Image) -> Image.Image:
    from PIL import Image

    if picture.mode.startswith("I"):
        # Pillow clips 16 bits to 8 where it should scale: 65535 = 257 * 255.
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
    for pattern, what in _OTHER_FORMATS:
        if re.match(pattern, data[:2048], re.IGNORECASE | re.DOTALL):
            return what
    return "not a picture that can be read, or its header is damaged"


def _silence_pillow() -> None:
    """Pillow's remarks on odd metadata help nobody here; what matters becomes a PosterGenreError.

    The filter stays in place, because ``warnings.catch_warnings`` is not safe where several threads decode.
    """
    if not any(getattr(module, "pattern", None) == _PILLOW for _, _, _, module, _ in list(warnings.filters)):
        warnings.filterwarnings("ignore", module=_PILLOW)
