"""The example posters of the pages. ``python -m poster_genre.web.pages.example_posters`` draws them anew."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class ExamplePoster(NamedTuple):
    """A file below ``static/examples``, and the genres that it was drawn as."""

    file: str
    genres: tuple[str, ...]


EXAMPLES = (
    ExamplePoster("horror.jpg", ("Horror",)),
    ExamplePoster("space.jpg", ("Sci-Fi", "Adventure")),
    ExamplePoster("romance.jpg", ("Romance", "Comedy")),
    ExamplePoster("western.jpg", ("Western",)),
    ExamplePoster("animation.jpg", ("Animation", "Family")),
    ExamplePoster("crime.jpg", ("Crime", "Thriller")),
    ExamplePoster("music.jpg", ("Music",)),
    ExamplePoster("sport.jpg", ("Sport", "Documentary")),
)
SIZE = (444, 300)
"""(height, width) in pixels."""
QUALITY = 82


def draw_examples(folder: Path, seed: int = 0) -> None:
    """Write every example; its random numbers derive from ``seed`` and its index in ``EXAMPLES``."""
    import numpy as np

    from poster_genre.drawing.synthetic import draw_poster

    folder.mkdir(parents=True, exist_ok=True)
    for index, example in enumerate(EXAMPLES):
        poster = draw_poster(example.genres, np.random.default_rng([seed, index]), size=SIZE)
        poster.save(folder / example.file, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    draw_examples(Path(__file__).parents[1] / "static" / "examples")
