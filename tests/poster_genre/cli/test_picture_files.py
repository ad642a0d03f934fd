"""Pictures named on the command line: pipes, folders, and what is neither."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from poster_genre.cli import picture_files
from poster_genre.cli.picture_files import list_pictures, picture_source
from poster_genre.errors import PosterGenreError

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    """A named pipe, waited for a short time only."""
    monkeypatch.setattr(picture_files, "WRITER_SECONDS", 0.3)
    os.mkfifo(tmp_path / "pipe.jpg")
    return tmp_path / "pipe.jpg"


@needs_pipes
def test_a_pipe_without_a_writer_is_refused_in_a_sentence(pipe):
    with pytest.raises(PosterGenreError, match=r"pipe\.jpg is a pipe that no program writes to"):
        picture_source(str(pipe))


@needs_pipes
def test_a_pipe_with_a_writer_is_read_to_its_end(pipe, posters):
    data = posters[0].read_bytes()
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    source, _ = picture_source(str(pipe))
    writer.join()
    assert source == data


@needs_pipes
def test_a_pipe_with_more_than_a_picture_may_have_is_refused(pipe, monkeypatch):
    monkeypatch.setattr("poster_genre.data.image_reader.MAX_BYTES", 10)
    with open(os.open(pipe, os.O_RDWR), "wb") as both_ends:
        both_ends.write(b"x" * 11)
        both_ends.flush()
        with pytest.raises(PosterGenreError, match="larger than 10 bytes"):
            picture_source(str(pipe))


@needs_pipes
def test_a_process_substitution_is_a_picture(posters, model_file):
    command = (
        f"{sys.executable} -m poster_genre predict <(sleep 0.1; cat {posters[0]}) --model-file {model_file}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) >= 4


def test_a_folder_in_place_of_a_picture_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(PosterGenreError, match="is a folder; name one picture file"):
        picture_source(str(tmp_path))


def test_an_empty_name_is_an_error_and_not_the_current_folder():
    assert list(list_pictures([""])) == [
        ("", "an empty name is no picture; a variable in the command may be unset")
    ]


def test_a_folder_that_cannot_be_listed_is_reported(monkeypatch, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.png").write_bytes(b"x")
    (tmp_path / "shut").mkdir()
    scandir = os.scandir

    def refuse_shut(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse_shut)
    (shut, problem), (picture, none) = list_pictures([str(tmp_path)])
    assert Path(shut).name == "shut"
    assert "cannot be listed (Permission denied)" in problem
    assert (Path(picture).name, none) == ("a.png", None)
