"""``poster-genre predict``: name the genres of posters."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from poster_genre.cli.arguments import add_json, add_model_file, json_text, whole_number
from poster_genre.cli.streams import complain
from poster_genre.errors import FAILED, PosterGenreError, printable
from poster_genre.genres import N_GENRES

if TYPE_CHECKING:
    import numpy as np

    from poster_genre.classifier import PosterGenreClassifier
    from poster_genre.model.predictions import Prediction

SUMMARY = "name the genres of posters"
DETAILS = (
    "A file that cannot be read is reported, the other files are still predicted, and the exit code is 1."
)
EXAMPLE = "poster-genre predict poster.jpg more-posters/ --top 3"
BAR_WIDTH = 24
NOT_SURE = (
    "not sure: the poster gives little evidence, and these are close to the genres' overall frequencies"
)
UNLIKE_POSTERS = (
    "unlike a poster: the picture is further from the posters this model knows than 98 % of posters are, so "
    "these numbers mean little"
)
UNCALIBRATED = (
    "this model has no calibration (it was trained without val posters): the probabilities are the network's "
    "own, and it cannot say which predictions are not sure"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The pictures, the model, and the form of the output."""
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="picture files, folders of them, or - for standard input"
    )
    parser.add_argument(
        "--top", type=whole_number(1, N_GENRES), default=3, metavar="K", help="genres to show (default: 3)"
    )
    add_model_file(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict, and print text as it is computed, or all in one JSON document."""
    from poster_genre.classifier import PosterGenreClassifier

    classifier = PosterGenreClassifier.load(arguments.model_file)
    if classifier.trained_.calibration is None:
        print(f"note: {UNCALIBRATED}", file=sys.stderr)
    code = 0
    documents = []
    for prediction in predict_names(arguments.images, classifier, arguments.top):
        if prediction["error"] is not None:
            code = complain(prediction["error"], FAILED)
        if arguments.json:
            documents.append(prediction)
        elif prediction["error"] is None:
            print(as_text(prediction))
    if arguments.json:
        print(json_text(documents))
    return code


def predict_names(names: Sequence[str], classifier: PosterGenreClassifier, top: int) -> Iterator[Prediction]:
    """A prediction for each picture that the names on the command line stand for, in their order."""
    from poster_genre.cli.picture_files import list_pictures
    from poster_genre.model.predictions import predict_pictures
    from poster_genre.model.trained_model import BATCH

    batch: list[tuple[str, np.ndarray | str]] = []
    for name, problem in list_pictures(names):
        batch.append((name, problem or pixels_or_error(name, classifier.trained().spec.input_size)))
        if len(batch) == BATCH:
            yield from predict_pictures(batch, classifier.trained(), top)
            batch = []
    yield from predict_pictures(batch, classifier.trained(), top)


def pixels_or_error(name: str, size: tuple[int, int]) -> np.ndarray | str:
    """The picture at ``size = (height, width)``, uint8 (height, width, 3), or why it cannot be read."""
    from poster_genre.cli.picture_files import picture_source
    from poster_genre.data.transforms import load_poster

    try:
        source, shown_name = picture_source(name)
        return load_poster(source, size, shown_name)
    except PosterGenreError as error:
        return str(error)


def as_text(prediction: Prediction) -> str:
    """The picture's name, below it a line with a bar for each genre, and a line if the answer is doubtful."""
    lines = [printable(prediction["file"])]
    for entry in prediction["top"]:
        bar = "█" * round(entry["probability"] * BAR_WIDTH)
        lines.append(f"  {entry['genre']:<12}{entry['probability']:>6.1%}  {bar or '▏'}")
    if prediction["unlike_posters"]:
        lines.append(f"  {UNLIKE_POSTERS}")
    elif prediction["sure"] is False:
        lines.append(f"  {NOT_SURE}")
    return "\n".join(lines)
