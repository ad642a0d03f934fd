"""python -m minicnn.gradcheck: what it prints and how it ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from minicnn.gradcheck import planted_bugs
from minicnn.gradcheck.__main__ import main
from minicnn.layers.activation import Tanh
from tests.minicnn.gradcheck.wrong_layers import WrongTanh


def table(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_prints_a_row_for_each_tensor_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = table("--layer", "dense", capsys=capsys)
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()[1:6]] == ["ok"] * 5
    assert "5 gradients checked, 0 failed" in out


def test_the_command_checks_one_backend_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = table("--layer", "BatchNorm", "--backend", "naive", capsys=capsys)
    assert "naive" in out
    assert "numpy" not in out


def test_the_table_shows_dtype_and_algorithm(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = table("--layer", "Conv2D", "--backend", "numba", capsys=capsys)
    rows = [line.split()[-6:-1] for line in out.splitlines() if line.startswith("Conv2D")]
    assert {tuple(row[:3]) for row in rows} >= {
        ("numba", "float64", "patches"),
        ("numba", "float32", "winograd"),
        ("numba", "float32", "implicit"),
    }


def test_a_layer_without_kernels_of_the_backend_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = table("--layer", "FusedSequential", "--backend", "naive", capsys=capsys)
    assert (code, out) == (2, "")
    assert err == "error: FusedSequential has no naive kernels\n"


def test_an_unknown_layer_is_one_sentence_and_exit_code_two(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = table("--layer", "Conv3D", capsys=capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "Conv3D" in err
    assert "Conv2D" in err


def test_planted_bugs_read_fail_and_the_exit_code_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Dense", "MeanSquaredError", "Parallel", "MaxPool2D", "FusedSequential"):
        code, out, _ = table("--plant-bug", "--layer", name, "--backend", "numba", capsys=capsys)
        rows = [line for line in out.splitlines() if line.startswith(name)]
        assert code == 1
        assert len(rows) > 0
        assert all(row.endswith("FAIL") for row in rows)
        assert f"{len(rows)} bugs planted, {len(rows)} caught, 0 escaped" in out


def test_a_planted_bug_that_escapes_is_reported_and_exits_zero(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted_bugs, "_disturbed", lambda gradient, rng: gradient.copy())
    code, out, _ = table("--plant-bug", "--layer", "Dense", capsys=capsys)
    assert code == 0
    assert "5 escaped" in out
    assert "error of the checker" in out


def test_a_wrong_layer_makes_the_command_fail(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tanh, "backward", WrongTanh.backward)
    code, out, _ = table("--layer", "Tanh", capsys=capsys)
    assert code == 1
    assert "FAIL" in out


def test_the_module_runs_as_a_command_and_survives_a_closed_pipe() -> None:
    command = [sys.executable, "-m", "minicnn.gradcheck", "--layer", "ReLU"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    announced = [line for line in done.stderr.splitlines() if line]
    assert done.returncode == 0
    assert all(line.startswith("minicnn: ") for line in announced)  # that kernels compile, at most
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
