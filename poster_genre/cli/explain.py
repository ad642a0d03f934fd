"""``poster-genre explain``: a heat map of the evidence for a genre."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from poster_genre.cli.arguments import add_model_file, path
from poster_genre.errors import PosterGenreError, UsageError

if TYPE_CHECKING:
    from PIL import Image

    from poster_genre.classifier import PosterGenreClassifier
    from poster_genre.explain.explain import ExplainResult

SUMMARY = "show which parts of a poster are evidence for a genre"
DETAILS = (
    "Grad-CAM uses the gradients inside the network. Occlusion covers one part of the poster after another "
    "and measures how the prediction changes; it takes longer."
)
EXAMPLE = "poster-genre explain poster.jpg --genre Horror --out map.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The picture, the genre, the output file, the method and the model."""
    parser.add_argument("image", type=path, metavar="IMAGE", help="a picture file, or - for standard input")
    parser.add_argument(
        "--genre", metavar="NAME", help="the genre to explain (default: the most probable one)"
    )
    parser.add_argument(
        "--out", type=path, required=True, metavar="FILE", help="PNG of the poster and its heat map"
    )
    parser.add_argument(
        "--method",
        choices=("grad-cam", "occlusion"),
        default="grad-cam",
        help="how the heat map is computed (default: grad-cam)",
    )
    add_model_file(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain the prediction, and write the poster and its heat map as one PNG, whole or not at all."""
    from poster_genre.classifier import PosterGenreClassifier
    from poster_genre.cli.picture_files import picture_source
    from poster_genre.data.image_reader import read_poster
    from poster_genre.genres import genre_index
    from poster_genre.output_path import refuse_unwritable_file

    out = Path(arguments.out)
    if arguments.genre is not None:
        genre_index(arguments.genre)
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out} must end in .png")
    refuse_unwritable_file(out)
    classifier = PosterGenreClassifier.load(arguments.model_file)
    poster = read_poster(*picture_source(arguments.image))
    result = explain_with_progress(classifier, poster, arguments.genre, arguments.method)
    write_card(result, poster, out)
    print(f"{result.genre} {result.probability:.1%}, {result.method}: {out}")
    return 0


def explain_with_progress(
    classifier: PosterGenreClassifier, poster: Image.Image, genre: str | None, method: str
) -> ExplainResult:
    """``explain`` with a progress bar for occlusion."""
    from poster_genre.explain.explain import explain
    from poster_genre.progress import progress_bar

    with progress_bar("Occluding", None, " squares", enabled=method == "occlusion") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return explain(classifier, poster, genre, method=method, progress=progress)


def write_card(result: ExplainResult, poster: Image.Image, out: Path) -> None:
    """Write the poster beside its heat map as a PNG. PosterGenreError if it cannot be written."""
    from minicnn.serialize import atomic_write
    from poster_genre.explain.card import render_card

    try:
        with atomic_write(out) as file:
            render_card(result, poster).save(file, "PNG")
    except OSError as error:
        raise PosterGenreError(f"cannot write the picture {out}: {error.strerror or error}") from error
