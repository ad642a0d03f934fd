"""The arithmetic of the benchmarks: medians, ratios, selection of cases, and the form of the rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import all_cases, as_text, geometric_mean, main, selected, targets
from benchmarks.harness import (
    Budget,
    Case,
    DisagreementError,
    Row,
    Settings,
    Side,
    check_agreement,
    comparison_row,
    row,
    take_turns,
    warm_up,
)
from benchmarks.results_table import BEGIN, END, markdown, section, write

KEYS = {"name", "unit", "ours", "peers", "ratio_best_eager", "ratio_spread", "peak_rss_mb"}


def test_a_throughput_is_work_over_seconds_and_its_ratio_the_median_over_rounds() -> None:
    seconds = {"ours": [1.0, 2.0, 4.0], "torch_nchw": [2.0, 8.0, 4.0]}
    result = comparison_row("train/x/b8", "images/s", seconds, work=8)
    assert result["ours"] == 4
    assert result["peers"] == {"torch_nchw": 2}
    assert result["ratio_best_eager"] == 2
    assert result["ratio_spread"] == [1, 4]


def test_the_quoted_ratio_is_to_the_faster_eager_layout() -> None:
    seconds = {"ours": [1.0], "torch_nchw": [4.0], "torch_channels_last": [2.0], "torch_compile": [0.5]}
    assert comparison_row("x", "images/s", seconds, work=1)["ratio_best_eager"] == 2


def test_the_quoted_ratio_of_seconds_is_to_the_shorter_ones() -> None:
    result = comparison_row("x", "s", {"ours": [1.0], "torch_nchw": [4.0], "torch_channels_last": [2.0]})
    assert result["ratio_best_eager"] == 0.5


def test_a_peer_of_fewer_rounds_is_compared_in_those_it_took_part_in() -> None:
    result = comparison_row("x", "images/s", {"ours": [1.0, 9.0, 9.0], "numpy": [10.0]}, work=1)
    assert result["ratios"] == {"numpy": 10}


def test_without_an_eager_peer_there_is_no_ratio() -> None:
    result = comparison_row("data/decode", "posters/s", {"ours": [1.0], "pillow": [2.0]}, work=1)
    assert result["ratio_best_eager"] is None
    assert result["ratio_spread"] is None
    assert result["ratios"] == {"pillow": 2}


def test_every_row_has_the_agreed_keys_and_is_json() -> None:
    for result in (row("a", "s", None, {}), comparison_row("b", "s", {"ours": [1.0], "torch_nchw": [2.0]})):
        assert result.keys() >= KEYS
        assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_sides_take_turns_round_after_round() -> None:
    calls: list[str] = []
    sides = [Side("ours", lambda: calls.append("A")), Side("slow", lambda: calls.append("B"), rounds=1)]
    warm_up(sides)
    assert calls == ["A"]
    seconds = take_turns(sides, Budget(seconds=0, least=2, most=5, block=0))
    # A repetition that is not timed precedes each block, except for a side whose rounds are limited.
    assert calls == ["A", "A", "A", "B", "A", "A"]
    assert {name: len(times) for name, times in seconds.items()} == {"ours": 2, "slow": 1}


def test_preparation_is_not_timed() -> None:
    times = iter(range(100))
    order: list[str] = []
    side = Side("x", lambda: order.append(f"run {next(times)}"), lambda: order.append("prepare"))
    side.seconds()
    assert order == ["prepare", "run 0"]


def test_agreement_reports_the_largest_difference() -> None:
    ours = {"a": np.array([3.0, 4.0]), "b": np.array([1.0])}
    theirs = {"a": np.array([3.0, 4.05]), "b": np.array([1.0])}
    expected = 0.05 / (np.hypot(3, 4.05) * 1.001)
    assert check_agreement("x", ours, theirs, 0.1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a": np.array([1.0, 2.5])}, "a differs by 0.22"),
        ({"a": np.array([1.0, np.nan])}, "a differs by nan"),
        ({"a": np.array([1.0])}, "shape"),
        ({"b": np.array([1.0, 2.0])}, "only one side has a, b"),
    ],
)
def test_disagreement_is_an_error(wrong: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DisagreementError, match=message):
        check_agreement("x", wrong, {"a": np.array([1.0, 2.0])}, 0.01)


def _case(name: str, quick: bool = False) -> Case:
    return Case(name, lambda settings: row(name, "s", 1.0, {}), quick)


CASES = [_case("train/a/b1"), _case("train/a/b32", quick=True), _case("train/ab/b1"), _case("infer/a/b1")]


@pytest.mark.parametrize(
    ("names", "quick", "expected"),
    [
        ([], False, ["train/a/b1", "train/a/b32", "train/ab/b1", "infer/a/b1"]),
        ([], True, ["train/a/b32"]),
        (["train/a"], False, ["train/a/b1", "train/a/b32"]),
        (["train/a/"], False, ["train/a/b1", "train/a/b32"]),
        (["train"], True, ["train/a/b32"]),
        (["train/a/b1"], True, ["train/a/b1"]),
        (["infer", "train/ab"], False, ["train/ab/b1", "infer/a/b1"]),
    ],
)
def test_names_select_cases_by_whole_parts(names: list[str], quick: bool, expected: list[str]) -> None:
    assert [case.name for case in selected(CASES, names, quick)] == expected


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no benchmark 'tra'.*infer, train"):
        selected(CASES, ["tra"], False)


def test_case_names_are_unique_and_every_work_has_a_quick_one() -> None:
    cases = all_cases()
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    works = {name.split("/")[0] for name in names}
    assert works == {"layers", "train", "infer", "scaling", "startup", "data"}
    assert {case.name.split("/")[0] for case in cases if case.quick} == works


def test_the_frozen_networks_have_a_mean_only_when_all_three_were_measured() -> None:
    def measured(name: str, ratio: float) -> Row:
        return row(f"train/{name}/b32", "images/s", 1.0, {}, ratio_best_eager=ratio, ratio_spread=[1, 2])

    rows = [measured("blocks4", 1.0), measured("original", 2.0)]
    assert targets(rows) == []
    (line,) = targets([*rows, measured("vgg11", 4.0)])
    assert line.startswith("train at batch 32: 2.00 ")
    assert geometric_mean([1.0, 2.0, 4.0]) == pytest.approx(2)


def test_a_row_reads_as_text() -> None:
    text = as_text(comparison_row("train/x/b8", "images/s", {"ours": [1.0], "torch_nchw": [2.0]}, work=8))
    assert text.split() == [
        "train/x/b8",
        "8",
        "images/s",
        "2.00",
        "[2.00,",
        "2.00]",
        "torch_nchw",
        "4",
        "(2.00)",
    ]


def test_a_bad_name_on_the_command_line_is_one_message_and_status_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["nonsense"])
    assert exit_.value.code == 2
    assert "there is no benchmark 'nonsense'" in capsys.readouterr().err


def test_a_quick_budget_is_shorter() -> None:
    quick, full = Settings(1, quick=True).budget(), Settings(1).budget()
    assert quick.seconds < full.seconds
    assert quick.most < full.most


def test_rows_become_a_table_with_a_line_each() -> None:
    rows = [
        comparison_row(
            "train/x/b8", "images/s", {"ours": [1.0], "torch_nchw": [2.0]}, work=8, peak_rss_mb={"ours": 7.0}
        ),
        comparison_row("data/y", "posters/s", {"ours": [1.0]}, work=5, relative_error={"ours": 1.9e-7}),
    ]
    *_, first, second = markdown(rows).splitlines()
    assert first.startswith("| `train/x/b8` | 8 | images/s | **2.00** | 2.00 to 2.00 | torch_nchw 4 (2.00) |")
    assert first.endswith("| ours 7 |  |")
    assert second == "| `data/y` | 5 | posters/s |  |  |  |  | ours 2e-07 |"


def test_the_section_names_the_machine_and_is_written_between_its_marks(tmp_path: Path) -> None:
    rows = [comparison_row("data/y", "posters/s", {"ours": [1.0]}, work=5, machine="an abacus; 1 May 1890")]
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}old{END}after\n")
    write(section(rows), readme)
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\nan abacus; 1 May 1890\n\n| ")
    assert text.endswith(f"|\n\n{END}after\n")
    assert "old" not in text


def test_a_page_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("text")
    with pytest.raises(ValueError, match="results: begin"):
        write("table", readme)
    assert readme.read_text() == "text"
