"""The example posters of the page. ``python -m poster_genre.web.pages.example_posters`` draws them anew."""

from __future__ import annotations

from pathlib import Path

EXAMPLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("horror.jpg", ("Horror",)),
    ("space.jpg", ("Sci-Fi", "Adventure")),
    ("romance.jpg", ("Romance", "Comedy")),
    ("western.jpg", ("Western",)),
    ("animation.jpg", ("Animation", "Family")),
    ("crime.jpg", ("Crime", "Thriller")),
    ("music.jpg", ("Music",)),
    ("sport.jpg", ("Sport", "Documentary")),
)
"""(file below static/examples, genres that it was drawn as)."""

SIZE = (444, 300)
QUALITY = 82


def draw(folder: Path, seed: int = 0) -> None:
    """Write every example, a function of its name's place and ``seed``."""
    import numpy as np

    from poster_genre.drawing.synthetic import draw_poster

    folder.mkdir(parents=True, exist_ok=True)
    for place, (name, genres) in enumerate(EXAMPLES):
        poster = draw_poster(genres, np.random.default_rng([seed, place]), size=SIZE)
        poster.save(folder / name, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    draw(Path(__file__).parents[1] / "static" / "examples")
