"""Which output folders a run may start or be resumed in."""

from __future__ import annotations

import shutil

import pytest

from poster_genre.cli.main import main
from poster_genre.errors import UsageError
from poster_genre.training.output_folder import check_new, configuration_of


def test_a_copy_of_best_npz_cannot_be_resumed_from(small_compact, drawn_data, trained_run, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(trained_run, out)
    shutil.copy(out / "best.npz", out / "last.npz")
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--resume"]) == 2
    assert "last.npz is a copy of best.npz" in capsys.readouterr().err


def test_a_new_an_empty_and_a_cluttered_folder_are_free(tmp_path):
    (tmp_path / ".DS_Store").touch()
    for folder in (tmp_path / "new", tmp_path):
        check_new(folder)


def test_a_folder_with_a_checkpoint_is_refused_with_advice(trained_run):
    with pytest.raises(
        UsageError, match="not empty; name a new folder; to continue the run in it, add --resume"
    ):
        check_new(trained_run)


def test_the_configuration_of_a_run_names_its_settings_and_posters(trained_run):
    configuration = configuration_of(trained_run)
    assert configuration["settings"]["epochs"] == 2
    assert configuration["init"] is None
    assert len(configuration["data_fingerprint"]) == 64
