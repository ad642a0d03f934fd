"""The 25 genres in one order: the data set's columns, every label array, every model's outputs."""

GENRES: tuple[str, ...] = (
    "Action", "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama", "Family",
    "Fantasy", "History", "Horror", "Music", "Musical", "Mystery", "N/A", "News", "Reality-TV", "Romance",
    "Sci-Fi", "Short", "Sport", "Thriller", "War", "Western",
)  # fmt: skip

N_GENRES = len(GENRES)
INDEX: dict[str, int] = {genre: i for i, genre in enumerate(GENRES)}
