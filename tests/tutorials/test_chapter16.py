"""Chapter 16: the right answers by other ways, and every known mistake under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from course import chapter16
from tests.tutorials.attempts import attempt

EXERCISES = ["shared", "difference_interval", "model_card"]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_is_right(name):
    assert getattr(chapter16, name).diagnose(attempt(16, name)).passed


def test_the_shared_posters_are_those_that_were_planted():
    for case in chapter16.shared.cases():
        assert chapter16.shared.answer(*case).tolist() == [1, 3, 4]


def test_the_right_interval_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    ranking = pytest.importorskip("sklearn.metrics")
    for labels, ours, baseline, draws, measure in chapter16.difference_interval.cases():
        found = chapter16.difference_interval.answer(labels, ours, baseline, draws, measure)
        differences = [
            ranking.average_precision_score(labels[rows], ours[rows], average="micro")
            - ranking.average_precision_score(labels[rows], baseline[rows], average="micro")
            for rows in draws
        ]
        ends = stats.scoreatpercentile(differences, [2.5, 97.5])
        np.testing.assert_allclose(found[1:], ends, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(" | {poster[:, ::-1].tobytes() for poster in train}", "")], "mirror missed"),
        ([("poster[:, ::-1]", "poster[::-1]")], "upside down"),
        ([("{poster.tobytes() for poster in train} | ", "")], "mirrored only"),
        (
            [("for poster in train", "for poster in test"), ("enumerate(test)", "enumerate(train)")],
            "indices of train",
        ),
        ([(" in seen]", " not in seen]")], "the others"),
    ],
)
def test_a_wrong_search_is_named(changes, found):
    assert chapter16.shared.diagnose(attempt(16, "shared", *changes)).keys == {"indices": found}


PAIRED = "measure(labels[rows], ours[rows]) - measure(labels[rows], baseline[rows]) for rows in draws"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            (
                "measure(labels, ours) - measure(labels, baseline)",
                "measure(labels, baseline) - measure(labels, ours)",
            ),
            {"difference": "sign"},
        ),
        (("return difference", "return np.mean(resampled)"), {"difference": "mean of the draws"}),
        (
            ("measure(labels, ours) - measure(labels, baseline)", "measure(labels, ours)"),
            {"difference": "ours alone"},
        ),
        (
            (" - measure(labels[rows], baseline[rows])", " - measure(labels, baseline)"),
            {"low": "baseline not drawn", "high": "baseline not drawn"},
        ),
        (
            (
                PAIRED,
                "measure(labels[a], ours[a]) - measure(labels[b], baseline[b]) "
                "for a, b in zip(draws, draws[::-1])",
            ),
            {"low": "unpaired", "high": "unpaired"},
        ),
        ((" - measure(labels[rows], baseline[rows])", ""), {"low": "ours alone", "high": "ours alone"}),
        (
            (
                "    return",
                "    low, high = np.percentile([measure(labels[r], ours[r]) for r in draws], [2.5, 97.5]) - "
                "np.percentile([measure(labels[r], baseline[r]) for r in draws], [2.5, 97.5])\n    return",
            ),
            {"low": "difference of the ends", "high": "difference of the ends"},
        ),
        (("[2.5, 97.5]", "[5, 95]"), {"low": "90 %", "high": "90 %"}),
        (("[2.5, 97.5]", "[0.025, 0.975]"), {"low": "fractions", "high": "fractions"}),
        (
            (
                "low, high = np.percentile(resampled, [2.5, 97.5])",
                "low, high = difference + 1.96 * np.std(resampled) * np.array([-1, 1])",
            ),
            {"low": "standard deviations", "high": "standard deviations"},
        ),
    ],
)
def test_a_wrong_interval_is_named(change, found):
    keys = chapter16.difference_interval.diagnose(attempt(16, "difference_interval", change)).keys
    assert keys == {"difference": "right", "low": "right", "high": "right"} | found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (('value = test["network"]', 'value = val["network"]'), {"value": "val for test"}),
        (
            ("baseline = max(", "baseline = min("),
            {"baseline": "weakest", "low": "weakest", "high": "weakest"},
        ),
        (
            ("key=lambda name: val[name]", "key=lambda name: test[name]"),
            dict.fromkeys(("baseline", "low", "high"), "chosen on test"),
        ),
        (("[2.5, 97.5]", "[5, 95]"), {"low": "90 %", "high": "90 %"}),
        (("bool(low > 0)", "value > test[baseline]"), {"better": "by the value alone"}),
        (("bool(low > 0)", "bool(low > 1)"), {"better": "never"}),
    ],
)
def test_a_wrong_card_is_named(change, found):
    keys = chapter16.model_card.diagnose(attempt(16, "model_card", change)).keys
    right = dict.fromkeys(("value", "baseline", "low", "high", "better"), "right")
    better = {"better": "by the value alone"} if found.get("low") == "weakest" else {}
    assert keys == right | better | found


def test_the_network_as_its_own_baseline_is_named():
    def wrong(val, test, differences):
        return test["network"], max(val, key=val.get), 0.0, 0.0, False

    assert chapter16.model_card.diagnose(wrong).keys["baseline"] == "the network itself"


CARD = {
    "question": "Is it better?",
    "data": "drawn posters",
    "shared posters": 0,
    "measure": "micro average precision",
    "chosen on": "val",
    "reported on": "test",
    "times the test was opened": 1,
    "value": 0.40,
    "interval": (0.35, 0.44),
    "baselines": {"priors": 0.18, "colours": 0.25},
    "difference to the best baseline": (0.11, 0.19),
    "better": True,
    "limits": "drawn posters only",
    "command": "poster-genre train --seed 0",
}


def test_a_whole_card_passes_the_rubric():
    assert chapter16.rubric.diagnose(CARD).passed


def test_an_empty_card_is_called_unfilled_at_every_point():
    keys = chapter16.rubric.diagnose(dict.fromkeys(CARD)).keys
    assert set(keys.values()) == {"unfilled"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"limits": ""}, {"description": "unfilled"}),
        ({"baselines": {"priors": 0.25}}, {"baseline": "priors only"}),
        ({"baselines": {"colours": 0.25}}, {"baseline": "no priors"}),
        ({"interval": (0.44, 0.35)}, {"interval": "no pair"}),
        ({"value": 0.47}, {"interval": "value outside"}),
        ({"baselines": {"priors": 0.18, "colours": 0.35}}, {"interval": "another baseline"}),
        ({"difference to the best baseline": (-0.02, 0.19)}, {"claim": "not supported"}),
        ({"reported on": "val"}, {"untouched test": "same split"}),
        ({"times the test was opened": 4}, {"untouched test": "opened repeatedly"}),
        ({"shared posters": 2}, {"untouched test": "shared posters"}),
        ({"command": "poster-genre train"}, {"reproducible": "no seed"}),
    ],
)
def test_a_fault_of_a_card_is_named(change, found):
    keys = chapter16.rubric.diagnose(CARD | change).keys
    assert keys == dict.fromkeys(keys, "right") | found


FOUND = "[i for i, poster in enumerate(test) if poster.tobytes() in seen]"
MIRROR = "poster[:, ::-1].tobytes() for poster in train"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ((MIRROR, MIRROR.replace("[:, ::-1]", "[::-1, ::-1]")), "rotated"),
        ((MIRROR, MIRROR.replace("[:, ::-1]", "[..., ::-1]")), "colours reversed"),
        (
            (FOUND, f"sorted({FOUND}, key=lambda i: (test[i] != train[[5, 0]]).any((1, 2, 3)).all())"),
            "not sorted",
        ),
        (("    return", "    seen |= {p[::-1].tobytes() for p in train}\n    return"), "upside down too"),
        ((FOUND, "[poster.tobytes() in seen for poster in test]"), "mask"),
        ((FOUND, f"len({FOUND})"), "number"),
        ((FOUND, f"test[{FOUND}]"), "posters"),
    ],
)
def test_other_wrong_posters_are_named(change, found):
    assert chapter16.shared.diagnose(attempt(16, "shared", change)).keys == {"indices": found}


ENDS = "low, high = np.percentile(resampled, [2.5, 97.5])"
AROUND = "np.array([-1, 1])"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            (ENDS, f"low, high = np.mean(resampled) + 1.96 * np.std(resampled) * {AROUND}"),
            "standard deviations",
        ),
        (
            (ENDS, f"low, high = difference + 1.96 * np.std(resampled, ddof=1) * {AROUND}"),
            "standard deviations",
        ),
        (
            (ENDS, f"low, high = difference + 1.96 * np.std(resampled) / len(draws) ** 0.5 * {AROUND}"),
            "of the mean",
        ),
        ((ENDS, "low, high = min(resampled), max(resampled)"), "extremes"),
        ((ENDS, "low, high = np.percentile([-r for r in resampled], [2.5, 97.5])"), "sign"),
        (("labels[rows]", "labels"), "labels not drawn"),
        (("measure(labels[rows], ours[rows])", "measure(labels, ours)"), "ours not drawn"),
        ((PAIRED, "measure(labels[rows], baseline[rows]) for rows in draws"), "baseline alone"),
        ((PAIRED, "measure(labels[rows], (ours - baseline)[rows]) for rows in draws"), "scores subtracted"),
    ],
)
def test_other_wrong_ends_are_named(change, found):
    keys = chapter16.difference_interval.diagnose(attempt(16, "difference_interval", change)).keys
    assert keys == {"difference": "right", "low": found, "high": found}


def test_differences_without_their_sign_are_named():
    change = ("np.percentile(resampled", "np.percentile(np.abs(resampled)")
    keys = chapter16.difference_interval.diagnose(attempt(16, "difference_interval", change)).keys
    assert keys["low"] == "absolute"


VALUE = 'value = test["network"]'
NAMED = 'max((name for name in val if name != "network"), key=lambda name: val[name])'


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ((VALUE, 'value = (test["network"] + val["network"]) / 2'), {"value": "mean of both"}),
        (("return value", "return val[baseline]"), {"value": "the baseline's"}),
        (("return value", "return value - test[baseline]"), {"value": "difference"}),
        ((NAMED, '"colours"'), dict.fromkeys(("baseline", "low", "high"), "always colours")),
        (("return value, baseline", "return value, val[baseline]"), {"baseline": "a number"}),
        (("[2.5, 97.5]", "[0.025, 0.975]"), {"low": "fractions", "high": "fractions"}),
        (("[2.5, 97.5]", "[0, 100]"), {"low": "extremes", "high": "extremes"}),
        (("low > 0", "low < 0"), {"better": "reversed"}),
    ],
)
def test_another_wrong_card_is_named(change, found):
    keys = chapter16.model_card.diagnose(attempt(16, "model_card", change)).keys
    assert keys == dict.fromkeys(("value", "baseline", "low", "high", "better"), "right") | found


FILLED = {
    "question": "q", "data": "d", "measure": "m", "limits": "l", "command": "train --seed 0", "better": True,
    "baselines": {"priors": 0.1, "colours": 0.2}, "value": 0.4, "interval": np.array([0.35, 0.45]),
    "difference to the best baseline": np.array([0.15, 0.25]), "shared posters": 0, "chosen on": "val",
    "reported on": "test", "times the test was opened": 1,
}  # fmt: skip


def test_intervals_may_be_arrays():
    assert chapter16.rubric.diagnose(FILLED).passed


@pytest.mark.parametrize(
    ("field", "value", "point", "found"),
    [
        ("question", " ", "description", "unfilled"),
        ("baselines", [0.1, 0.2], "baseline", "no numbers"),
        ("baselines", {"priors": None, "colours": 0.2}, "interval", "no numbers"),
        ("value", "0.4", "interval", "no number"),
        ("interval", "0.35 to 0.45", "interval", "no pair"),
        ("difference to the best baseline", 0.2, "claim", "no pair"),
        ("better", "no", "claim", "no claim"),
        ("chosen on", "Test", "untouched test", "same split"),
        ("reported on", "the training posters", "untouched test", "not on test"),
        ("times the test was opened", 0, "untouched test", "not opened"),
        ("times the test was opened", "once", "untouched test", "no count"),
    ],
)
def test_what_a_card_cannot_say_is_named(field, value, point, found):
    assert chapter16.rubric.diagnose(FILLED | {field: value}).keys[point] == found


def test_a_value_of_val_is_no_result():
    card = FILLED | {"chosen on": "test", "reported on": "val"}
    assert chapter16.rubric.diagnose(card).keys["untouched test"] == "not on test"


def test_exchanged_ends_are_named():
    change = ("low, high = np", "high, low = np")
    exchanged = attempt(16, "difference_interval", change)
    assert chapter16.difference_interval.diagnose(exchanged).keys == {"difference_interval": "order"}
    exchanged = attempt(16, "difference_interval", change, ("return difference", "return np.mean(resampled)"))
    assert chapter16.difference_interval.diagnose(exchanged).keys == {
        "difference": "mean of the draws",
        "low": "ends exchanged",
        "high": "ends exchanged",
    }


def test_a_card_that_is_no_dictionary_is_named():
    report = chapter16.rubric.diagnose(None)
    assert report.keys == {"rubric": "type"}
    assert "expected a dictionary" in str(report)
