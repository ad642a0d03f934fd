"""The id of a folder in a zip, against git itself."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from poster_genre.data.git_tree import git_tree_id
from tests.poster_genre.data.layouts import ROOT, sound, tree_id_by_git, write_folder


def test_the_tree_id_is_gits_own(tmp_path: Path) -> None:
    """Folders sort as if their names ended in a slash; programs and empty files count too."""
    files = {
        "a.jpg": b"1",
        "a": None,
        "a/b.jpg": b"2",
        "a-b": b"3",
        "a0": b"",
        "zoë.jpg": b"4",
        "run.sh": b"5",
    }
    checkout = tmp_path / "checkout" / "Images"
    for name, data in files.items():
        path = checkout / name
        if data is None:
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (checkout / "run.sh").chmod(0o755)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in reversed(files):
            archive.write(checkout / name, f"root/Images/{name}")
    assert git_tree_id(tmp_path / "set.zip", "root/Images", progress=False) == tree_id_by_git(
        checkout.parent, "Images"
    )


def test_the_tree_id_of_gits_own_archive_is_the_commits(tmp_path: Path) -> None:
    expected = tree_id_by_git(write_folder(tmp_path / "checkout", *sound(8)), "Images")
    tree = subprocess.run(
        ["git", "write-tree"], cwd=tmp_path / "checkout", check=True, capture_output=True, text=True
    )
    subprocess.run(
        [
            "git",
            "archive",
            "--format=zip",
            f"--prefix={ROOT}",
            "-o",
            str(tmp_path / "set.zip"),
            tree.stdout.strip(),
        ],
        cwd=tmp_path / "checkout",
        check=True,
    )
    assert git_tree_id(tmp_path / "set.zip", f"{ROOT}Images", progress=False) == expected
