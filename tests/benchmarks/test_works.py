"""Short runs of the works themselves, on small networks."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import layers, memory, peers, plot, train_and_infer
from benchmarks.__main__ import all_cases, main
from benchmarks.harness import Case, DisagreementError, Row, Settings, comparison_row, sgemm_peak
from benchmarks.networks import Network
from minicnn.containers import Sequential
from minicnn.kernels.runtime.thread_count import get_threads, set_threads
from minicnn.layers.conv import Conv2D
from minicnn.layers.pooling import GlobalAveragePool2D

SETTINGS = Settings(threads=1, quick=True)


def _tiny(size: tuple[int, int], rng: np.random.Generator) -> Sequential:
    return Sequential([Conv2D(3, 25, 3, rng=rng), GlobalAveragePool2D()])


TINY = Network("tiny", (8, 6), _tiny)


@pytest.fixture(autouse=True)
def _numpy_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINICNN_BACKEND", "numpy")
    monkeypatch.setenv("MINICNN_FUSION", "off")
    monkeypatch.setattr(train_and_infer, "sgemm_peak", lambda threads: 100.0)
    threads = get_threads()
    yield
    set_threads(threads)


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else find_spec(name, *more)
    )
    peers.missing.cache_clear()
    yield
    peers.missing.cache_clear()


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_its_peers_are_skipped_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    result = train_and_infer.training(
        "train/tiny/b4", TINY, 4, ["torch_nchw", "torch_compile", "numpy"], SETTINGS
    )
    assert result["peers"].keys() == {"numpy"}
    assert result["ratio_best_eager"] is None
    printed = capsys.readouterr().err
    assert "skipped torch_nchw: PyTorch is not installed" in printed
    assert "skipped torch_compile: PyTorch is not installed" in printed


def test_without_a_compiler_torch_compile_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: name)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    peers.missing.cache_clear()
    assert "C++ compiler" in (peers.missing("torch_compile") or "")
    peers.missing.cache_clear()


@pytest.mark.oracle
def test_a_training_row_compares_before_it_times() -> None:
    pytest.importorskip("torch")
    result = train_and_infer.training(
        "train/tiny/b4", TINY, 4, ["torch_nchw", "torch_channels_last"], SETTINGS
    )
    assert result["ratio_spread"][0] <= result["ratio_best_eager"] <= result["ratio_spread"][1]
    assert result["gradient_difference"].keys() == {"torch_nchw", "torch_channels_last"}
    assert max(result["gradient_difference"].values()) < 1e-4
    assert result["warm_up_s"].keys() == {"ours", "torch_nchw", "torch_channels_last"}


@pytest.mark.oracle
def test_an_inference_row_compares_before_it_times() -> None:
    pytest.importorskip("torch")
    result = train_and_infer.inference("infer/tiny/b4", TINY, 4, ["torch_nchw"], SETTINGS)
    assert result["unit"] == "images/s"
    assert result["output_difference"]["torch_nchw"] < 1e-5


@pytest.mark.oracle
def test_a_side_that_computes_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(peers.Ours, "infer", lambda self: self.model.forward(self.x) + 1)
    with pytest.raises(ValueError, match="infer/tiny/b4, torch_nchw: output differs"):
        train_and_infer.inference("infer/tiny/b4", TINY, 4, ["torch_nchw"], SETTINGS)


def test_a_layer_row_has_its_share_of_the_peak_and_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "PEERS", [])
    monkeypatch.setattr(layers, "sgemm_peak", lambda threads: 100.0)
    subject = layers.Subject("tiny", (8, 6, 4), layers._conv(4, 5))
    monkeypatch.setattr(layers, "SUBJECTS", (subject,))
    forward, backward = (case.measure(SETTINGS) for case in layers.cases())
    assert [forward["name"], backward["name"]] == ["layers/tiny/forward", "layers/tiny/backward"]
    assert forward["share_of_sgemm_peak"] == pytest.approx(forward["ours"] / 100, rel=1e-3)
    assert 0 < forward["relative_error"]["ours"] < 1e-6


def test_the_sgemm_peak_never_falls() -> None:
    first = sgemm_peak(3, size=64, rounds=2)
    assert 0 < first <= sgemm_peak(3, size=64, rounds=2)


@pytest.mark.skipif(not memory.STATUS.exists(), reason="needs /proc")
def test_memory_is_that_of_a_fresh_process() -> None:
    # The first feature map alone, (4, 144, 96, 32) in float32, is 7 MB.
    assert 7 < memory.peak("infer", "blocks4", 4, "ours", 1) < 1000


def test_the_command_writes_rows_and_a_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(settings: Settings) -> Row:
        seconds = {"ours": [1.0, 1.1], "torch_nchw": [2.0, 1.0]}
        return comparison_row("train/tiny/b4", "images/s", seconds, work=4, threads=settings.threads)

    monkeypatch.setattr("benchmarks.__main__.all_cases", lambda: [Case("train/tiny/b4", measure, quick=True)])
    chart, rows = tmp_path / "chart.png", tmp_path / "rows.json"
    assert main(["--quick", "--threads", "1", "--json", str(rows), "--plot", str(chart)]) == 0
    (row,) = json.loads(rows.read_text())
    assert row["name"] == "train/tiny/b4"
    assert row["threads"] == 1
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert "train/tiny/b4" in capsys.readouterr().out


def test_a_case_that_fails_is_named_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(settings: Settings) -> Row:
        raise MemoryError("no room for that")

    def measure(settings: Settings) -> Row:
        return comparison_row("train/b/b1", "images/s", {"ours": [1.0]}, work=1)

    cases = [Case("train/a/b1", broken), Case("train/b/b1", measure)]
    monkeypatch.setattr("benchmarks.__main__.all_cases", lambda: cases)
    rows = tmp_path / "rows.json"
    # There is no ratio to draw either: the chart is left out, not the rows.
    assert main(["--json", str(rows), "--plot", str(tmp_path / "chart.png")]) == 1
    assert [row["name"] for row in json.loads(rows.read_text())] == ["train/b/b1"]
    printed = capsys.readouterr().err
    assert "train/a/b1 was not measured: MemoryError: no room for that" in printed
    assert "[2/2, about 0 min left] train/b/b1" in printed


def test_rows_are_there_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(settings: Settings) -> Row:
        return comparison_row("train/a/b1", "images/s", {"ours": [1.0], "torch_nchw": [2.0]}, work=1)

    def interrupted(settings: Settings) -> Row:
        raise KeyboardInterrupt

    cases = [Case("train/a/b1", measure), Case("train/b/b1", interrupted)]
    monkeypatch.setattr("benchmarks.__main__.all_cases", lambda: cases)
    rows, chart = tmp_path / "rows.json", tmp_path / "chart.png"
    with pytest.raises(KeyboardInterrupt):
        main(["--json", str(rows), "--plot", str(chart)])
    assert [row["name"] for row in json.loads(rows.read_text())] == ["train/a/b1"]
    assert chart.exists()


def test_the_full_run_is_planned_for_fifteen_minutes_and_a_quick_one_for_three() -> None:
    cases = all_cases()
    assert sum(case.seconds for case in cases) < 15 * 60
    assert sum(case.seconds for case in cases if case.quick) / 3 < 3 * 60


def test_a_chart_shows_seconds_as_how_many_times_faster() -> None:
    slow = comparison_row("startup/x", "s", {"ours": [1.0, 1.0], "torch_nchw": [2.0, 4.0]})
    assert plot.speedup(slow) == pytest.approx((1 / 0.375, 2, 4))


def test_a_chart_without_a_ratio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no ratio"):
        plot.bar_chart([comparison_row("x", "s", {"ours": [1.0]})], tmp_path / "x.png", "title")


def test_a_disagreement_fails_its_case_and_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def disagree(settings: Settings) -> Row:
        raise DisagreementError("train/a/b1: 0.weight differs by 0.5 of its size")

    def measure(settings: Settings) -> Row:
        return comparison_row("train/b/b1", "images/s", {"ours": [1.0]}, work=1)

    cases = [Case("train/a/b1", disagree), Case("train/b/b1", measure)]
    monkeypatch.setattr("benchmarks.__main__.all_cases", lambda: cases)
    assert main(["--json", str(tmp_path / "rows.json")]) == 1
    assert [row["name"] for row in json.loads((tmp_path / "rows.json").read_text())] == ["train/b/b1"]
    assert "not measured: DisagreementError: train/a/b1: 0.weight differs" in capsys.readouterr().err


@pytest.mark.oracle
def test_a_module_that_does_not_compile_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")

    def broken(module: object) -> object:
        def run(x: object) -> object:
            raise RuntimeError("no such header: omp.h\nmore")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(peers, "_start_with_an_empty_cache", lambda: None)
    monkeypatch.setattr(peers, "missing", lambda peer: None)
    for measure in (train_and_infer.training, train_and_infer.inference):
        result = measure("x", TINY, 4, ["torch_nchw", "torch_compile"], SETTINGS)
        assert result["peers"].keys() == {"torch_nchw"}
        assert "skipped torch_compile: no such header: omp.h\n" in capsys.readouterr().err
