"""Drawn posters of imaginary films, as single pictures or as a data set in the layout of the public one.

The shapes on a poster show its genres; its colours hardly do, and its letters are those of no language. Every
poster is a function of (seed, index) alone.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from poster_genre.drawing.composition import compose
from poster_genre.drawing.finish import finish
from poster_genre.drawing.genre_mix import random_genres
from poster_genre.errors import PosterGenreError, UsageError, printable
from poster_genre.genres import GENRES, INDEX
from poster_genre.output_path import contents, refuse_unwritable_folder, remove_clutter
from poster_genre.progress import progress_bar

__all__ = ["POSTER_SIZE", "contact_sheet", "draw_poster", "random_genres", "write_dataset"]

POSTER_SIZE = (444, 300)
"""Height and width in pixels: what the public data set's posters have."""


def draw_poster(
    genres: Sequence[str],
    rng: np.random.Generator,
    *,
    size: tuple[int, int] = POSTER_SIZE,
    oversampling: int = 2,
) -> Image.Image:
    """Draw one poster.

    ``genres`` are one to three names out of ``GENRES``, each of which has at least one motif on the poster;
    ``rng`` decides everything else. ``size`` is (height, width) in pixels, best near 3 to 2. The shapes are
    drawn ``oversampling`` times larger and averaged down, which smooths their edges. Returns an RGB image of
    that size. Raises ValueError for no genre, for more than three, for an unknown one and for a tiny size.
    """
    if isinstance(genres, str) or not 1 <= len(set(genres)) <= 3:
        raise ValueError(f"draw_poster: expected a sequence of one to three genres, got {genres!r}")
    for genre in genres:
        if genre not in INDEX:
            raise ValueError(f"draw_poster: {genre!r} is not a genre; choose among {', '.join(GENRES)}")
    height, width = size
    if min(height, width) < 8 or oversampling < 1:
        raise ValueError(
            f"draw_poster: expected a size of at least (8, 8) and oversampling of at least 1, "
            f"got size {size} and oversampling {oversampling}"
        )
    large = compose(tuple(dict.fromkeys(genres)), (height * oversampling, width * oversampling), rng)
    return finish(large.reduce(oversampling) if oversampling > 1 else large, rng)


def write_dataset(
    out: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    *,
    size: tuple[int, int] = POSTER_SIZE,
    progress: bool = True,
) -> Path:
    """Draw ``count`` posters into ``out``, as ``train.csv`` and ``Images/<Id>.jpg``; returns that folder.

    ``size`` is (height, width) in pixels. The same seed gives the same files, on the same versions of NumPy
    and Pillow, and a larger count only adds to them. The folder appears when it is complete, and not at all
    if drawing fails or is interrupted. Raises UsageError where ``out`` is not empty or a number is out of
    range, and PosterGenreError where the folder cannot be written.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(f"synth: the count of posters must be a whole number of at least 1, got {count!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"synth: the seed must be a whole number of at least 0, got {seed!r}")
    _refuse_occupied(Path(out))
    refuse_unwritable_folder(Path(out))
    target = Path(out).resolve()
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        finished = temporary / "dataset"
        _write_posters(finished, count, seed, size, progress)
        if target.exists():
            remove_clutter(target)
            target.rmdir()
        finished.rename(target)
    except OSError as error:
        raise PosterGenreError(
            f"synth: could not write {printable(str(target))} ({error.strerror or error}); nothing was left "
            "behind, free some space or name another folder"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def _refuse_occupied(target: Path) -> None:
    """UsageError unless ``target`` is a new or empty folder."""
    name = printable(str(target))
    try:
        occupied = target.exists() and (not target.is_dir() or bool(contents(target)))
    except OSError as error:
        raise PosterGenreError(
            f"synth: {name} cannot be listed ({error.strerror or error}); name another folder"
        ) from error
    if occupied:
        raise UsageError(f"synth: {name} exists and is not an empty folder; name a new folder")


def _write_posters(folder: Path, count: int, seed: int, size: tuple[int, int], progress: bool) -> None:
    (folder / "Images").mkdir(parents=True)
    bar = progress_bar("Drawing posters", count, " posters", progress)
    with bar, (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Id", "Genre", *GENRES])
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            genres = random_genres(rng)
            poster = draw_poster(genres, rng, size=size)
            name = f"tt{9_000_001 + index}"
            poster.save(folder / "Images" / f"{name}.jpg", quality=88)
            writer.writerow([name, str(list(genres)), *(int(genre in genres) for genre in GENRES)])
            bar.update()


def contact_sheet(
    posters: Sequence[Image.Image],
    columns: int,
    *,
    margin: int = 12,
    background: tuple[int, int, int] = (250, 248, 244),
) -> Image.Image:
    """One image of posters of equal size, ``columns`` in a row, ``margin`` pixels between them."""
    if not posters or columns < 1:
        raise ValueError(
            f"contact_sheet: expected posters and at least one column, got {len(posters)} and {columns}"
        )
    width, height = posters[0].size
    rows = -(-len(posters) // columns)
    sheet = Image.new(
        "RGB", (columns * (width + margin) + margin, rows * (height + margin) + margin), background
    )
    for i, poster in enumerate(posters):
        sheet.paste(
            poster, (margin + i % columns * (width + margin), margin + i // columns * (height + margin))
        )
    return sheet
