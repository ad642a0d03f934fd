"""``train --init``: from pretrained weights, interrupted and resumed."""

from __future__ import annotations

import shutil

import pytest

from minicnn.training.callbacks import HistoryCSV
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.cli.main import main


@pytest.fixture
def pretrained(trained_run, tmp_path):
    """A folder of its own with a model file to start from."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    shutil.copy(trained_run / "model.npz", folder / "model.npz")
    return folder


def train(data, out, *more):
    return main(
        ["train", "--data", str(data), "--out", str(out), "--seed", "3", "--threads", "2", *map(str, more)]
    )


def interrupted(monkeypatch, data, out, *more):
    """Start a run that is interrupted in its second epoch."""
    write = HistoryCSV.on_epoch_end

    def stop_in_the_second_epoch(callback, trainer, row):
        if trainer.epoch == 2:
            raise KeyboardInterrupt
        write(callback, trainer, row)

    with monkeypatch.context() as patch:
        patch.setattr(HistoryCSV, "on_epoch_end", stop_in_the_second_epoch)
        assert train(data, out, *more) == 130


def test_a_run_from_pretrained_weights_is_resumed_when_their_file_is_gone(
    small_compact, drawn_data, pretrained, tmp_path, monkeypatch
):
    init = pretrained / "model.npz"
    assert train(drawn_data, tmp_path / "whole", "--init", init) == 0
    interrupted(monkeypatch, drawn_data, tmp_path / "cut", "--init", init)
    init.unlink()
    assert train(drawn_data, tmp_path / "cut", "--resume") == 0
    assert (tmp_path / "cut/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


def test_a_run_from_pretrained_weights_is_resumed_from_another_folder(
    small_compact, drawn_data, pretrained, tmp_path, monkeypatch
):
    monkeypatch.chdir(pretrained)
    interrupted(monkeypatch, drawn_data, tmp_path / "cut", "--init", "model.npz")
    monkeypatch.chdir(tmp_path)
    assert train(drawn_data, tmp_path / "cut", "--resume") == 0


def test_the_same_weights_under_another_name_may_be_given_again(
    small_compact, drawn_data, pretrained, tmp_path, monkeypatch
):
    init = pretrained / "model.npz"
    interrupted(monkeypatch, drawn_data, tmp_path / "cut", "--init", init)
    init.rename(pretrained / "renamed.npz")
    assert train(drawn_data, tmp_path / "cut", "--resume", "--init", pretrained / "renamed.npz") == 0


def test_other_pretrained_weights_are_refused_when_resuming(
    small_compact, drawn_data, pretrained, fitted, tmp_path, monkeypatch, capsys
):
    interrupted(monkeypatch, drawn_data, tmp_path / "cut", "--init", pretrained / "model.npz")
    fitted.save(pretrained / "model.npz")
    capsys.readouterr()
    assert train(drawn_data, tmp_path / "cut", "--resume", "--init", pretrained / "model.npz") == 2
    assert "was started from other weights, not with --init" in capsys.readouterr().err


def test_pretrained_weights_for_a_run_that_had_none_are_refused(
    small_compact, drawn_data, pretrained, trained_run, capsys
):
    words = ["--resume", "--init", str(pretrained / "model.npz")]
    assert main(["train", "--data", str(drawn_data), "--out", str(trained_run), *words]) == 2
    printed = capsys.readouterr().err
    assert "was started without --init" in printed
    assert "None" not in printed


def test_training_starts_from_the_weights_of_the_model_file(fitted, small_spec, coloured_posters, tmp_path):
    fitted.save(tmp_path / "model.npz")
    pretrained = PosterGenreClassifier(small_spec, epochs=1, lr=1e-12, init=tmp_path / "model.npz")
    pretrained.fit(*coloured_posters)
    expected = fitted.trained_.network.parameters()
    for name, parameter in pretrained.trained_.network.parameters().items():
        assert abs(parameter.data - expected[name].data).max() < 1e-6


def test_the_classifier_resumes_without_the_file_that_it_started_from(
    fitted, small_spec, coloured_posters, tmp_path
):
    file, run = tmp_path / "model.npz", tmp_path / "run"
    fitted.save(file)
    first = PosterGenreClassifier(small_spec, init=file).fit(*coloured_posters, checkpoint_dir=run)
    file.unlink()
    again = PosterGenreClassifier(small_spec, init=file)
    again.fit(*coloured_posters, checkpoint_dir=run, resume=True)
    assert again.model_version == first.model_version
