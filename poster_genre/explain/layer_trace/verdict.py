"""The last layers: what pushed a genre up or down, and the way from the network's output to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.layers.activation import Sigmoid
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D
from poster_genre.classifier import PosterGenreClassifier, probabilities
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.field import joined_from
from poster_genre.explain.layer_trace.trace import Trace
from poster_genre.genres import GENRES
from poster_genre.model.calibration import log_odds


def last_dense(trace: Trace) -> int:
    """The step of the last dense layer, which puts out the 25 log-odds."""
    for step in reversed(trace.steps):
        if isinstance(step.layer, Dense):
            return step.index
        if not isinstance(step.layer, Sigmoid):
            break
    raise PosterGenreError("this network does not end in a dense layer, so no channels push a genre")


def contributions(trace: Trace, genre: int) -> dict[str, Any]:
    """Every feature's contribution to a genre's log-odds, ``x * weight``, the greatest first.

    ``{log_odds, bias, total, features: [{feature, x, weight, product, origin}]}``; ``origin`` tells where a
    feature comes from, see ``origin_of``.
    """
    index = last_dense(trace)
    layer = trace.steps[index].layer
    source = trace.steps[index].inputs[0]
    if not isinstance(layer, Dense):
        raise PosterGenreError("this network does not end in a dense layer, so no channels push a genre")
    x, weight = trace.outputs[source], layer.weight.data[:, genre]
    products = x.astype(np.float64) * weight
    bias = 0.0 if layer.bias is None else float(layer.bias.data[genre])
    value, computed = float(trace.outputs[index][genre]), float(products.sum()) + bias
    return {
        "genre": GENRES[genre],
        "step": index,
        "log_odds": value,
        "bias": bias,
        "total": float(products.sum()),
        "computed": computed,
        "difference": abs(computed - value),
        "features": [
            {
                "feature": int(i),
                "x": float(x[i]),
                "weight": float(weight[i]),
                "product": float(products[i]),
                "origin": origin_of(trace, source, int(i)),
            }
            for i in np.argsort(-products, kind="stable")
        ],
    }


def origin_of(trace: Trace, index: int, feature: int) -> dict[str, Any]:
    """Where a feature comes from: ``{how, step, channel}``.

    ``how``: "average" or "maximum" of map ``channel`` of step ``step``, or "unit": a number of a dense layer.
    What was only passed on, as by dropout or where branches are joined, is traced to where it was made.
    """
    how = "unit"
    while True:
        step = trace.steps[index]
        layer = step.layer
        joined = joined_from(trace.steps, step, feature)
        if joined is not None:
            index, feature = joined
        elif isinstance(layer, (GlobalAveragePool2D, GlobalMaxPool2D)) and how == "unit":
            how = "average" if isinstance(layer, GlobalAveragePool2D) else "maximum"
            index = step.inputs[0]
        elif isinstance(layer, Dropout):
            index = step.inputs[0]
        else:
            return {"how": how, "step": index, "channel": feature}


def verdict(
    classifier: PosterGenreClassifier, views: Sequence[Trace], said: np.ndarray
) -> list[dict[str, Any]]:
    """For each genre the way from the network's output to the answer, in the order of GENRES.

    ``views``: the traces of the poster and, where the prediction averages over both, of its mirror image.
    ``said``: what ``predict_proba`` says of the poster, (25,).

    ``log_odds, p``                    the network's output for the poster as it lies, and its probability.
    ``mirrored_log_odds, mirrored_p``  for the mirror image; None where the network is asked once.
    ``mean``                           of the two probabilities.
    ``slope, offset``                  the calibration, log-odds' = slope * log-odds + offset; None without.
    ``log_odds_of_mean, probability``  what it reads and what it makes, layer by layer.
    ``answer, answer_difference``      what ``predict_proba`` says at full speed, and how far apart they are.
    """
    index = last_dense(views[0])
    odds = [each.outputs[index] for each in views]
    raw = [probabilities(classifier.spec_, each.outputs[-1]) for each in views]
    mean, final = answer(classifier, raw)
    calibration = classifier.calibration_
    return [
        {
            "genre": GENRES[g],
            "log_odds": float(odds[0][g]),
            "p": float(raw[0][g]),
            "mirrored_log_odds": float(odds[1][g]) if len(odds) > 1 else None,
            "mirrored_p": float(raw[1][g]) if len(raw) > 1 else None,
            "mean": float(mean[g]),
            "slope": None if calibration is None else float(calibration.slope[g]),
            "offset": None if calibration is None else float(calibration.offset[g]),
            "log_odds_of_mean": float(log_odds(mean[g])),
            "probability": float(final[g]),
            "answer": float(said[g]),
            "answer_difference": abs(float(final[g]) - float(said[g])),
        }
        for g in range(len(GENRES))
    ]


def answer(classifier: PosterGenreClassifier, raw: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the views' probabilities (25,), and what the calibration makes of it."""
    mean = np.stack(raw).mean(axis=0)
    calibration = classifier.calibration_
    return mean, mean if calibration is None else calibration.apply(mean[None])[0]
