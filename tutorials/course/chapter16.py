"""Checks of chapter 16: shared posters, the interval of a difference, a model card and its rubric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from course.exercise import Exercise, Finding, Mistake, Report
from minicnn.metrics import micro_average_precision

Array = np.ndarray
Measure = Callable[[Array, Array], float]


def _splits() -> list[tuple[Any, ...]]:
    rng, cases = np.random.default_rng(160), []
    for count, (height, width) in ((7, (4, 3)), (9, (3, 5))):
        train = rng.integers(256, size=(count, height, width, 3), dtype=np.uint8)
        test = rng.integers(256, size=(count - 1, height, width, 3), dtype=np.uint8)
        test[1], test[3], test[4] = train[5], train[2, :, ::-1], train[0]
        test[5] = train[1, ::-1]  # upside down: another poster
        cases.append((train, test))
    return cases


def _found(
    train: Array, test: Array, *, as_is: bool = True, turned: Callable[[Array], Array] | None
) -> Array:
    """The indices of test posters that are in train, as they are or turned in one way."""
    ways = [lambda p: p] * as_is + ([turned] if turned else [])
    return np.array(
        [
            i
            for i, poster in enumerate(test)
            if any((way(poster) == other).all() for way in ways for other in train)
        ]
    )


def _mirrored(poster: Array) -> Array:
    return poster[:, ::-1]


def _right_shared(train: Array, test: Array) -> Array:
    return _found(train, test, turned=_mirrored)


shared = Exercise(
    "shared",
    cases=_splits,
    answer=_right_shared,
    outputs=("indices",),
    mistakes=(
        Mistake(
            "mirror missed",
            "indices",
            "Mirrored posters are missing. Compare with each poster mirrored left to right too.",
            lambda train, test: _found(train, test, turned=None),
        ),
        Mistake(
            "upside down",
            "indices",
            "The posters are turned upside down. The first axis is the row; mirror the second, the column.",
            lambda train, test: _found(train, test, turned=lambda poster: poster[::-1]),
        ),
        Mistake(
            "mirrored only",
            "indices",
            "Only mirrored posters are found. Those that are in train as they are count too.",
            lambda train, test: _found(train, test, as_is=False, turned=_mirrored),
        ),
        Mistake(
            "indices of train",
            "indices",
            "These are the indices in train. The posters to remove are those of test.",
            lambda train, test: _right_shared(test, train),
        ),
        Mistake(
            "the others",
            "indices",
            "These are the posters that are not shared.",
            lambda train, test: np.setdiff1d(np.arange(len(test)), _right_shared(train, test)),
        ),
    ),
)


def _scores() -> list[tuple[Any, ...]]:
    rng, cases = np.random.default_rng(161), []
    for posters, genres, count in ((24, 3, 40), (30, 4, 50)):
        labels = (rng.uniform(size=(posters, genres)) < 0.4).astype(int)
        ours = labels + rng.normal(0, 0.8, labels.shape)
        baseline = labels + rng.normal(0, 1.6, labels.shape)
        draws = rng.integers(posters, size=(count, posters))
        cases.append((labels, ours, baseline, draws, micro_average_precision))
    return cases


def _under_draws(labels: Array, scores: Array, draws: Array, measure: Measure) -> Array:
    return np.array([measure(labels[rows], scores[rows]) for rows in draws])


def _differences(labels: Array, ours: Array, baseline: Array, draws: Array, measure: Measure) -> Array:
    return _under_draws(labels, ours, draws, measure) - _under_draws(labels, baseline, draws, measure)


def _one_side(labels: Array, ours: Array, baseline: Array, draws: Array, measure: Measure) -> Array:
    """Differences to the baseline on all posters, which is not drawn again."""
    return _under_draws(labels, ours, draws, measure) - measure(labels, baseline)


def _unpaired(labels: Array, ours: Array, baseline: Array, draws: Array, measure: Measure) -> Array:
    """Differences of two methods on draws of their own: those of the baseline in reverse order."""
    return _under_draws(labels, ours, draws, measure) - _under_draws(labels, baseline, draws[::-1], measure)


def _normal(*case: Any) -> tuple[float, float]:
    """1.96 standard deviations around the difference."""
    labels, ours, baseline, _, measure = case
    centre, width = measure(labels, ours) - measure(labels, baseline), 1.96 * _differences(*case).std()
    return centre - width, centre + width


def _ends(values: Array) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


_WRONG_ENDS: tuple[tuple[str, str, Callable[..., tuple[float, float]]], ...] = (
    (
        "baseline not drawn",
        "The baseline is measured on all posters in every draw. Measure both methods on the same draw.",
        lambda *case: _ends(_one_side(*case)),
    ),
    (
        "unpaired",
        "The two methods are measured on unlike draws. Index both with the same row of draws.",
        lambda *case: _ends(_unpaired(*case)),
    ),
    (
        "ours alone",
        "This is the interval of our measure. Subtract the baseline's on the same draw.",
        lambda labels, ours, baseline, draws, measure: _ends(_under_draws(labels, ours, draws, measure)),
    ),
    (
        "difference of the ends",
        "These are differences of the ends of two intervals. Take the percentiles of the differences.",
        lambda labels, ours, baseline, draws, measure: (
            _ends(_under_draws(labels, ours, draws, measure))[0]
            - _ends(_under_draws(labels, baseline, draws, measure))[0],
            _ends(_under_draws(labels, ours, draws, measure))[1]
            - _ends(_under_draws(labels, baseline, draws, measure))[1],
        ),
    ),
    (
        "90 %",
        "These are the 5th and 95th percentiles, an interval of 90 %. For 95 % they are 2.5 and 97.5.",
        lambda *case: tuple(np.percentile(_differences(*case), [5, 95])),
    ),
    (
        "fractions",
        "np.percentile takes percents: 2.5 and 97.5, not 0.025 and 0.975.",
        lambda *case: tuple(np.percentile(_differences(*case), [0.025, 0.975])),
    ),
    (
        "standard deviations",
        "This is the difference and 1.96 standard deviations. It assumes a normal distribution; take the "
        "percentiles.",
        _normal,
    ),
)

difference_interval = Exercise(
    "difference_interval",
    cases=_scores,
    answer=lambda labels, ours, baseline, draws, measure: (
        measure(labels, ours) - measure(labels, baseline),
        *_ends(_differences(labels, ours, baseline, draws, measure)),
    ),
    outputs=("difference", "low", "high"),
    mistakes=(
        Mistake(
            "sign",
            "difference",
            "It is the baseline minus ours.",
            lambda labels, ours, baseline, draws, measure: measure(labels, baseline) - measure(labels, ours),
        ),
        Mistake(
            "mean of the draws",
            "difference",
            "This is the mean over the draws. The value that is reported is that of all posters.",
            lambda *case: _differences(*case).mean(),
        ),
        Mistake(
            "ours alone",
            "difference",
            "This is our measure. Subtract the baseline's.",
            lambda labels, ours, baseline, draws, measure: measure(labels, ours),
        ),
        *(
            Mistake(key, output, says, lambda *case, _w=wrong, _i=index: _w(*case)[_i])
            for index, output in enumerate(("low", "high"))
            for key, says, wrong in _WRONG_ENDS
        ),
        Mistake(
            "ends exchanged", "low", "Low and high are exchanged.", lambda *c: _ends(_differences(*c))[1]
        ),
        Mistake(
            "ends exchanged", "high", "Low and high are exchanged.", lambda *c: _ends(_differences(*c))[0]
        ),
    ),
)

Split = Mapping[str, float]


def _measured() -> list[tuple[Any, ...]]:
    """A clear success, and one whose interval reaches below 0; the baselines change places on test."""
    rng = np.random.default_rng(162)
    return [
        (
            {"priors": 0.18, "network": 0.40, "colours": 0.25, "edges": 0.23},
            {"priors": 0.17, "network": 0.38, "colours": 0.24, "edges": 0.26},
            {
                name: rng.normal(mean, 0.03, 80)
                for name, mean in (("priors", 0.21), ("colours", 0.14), ("edges", 0.12))
            },
        ),
        (
            {"priors": 0.21, "colours": 0.29, "edges": 0.33, "network": 0.36},
            {"priors": 0.20, "colours": 0.33, "edges": 0.31, "network": 0.34},
            {
                name: rng.normal(mean, 0.03, 80)
                for name, mean in (("priors", 0.14), ("colours", 0.01), ("edges", 0.03))
            },
        ),
    ]


def _baselines(split: Split) -> list[str]:
    return [name for name in split if name != "network"]


def _strongest(split: Split) -> str:
    return max(_baselines(split), key=lambda name: split[name])


def _weakest(split: Split) -> str:
    return min(_baselines(split), key=lambda name: split[name])


def _card(val: Split, test: Split, differences: Mapping[str, Array]) -> tuple[Any, ...]:
    low, high = _ends(differences[_strongest(val)])
    return test["network"], _strongest(val), low, high, low > 0


WEAKEST = "This is the weakest baseline. What must be beaten is the strongest."
ON_TEST = "This baseline was chosen by its result on test. Choices are made on val."

model_card = Exercise(
    "model_card",
    cases=_measured,
    answer=_card,
    outputs=("value", "baseline", "low", "high", "better"),
    mistakes=(
        Mistake(
            "val for test",
            "value",
            "This is the value on val, on which choices were made. Report the one on test.",
            lambda val, test, differences: val["network"],
        ),
        Mistake("weakest", "baseline", WEAKEST, lambda val, test, differences: _weakest(val)),
        Mistake("chosen on test", "baseline", ON_TEST, lambda val, test, differences: _strongest(test)),
        Mistake(
            "the network itself",
            "baseline",
            "The network is no baseline of itself: leave it out.",
            lambda val, test, differences: max(val, key=lambda name: val[name]),
        ),
        *(
            Mistake(key, output, says, lambda val, test, d, _c=choose, _i=index: _ends(d[_c(val, test)])[_i])
            for index, output in enumerate(("low", "high"))
            for key, says, choose in (
                ("weakest", WEAKEST, lambda val, test: _weakest(val)),
                ("chosen on test", ON_TEST, lambda val, test: _strongest(test)),
            )
        ),
        *(
            Mistake(
                "90 %",
                output,
                "These are the 5th and 95th percentiles. For 95 % they are 2.5 and 97.5.",
                lambda val, test, d, _i=index: np.percentile(d[_strongest(val)], [5, 95])[_i],
            )
            for index, output in enumerate(("low", "high"))
        ),
        Mistake(
            "by the value alone",
            "better",
            "The network has the higher value, but the interval of the difference reaches below 0: another "
            "test could reverse it.",
            lambda val, test, differences: True,
        ),
        Mistake(
            "never",
            "better",
            "Where the whole interval is above 0, the card may say so.",
            lambda val, test, differences: False,
        ),
    ),
)


class Rubric:
    """Reads the facts of a model card and says what is missing or does not hold together."""

    def __call__(self, card: Mapping[str, Any]) -> None:
        """Check a card and print what was found."""
        print(self.diagnose(card))

    def diagnose(self, card: Mapping[str, Any]) -> Report:
        """One finding for each point of the rubric."""
        points = (
            ("description", _description),
            ("baseline", _baseline),
            ("interval", _interval),
            ("claim", _claim),
            ("untouched test", _test),
            ("reproducible", _reproducible),
        )
        findings = []
        for name, judge in points:
            key, says = judge(card)
            findings.append(Finding(name, key, f"{name}: {says}"))
        return Report("rubric", tuple(findings))


Verdict = tuple[str, str]
RIGHT: Verdict = ("right", "right")


def _missing(card: Mapping[str, Any], *names: str) -> Verdict | None:
    empty = [name for name in names if card.get(name) is None or card[name] in ("", {})]
    return ("unfilled", f"not filled in yet ({', '.join(empty)}).") if empty else None


def _description(card: Mapping[str, Any]) -> Verdict:
    return _missing(card, "question", "data", "measure", "limits") or RIGHT


def _baseline(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "baselines")
    if missing:
        return missing
    if set(card["baselines"]) <= {"priors"}:
        return (
            "priors only",
            "the priors do not look at the poster. Add a simple method that does, such as colours.",
        )
    if "priors" not in card["baselines"]:
        return "no priors", "the priors are missing: they say what knowing nothing of the poster gives."
    return RIGHT


def _pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and value[0] < value[1]


def _interval(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "value", "interval", "difference to the best baseline", "baselines")
    if missing:
        return missing
    if not (_pair(card["interval"]) and _pair(card["difference to the best baseline"])):
        return "no pair", "an interval is a pair (low, high) with low below high."
    low, high = card["interval"]
    if not low <= card["value"] <= high:
        return "value outside", "the value lies outside its interval. Are both of the same split and measure?"
    low, high = card["difference to the best baseline"]
    if not low <= card["value"] - max(card["baselines"].values()) <= high:
        return (
            "another baseline",
            "the interval of the difference does not contain value minus the strongest baseline. Was it "
            "computed for a weaker one?",
        )
    return RIGHT


def _claim(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "better", "difference to the best baseline")
    if missing:
        return missing
    clear = card["difference to the best baseline"][0] > 0
    if card["better"] and not clear:
        return (
            "not supported",
            "the interval of the difference reaches below 0, so the card must not say better.",
        )
    return RIGHT


def _test(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "chosen on", "reported on", "times the test was opened", "shared posters")
    if missing:
        return missing
    if card["chosen on"] == card["reported on"]:
        return (
            "same split",
            f"choices and the reported value come from {card['chosen on']}. Choose on val, report on test.",
        )
    if card["times the test was opened"] != 1:
        return (
            "opened repeatedly",
            "the test was not opened once. With every look it guides choices a little more; say so on the "
            "card, and take new test posters if there are any.",
        )
    if card["shared posters"] != 0:
        return "shared posters", "posters stand in two splits. Remove them and evaluate again."
    return RIGHT


def _reproducible(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "command")
    if missing:
        return missing
    if "seed" not in card["command"]:
        return "no seed", "the command has no seed, so nobody can repeat the run."
    return RIGHT


rubric = Rubric()
