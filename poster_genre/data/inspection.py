"""What a data set contains, and its defects, with every image decoded."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from poster_genre.data.dataset import PosterDataset
from poster_genre.data.decoding import map_images
from poster_genre.data.defects import DEFECT_KINDS, Defect, in_order
from poster_genre.data.image_reader import read_poster
from poster_genre.data.poster_archive import PosterArchive
from poster_genre.data.splits import split_of
from poster_genre.errors import SHOWN_CHARACTERS, PosterGenreError, printable
from poster_genre.genres import GENRES

_SHOWN_IDS = 10


@dataclass(frozen=True)
class Inspection:
    """What a data set contains, every image decoded.

    dataset: the rows whose image could be decoded. n_images: images in the folder. widths, heights: in
    pixels, of every image that could be decoded, with a row or without. defects: of every kind.
    """

    dataset: PosterDataset
    n_images: int
    widths: np.ndarray
    heights: np.ndarray
    defects: list[Defect] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Rows of the table, with an image or without."""
        return len(self.dataset.table_ids)

    @property
    def n_ids(self) -> int:
        """Distinct Ids of the table."""
        return len(set(self.dataset.table_ids))

    @property
    def genres_per_movie(self) -> dict[int, int]:
        """Number of genres -> rows with that number."""
        counts = Counter(self.dataset.labels.sum(axis=1, dtype=int).tolist())
        return dict(sorted(counts.items()))

    @property
    def genre_frequency(self) -> dict[str, int]:
        """Genre -> rows that have it, in the order of GENRES."""
        return dict(zip(GENRES, self.dataset.labels.sum(axis=0, dtype=int).tolist(), strict=True))

    @property
    def co_occurrence(self) -> np.ndarray:
        """(25, 25): entry (i, j) counts the rows that have both genres; the diagonal is the frequency."""
        labels = self.dataset.labels.astype(np.int64)
        return labels.T @ labels

    @property
    def defect_counts(self) -> dict[str, int]:
        """Kind -> number of defects, 0 included, in the order of DEFECT_KINDS."""
        counts = Counter(defect.kind for defect in self.defects)
        return {kind: counts[kind] for kind in DEFECT_KINDS}


def inspect_dataset(dataset: PosterDataset, progress: bool = True) -> Inspection:
    """Decodes every image of a data set whose table has been read."""
    archive = dataset.archive
    ids = list(archive.images)
    ids_with_row = set(dataset.ids)
    ids_of_content: dict[bytes, list[str]] = {}
    sizes: list[tuple[int, int]] = []
    unreadable: dict[str, Defect] = {}
    examined = map_images(
        lambda poster_id: _examine(archive, poster_id), ids, "Decoding images", " images", progress=progress
    )
    for poster_id, (digest, size, error) in zip(ids, examined, strict=True):
        if digest is not None:
            ids_of_content.setdefault(digest, []).append(poster_id)
        if error is None:
            sizes.append(size)
        else:
            row = "" if poster_id in ids_with_row else ", and no row"
            detail = f"split {split_of(poster_id)}{row}: {error}"
            unreadable[poster_id] = Defect("unreadable image", poster_id, detail)
    identical = [_identical(group) for group in ids_of_content.values() if len(group) > 1]
    width_height = np.array(sizes, np.int64).reshape(-1, 2)
    return Inspection(
        dataset.subset(np.array([poster_id not in unreadable for poster_id in dataset.ids], bool)),
        len(ids),
        width_height[:, 0],
        width_height[:, 1],
        in_order([*dataset.defects, *unreadable.values(), *identical]),
    )


def _examine(archive: PosterArchive, poster_id: str) -> tuple[bytes | None, tuple[int, int], str | None]:
    """The hash of an image's bytes, its (width, height), and the error where it cannot be decoded."""
    file = archive.images[poster_id]
    try:
        data = archive.read(file)
    except PosterGenreError as error:
        return None, (0, 0), str(error)
    digest = hashlib.sha256(data).digest()
    try:
        return digest, read_poster(data, printable(PurePosixPath(file).name, SHOWN_CHARACTERS)).size, None
    except PosterGenreError as error:
        return digest, (0, 0), str(error)


def _identical(ids: list[str]) -> Defect:
    """The defect of several Ids whose images are equal byte for byte."""
    splits = list(dict.fromkeys(split_of(poster_id) for poster_id in ids))
    across = f"in {splits[0]}" if len(splits) == 1 else f"across {' and '.join(splits)}"
    others = ", ".join(printable(poster_id, SHOWN_CHARACTERS) for poster_id in ids[1 : 1 + _SHOWN_IDS])
    more = f" and {len(ids) - 1 - _SHOWN_IDS:,} more" if len(ids) - 1 > _SHOWN_IDS else ""
    return Defect("identical posters", ids[0], f"the same bytes as {others}{more}, {across}")
