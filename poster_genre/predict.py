"""What ``poster-genre predict`` does: files, folders or standard input in, an answer for each picture out."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poster_genre.classifier import CHUNK, PosterGenreClassifier, top_of
from poster_genre.data.transforms import load_poster
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, N_GENRES

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
BAR = 24
NOT_SURE = "not sure: this poster tells little, and the answer is close to how frequent the genres are"
UNCALIBRATED = (
    "this model holds no calibration (it was trained without validation posters): its probabilities are "
    "the network's own, and it cannot say when it is not sure"
)
Answer = dict[str, Any]


def answers(names: Sequence[str], model_file: str | None, top: int) -> Iterator[Answer]:
    """``{file, top: [{genre, probability}], probabilities: {genre: p}, sure, error}`` for each picture.

    ``sure``: whether the answer rests on more than the genres' frequencies; None where the model has no
    calibration to tell by. A picture that cannot be read has an ``error``, an empty ``top`` and no
    ``probabilities``.
    """
    classifier = PosterGenreClassifier.load(model_file)
    if classifier.calibration_ is None:
        print(f"note: {UNCALIBRATED}", file=sys.stderr)
    waiting: list[tuple[str, np.ndarray | str]] = []
    for name, problem in pictures(names):
        waiting.append((name, problem if problem is not None else pixels_or_error(name, classifier)))
        if len(waiting) == CHUNK:
            yield from answered(waiting, classifier, top)
            waiting = []
    yield from answered(waiting, classifier, top)


def pictures(names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """(name, None) for each picture; (name, what is wrong) for a folder that has none or cannot be listed."""
    for name in names:
        if not name:
            yield name, "an empty name is no picture; a variable in the command may be unset"
        elif name == "-" or not os.path.isdir(name):
            yield name, None
        else:
            yield from pictures_in(name)


def pictures_in(folder: str) -> Iterator[tuple[str, str | None]]:
    """The same for one folder and all below it; every folder inside that cannot be listed is told."""
    refused: list[OSError] = []
    files = sorted(
        Path(place, file)
        for place, _, names in os.walk(folder, onerror=refused.append)
        for file in names
        if Path(file).suffix.lower() in SUFFIXES and may_be_read(Path(place, file))
    )
    for error in refused:
        yield str(error.filename), f"{error.filename} cannot be listed ({error.strerror or error})"
    if not files and not refused:
        yield folder, f"{folder} is a folder without pictures ({', '.join(SUFFIXES)})"
    for file in files:
        yield str(file), None


def may_be_read(path: Path) -> bool:
    """False for pipes and devices. What cannot even be looked at is for the reader to complain about."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def pixels_or_error(name: str, classifier: PosterGenreClassifier) -> np.ndarray | str:
    try:
        if name == "-":
            return load_poster(sys.stdin.buffer.read(), classifier.spec_.input_size, "standard input")
        return load_poster(Path(name), classifier.spec_.input_size)
    except PosterGenreError as error:
        return str(error)


def answered(
    waiting: list[tuple[str, np.ndarray | str]], classifier: PosterGenreClassifier, top: int
) -> Iterator[Answer]:
    readable = [pixels for _, pixels in waiting if not isinstance(pixels, str)]
    probabilities = classifier.predict_proba(np.stack(readable)) if readable else np.zeros((0, N_GENRES))
    sure = classifier.sure(probabilities)
    rows = iter(zip(probabilities, [None] * len(readable) if sure is None else sure.tolist(), strict=True))
    for name, pixels in waiting:
        if isinstance(pixels, str):
            yield {"file": name, "top": [], "probabilities": {}, "sure": None, "error": pixels}
            continue
        row, certain = next(rows)
        yield {
            "file": name,
            "top": [{"genre": genre, "probability": p} for genre, p in top_of(row, top)],
            "probabilities": {genre: float(p) for genre, p in zip(GENRES, row, strict=True)},
            "sure": certain,
            "error": None,
        }


def as_text(answer: Answer) -> str:
    """A picture's name and under it its genres with bars, and a word of doubt where the model has it."""
    lines = [answer["file"]]
    for entry in answer["top"]:
        bar = "█" * round(entry["probability"] * BAR)
        lines.append(f"  {entry['genre']:<12}{entry['probability']:>6.1%}  {bar or '▏'}")
    if answer["sure"] is False:
        lines.append(f"  {NOT_SURE}")
    return "\n".join(lines)
