"""Charts of overfitting, class imbalance and size, for the model card.

    python -m benchmarks.experiments.figures --data PATH --original original/model.npz --out tutorials/images

overfitting.png  training and validation loss of ``original`` and of the shipped network, epoch by epoch
imbalance.png    average precision of every genre against how often it occurs, and with balanced sampling
size.png         macro AUC against the number of training posters and against the number of parameters

The last two are drawn from ``log.csv`` and ``by_genre.csv``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from benchmarks.experiments.ideas import LIGHT
from benchmarks.experiments.run import BY_GENRE, LOG, read_log
from minicnn import metrics
from poster_genre.data.arrays import split_arrays
from poster_genre.data.dataset import load_dataset
from poster_genre.genres import GENRES
from poster_genre.model.model_file import load_model
from poster_genre.model.trained_model import TrainedModel

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BY_POSTERS = {"quarter-data": 0.25, "half-data": 0.5, "": 1.0}
BY_WIDTH = ("narrow", "", "double")
BLUE, RED, GREY = "#35618f", "#b5583f", "0.55"


def by_genre(idea: str, log: Path = LOG) -> np.ndarray:
    """Average precision (runs, 25) of the runs of an idea. KeyError where the log has none."""
    with log.with_name(BY_GENRE).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["idea"] == idea and row["engine"] == "twin"]
    if not rows:
        raise KeyError(f"{BY_GENRE} has no run of {idea!r}")
    return np.array([[float(row[genre] or "nan") for genre in GENRES] for row in rows])


def overfitting(models: dict[str, TrainedModel], path: Path) -> None:
    """One panel a model: its training loss and its validation loss."""
    figure, axes = plt.subplots(1, len(models), figsize=(4.6 * len(models), 3.4), layout="constrained")
    for axis, (name, model) in zip(np.atleast_1d(axes), models.items(), strict=True):
        epochs = [row["epoch"] for row in model.history]
        axis.plot(epochs, [row["loss"] for row in model.history], "o-", ms=3, color=GREY, label="train")
        axis.plot(epochs, [row["val_loss"] for row in model.history], "o-", ms=3, color=BLUE, label="val")
        best = min(model.history, key=lambda row: row["val_loss"])
        axis.set_title(
            f"{name}: val {best['val_loss']:.3f} in epoch {best['epoch']:.0f}", fontsize=10, loc="left"
        )
        axis.set_xlabel("epoch")
        axis.set_xticks([epoch for epoch in epochs if len(epochs) < 8 or epoch % 2 == 0])
        tidy(axis)
    np.atleast_1d(axes)[0].set_ylabel("binary cross-entropy")
    np.atleast_1d(axes)[0].legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def imbalance(labels: np.ndarray, train: np.ndarray, path: Path) -> None:
    """Left: average precision over frequency, both logarithmic. Right: what balanced sampling changes."""
    counted = metrics.enough_positives(labels)
    share, precision = train.mean(axis=0)[counted], by_genre("base")[:, counted].mean(axis=0)
    change = by_genre("balanced")[:, counted].mean(axis=0) - precision
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    left.loglog(share, precision, "o", color=BLUE)
    line = np.array([share.min(), share.max()])
    left.loglog(line, line, "--", color=GREY, label="what the frequency alone gives")
    for x, y, name in zip(share, precision, np.array(GENRES)[counted], strict=True):
        left.annotate(name, (x, y), fontsize=7, xytext=(3, 3), textcoords="offset points")
    left.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5], ["2 %", "5 %", "10 %", "20 %", "50 %"])
    left.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"])
    left.minorticks_off()
    left.set_xlabel("share of the training posters")
    left.set_ylabel("average precision on val")
    left.legend(frameon=False, fontsize=8)
    order = np.argsort(-share)
    right.barh(np.arange(len(order)), change[order], color=[BLUE if c > 0 else RED for c in change[order]])
    right.set_yticks(np.arange(len(order)), np.array(GENRES)[counted][order], fontsize=7)
    right.invert_yaxis()
    right.set_xlabel("change of average precision with class-balanced sampling")
    for axis in (left, right):
        tidy(axis)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def size(posters: int, path: Path, log: Path = LOG) -> None:
    """A point for each run and a line through the means. Runs that the log lacks are left out."""
    rows = [row for row in read_log(log) if row["engine"] == "twin"]

    def runs(idea: str) -> list[dict[str, str]]:
        """The runs of an idea on top of the base of the trials of size."""
        name = f"{LIGHT}+{idea}" if idea else LIGHT
        return [row for row in rows if row["idea"] == name]

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    _points(left, [(share * posters, runs(idea)) for idea, share in BY_POSTERS.items() if runs(idea)])
    left.set_xlabel("training posters (as many steps for each)")
    left.set_ylabel("macro AUC on val")
    _points(right, [(float(runs(idea)[0]["params"]), runs(idea)) for idea in BY_WIDTH if runs(idea)])
    right.set_xlabel("parameters")
    for axis in (left, right):
        axis.set_xscale("log")
        ticks = sorted({float(x) for line in axis.lines for x in line.get_xdata()})
        axis.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axis.minorticks_off()
        tidy(axis)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _points(axis: Any, groups: Sequence[tuple[float, list[dict[str, str]]]]) -> None:
    means = []
    for x, rows in groups:
        scores = [float(row["auc"]) for row in rows]
        axis.plot([x] * len(scores), scores, "o", ms=4, color=GREY)
        means.append((x, float(np.mean(scores))))
    axis.plot(*zip(*means, strict=True), "o-", color=BLUE)
    for x, mean in means:
        axis.annotate(f"{mean:.3f}", (x, mean), fontsize=8, xytext=(0, 6), textcoords="offset points")


def tidy(axis: Any) -> None:
    """A light grid and small ticks, without the upper and right edges."""
    axis.grid(color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)


def main() -> None:
    """Draw the three charts into the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Draw overfitting.png, imbalance.png and size.png.")
    parser.add_argument("--data", required=True, help="folder or zip with train.csv and Images")
    parser.add_argument(
        "--original", required=True, help="model file of 'poster-genre train --model original'"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(arguments.data)
    _, train, _ = split_arrays(dataset, "train", (60, 40))
    _, labels, _ = split_arrays(dataset, "val", (60, 40))
    models = {
        "original": load_model(arguments.original),
        "compact, second cycle": load_model(),
    }
    overfitting(models, arguments.out / "overfitting.png")
    imbalance(labels, train, arguments.out / "imbalance.png")
    size(len(train), arguments.out / "size.png")


if __name__ == "__main__":
    main()
