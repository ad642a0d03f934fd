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
        test = np.concatenate([test, train[3:4, :, :, ::-1], train[4:5, ::-1, ::-1]])  # these are others, too
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


def _positions(train: Array, test: Array) -> Array:
    return np.isin(np.arange(len(test)), _right_shared(train, test))


def _found_in_turn(train: Array, test: Array) -> Array:
    """Those as they are first, then the mirrored ones."""
    mirrored = _found(train, test, as_is=False, turned=_mirrored)
    return np.concatenate([_found(train, test, turned=None), mirrored])


def _either_flip(train: Array, test: Array) -> Array:
    upside_down = _found(train, test, turned=lambda poster: poster[::-1])
    return np.union1d(_right_shared(train, test), upside_down)


_OTHER_TURNS: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("rotated", "The posters are rotated by half a turn. Mirror the columns alone.", lambda p: p[::-1, ::-1]),
    (
        "colours reversed",
        "The colour channels are in reverse order. Mirror the columns, the second axis.",
        lambda p: p[..., ::-1],
    ),
)


shared = Exercise(
    "shared",
    cases=_splits,
    answer=_right_shared,
    outputs=("indices",),
    mistakes=(
        *(
            Mistake(key, "indices", says, lambda train, test, _t=turned: _found(train, test, turned=_t))
            for key, says, turned in _OTHER_TURNS
        ),
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
            "not sorted",
            "indices",
            "These are the right posters, but not in order: the mirrored ones come last. Sort them.",
            _found_in_turn,
        ),
        Mistake(
            "upside down too",
            "indices",
            "Posters that are upside down in train were counted too. Mirror left to right only.",
            _either_flip,
        ),
        Mistake(
            "mask",
            "indices",
            "There is one value for each poster of test. Return the indices of those that are shared.",
            _positions,
        ),
        Mistake(
            "number",
            "indices",
            "This is how many there are. Return their indices.",
            lambda train, test: len(_right_shared(train, test)),
        ),
        Mistake(
            "posters",
            "indices",
            "These are the posters themselves. Return their indices in test.",
            lambda train, test: test[_right_shared(train, test)],
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


def _normal(*case: Any, ddof: int = 0, share: float = 1.0) -> tuple[float, float]:
    """1.96 standard deviations around the difference."""
    labels, ours, baseline, _, measure = case
    centre = measure(labels, ours) - measure(labels, baseline)
    reach = 1.96 * _differences(*case).std(ddof=ddof) * share
    return centre - reach, centre + reach


def _standard_deviations(*case: Any, ddof: int = 0, share: float = 1.0) -> tuple[float, float]:
    """1.96 standard deviations around the mean of the differences."""
    values = _differences(*case)
    reach = 1.96 * values.std(ddof=ddof) * share
    return values.mean() - reach, values.mean() + reach


def _fixed_labels(labels: Array, ours: Array, baseline: Array, draws: Array, measure: Measure) -> Array:
    return np.array([measure(labels, ours[rows]) - measure(labels, baseline[rows]) for rows in draws])


def _ours_fixed(labels: Array, ours: Array, baseline: Array, draws: Array, measure: Measure) -> Array:
    return measure(labels, ours) - _under_draws(labels, baseline, draws, measure)


def _ends(values: Array) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


OF_THE_MEAN = (
    "The spread was divided by the root of the number of draws. That is the error of the draws' mean, "
    "which more draws make as small as you like. Take the percentiles of the differences."
)
SCORES_SUBTRACTED = "The scores were subtracted, and then measured. Subtract the two measures."
DEVIATIONS = "This is 1.96 standard deviations. It assumes a normal distribution; take the percentiles."


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
        DEVIATIONS,
        _normal,
    ),
    ("standard deviations", DEVIATIONS, lambda *case: _normal(*case, ddof=1)),
    (
        "of the mean",
        OF_THE_MEAN,
        lambda *case: _normal(*case, share=1 / len(case[3]) ** 0.5),
    ),
    (
        "of the mean",
        OF_THE_MEAN,
        lambda *case: _standard_deviations(*case, share=1 / len(case[3]) ** 0.5),
    ),
    (
        "standard deviations",
        DEVIATIONS,
        _standard_deviations,
    ),
    (
        "standard deviations",
        DEVIATIONS,
        lambda *case: _standard_deviations(*case, ddof=1),
    ),
    (
        "extremes",
        "These are the smallest and the largest difference. Take the 2.5 and 97.5 percentiles.",
        lambda *case: (_differences(*case).min(), _differences(*case).max()),
    ),
    (
        "sign",
        "It is the interval of the baseline minus ours.",
        lambda *case: _ends(-_differences(*case)),
    ),
    (
        "absolute",
        "The sign of the differences is lost. Where the baseline is better, the difference is below 0.",
        lambda *case: _ends(np.abs(_differences(*case))),
    ),
    (
        "labels not drawn",
        "The labels were not drawn with the scores: labels[rows], too. A poster is drawn whole.",
        lambda *case: _ends(_fixed_labels(*case)),
    ),
    (
        "ours not drawn",
        "Ours is measured on all posters in every draw. Measure both methods on the same draw.",
        lambda *case: _ends(_ours_fixed(*case)),
    ),
    (
        "baseline alone",
        "This is the interval of the baseline. Subtract it from ours on the same draw.",
        lambda labels, ours, baseline, draws, measure: _ends(_under_draws(labels, baseline, draws, measure)),
    ),
    (
        "scores subtracted",
        SCORES_SUBTRACTED,
        lambda labels, ours, baseline, draws, measure: _ends(
            _under_draws(labels, ours - baseline, draws, measure)
        ),
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
            "median of the draws",
            "difference",
            "This is the median over the draws. The value that is reported is that of all posters.",
            lambda *case: np.median(_differences(*case)),
        ),
        Mistake(
            "scores subtracted",
            "difference",
            SCORES_SUBTRACTED,
            lambda labels, ours, baseline, draws, measure: measure(labels, ours - baseline),
        ),
        Mistake(
            "baseline alone",
            "difference",
            "This is the baseline's measure. Subtract it from ours.",
            lambda labels, ours, baseline, draws, measure: measure(labels, baseline),
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
        Mistake(
            "mean of both",
            "value",
            "This is the mean of val and test. Choices were made on val: report the value on test alone.",
            lambda val, test, differences: (val["network"] + test["network"]) / 2,
        ),
        Mistake(
            "the baseline's",
            "value",
            "This is the value of the strongest baseline. Report that of the network.",
            lambda val, test, differences: val[_strongest(val)],
        ),
        Mistake(
            "the baseline's",
            "value",
            "This is the value of the strongest baseline. Report that of the network.",
            lambda val, test, differences: test[_strongest(val)],
        ),
        Mistake(
            "difference",
            "value",
            "This is the difference to the baseline. The value is the network's own, on test.",
            lambda val, test, differences: test["network"] - test[_strongest(val)],
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
        *(
            Mistake(
                "always colours",
                output,
                "This is right for one of the two cases: the strongest baseline is not always the colours. "
                "Look for the largest value on val.",
                value,
            )
            for output, value in (
                ("baseline", lambda val, test, differences: "colours"),
                ("low", lambda val, test, differences: _ends(differences["colours"])[0]),
                ("high", lambda val, test, differences: _ends(differences["colours"])[1]),
            )
        ),
        Mistake(
            "a number",
            "baseline",
            "This is the baseline's value. Return its name.",
            lambda val, test, differences: val[_strongest(val)],
        ),
        *(
            Mistake(
                "fractions",
                output,
                "np.percentile takes percents: 2.5 and 97.5, not 0.025 and 0.975.",
                lambda val, test, d, _i=index: np.percentile(d[_strongest(val)], [0.025, 0.975])[_i],
            )
            for index, output in enumerate(("low", "high"))
        ),
        Mistake(
            "extremes",
            "low",
            "This is the smallest difference. Take the 2.5th percentile.",
            lambda val, test, differences: differences[_strongest(val)].min(),
        ),
        Mistake(
            "extremes",
            "high",
            "This is the largest difference. Take the 97.5th percentile.",
            lambda val, test, differences: differences[_strongest(val)].max(),
        ),
        Mistake(
            "reversed",
            "better",
            "It is the other way round: True where the interval reaches below 0, False where it does not.",
            lambda val, test, differences: not _card(val, test, differences)[4],
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

    def __call__(self, card: Any) -> None:
        """Check a card and print what was found."""
        print(self.diagnose(card))

    def diagnose(self, card: Any) -> Report:
        """One finding for each point of the rubric."""
        if not isinstance(card, Mapping):
            text = f"rubric: the card is a {type(card).__name__}, expected a dictionary."
            return Report("rubric", (Finding("rubric", "type", text),))
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


def _empty(value: Any) -> bool:
    """Whether nothing was filled in: None, blank text, or an empty dictionary."""
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, Mapping) and not value)
    )


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and bool(np.isfinite(value))


def _missing(card: Mapping[str, Any], *names: str) -> Verdict | None:
    empty = [name for name in names if _empty(card.get(name))]
    return ("unfilled", f"not filled in yet ({', '.join(empty)}).") if empty else None


def _description(card: Mapping[str, Any]) -> Verdict:
    return _missing(card, "question", "data", "measure", "limits") or RIGHT


def _baseline(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "baselines")
    if missing:
        return missing
    if not isinstance(card["baselines"], Mapping) or not all(map(_number, card["baselines"].values())):
        return "no numbers", "write a dictionary from each baseline's name to its value, a number."
    if set(card["baselines"]) <= {"priors"}:
        return (
            "priors only",
            "the priors do not look at the poster. Add a simple method that does, such as colours.",
        )
    if "priors" not in card["baselines"]:
        return "no priors", "the priors are missing: they say what knowing nothing of the poster gives."
    return RIGHT


def _pair(value: Any) -> bool:
    """Whether a value is (low, high), as a tuple, a list or an array."""
    if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != 2:
        return False
    return all(map(_number, value)) and bool(value[0] < value[1])


def _interval(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "value", "interval", "difference to the best baseline", "baselines")
    if missing:
        return missing
    if not (_pair(card["interval"]) and _pair(card["difference to the best baseline"])):
        return "no pair", "an interval is a pair (low, high) with low below high."
    if not _number(card["value"]):
        return "no number", "the value must be a number."
    low, high = card["interval"]
    if not low <= card["value"] <= high:
        return "value outside", "the value lies outside its interval. Are both of the same split and measure?"
    if _baseline(card)[0] == "no numbers":
        return "no numbers", "the baselines have no numbers to compare with."
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
    if not isinstance(card["better"], (bool, np.bool_)):
        return "no claim", "better must be True or False."
    if not _pair(card["difference to the best baseline"]):
        return "no pair", "the interval of the difference is a pair (low, high) with low below high."
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
    chosen, reported = (str(card[name]).strip().lower() for name in ("chosen on", "reported on"))
    if chosen == reported:
        return (
            "same split",
            f"choices and the reported value come from {card['chosen on']}. Choose on val, report on test.",
        )
    if chosen == "test" or reported != "test":
        return "not on test", "choices are made on val, and the value that is reported is that on test."
    if not _number(card["times the test was opened"]) or not _number(card["shared posters"]):
        return "no count", "the shared posters and how often the test was opened are numbers."
    if card["times the test was opened"] < 1:
        return "not opened", "the test was not opened, but a value on test is reported."
    if card["times the test was opened"] != 1:
        return (
            "opened repeatedly",
            "the test was opened more than once. With every look it guides choices a little more; say so on "
            "the card, and take new test posters if there are any.",
        )
    if card["shared posters"] != 0:
        return "shared posters", "posters stand in two splits. Remove them and evaluate again."
    return RIGHT


def _reproducible(card: Mapping[str, Any]) -> Verdict:
    missing = _missing(card, "command")
    if missing:
        return missing
    if "seed" not in str(card["command"]).lower():
        return "no seed", "the command has no seed, so nobody can repeat the run."
    return RIGHT


rubric = Rubric()
