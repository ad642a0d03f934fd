"""poster-genre evaluate: its JSON, its table and its report."""

from __future__ import annotations

import json

import pytest

from poster_genre.cli.main import main
from poster_genre.data.dataset import load_dataset
from poster_genre.genres import GENRES
from tests.poster_genre.cli.command_line import run_command
from tests.poster_genre.data.layouts import only_split

MEASURES = (
    "macro_map", "macro_auc", "micro_ap", "top1", "hit_at_3", "precision_at_3", "recall_at_3", "micro_f1",
    "macro_f1", "hamming_loss", "binary_accuracy", "bce", "n_genres_macro", "calibration_error",
)  # fmt: skip


def test_evaluate_prints_one_json_document_with_the_documented_keys(drawn_data, model_file):
    code, out, _ = run_command(
        "evaluate", "--data", drawn_data, "--split", "val", "--model-file", model_file, "--json"
    )
    assert code == 0
    result = json.loads(out)
    assert set(result) == {*MEASURES, "split", "n_posters", "cross_fitted_folds", "baselines", "per_genre"}
    assert result["n_posters"] == len(load_dataset(drawn_data).split("val"))
    assert set(result["baselines"]) == {"all_zeros", "genre_priors"}
    assert all(set(row) == set(MEASURES) for row in result["baselines"].values())
    assert list(result["per_genre"]) == list(GENRES)


def test_evaluate_works_on_a_folder_that_holds_one_split(drawn_data, model_file, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "test-only", "test")
    outputs = []
    for folder in (drawn_data, data):
        arguments = [
            "evaluate",
            "--data",
            str(folder),
            "--split",
            "test",
            "--model-file",
            model_file,
            "--json",
        ]
        assert main(arguments) == 0
        outputs.append(json.loads(capsys.readouterr().out))
    assert outputs[0] == outputs[1]


def test_evaluate_of_a_split_without_posters_fails_in_a_sentence(drawn_data, model_file, tmp_path, capsys):
    data = only_split(drawn_data, tmp_path / "test-only", "test")
    assert main(["evaluate", "--data", str(data), "--split", "val", "--model-file", model_file]) == 1
    assert "val" in capsys.readouterr().err


def test_evaluate_prints_a_table_and_writes_a_report(drawn_data, model_file, tmp_path, capsys):
    report = tmp_path / "report.html"
    arguments = ["evaluate", "--data", str(drawn_data), "--split", "val", "--model-file", model_file]
    assert main([*arguments, "--report", str(report)]) == 0
    printed = capsys.readouterr()
    assert "at least 10 positives" in printed.out
    assert "chosen on val" in printed.out
    assert report.read_text().startswith("<!doctype html>")


def test_evaluate_with_a_file_that_is_no_model_fails_in_a_sentence(drawn_data, tmp_path, capsys):
    bad = tmp_path / "model.npz"
    bad.write_bytes(b"\x80\x04.")
    assert main(["evaluate", "--data", str(drawn_data), "--split", "val", "--model-file", str(bad)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "pickle" in error


@pytest.mark.parametrize(
    ("report", "code", "message"),
    [("nowhere/report.html", 1, "there is no folder"), ("folder", 2, "is a folder; name a file")],
)
def test_a_report_that_cannot_be_written_is_refused_before_the_model_is_loaded(
    report, code, message, tmp_path, capsys
):
    (tmp_path / "folder").mkdir()
    arguments = ["evaluate", "--data", "x", "--split", "val", "--model-file", "y", "--report"]
    assert main([*arguments, str(tmp_path / report)]) == code
    error = capsys.readouterr().err
    assert str(tmp_path / report) in error
    assert message in error


def test_evaluate_of_a_model_trained_without_val_posters_claims_no_choice_on_val(
    small_compact, drawn_data, tmp_path, capsys
):
    data = only_split(drawn_data, tmp_path / "train-only", "train")
    out, report = tmp_path / "run", tmp_path / "report.html"
    assert main(["train", "--data", str(data), "--out", str(out), "--epochs", "1"]) == 0
    capsys.readouterr()
    arguments = ["evaluate", "--data", str(drawn_data), "--split", "val", "--report", str(report)]
    assert main([*arguments, "--model-file", str(out / "model.npz")]) == 0
    for printed in (capsys.readouterr().out, report.read_text()):
        assert "a threshold of 0.5 for every genre, and no probability is calibrated" in printed
        assert "without val posters" in printed
        assert "chosen on val" not in printed
        assert "cross-fitted" not in printed
