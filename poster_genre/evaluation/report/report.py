"""The report of an evaluation: one HTML file without scripts that loads nothing from anywhere.

``templates/report.html`` is the page; the functions here and in the modules beside this one prepare the plain
data that it shows. Jinja2 escapes every value, and ``printable`` shows what cannot be written as UTF-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from minicnn.serialize import atomic_write
from poster_genre.errors import PosterGenreError, printable
from poster_genre.evaluation.measures import Scores
from poster_genre.evaluation.report import charts
from poster_genre.evaluation.report.curves import history_points, precision_recall_points, reliability_bins
from poster_genre.evaluation.report.embedded_images import best_and_worst, filter_images
from poster_genre.evaluation.report.table_rows import (
    HEADLINES,
    cooccurrence,
    frequent_confusions,
    genre_rows,
    measure_rows,
)
from poster_genre.evaluation.tables import about_thresholds, number
from poster_genre.genres import GENRES, INDEX
from poster_genre.model.spec import ModelSpec
from poster_genre.model.thresholds import MIN_POSITIVES
from poster_genre.model.trained_model import TrainedModel


def write_report(
    path: Path,
    model: TrainedModel,
    result: Scores,
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    posters: np.ndarray,
    ids: Sequence[str],
) -> None:
    """Write the report to ``path``, whole or not at all; the arguments are those of ``report_html``.

    Raises PosterGenreError where the file cannot be written.
    """
    text = report_html(model, result, labels, probabilities, posters=posters, ids=ids)
    try:
        with atomic_write(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise PosterGenreError(f"cannot write the report {path}: {error.strerror or error}") from error


def report_html(
    model: TrainedModel,
    result: Scores,
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    posters: np.ndarray,
    ids: Sequence[str],
) -> str:
    """The report as HTML.

    ``result`` is the evaluation of probabilities (N, 25) by labels (N, 25), 0 or 1; posters uint8 (N, h, w,
    3) and ids (N) are what was evaluated.
    """
    best, worst = best_and_worst(labels, probabilities, model.priors, posters, ids)
    return (
        _environment()
        .get_template("report.html")
        .render(
            facts=facts(model, result),
            command=str(model.provenance.get("command", "")),
            result=result,
            min_positives=MIN_POSITIVES,
            headlines=measure_rows(result, HEADLINES),
            measures=measure_rows(result),
            about_thresholds=about_thresholds(result, calibrated=model.calibration is not None),
            **training_curves(model.history),
            curves_note=curves_note(model.spec),
            genres=genre_rows(result),
            thresholds_from=model.thresholds_from,
            precision_recall=precision_recall_figures(labels, probabilities, result),
            reliability=charts.reliability_chart(reliability_bins(labels, probabilities)),
            **confusion_figures(labels, probabilities),
            best=best,
            worst=worst,
            filters=filter_images(model.network),
        )
    )


def facts(model: TrainedModel, result: Scores) -> list[str]:
    """What was evaluated: the network, the posters, and the number of training posters where it is known."""
    height, width = model.spec.input_size
    lines = [
        f"network {model.spec.name}, input {height}x{width}",
        f"{result['n_posters']:,} posters of the split {result['split']}",
    ]
    train_posters = model.provenance.get("train_posters")
    if isinstance(train_posters, int):
        lines.append(f"trained on {train_posters:,} posters")
    return lines


def curves_note(spec: ModelSpec) -> str:
    """Why the curves end a little below the measures of the trained model; "" where they do not."""
    if not spec.flip_average:
        return ""
    return (
        "Measured after each epoch on the posters as they are, without the mirror images that the finished "
        "model averages over."
    )


def training_curves(history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Charts of the losses and of the ranking measures over the epochs."""
    losses = {"training loss": "loss", "val loss": "val_loss"}
    ranking = {"val macro AUC": "val_macro_auc", "val macro mAP": "val_macro_map"}
    return {
        "has_history": bool(history),
        "loss_chart": charts.line_chart({k: history_points(history, v) for k, v in losses.items()}, "epoch"),
        "ranking_chart": charts.line_chart(
            {k: history_points(history, v) for k, v in ranking.items()}, "epoch"
        ),
    }


def precision_recall_figures(
    labels: np.ndarray, probabilities: np.ndarray, result: Scores
) -> list[dict[str, Any]]:
    """``{genre, ap, chart}`` of each genre with at least 10 positives, the most frequent first."""
    per_genre = result["per_genre"]
    frequent = [genre for genre in GENRES if per_genre[genre]["positives"] >= MIN_POSITIVES]
    figures = []
    for genre in sorted(frequent, key=lambda genre: -int(labels[:, INDEX[genre]].sum())):
        y, p = labels[:, INDEX[genre]], probabilities[:, INDEX[genre]]
        chart = charts.precision_recall_chart(precision_recall_points(y, p), float(y.mean()))
        figures.append({"genre": genre, "ap": number(per_genre[genre]["ap"]), "chart": chart})
    return figures


def confusion_figures(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Charts of the genres predicted and true beside each true genre, and the most frequent confusions."""
    names, predicted, together = cooccurrence(labels, probabilities)
    positives = [int(labels[:, INDEX[name]].sum()) for name in names]
    return {
        "predicted_chart": charts.matrix_chart(
            predicted, names, names, "{share} of the {row} posters have {column} among the first three"
        ),
        "true_chart": charts.matrix_chart(
            together, names, names, "{share} of the {row} posters are {column} too"
        ),
        "confusions": frequent_confusions(names, predicted, together, positives),
    }


@cache
def _environment() -> Environment:
    """The templates beside this module, with the filters ``number``, ``px``, ``short`` and ``percent``."""
    environment = Environment(
        loader=PackageLoader("poster_genre.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["px"] = "{:.1f}".format
    environment.filters["short"] = "{:g}".format
    environment.filters["percent"] = "{:.0%}".format
    return environment
