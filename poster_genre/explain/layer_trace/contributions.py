"""The last layers: each feature's contribution to a genre, and the way from log-odds to a probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.layers.activation import Sigmoid
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.receptive_field import concat_source
from poster_genre.explain.layer_trace.trace import Trace
from poster_genre.genres import GENRES
from poster_genre.model.calibration import log_odds
from poster_genre.model.trained_model import TrainedModel


def last_dense(trace: Trace) -> tuple[int, Dense]:
    """(step, layer) of the last dense layer, whose output are the 25 log-odds; a sigmoid may follow it.

    Raises PosterGenreError where the network does not end in one.
    """
    for step in reversed(trace.steps):
        if isinstance(step.layer, Dense):
            return step.index, step.layer
        if not isinstance(step.layer, Sigmoid):
            break
    raise PosterGenreError(
        "this network does not end in a dense layer, so its features have no contributions to a genre"
    )


def contributions(trace: Trace, genre: int) -> dict[str, Any]:
    """Every feature's contribution to a genre's log-odds, ``x * weight``, in falling order.

    ``{genre, step, log_odds, bias, total, computed, difference, features: [{feature, x, weight, product,
    origin}]}``, ready for JSON; for ``origin`` see ``feature_origin``. Raises PosterGenreError where the
    network does not end in a dense layer.
    """
    index, layer = last_dense(trace)
    source = trace.steps[index].inputs[0]
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
                "origin": feature_origin(trace, source, int(i)),
            }
            for i in np.argsort(-products, kind="stable")
        ],
    }


def feature_origin(trace: Trace, index: int, feature: int) -> dict[str, Any]:
    """The step and channel that a feature of step ``index`` is computed by: ``{how, step, channel}``.

    ``how``: "average" or "maximum" of map ``channel`` of step ``step``, or "unit": one number of a dense
    layer. Dropout and concatenation, which only copy the feature, are traced back to the step that computes
    it.
    """
    how = "unit"
    while True:
        step = trace.steps[index]
        layer = step.layer
        concatenated = concat_source(trace.steps, step, feature)
        if concatenated is not None:
            index, feature = concatenated
        elif isinstance(layer, (GlobalAveragePool2D, GlobalMaxPool2D)) and how == "unit":
            how = "average" if isinstance(layer, GlobalAveragePool2D) else "maximum"
            index = step.inputs[0]
        elif isinstance(layer, Dropout):
            index = step.inputs[0]
        else:
            return {"how": how, "step": index, "channel": feature}


def genre_predictions(
    model: TrainedModel, views: Sequence[Trace], predicted: np.ndarray
) -> list[dict[str, Any]]:
    """For each genre, in the order of GENRES, the numbers from the log-odds to the predicted probability.

    ``views``      the traces of the poster and, where predictions average over both, of its mirror image.
    ``predicted``  the model's probabilities of the poster, (25,).

    Each is a dictionary ready for JSON:

    ``log_odds, p``                    the network's output for the poster, and its probability.
    ``mirrored_log_odds, mirrored_p``  the same for the mirror image; None where it is not predicted.
    ``mean``                           of the two probabilities.
    ``slope, offset``                  the calibration, log-odds' = slope * log-odds + offset; None without.
    ``log_odds_of_mean, probability``  the calibration's input and its result.
    ``predicted, difference``          the same genre of ``predicted``, and its distance from ``probability``.
    """
    index, _ = last_dense(views[0])
    odds = [view.outputs[index] for view in views]
    raw = [model.spec.probabilities(view.outputs[-1]) for view in views]
    mean = np.stack(raw).mean(axis=0)
    calibration = model.calibration
    final = mean if calibration is None else calibration.apply(mean[None])[0]
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
            "predicted": float(predicted[g]),
            "difference": abs(float(final[g]) - float(predicted[g])),
        }
        for g in range(len(GENRES))
    ]
