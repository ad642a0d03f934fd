"""In which folders a run may start or be resumed in."""

from __future__ import annotations

import shutil

import pytest

from minicnn.training.checkpoint_folder import RunFolder, RunFolderError
from poster_genre.cli.main import main
from poster_genre.errors import UsageError
from poster_genre.training.run_folder import check_new, configuration_of


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


def test_a_folder_that_another_run_is_writing_to_is_refused(small_compact, drawn_data, tmp_path, capsys):
    out = tmp_path / "run"
    with RunFolder(out).locked():
        assert main(["train", "--data", str(drawn_data), "--out", str(out), "--epochs", "1"]) == 2
    assert "another run is writing to the folder" in capsys.readouterr().err
    assert not out.exists()


def test_a_run_holds_its_folder_until_its_report_is_written(small_compact, drawn_data, tmp_path, monkeypatch):
    out = tmp_path / "run"
    written = []

    def write_report(path, *arguments, **more):
        with pytest.raises(RunFolderError, match="another run"), RunFolder(out).locked():
            pass
        written.append(path)

    monkeypatch.setattr("poster_genre.evaluation.report.report.write_report", write_report)
    assert main(["train", "--data", str(drawn_data), "--out", str(out), "--epochs", "1"]) == 0
    assert written == [out / "report.html"]
    with RunFolder(out).locked():
        pass
