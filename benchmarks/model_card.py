"""The tables of the model card, measured.

    python -m benchmarks.model_card --data PATH [--split val] [--row NAME=FILE ...]

The shipped network with 95 % bootstrap intervals, beside it the baselines and other model files, then every
genre. ``--row`` adds a line for a model file, such as ``--row "original=original/model.npz"``. Takes about
two minutes; needs the extra ``test``.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from typing import Any

import numpy as np

from benchmarks.baselines import MEASURES, SIZE, features, logistic, trees
from minicnn import metrics
from poster_genre.data.arrays import split_arrays
from poster_genre.data.dataset import PosterDataset, load_dataset
from poster_genre.evaluation.bootstrap import RESAMPLES, weighted_average_precision, weights_of
from poster_genre.evaluation.evaluate import evaluate_model
from poster_genre.evaluation.tables import number
from poster_genre.genres import GENRES
from poster_genre.model.model_file import load_model
from poster_genre.model.thresholds import MIN_POSITIVES
from poster_genre.model.trained_model import TrainedModel

KEYS = ("macro_map", "macro_auc", "micro_ap", "top1", "hit_at_3", "precision_at_3")
OTHERS = {
    "macro_f1": "macro F1",
    "binary_accuracy": "binary accuracy",
    "bce": "cross-entropy",
    "calibration_error": "expected calibration error, 15 bins, macro",
}


def baseline_measures(dataset: PosterDataset, split: str) -> dict[str, list[float]]:
    """The measures of the genre priors and of the two models on colours and a thumbnail."""
    x, y, _ = split_arrays(dataset, "train", SIZE)
    unseen, truth, _ = split_arrays(dataset, split, SIZE)
    known, new = features(x), features(unseen)
    predictions = {
        "genre priors, the same for every poster": np.broadcast_to(y.mean(axis=0), truth.shape),
        "colour histogram and thumbnail, logistic regression": logistic(known, y, new),
        "the same, 500 extra trees": trees(known, y, new),
    }
    return {name: [measure(truth, p) for measure in MEASURES.values()] for name, p in predictions.items()}


def evaluated(model: TrainedModel, dataset: PosterDataset, split: str, resamples: int = 0) -> dict[str, Any]:
    """The measures of a model on a split."""
    pixels, labels, _ = split_arrays(dataset, split, model.spec.input_size)
    return evaluate_model(model, pixels, labels, split=split, resamples=resamples)[0]


def row(cells: list[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def genres_table(model: TrainedModel, dataset: PosterDataset, result: dict[str, Any]) -> str:
    """A line for each genre with enough positives: how many, AP with its interval, AUC and F1."""
    pixels, labels, _ = split_arrays(dataset, result["split"], model.spec.input_size)
    ranking = model.probabilities(pixels, calibrated=False)
    weights = weights_of(len(labels), RESAMPLES, np.random.default_rng(0))
    lines = [row(["genre", "posters", "prior", "AP", "95 % interval", "AUC", "F1"]), "|---" * 7 + "|"]
    counted = metrics.enough_positives(labels, MIN_POSITIVES)
    for index in np.argsort(-labels.sum(axis=0), kind="stable"):
        if counted[index]:
            about = result["per_genre"][GENRES[index]]
            drawn = weighted_average_precision(labels[:, index], ranking[:, index], weights)
            low, high = np.nanquantile(drawn, [0.025, 0.975])
            f1 = "-" if about["f1"] is None else f"{about['f1']:.3f}"
            cells = [GENRES[index], str(about["positives"]), f"{about['prior']:.3f}", f"{about['ap']:.3f}"]
            lines.append(row([*cells, f"{low:.3f} to {high:.3f}", f"{about['auc']:.3f}", f1]))
    left_out = ", ".join(GENRES[i] for i in np.flatnonzero(~counted))
    return "\n".join([*lines, "", f"{left_out}: fewer than {MIN_POSITIVES} posters, not judged."])


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_card")
    parser.add_argument("--data", required=True, help="the folder or zip with train.csv and Images")
    parser.add_argument("--split", default="val", choices=["val", "test"])
    parser.add_argument("--row", action="append", default=[], metavar="NAME=FILE", help="another model file")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", category=UserWarning)
    dataset, shipped = load_dataset(options.data), load_model()
    result = evaluated(shipped, dataset, options.split, RESAMPLES)
    print(row(["", *MEASURES]), "|---" * (1 + len(MEASURES)) + "|", sep="\n")
    for name, values in baseline_measures(dataset, options.split).items():
        print(row([name, *(f"{value:.3f}" for value in values)]))
    for row_option in options.row:
        name, _, file = row_option.rpartition("=")
        scores = evaluated(load_model(file), dataset, options.split)
        print(row([name, *(number(scores[key]) for key in KEYS)]))
    print(row(["**what is shipped**", *(f"**{number(result[key])}**" for key in KEYS)]))
    ends = result["intervals"]
    print(
        row(
            [
                "95 % interval",
                *(f"{ends[key][0]:.3f} to {ends[key][1]:.3f}" if key in ends else "-" for key in KEYS),
            ]
        )
    )
    print("\n" + row(["", "what is shipped", "genre priors"]), "|---|---|---|", sep="\n")
    for key, title in OTHERS.items():
        print(row([title, number(result[key]), number(result["baselines"]["genre_priors"][key])]))
    print("\n" + genres_table(shipped, dataset, result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
