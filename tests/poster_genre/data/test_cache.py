from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minicnn.serialize import LEFTOVER
from poster_genre.data import cache
from poster_genre.data.cache import cache_directory, cached_posters
from poster_genre.data.dataset import PosterDataset, load_dataset
from poster_genre.data.transforms import load_poster
from poster_genre.errors import PosterGenreError
from tests.poster_genre.data.layouts import jpeg, sound, write_folder, write_zip

SIZE = (12, 8)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("POSTER_GENRE_CACHE", str(folder))
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> PosterDataset:
    return load_dataset(write_folder(tmp_path / "set", *sound()))


def expected(dataset: PosterDataset) -> np.ndarray:
    return np.stack([load_poster(dataset.read(i), SIZE) for i in range(len(dataset))])


def refuse_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> np.ndarray:
        raise RuntimeError("decoded again")

    monkeypatch.setattr(cache, "load_poster", refuse)


def test_images_are_the_resized_posters_in_the_order_of_the_rows(dataset: PosterDataset, place: Path) -> None:
    found = cached_posters(dataset, SIZE, progress=False)
    assert found.images.dtype == np.uint8
    assert (found.images == expected(dataset)).all()
    assert found.dataset is dataset
    assert found.readable.all()
    with pytest.raises(ValueError):
        found.images[0] = 0


def test_the_second_call_decodes_nothing(
    dataset: PosterDataset, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached_posters(dataset, SIZE, progress=False)
    refuse_to_decode(monkeypatch)
    second = cached_posters(dataset, SIZE, progress=False)
    assert isinstance(second.images, np.memmap)
    assert (first.images == second.images).all()
    assert sorted(path.suffix for path in place.iterdir()) == [".json", ".npy"]


def test_a_zip_of_the_same_folder_shares_its_entry(
    tmp_path: Path, dataset: PosterDataset, place: Path
) -> None:
    cached_posters(dataset, SIZE, progress=False)
    cached_posters(load_dataset(write_zip(tmp_path / "set.zip", *sound())), SIZE, progress=False)
    assert len(list(place.glob("*.npy"))) == 1


def test_another_size_order_or_content_is_another_entry(tmp_path: Path, place: Path) -> None:
    folder = write_folder(tmp_path / "set", *sound())
    dataset = load_dataset(folder)
    cached_posters(dataset, SIZE, progress=False)
    cached_posters(dataset, SIZE[::-1], progress=False)
    cached_posters(dataset.subset([3, 1]), SIZE, progress=False)
    assert len(list(place.glob("*.npy"))) == 3
    image = folder / "Images" / "tt0000005.jpg"
    before = image.stat()
    image.write_bytes(jpeg(99)[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = cached_posters(load_dataset(folder), SIZE, progress=False)
    assert len(list(place.glob("*.npy"))) == 4
    assert (changed.images[5] == load_poster(image, SIZE)).all()


def test_a_new_version_of_the_transforms_is_another_entry(
    dataset: PosterDataset, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_posters(dataset, SIZE, progress=False)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    cached_posters(dataset, SIZE, progress=False)
    assert len(list(place.glob("*.npy"))) == 2


@pytest.mark.parametrize("repeat", [False, True], ids=["built", "opened"])
def test_unreadable_posters_are_left_out_and_told(tmp_path: Path, place: Path, repeat: bool) -> None:
    csv, images = sound()
    images["tt0000003.jpg"] = b"a text file named .jpg"
    images["tt0000007.jpg"] = images["tt0000007.jpg"][:200]
    dataset = load_dataset(write_folder(tmp_path / "set", csv, images))
    found = cached_posters(dataset, SIZE, progress=False)
    if repeat:
        found = cached_posters(dataset, SIZE, progress=False)
    assert np.flatnonzero(~found.readable).tolist() == [3, 7]
    assert len(found.dataset) == len(found.images) == 10
    assert found.dataset.ids == [i for i in dataset.ids if i not in ("tt0000003", "tt0000007")]
    assert (found.images == expected(found.dataset)).all()
    told = [defect for defect in found.dataset.defects if defect.kind == "unreadable image"]
    assert [defect.subject for defect in told] == ["tt0000003", "tt0000007"]
    assert "tt0000003.jpg is a text file" in told[0].detail
    assert dataset.defects == []


def test_a_zip_that_was_damaged_is_read_again_once_it_is_whole(tmp_path: Path, place: Path) -> None:
    csv, images = sound()
    path = write_zip(tmp_path / "set.zip", csv, images)
    whole = path.read_bytes()
    spot = whole.index(b"Images/tt0000003.jpg") + 200
    path.write_bytes(whole[:spot] + bytes([whole[spot] ^ 255]) + whole[spot + 1 :])
    assert cached_posters(load_dataset(path), SIZE, progress=False).readable.sum() == 11
    path.write_bytes(whole)
    found = cached_posters(load_dataset(path), SIZE, progress=False)
    assert found.readable.all()
    assert (found.images == expected(found.dataset)).all()


def test_nothing_but_unreadable_posters_is_an_error(tmp_path: Path, place: Path) -> None:
    csv, images = sound()
    dataset = load_dataset(write_folder(tmp_path / "set", csv, dict.fromkeys(images, b"text")))
    for _ in range(2):
        with pytest.raises(PosterGenreError, match="none of the 12 images can be decoded"):
            cached_posters(dataset, SIZE, progress=False)


@pytest.mark.parametrize("damage", ["cut", "long", "empty", "header", "no index", "bad index", "other rows"])
def test_a_damaged_entry_is_built_anew(dataset: PosterDataset, place: Path, damage: str) -> None:
    cached_posters(dataset, SIZE, progress=False)
    array, index = next(place.glob("*.npy")), next(place.glob("*.json"))
    data = array.read_bytes()
    if damage in ("no index", "bad index", "other rows"):
        text = {"no index": "", "bad index": "[1", "other rows": json.dumps({"unreadable": [1, 2]})}[damage]
        index.write_text(text)
    else:
        array.write_bytes(
            {"cut": data[:-1], "long": data + b"x", "empty": b"", "header": b"\x93NUMPY\1\0" + data[64:]}[
                damage
            ]
        )
    found = cached_posters(dataset, SIZE, progress=False)
    assert (found.images == expected(dataset)).all()
    assert array.read_bytes() == data


BUILD = """
import sys
from poster_genre.data.cache import cached_posters
from poster_genre.data.dataset import load_dataset
print(cached_posters(load_dataset(sys.argv[1]), (12, 8), progress=False).images.sum(dtype=int))
"""


def test_two_processes_build_one_entry_at_once(dataset: PosterDataset, place: Path) -> None:
    command = [sys.executable, "-c", BUILD, dataset.name]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "12"
    ]
    answers = [process.communicate(timeout=120) for process in both]
    assert answers == [(f"{expected(dataset).sum(dtype=int)}\n", "")] * 2
    assert sorted(path.suffix for path in place.iterdir()) == [".json", ".npy"]


def test_a_process_killed_halfway_leaves_no_entry_and_its_remains_are_swept_later(
    dataset: PosterDataset, place: Path
) -> None:
    dying = BUILD.replace(
        "print",
        "import os\n"
        "from poster_genre import cache\n"
        "load = cache.load_poster\n"
        "cache.load_poster = lambda data, size, name: "
        "os._exit(9) if name == 'tt0000008.jpg' else load(data, size, name)\n"
        "print",
    )
    done = subprocess.run([sys.executable, "-c", dying, dataset.name], capture_output=True, check=False)
    assert done.returncode == 9
    assert not list(place.glob("*.npy"))
    assert len([path for path in place.iterdir() if path.name.endswith(LEFTOVER)]) == 1
    cached_posters(dataset, SIZE, progress=False)
    remains = [path for path in place.iterdir() if path.name.endswith(LEFTOVER)]
    assert len(remains) == 1, "a file of today may belong to a process that still writes it"
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(remains[0], (long_ago, long_ago))
    cached_posters(dataset, (5, 5), progress=False)
    assert not remains[0].exists()


def test_an_interrupted_build_leaves_nothing(
    dataset: PosterDataset, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "load_poster", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cached_posters(dataset, SIZE, progress=False)
    assert list(place.iterdir()) == []


def test_where_the_cache_cannot_be_written_one_line_warns_and_the_posters_come(
    dataset: PosterDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POSTER_GENRE_CACHE", str(tmp_path / "file" / "cache"))
    found = cached_posters(dataset, SIZE, progress=False)
    assert (found.images == expected(dataset)).all()
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("warning: the decoded posters cannot be kept in")


def test_a_full_disk_ends_in_memory(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    csv, images = sound()
    images["tt0000003.jpg"] = b"text"
    dataset = load_dataset(write_folder(tmp_path / "set", csv, images))

    class Full(tuple):
        free = 0

    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: Full())
    found = cached_posters(dataset, SIZE, progress=False)
    assert (found.images == expected(found.dataset)).all()
    assert not found.images.flags.writeable
    assert "do not fit on the disk" in capfd.readouterr().err
    assert list(place.iterdir()) == []


def test_the_variable_moves_the_cache_and_the_platform_decides_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POSTER_GENRE_CACHE", "/somewhere/else")
    assert cache_directory() == Path("/somewhere/else")
    monkeypatch.delenv("POSTER_GENRE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_directory() == Path("/xdg/poster-genre")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_directory() == Path("/local/poster-genre")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_directory().parts[-3:] == ("Library", "Caches", "poster-genre")


def test_decoding_prints_nothing_where_there_is_no_terminal(
    dataset: PosterDataset, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cached_posters(dataset, SIZE)
    assert capfd.readouterr() == ("", "")


def test_no_posters_and_impossible_sizes_are_refused(dataset: PosterDataset, place: Path) -> None:
    with pytest.raises(PosterGenreError, match="at least one poster"):
        cached_posters(dataset.subset([]), SIZE)
    with pytest.raises(PosterGenreError, match="at least"):
        cached_posters(dataset, (0, 4))
