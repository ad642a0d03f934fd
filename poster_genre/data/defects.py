"""What can be wrong with a data set and still leave the rest of it usable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from poster_genre.data.splits import split_of
from poster_genre.errors import SHOWN_CHARACTERS, printable

DEFECT_KINDS: dict[str, str] = {
    "missing image": "the row has no image; it is left out",
    "unreadable image": "the image cannot be decoded; its rows are left out",
    "image without row": "the table has no row for the image; it is left out",
    "repeated Id": "several rows have the same Id; all of them are used",
    "identical posters": "several Ids have the same image, byte for byte; all of them are used",
    "contradictory genres": "the Genre list and the 0/1 columns differ; the columns are used",
    "unexpected file": "an entry of Images that is no <Id>.jpg, or a second one for its Id; it is left out",
}


@dataclass(frozen=True)
class Defect:
    """kind: one of ``DEFECT_KINDS``. subject: the poster Id, or the name of an unexpected file. detail: the
    rest, for the user.
    """

    kind: str
    subject: str
    detail: str

    @property
    def split(self) -> str:
        """The split of the poster Id concerned; of an unexpected file that of its name without the suffix."""
        stem = PurePosixPath(self.subject).stem if self.kind == "unexpected file" else self.subject
        return split_of(stem)

    @property
    def shown_subject(self) -> str:
        """The subject as printable text of a bounded length."""
        return printable(self.subject, SHOWN_CHARACTERS) or "(no Id)"

    def __str__(self) -> str:
        return f"{self.kind}: {self.shown_subject} ({self.detail})"


def in_order(defects: Iterable[Defect]) -> list[Defect]:
    """The defects sorted by kind, in the order of ``DEFECT_KINDS``."""
    order = {kind: i for i, kind in enumerate(DEFECT_KINDS)}
    return sorted(defects, key=lambda defect: order[defect.kind])
