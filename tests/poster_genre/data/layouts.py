"""Little data sets in the public layout, with any defect that a test asks for."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from poster_genre.data.dataset import load_dataset
from poster_genre.data.download import COMMIT
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES

HEADER = ",".join(("Id", "Genre", *GENRES))
ROOT = f"Movies-Poster_Dataset-{COMMIT}/"  # the folder that the published zip wraps everything in


def jpeg(seed: int = 0, size: tuple[int, int] = (20, 30)) -> bytes:
    """A JPEG of ``size = (width, height)`` whose bytes depend on the seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG")
    return out.getvalue()


def row(poster_id: str, genres: Sequence[str], listed: Sequence[str] | str | None = None) -> str:
    """One line of train.csv; ``listed`` is what the Genre cell says where it differs from the columns."""
    cell = list(genres) if listed is None else listed
    text = cell if isinstance(cell, str) else str(list(cell))
    return ",".join([poster_id, f'"{text}"', *("01"[genre in genres] for genre in GENRES)])


def table(*lines: str) -> str:
    return "\n".join((HEADER, *lines)) + "\n"


def write_folder(folder: Path, csv: str | bytes, images: dict[str, bytes]) -> Path:
    """train.csv, and Images/<name> for every name."""
    (folder / "Images").mkdir(parents=True)
    (folder / "train.csv").write_bytes(csv.encode() if isinstance(csv, str) else csv)
    for name, data in images.items():
        (folder / "Images" / name).write_bytes(data)
    return folder


def write_zip(path: Path, csv: str | bytes, images: dict[str, bytes], root: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{root}train.csv", csv)
        for name, data in images.items():
            archive.writestr(f"{root}Images/{name}", data)
    return path


def sound(n: int = 12) -> tuple[str, dict[str, bytes]]:
    """A table without defects and its images."""
    ids = [f"tt{i:07d}" for i in range(n)]
    lines = [row(poster_id, [GENRES[i % 25], GENRES[(i + 7) % 25]]) for i, poster_id in enumerate(ids)]
    return table(*lines), {f"{poster_id}.jpg": jpeg(i) for i, poster_id in enumerate(ids)}


def defects_by_kind(path: Path) -> dict[str, list[str]]:
    """Kind of defect -> the subjects that ``load_dataset`` lists under it."""
    kinds: dict[str, list[str]] = {}
    for defect in load_dataset(path).defects:
        kinds.setdefault(defect.kind, []).append(defect.subject)
    return kinds


def refusal(path: Path) -> str:
    """The text of the error that ``load_dataset`` raises, which must be one line."""
    with pytest.raises(PosterGenreError) as caught:
        load_dataset(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


def only_split(source: Path, target: Path, split: str) -> Path:
    """A data set with the rows of one split alone."""
    shutil.copytree(source / "Images", target / "Images")
    ids = set(load_dataset(source).split(split).ids)
    head, *rows = (source / "train.csv").read_text().splitlines()
    (target / "train.csv").write_text(
        "\n".join([head, *(row for row in rows if row.split(",")[0] in ids)]) + "\n"
    )
    return target


def tree_id_by_git(checkout: Path, folder: str) -> str:
    """The tree id as git itself computes it."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words: str) -> str:
        command = ["git", "-c", "core.autocrlf=false", "-c", "core.fileMode=true", *words]
        return subprocess.run(
            command, cwd=checkout, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    git("add", "--force", folder)
    return git("rev-parse", f"{git('write-tree')}:{folder}")
