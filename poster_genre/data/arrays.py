"""Posters and labels as arrays: pixels (N, height, width, 3) uint8, labels (N, 25) uint8."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from poster_genre.data.dataset import PosterDataset
from poster_genre.data.transforms import load_poster
from poster_genre.errors import SHOWN_CHARACTERS, PosterGenreError, printable
from poster_genre.genres import N_GENRES


def poster_pixels(posters: Any, size: tuple[int, int]) -> np.ndarray:
    """``posters`` as uint8 (N, height, width, 3) with ``size = (height, width)``.

    They are such an array already, or a list of paths, bytes or images, which are read and resized.
    PosterGenreError for anything else, and for no poster at all.
    """
    if isinstance(posters, np.ndarray):
        _check_pixels(posters, size)
        return posters
    if isinstance(posters, (str, bytes, Path)) or not isinstance(posters, Iterable):
        raise PosterGenreError(
            f"posters must be a uint8 array or a list of paths, bytes or images, got {type(posters).__name__}"
        )
    pixels = [load_poster(source, size) for source in posters]
    if not pixels:
        raise PosterGenreError("got an empty list of posters; give at least one")
    return np.stack(pixels)


def _check_pixels(array: np.ndarray, size: tuple[int, int]) -> None:
    height, width = size
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise PosterGenreError("the array of posters holds NaN or infinity; give uint8 pixels, 0 to 255")
    if array.dtype != np.uint8:
        raise PosterGenreError(f"an array of posters must be uint8 pixels, 0 to 255; got {array.dtype}")
    if array.ndim != 4 or array.shape[1:] != (height, width, 3):
        raise PosterGenreError(
            f"an array of posters for this network must have the shape (N, {height}, {width}, 3), got "
            f"{array.shape}; resize with poster_genre.data.transforms.load_poster, or give file names"
        )
    if len(array) == 0:
        raise PosterGenreError("got an empty array of posters; give at least one")


def genre_labels(labels: Any) -> np.ndarray:
    """Labels as a uint8 array (N, 25) of zeros and ones, or PosterGenreError."""
    array = np.asarray(labels)
    if array.ndim != 2 or array.shape[1] != N_GENRES:
        raise PosterGenreError(f"labels must have the shape (N, {N_GENRES}), got {array.shape}")
    if array.dtype == object or not np.isin(array, (0, 1)).all():
        raise PosterGenreError("labels must be 0 or 1; got other values")
    return array.astype(np.uint8)


def split_arrays(
    dataset: PosterDataset, split: str, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Pixels (n, h, w, 3), labels (n, 25) and Ids (n) of a split of the data set.

    Posters that cannot be read are left out, and named on standard error.
    """
    from poster_genre.data.cache import cached_posters

    if not dataset.split_sizes()[split]:
        return np.zeros((0, *size, 3), np.uint8), np.zeros((0, N_GENRES), np.uint8), []
    part = dataset.split(split)
    cached = cached_posters(part, size)
    for i in np.flatnonzero(~cached.readable):
        name = printable(part.ids[i], SHOWN_CHARACTERS)
        print(f"warning: {name}: the poster cannot be read; its row is left out", file=sys.stderr)
    return cached.images, cached.dataset.labels, list(cached.dataset.ids)


def data_fingerprint(pixels: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of pixels (N, h, w, 3) and labels (N, 25), in hex."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    for start in range(0, len(pixels), 64):
        digest.update(np.ascontiguousarray(pixels[start : start + 64]).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()
