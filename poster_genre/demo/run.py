"""The demo: a folder with a network trained on drawn posters, its report, curves and predictions."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from minicnn.training.callbacks import HistoryCSV, HistoryPlot, ProgressBar
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.demo.colour_baseline import histogram_auc
from poster_genre.demo.drawn_posters import draw_predictions, drawn_posters
from poster_genre.errors import UsageError
from poster_genre.evaluation.evaluate import evaluate_model
from poster_genre.evaluation.measures import Scores, defined
from poster_genre.evaluation.report.report import curves_note, write_report
from poster_genre.evaluation.tables import comparison, number
from poster_genre.model.networks import SPECS
from poster_genre.model.spec import ModelSpec
from poster_genre.output_path import contents, refuse_unwritable_folder
from poster_genre.training.run_folder import CURVES, HISTORY, MODEL, REPORT

MARKER = ".poster-genre-demo"
PICTURE = "predictions.png"
TRAIN_POSTERS, VAL_POSTERS, PICTURED_POSTERS = 1600, 400, 12


def run_demo(
    out: Path,
    *,
    seed: int = 0,
    train_posters: int = TRAIN_POSTERS,
    val_posters: int = VAL_POSTERS,
    spec: ModelSpec | None = None,
) -> Scores:
    """Draw, train, evaluate, write the files and print the results; the evaluation on the val posters.

    ``out`` must be new, empty, or the folder of an earlier demo, which is replaced. ``spec``: None means
    ``demo_spec()``.
    """
    started = time.monotonic()
    prepare_folder(out)
    spec = spec or demo_spec()
    note(f"Drawing {train_posters + val_posters:,} posters of films that do not exist ...")
    pixels, labels = drawn_posters(train_posters + val_posters, seed, spec.input_size)
    train, val = (
        (pixels[:train_posters], labels[:train_posters]),
        (
            pixels[train_posters:],
            labels[train_posters:],
        ),
    )
    note("Training a convolutional network on them, from random weights ...")
    classifier = train_network(spec, seed, train, val, out)
    result, probabilities = evaluate_model(classifier.trained_, *val, split="val")
    classifier.save(out / MODEL)
    indices = range(train_posters, train_posters + val_posters)
    names = [f"drawn {index}" for index in indices]
    write_report(out / REPORT, classifier.trained_, result, val[1], probabilities, posters=val[0], ids=names)
    shown = slice(PICTURED_POSTERS)
    draw_predictions(out / PICTURE, seed, indices[shown], probabilities[shown])
    print(comparison(result))
    print_summary(out, result, train, val, seed, time.monotonic() - started)
    return result


def demo_spec() -> ModelSpec:
    """The compact network made smaller, because drawn posters are simpler than real ones."""
    compact = SPECS["compact"]
    mirror_only = {"min_area": 1.0, "aspect": 1.0, "brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
    return replace(
        compact,
        input_size=(48, 32),
        arguments={"widths": [16, 32, 64], "blocks": [1, 1, 1], "stem_stride": 1, "dropout": 0.2},
        recipe=replace(
            compact.recipe,
            epochs=12,
            batch_size=32,
            learning_rate=1e-2,
            weight_decay=0.05,
            ema_decay=0.99,
            mixup_alpha=0.0,
            augmentation=mirror_only,
        ),
    )


def prepare_folder(out: Path) -> None:
    """Make ``out``, or empty it if an earlier demo made it. UsageError if it is or contains anything else."""
    marker = out / MARKER
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder")
    if out.exists() and contents(out):
        if not marker.exists():
            raise UsageError(f"--out {out} contains files that no demo wrote; name a new folder")
        for name in (CURVES, HISTORY, PICTURE, MODEL, REPORT):
            (out / name).unlink(missing_ok=True)
    refuse_unwritable_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()


def train_network(
    spec: ModelSpec,
    seed: int,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    out: Path,
) -> PosterGenreClassifier:
    """A classifier fitted on ``train`` (pixels, labels), calibrated on ``val``; its curves go to ``out``."""
    curves = HistoryPlot(out / CURVES, note=curves_note(spec))
    classifier = PosterGenreClassifier(spec, seed=seed)
    classifier.fit(*train, val, callbacks=[ProgressBar(), HistoryCSV(out / HISTORY), curves])
    classifier.trained_.provenance.update(command=f"poster-genre demo --seed {seed}", data="drawn posters")
    return classifier


def print_summary(
    out: Path,
    result: Scores,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    seed: int,
    seconds: float,
) -> None:
    """The macro AUC beside that of colours alone, the time, and the files."""
    colours = histogram_auc(*train, *val, seed)
    print(
        f"\nMacro AUC {number(result['macro_auc'])}; from colours alone (logistic regression on histograms) "
        f"{number(defined(colours))}, from the genre priors 0.500.\n"
        f"The network learned this in {seconds:.0f} seconds, from nothing but {len(train[0]):,} posters that "
        "were drawn for it.\n"
    )
    for name, content in (
        (PICTURE, "posters it was not trained on, and its first three genres"),
        (CURVES, "loss and measures after each epoch"),
        (REPORT, "all numbers and pictures; open it in a browser"),
        (MODEL, "the network"),
    ):
        print(f"{out / name!s:<36} {content}")


def note(text: str) -> None:
    """Print a remark to standard error."""
    print(text, file=sys.stderr, flush=True)
