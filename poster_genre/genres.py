"""The 25 genres in one order: the data set's columns, every label array, every model's outputs."""

from __future__ import annotations

from poster_genre.errors import UsageError, quoted

GENRES: tuple[str, ...] = (
    "Action", "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama", "Family",
    "Fantasy", "History", "Horror", "Music", "Musical", "Mystery", "N/A", "News", "Reality-TV", "Romance",
    "Sci-Fi", "Short", "Sport", "Thriller", "War", "Western",
)  # fmt: skip

N_GENRES = len(GENRES)
INDEX: dict[str, int] = {genre: i for i, genre in enumerate(GENRES)}


def genre_index(name: str) -> int:
    """The position of a genre in ``GENRES``, whatever its case, as in "horror".

    Raises UsageError, which lists the 25 names, for any other name.
    """
    by_folded_name = {genre.casefold(): i for genre, i in INDEX.items()}
    index = by_folded_name.get(name.strip().casefold())
    if index is None:
        raise UsageError(f"there is no genre {quoted(name)}; the {N_GENRES} are: {', '.join(GENRES)}")
    return index
