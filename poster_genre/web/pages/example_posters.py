"""The example posters of the pages: drawn ones that the packaged network answers rightly.

    python -m poster_genre.web.pages.example_posters                         draw the files anew
    python -m poster_genre.web.pages.example_posters --search Drama Crime    seeds that are answered rightly

A drawn poster is not what the network was trained on, so most are answered by the commonest genres.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.transforms import load_poster
from poster_genre.genres import GENRES
from poster_genre.model.trained_model import top_of


class ExamplePoster(NamedTuple):
    """A file below ``static/examples``, the genres that it is drawn as, and the seed of the drawing."""

    file: str
    genres: tuple[str, ...]
    seed: int


EXAMPLES = (
    ExamplePoster("romance.jpg", ("Comedy", "Romance"), 30),
    ExamplePoster("adventure.jpg", ("Drama", "Adventure"), 40),
    ExamplePoster("action.jpg", ("Comedy", "Action"), 36),
    ExamplePoster("crime.jpg", ("Drama", "Crime"), 60),
    ExamplePoster("documentary.jpg", ("Drama", "Documentary"), 52),
    ExamplePoster("thriller.jpg", ("Drama", "Thriller"), 60),
    ExamplePoster("biography.jpg", ("Drama", "Biography"), 53),
    ExamplePoster("family.jpg", ("Comedy", "Family"), 57),
)
SIZE = (444, 300)
"""(height, width) in pixels."""
QUALITY = 82


def draw_example(genres: Sequence[str], seed: int) -> bytes:
    """A JPEG of a poster drawn as these genres."""
    from poster_genre.drawing.synthetic import draw_poster

    poster, out = draw_poster(tuple(genres), np.random.default_rng([seed]), size=SIZE), io.BytesIO()
    poster.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def is_answered_rightly(classifier: PosterGenreClassifier, poster: bytes, genres: Sequence[str]) -> bool:
    """Whether the first genre of the answer is one of these, and all of these are among its first three.

    An answer that says that the picture is unlike posters is not right.
    """
    model = classifier.trained()
    answers = model.answers(load_poster(poster, model.spec.input_size)[None])
    first_three = [genre for genre, _ in top_of(answers.probabilities[0], 3)]
    flagged = answers.unlike_posters is not None and answers.unlike_posters[0]
    return first_three[0] in genres and set(genres) <= set(first_three) and not flagged


def draw_examples(folder: Path) -> None:
    """Write every example."""
    folder.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES:
        (folder / example.file).write_bytes(draw_example(example.genres, example.seed))


def main() -> None:
    """Draw the files, or print seeds."""
    parser = argparse.ArgumentParser(prog="python -m poster_genre.web.pages.example_posters")
    parser.add_argument("--search", nargs="+", choices=GENRES, metavar="GENRE")
    parser.add_argument("--seeds", type=int, default=150, metavar="N", help="to try (default: %(default)s)")
    chosen = parser.parse_args()
    if chosen.search is None:
        draw_examples(Path(__file__).parents[1] / "static" / "examples")
        return
    classifier = PosterGenreClassifier.load()
    for seed in range(chosen.seeds):
        if is_answered_rightly(classifier, draw_example(chosen.search, seed), chosen.search):
            print(seed, flush=True)


if __name__ == "__main__":
    main()
