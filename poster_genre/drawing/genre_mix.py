"""Random genres of imaginary films, with frequencies and co-occurrence similar to those of real films."""

from __future__ import annotations

import numpy as np

from poster_genre.genres import GENRES, INDEX, N_GENRES

# Weights of the first genre of a film. The order of the common ones is that of real films; rare ones have
# more weight than in reality, so that a few hundred posters include every genre.
_COMMON = {
    "Drama": 150, "Comedy": 110, "Action": 75, "Romance": 65, "Crime": 60, "Thriller": 60,
    "Adventure": 55, "Horror": 55, "Mystery": 42, "Fantasy": 42, "Family": 42, "Sci-Fi": 42,
    "Documentary": 38, "Animation": 38,
    "Biography": 35, "Music": 35, "History": 32, "War": 32, "Sport": 32, "Western": 32, "Musical": 30,
    "Short": 28, "News": 26, "Reality-TV": 24, "N/A": 20,
}  # fmt: skip

# The factor by which one genre becomes more likely after the other; 1 for pairs that are not listed.
_AFFINITIES = {
    ("Drama", "Romance"): 2.5, ("Comedy", "Romance"): 2.5, ("Drama", "Comedy"): 1.5,
    ("Crime", "Drama"): 2.0, ("Crime", "Thriller"): 3.0, ("Action", "Thriller"): 2.0,
    ("Action", "Adventure"): 3.0, ("Action", "Crime"): 2.0, ("Horror", "Thriller"): 3.0,
    ("Horror", "Mystery"): 2.5, ("Mystery", "Thriller"): 3.0, ("Sci-Fi", "Action"): 2.0,
    ("Sci-Fi", "Adventure"): 2.0, ("Fantasy", "Adventure"): 2.5, ("Family", "Animation"): 5.0,
    ("Family", "Adventure"): 2.0, ("Family", "Fantasy"): 2.0, ("Family", "Comedy"): 2.5,
    ("Animation", "Comedy"): 2.0, ("Music", "Drama"): 2.0, ("Musical", "Romance"): 2.5,
    ("Musical", "Comedy"): 2.0, ("Music", "Documentary"): 2.5, ("Biography", "Drama"): 3.0,
    ("Biography", "History"): 4.0, ("History", "Drama"): 2.0, ("History", "War"): 4.0,
    ("War", "Drama"): 2.5, ("War", "Action"): 1.5, ("Sport", "Drama"): 2.0, ("Sport", "Biography"): 2.0,
    ("Sport", "Documentary"): 2.0, ("Western", "Action"): 1.5, ("Western", "Adventure"): 1.5,
    ("Western", "Drama"): 1.5, ("News", "Documentary"): 6.0, ("Short", "Animation"): 2.0,
    ("Short", "Documentary"): 1.5, ("Reality-TV", "Music"): 2.0, ("Reality-TV", "Comedy"): 2.0,
    ("Horror", "Romance"): 0.3, ("Horror", "Family"): 0.1, ("Musical", "War"): 0.3,
    ("Documentary", "Fantasy"): 0.2, ("Documentary", "Horror"): 0.3, ("Documentary", "Sci-Fi"): 0.3,
    ("News", "Fantasy"): 0.2, ("Animation", "Crime"): 0.4,
}  # fmt: skip

# Probabilities of one, two and three genres: 2.4 on average, without "N/A", which occurs alone.
_COUNTS = (0.16, 0.28, 0.56)


def _affinity_matrix() -> np.ndarray:
    """(25, 25): the factor for genre j after genre i."""
    factor = np.ones((N_GENRES, N_GENRES))
    for (first, second), times in _AFFINITIES.items():
        factor[INDEX[first], INDEX[second]] = factor[INDEX[second], INDEX[first]] = times
    np.fill_diagonal(factor, 0.0)
    factor[INDEX["N/A"], :] = factor[:, INDEX["N/A"]] = 0.0
    return factor


_FIRST = np.array([_COMMON[genre] for genre in GENRES], dtype=float)
_FACTOR = _affinity_matrix()


def random_genres(rng: np.random.Generator) -> tuple[str, ...]:
    """One to three different genres of one imaginary film; "N/A" only alone."""
    count = 1 + int(rng.choice(3, p=_COUNTS))
    weight = _FIRST
    chosen: list[int] = []
    while len(chosen) < count and weight.any():
        chosen.append(int(rng.choice(N_GENRES, p=weight / weight.sum())))
        weight = weight * _FACTOR[chosen[-1]]
    return tuple(GENRES[i] for i in chosen)
