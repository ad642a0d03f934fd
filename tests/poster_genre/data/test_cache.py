from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from minicnn.serialize import LEFTOVER
from poster_genre.data import cache, cache_entry
from poster_genre.data.cache import cache_directory, cached_posters
from poster_genre.data.dataset import PosterDataset, load_dataset
from poster_genre.data.transforms import load_poster
from poster_genre.errors import PosterGenreError
from tests.poster_genre.data.layouts import jpeg, sound, write_folder, write_zip
from tests.unwritable import unwritable_folder

SIZE = (12, 8)


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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


def test_images_are_the_resized_posters_in_the_order_of_the_rows(
    dataset: PosterDataset, cache_folder: Path
) -> None:
    posters = cached_posters(dataset, SIZE, progress=False)
    assert posters.images.dtype == np.uint8
    assert (posters.images == expected(dataset)).all()
    assert posters.dataset is dataset
    assert posters.readable.all()
    with pytest.raises(ValueError):
        posters.images[0] = 0


def test_the_second_call_decodes_nothing(
    dataset: PosterDataset, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached_posters(dataset, SIZE, progress=False)
    refuse_to_decode(monkeypatch)
    second = cached_posters(dataset, SIZE, progress=False)
    assert isinstance(second.images, np.memmap)
    assert (first.images == second.images).all()
    assert sorted(path.suffix for path in cache_folder.iterdir()) == [".json", ".npy"]


def test_a_zip_of_the_same_folder_shares_its_entry(
    tmp_path: Path, dataset: PosterDataset, cache_folder: Path
) -> None:
    cached_posters(dataset, SIZE, progress=False)
    cached_posters(load_dataset(write_zip(tmp_path / "set.zip", *sound())), SIZE, progress=False)
    assert len(list(cache_folder.glob("*.npy"))) == 1


def test_another_size_order_or_content_is_another_entry(tmp_path: Path, cache_folder: Path) -> None:
    folder = write_folder(tmp_path / "set", *sound())
    dataset = load_dataset(folder)
    cached_posters(dataset, SIZE, progress=False)
    cached_posters(dataset, SIZE[::-1], progress=False)
    cached_posters(dataset.subset([3, 1]), SIZE, progress=False)
    assert len(list(cache_folder.glob("*.npy"))) == 3
    image = folder / "Images" / "tt0000005.jpg"
    before = image.stat()
    image.write_bytes(jpeg(99)[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = cached_posters(load_dataset(folder), SIZE, progress=False)
    assert len(list(cache_folder.glob("*.npy"))) == 4
    assert (changed.images[5] == load_poster(image, SIZE)).all()


def test_a_new_version_of_the_transforms_is_another_entry(
    dataset: PosterDataset, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_posters(dataset, SIZE, progress=False)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    cached_posters(dataset, SIZE, progress=False)
    assert len(list(cache_folder.glob("*.npy"))) == 2


@pytest.mark.parametrize("repeat", [False, True], ids=["built", "opened"])
def test_unreadable_posters_are_left_out_and_listed_as_defects(
    tmp_path: Path, cache_folder: Path, repeat: bool
) -> None:
    csv, images = sound()
    images["tt0000003.jpg"] = b"a text file named .jpg"
    images["tt0000007.jpg"] = images["tt0000007.jpg"][:200]
    dataset = load_dataset(write_folder(tmp_path / "set", csv, images))
    posters = cached_posters(dataset, SIZE, progress=False)
    if repeat:
        posters = cached_posters(dataset, SIZE, progress=False)
    assert np.flatnonzero(~posters.readable).tolist() == [3, 7]
    assert len(posters.dataset) == len(posters.images) == 10
    assert posters.dataset.ids == [i for i in dataset.ids if i not in ("tt0000003", "tt0000007")]
    assert (posters.images == expected(posters.dataset)).all()
    defects = [defect for defect in posters.dataset.defects if defect.kind == "unreadable image"]
    assert [defect.subject for defect in defects] == ["tt0000003", "tt0000007"]
    assert "tt0000003.jpg is a text file" in defects[0].detail
    assert dataset.defects == []


def test_a_zip_that_was_damaged_is_read_again_once_it_is_whole(tmp_path: Path, cache_folder: Path) -> None:
    csv, images = sound()
    path = write_zip(tmp_path / "set.zip", csv, images)
    whole = path.read_bytes()
    position = whole.index(b"Images/tt0000003.jpg") + 200
    path.write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
    assert cached_posters(load_dataset(path), SIZE, progress=False).readable.sum() == 11
    path.write_bytes(whole)
    posters = cached_posters(load_dataset(path), SIZE, progress=False)
    assert posters.readable.all()
    assert (posters.images == expected(posters.dataset)).all()


def test_nothing_but_unreadable_posters_is_an_error(tmp_path: Path, cache_folder: Path) -> None:
    csv, images = sound()
    dataset = load_dataset(write_folder(tmp_path / "set", csv, dict.fromkeys(images, b"text")))
    for _ in range(2):
        with pytest.raises(PosterGenreError, match="none of the 12 images can be decoded"):
            cached_posters(dataset, SIZE, progress=False)


@pytest.mark.parametrize(
    "damage",
    [
        "cut",
        "long",
        "empty",
        "header",
        "no index",
        "bad index",
        "other rows",
        "no checksums",
        "few checksums",
    ],
)
def test_an_incomplete_entry_is_built_again(dataset: PosterDataset, cache_folder: Path, damage: str) -> None:
    cached_posters(dataset, SIZE, progress=False)
    array, index = next(cache_folder.glob("*.npy")), next(cache_folder.glob("*.json"))
    data = array.read_bytes()
    document = json.loads(index.read_text())
    texts = {
        "no index": "",
        "bad index": "[1",
        "other rows": json.dumps({**document, "unreadable": [1, 2]}),
        "no checksums": json.dumps({"unreadable": []}),
        "few checksums": json.dumps({**document, "crc32": []}),
    }
    if damage in texts:
        index.write_text(texts[damage])
    else:
        array.write_bytes(
            {"cut": data[:-1], "long": data + b"x", "empty": b"", "header": b"\x93NUMPY\1\0" + data[64:]}[
                damage
            ]
        )
    posters = cached_posters(dataset, SIZE, progress=False)
    assert (posters.images == expected(dataset)).all()
    assert array.read_bytes() == data
    assert json.loads(index.read_text()) == document


def flip_one_bit(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("poster", [0, 63, 64, 99])
def test_one_flipped_bit_in_the_pixels_is_noticed_and_the_posters_are_decoded_again(
    tmp_path: Path, cache_folder: Path, capfd: pytest.CaptureFixture[str], poster: int
) -> None:
    dataset = load_dataset(write_folder(tmp_path / "set", *sound(100)))
    cached_posters(dataset, SIZE, progress=False)
    array = next(cache_folder.glob("*.npy"))
    whole = array.read_bytes()
    header = len(whole) - 100 * 12 * 8 * 3
    flip_one_bit(array, header + poster * 12 * 8 * 3 + 5)
    posters = cached_posters(dataset, SIZE, progress=False)
    assert (posters.images == expected(dataset)).all()
    assert array.read_bytes() == whole
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"note: the decoded posters in {array} are damaged; they are decoded again\n"


def test_a_flipped_bit_is_noticed_where_a_poster_is_missing_from_the_entry(
    tmp_path: Path, cache_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    csv, images = sound(80)
    images["tt0000003.jpg"] = b"a text file named .jpg"
    dataset = load_dataset(write_folder(tmp_path / "set", csv, images))
    first = cached_posters(dataset, SIZE, progress=False).images.copy()
    flip_one_bit(next(cache_folder.glob("*.npy")), -1)
    assert (cached_posters(dataset, SIZE, progress=False).images == first).all()
    assert "damaged" in capfd.readouterr().err
    assert (cached_posters(dataset, SIZE, progress=False).images == first).all()
    assert capfd.readouterr().err == ""


def test_a_damaged_entry_in_a_folder_that_cannot_be_written_is_decoded_into_a_temporary_file(
    dataset: PosterDataset,
    cache_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    cached_posters(dataset, SIZE, progress=False)
    flip_one_bit(next(cache_folder.glob("*.npy")), -1)
    monkeypatch.setattr(cache_entry, "atomic_write", refuse)
    posters = cached_posters(dataset, SIZE, progress=False)
    assert (posters.images == expected(dataset)).all()
    assert "cannot be stored in" in capfd.readouterr().err


def test_an_unwritable_cache_folder_is_a_warning_and_the_posters_are_decoded(
    dataset: PosterDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("POSTER_GENRE_CACHE", str(unwritable_folder(tmp_path)))
    posters = cached_posters(dataset, SIZE, progress=False)
    assert (posters.images == expected(dataset)).all()
    assert capfd.readouterr().err.startswith("warning: the decoded posters cannot be stored in")


BUILD = """
import sys
from poster_genre.data.cache import cached_posters
from poster_genre.data.dataset import load_dataset
print(cached_posters(load_dataset(sys.argv[1]), (12, 8), progress=False).images.sum(dtype=int))
"""


def test_two_processes_build_one_entry_at_once(dataset: PosterDataset, cache_folder: Path) -> None:
    command = [sys.executable, "-c", BUILD, dataset.name]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "12"
    ]
    answers = [process.communicate(timeout=120) for process in both]
    assert answers == [(f"{expected(dataset).sum(dtype=int)}\n", "")] * 2
    assert sorted(path.suffix for path in cache_folder.iterdir()) == [".json", ".npy"]


def test_a_process_killed_halfway_leaves_no_entry_and_its_remains_are_swept_later(
    dataset: PosterDataset, cache_folder: Path
) -> None:
    dying = BUILD.replace(
        "print",
        "import os\n"
        "from poster_genre.data import cache\n"
        "load = cache.load_poster\n"
        "cache.load_poster = lambda data, size, name: "
        "os._exit(9) if name == 'tt0000008.jpg' else load(data, size, name)\n"
        "print",
    )
    done = subprocess.run([sys.executable, "-c", dying, dataset.name], capture_output=True, check=False)
    assert done.returncode == 9
    assert not list(cache_folder.glob("*.npy"))
    assert len([path for path in cache_folder.iterdir() if path.name.endswith(LEFTOVER)]) == 1
    cached_posters(dataset, SIZE, progress=False)
    remains = [path for path in cache_folder.iterdir() if path.name.endswith(LEFTOVER)]
    assert len(remains) == 1, "a file of today may belong to a process that still writes it"
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(remains[0], (long_ago, long_ago))
    cached_posters(dataset, (5, 5), progress=False)
    assert not remains[0].exists()


def test_an_interrupted_build_leaves_nothing(
    dataset: PosterDataset, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "load_poster", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cached_posters(dataset, SIZE, progress=False)
    assert list(cache_folder.iterdir()) == []


def test_where_the_cache_cannot_be_written_one_line_warns_and_the_posters_come(
    dataset: PosterDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POSTER_GENRE_CACHE", str(tmp_path / "file" / "cache"))
    posters = cached_posters(dataset, SIZE, progress=False)
    assert (posters.images == expected(dataset)).all()
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("warning: the decoded posters cannot be stored in")


def test_a_full_disk_ends_in_memory(
    tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    csv, images = sound()
    images["tt0000003.jpg"] = b"text"
    dataset = load_dataset(write_folder(tmp_path / "set", csv, images))

    class Full(tuple):
        free = 0

    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: Full())
    posters = cached_posters(dataset, SIZE, progress=False)
    assert (posters.images == expected(posters.dataset)).all()
    assert not posters.images.flags.writeable
    assert "(0.1 MB are needed and 0.0 MB are free on the disk)" in capfd.readouterr().err
    assert list(cache_folder.iterdir()) == []


def test_the_variable_moves_the_cache_and_the_platform_decides_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POSTER_GENRE_CACHE", "/somewhere/else")
    assert cache_directory() == Path("/somewhere/else")
    monkeypatch.delenv("POSTER_GENRE_CACHE")
    assert cache_directory() == Path(platformdirs.user_cache_dir("poster-genre", appauthor=False))


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG variables are those of Linux")
def test_on_linux_the_cache_follows_the_xdg_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTER_GENRE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_directory() == Path("/xdg/poster-genre")


def test_an_empty_home_is_not_the_root_of_the_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTER_GENRE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    home = pytest.importorskip("pwd").getpwuid(os.getuid()).pw_dir
    assert cache_directory().is_relative_to(home)


def test_a_user_without_a_home_folder_is_told_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*_: object, **__: object) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("POSTER_GENRE_CACHE")
    monkeypatch.setattr(platformdirs, "user_cache_dir", no_home)
    with pytest.raises(PosterGenreError, match="set POSTER_GENRE_CACHE to a folder"):
        cache_directory()


def test_decoding_prints_nothing_where_there_is_no_terminal(
    dataset: PosterDataset, cache_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cached_posters(dataset, SIZE)
    assert capfd.readouterr() == ("", "")


def test_no_posters_and_impossible_sizes_are_refused(dataset: PosterDataset, cache_folder: Path) -> None:
    with pytest.raises(PosterGenreError, match="at least one poster"):
        cached_posters(dataset.subset([]), SIZE)
    with pytest.raises(PosterGenreError, match="at least"):
        cached_posters(dataset, (0, 4))


def test_a_flip_of_any_bit_of_the_header_has_the_posters_decoded_again(
    tmp_path: Path, cache_folder: Path
) -> None:
    dataset = load_dataset(write_folder(tmp_path / "set", *sound(3)))
    cached_posters(dataset, SIZE, progress=False)
    array = next(cache_folder.glob("*.npy"))
    whole = array.read_bytes()
    for position in range(len(whole) - 3 * 12 * 8 * 3):
        for bit in (1, 8, 64):
            damaged = bytearray(whole)
            damaged[position] ^= bit
            array.write_bytes(damaged)
            posters = cached_posters(dataset, SIZE, progress=False)
            assert (posters.images == expected(dataset)).all()


@pytest.mark.parametrize("index", ['{"unreadable": [1e400], "crc32": []}', "[" * 100_000])
def test_an_index_that_cannot_be_read_has_the_posters_decoded_again(
    tmp_path: Path, cache_folder: Path, index: str
) -> None:
    dataset = load_dataset(write_folder(tmp_path / "set", *sound(3)))
    cached_posters(dataset, SIZE, progress=False)
    next(cache_folder.glob("*.json")).write_text(index)
    assert (cached_posters(dataset, SIZE, progress=False).images == expected(dataset)).all()
