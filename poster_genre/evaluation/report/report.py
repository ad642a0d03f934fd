"""One HTML file that shows how good a model is, and holds all it needs: no script, no request to anywhere."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.metrics import top_k
from minicnn.serialize import atomic_write
from poster_genre.errors import SHOWN_CHARACTERS, PosterGenreError, printable
from poster_genre.evaluation.measures import TITLES, Scores
from poster_genre.evaluation.report import charts
from poster_genre.evaluation.report.page import page, section
from poster_genre.evaluation.tables import about_thresholds, number
from poster_genre.genres import GENRES
from poster_genre.model.information import gain
from poster_genre.model.spec import ModelSpec
from poster_genre.model.thresholds import MIN_POSITIVES
from poster_genre.model.trained_model import TrainedModel, top_of

HEADLINES = ("macro_auc", "macro_map", "micro_ap", "top1", "hit_at_3")
GALLERY = 10
CALIBRATION_BINS = 10
CURVE_POINTS = 80


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
    """Write the report of an evaluation. posters (N, h, w, 3) uint8 and ids (N) are what was scored."""
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
    """The report as text."""
    calibrated = model.calibration is not None
    frequent = [
        i for i, genre in enumerate(GENRES) if result["per_genre"][genre]["positives"] >= MIN_POSITIVES
    ]
    sections = [
        section("At a glance", headlines(result) + comparison_table(result, calibrated)),
        section("Training", curves(model.history, curves_note(model.spec))),
        section("Genre by genre", genre_table(result, model.thresholds_from)),
        section("Precision and recall", recall_curves(labels, probabilities, frequent, result)),
        section("Calibration", calibration(labels, probabilities, result)),
        section("Confusions between genres", confusions(labels, probabilities)),
        section("Best and worst posters", gallery(labels, probabilities, model.priors, posters, ids)),
        section("The first layer's filters", filters(model)),
    ]
    provenance = model.provenance
    height, width = model.spec.input_size
    about = [
        f"network {model.spec.name}, input {height}x{width}",
        f"{result['n_posters']:,} posters of the split {result['split']}",
        f"trained on {provenance.get('train_posters', 0):,} posters",
    ]
    return page("Genres from posters", about, printable(str(provenance.get("command", ""))), sections)


def headlines(result: Scores) -> str:
    """The five numbers to look at first, each above what the genre priors reach."""
    prior = result["baselines"]["genre_priors"]
    tiles = "".join(
        f'<div class="tile"><span class="what">{escape(TITLES[key])}</span><b>{number(result[key])}</b>'
        f'<span class="muted">priors {number(prior[key])}</span></div>'
        for key in HEADLINES
    )
    return f'<div class="tiles">{tiles}</div>'


def comparison_table(result: Scores, calibrated: bool) -> str:
    rows = "".join(
        f"<tr><th>{escape(title)}</th><td>{number(result[key])}</td>"
        f"<td>{number(result['baselines']['genre_priors'][key])}</td>"
        f"<td>{number(result['baselines']['all_zeros'][key])}</td></tr>"
        for key, title in TITLES.items()
    )
    return (
        '<div class="wide"><table><thead><tr><th></th><td>model</td><td>genre priors</td><td>no genre at '
        "all</td>"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="muted">Macro means are over the {result["n_genres_macro"]} genres with at least '
        f"{MIN_POSITIVES} positives in this split. {escape(about_thresholds(result, calibrated=calibrated))} "
        "Binary accuracy uses 0.5, and is high for whoever names no genre at all.</p>"
    )


def curves_note(spec: ModelSpec) -> str:
    """Why the curves end a little below the measures of the trained model; empty where they do not."""
    if not spec.flip_average:
        return ""
    return (
        "Measured after each epoch on the posters as they lie, without the mirror images that the finished "
        "model averages over."
    )


def curves(history: Sequence[dict[str, Any]], note: str = "") -> str:
    """Loss and ranking measures over the epochs, as far as the model file knows them."""
    if not history:
        return '<p class="muted">The model file holds no history.</p>'

    def column(name: str) -> list[tuple[float, float]]:
        return [(row["epoch"], row[name]) for row in history if isinstance(row.get(name), (int, float))]

    losses = {"training loss": column("loss"), "val loss": column("val_loss")}
    ranking = {"val macro AUC": column("val_macro_auc"), "val macro mAP": column("val_macro_map")}
    return (
        f'<div class="side"><figure>{charts.line_chart(losses, "epoch")}</figure>'
        f"<figure>{charts.line_chart(ranking, 'epoch')}</figure></div>"
        + (f'<p class="muted">{escape(note)}</p>' if note else "")
    )


def genre_table(result: Scores, thresholds_from: str) -> str:
    """AP as a bar with a mark where the prior stands, and what the threshold makes of it."""
    rows = []
    largest = max((row["ap"] or 0.0 for row in result["per_genre"].values()), default=1.0) or 1.0
    for genre, row in sorted(result["per_genre"].items(), key=lambda item: -item[1]["positives"]):
        width, mark = (row["ap"] or 0) / largest * 100, min(row["prior"] / largest, 1) * 100
        bar = f'<div class="bar"><i style="width:{width:.1f}%"></i><u style="left:{mark:.1f}%"></u></div>'
        cells = "".join(
            f"<td>{number(row[key])}</td>"
            for key in ("ap", "prior", "auc", "threshold", "precision", "recall", "f1")
        )
        rows.append(
            f'<tr><th>{escape(genre)}</th><td>{row["positives"]}</td><td class="has-bar">{bar}</td>'
            f"{cells}</tr>"
        )
    return (
        '<div class="wide"><table><thead><tr><th>genre</th><td>posters</td><td class="has-bar">AP, and the '
        "prior as a "
        "mark</td><td>AP</td><td>prior</td><td>AUC</td><td>threshold</td><td>precision</td><td>recall</td>"
        "<td>F1</td>"
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="muted">Thresholds: {escape(thresholds_from)}. A random order has about the prior as '
        "its AP, "
        "and an AUC of 0.5.</p>"
    )


def recall_curves(
    labels: np.ndarray, probabilities: np.ndarray, genres: Sequence[int], result: Scores
) -> str:
    if not genres:
        return f'<p class="muted">No genre has {MIN_POSITIVES} positives here.</p>'
    figures = []
    for i in sorted(genres, key=lambda i: -int(labels[:, i].sum())):
        plot = charts.precision_recall(
            precision_recall_points(labels[:, i], probabilities[:, i]), float(labels[:, i].mean())
        )
        ap = number(result["per_genre"][GENRES[i]]["ap"])
        figures.append(
            f'<figure>{plot}<figcaption>{escape(GENRES[i])} <span class="muted">AP {ap}</span></figcaption>'
            "</figure>"
        )
    return (
        f'<div class="multiples">{"".join(figures)}</div>'
        '<p class="muted">Recall runs to the right, precision upwards, both from 0 to 1. Dashed: a random '
        "order.</p>"
    )


def precision_recall_points(y: np.ndarray, p: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) at falling thresholds, at most ``CURVE_POINTS`` of them."""
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    found = np.cumsum(y[order], dtype=np.int64)[ends]
    recall, precision = found / max(int(y.sum()), 1), found / (ends + 1)
    some = np.unique(np.linspace(0, len(ends) - 1, CURVE_POINTS).astype(int))
    return [(float(recall[i]), float(precision[i])) for i in some]


def calibration(labels: np.ndarray, probabilities: np.ndarray, result: Scores) -> str:
    """Of all the times the model said 30 %, how often was it right?"""
    inside = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1).ravel()
    bins = []
    for b in range(CALIBRATION_BINS):
        here = inside == b
        if here.any():
            bins.append(
                (
                    float(probabilities.ravel()[here].mean()),
                    float(labels.ravel()[here].mean()),
                    int(here.sum()),
                )
            )
    return (
        f'<div class="side"><figure>{charts.reliability(bins)}</figure><p>Of all the times the model said '
        "30 %, how often "
        "was it right? On the dashed diagonal just as often. The area of a point is the number of (poster, "
        "genre) "
        "cells in it; most say nearly 0. Expected calibration error, in 15 bins of equal mass, as the mean "
        f"over the genres with at least {MIN_POSITIVES} positives: "
        f"<b>{number(result['calibration_error'])}</b>.</p></div>"
    )


def confusions(labels: np.ndarray, probabilities: np.ndarray) -> str:
    """What stands among the first three of posters of a genre, beside what really goes with that genre."""
    present = [i for i in range(len(GENRES)) if labels[:, i].any()]
    names = [GENRES[i] for i in present]
    named = np.zeros_like(labels)
    np.put_along_axis(named, top_k(probabilities, 3), 1, axis=1)
    truly = labels[:, present].astype(np.float64)
    counts = truly.sum(axis=0)[:, None]
    together = truly.T @ truly / counts
    predicted = truly.T @ named[:, present] / counts
    excess = np.where(counts >= MIN_POSITIVES, predicted - together, -math.inf)
    np.fill_diagonal(excess, -math.inf)
    np.fill_diagonal(together, math.nan)
    pairs = [divmod(int(flat), len(present)) for flat in np.argsort(-excess, axis=None, kind="stable")[:8]]
    rows = "".join(
        f"<tr><th>{escape(names[i])}</th><th>{escape(names[j])}</th><td>{predicted[i, j]:.0%}</td>"
        f"<td>{together[i, j]:.0%}</td></tr>"
        for i, j in pairs
        if excess[i, j] > 0
    )
    table = (
        '<div class="wide"><table><thead><tr><th>of posters of</th><th>the first three hold</th><td>so '
        "often</td>"
        f"<td>and it is true of</td></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    said = charts.heat_map(
        predicted, names, names, "{share} of the {row} posters have {column} among the first three"
    )
    true = charts.heat_map(together, names, names, "{share} of the {row} posters are {column} too")
    return (
        f'<div class="side"><figure>{said}<figcaption>Row: true genre. Column: among the model\'s first '
        "three."
        f"</figcaption></figure><figure>{true}<figcaption>Row: true genre. Column: true as "
        "well.</figcaption></figure>"
        f"</div>{table if rows else ''}"
    )


def gallery(
    labels: np.ndarray,
    probabilities: np.ndarray,
    priors: np.ndarray,
    posters: np.ndarray,
    ids: Sequence[str],
) -> str:
    """The posters where the answer gains most over the genre priors, and least, as the network sees them.

    The cross-entropy alone would only show who has the commonest genre, and who has three rare ones.
    """
    order = np.argsort(-gain(labels, probabilities, priors), kind="stable")
    best, worst = order[:GALLERY], order[::-1][: min(GALLERY, len(order) - GALLERY)]
    shown = f"<h3>Most gained over the genre priors</h3>{_cards(best, labels, probabilities, posters, ids)}"
    if len(worst):
        shown += f"<h3>Least gained, or most lost</h3>{_cards(worst, labels, probabilities, posters, ids)}"
    return (
        shown
        + '<p class="muted">Gain: how much lower the cross-entropy is than that of the genre priors on the '
        "same poster. Under each poster its first three genres, right ones marked, then the truth.</p>"
    )


def _cards(
    chosen: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, posters: np.ndarray, ids: Sequence[str]
) -> str:
    cards = []
    for i in (int(i) for i in chosen):
        truth = {genre for genre, y in zip(GENRES, labels[i], strict=True) if y}
        guesses = "".join(
            f'<li class="{_verdict(genre, truth)}">{escape(genre)} <span>{share:.0%}</span></li>'
            for genre, share in top_of(probabilities[i], 3)
        )
        name = escape(printable(str(ids[i]), SHOWN_CHARACTERS))
        cards.append(
            f'<div class="card"><img src="{image_data(posters[i])}" alt="poster {name}">'
            f'<ul>{guesses}</ul><p class="muted">{escape(", ".join(sorted(truth)) or "no genre")}</p></div>'
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _verdict(genre: str, truth: set[str]) -> str:
    return "right" if genre in truth else "wrong"


def filters(model: TrainedModel) -> str:
    """The first convolution's weights as small pictures, each stretched to the full range of colours."""
    weights = [p.data for p in model.network.parameters().values() if p.data.ndim == 4]
    if not weights or weights[0].shape[2] != 3:
        return '<p class="muted">The first layer does not look at colours.</p>'
    kernels = np.moveaxis(weights[0], -1, 0)
    low, high = (f(kernels, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    pixels = np.round((kernels - low) / np.maximum(high - low, 1e-12) * 255).astype(np.uint8)
    shown = "".join(
        f'<img class="filter" src="{image_data(kernel, "PNG")}" alt="filter {i + 1}">'
        for i, kernel in enumerate(pixels)
    )
    return f'<div class="filters">{shown}</div>'


def image_data(pixels: np.ndarray, encoding: str = "JPEG") -> str:
    """uint8 (h, w, 3) as a data: address."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, encoding, quality=88)
    text = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/{encoding.lower()};base64,{text}"
