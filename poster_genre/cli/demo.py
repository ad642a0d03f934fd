"""What ``poster-genre demo`` does: draw posters, train on them from nothing, show what was learned."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.serialize import atomic_write
from poster_genre.classifier import PosterGenreClassifier, top_of
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.evaluation.evaluate import Scores, comparison, defined, evaluate_classifier, number
from poster_genre.genres import INDEX, N_GENRES
from poster_genre.model.networks import SPECS, ModelSpec
from poster_genre.output_path import contents

MARKER = ".poster-genre-demo"
CURVES, HISTORY, PICTURE, MODEL, REPORT = (
    "curves.png",
    "history.csv",
    "predictions.png",
    "model.npz",
    "report.html",
)
TRAIN_POSTERS, VAL_POSTERS, SHOWN = 1600, 400, 12
DRAWN_SIZE, SHOWN_SIZE = (96, 64), (360, 240)
TOP = 3

MIRROR_ONLY = {"min_area": 1.0, "aspect": 1.0, "brightness": 0.0, "contrast": 0.0, "saturation": 0.0}

# The compact network made smaller still: drawn posters are simpler than real ones, and nobody likes to wait.
SPEC: ModelSpec = replace(
    SPECS["compact"],
    input_size=(48, 32),
    arguments={"widths": [16, 32, 64], "blocks": [1, 1, 1], "stem_stride": 1, "dropout": 0.2},
    recipe=replace(
        SPECS["compact"].recipe,
        epochs=12,
        batch_size=32,
        learning_rate=1e-2,
        weight_decay=0.05,
        ema_decay=0.99,
        mixup_alpha=0.0,
        augmentation=MIRROR_ONLY,
    ),
)


def demo(
    out: Path,
    *,
    seed: int = 0,
    threads: int | None = None,
    train_posters: int = TRAIN_POSTERS,
    val_posters: int = VAL_POSTERS,
    spec: ModelSpec = SPEC,
) -> Scores:
    """Run it, and print what came out and where it lies. Returns the evaluation on the held-out posters.

    ``out`` must be new, empty, or the folder of an earlier demo, which is replaced.
    """
    from minicnn.kernels.runtime.threads import set_threads
    from minicnn.training.callbacks import HistoryCSV, HistoryPlot, ProgressBar
    from poster_genre.evaluation.report.report import curves_note, write_report

    started = time.monotonic()
    prepare_folder(out)
    if threads is not None:
        set_threads(threads)
    say(f"Drawing {train_posters + val_posters:,} posters of films that do not exist ...")
    pixels, labels = drawn_posters(train_posters + val_posters, seed, spec.input_size)
    x, y, x_val, y_val = (
        pixels[:train_posters],
        labels[:train_posters],
        pixels[train_posters:],
        labels[train_posters:],
    )
    say("Training a convolutional network on them, from random weights ...")
    classifier = PosterGenreClassifier(spec, seed=seed)
    classifier.fit(
        x,
        y,
        (x_val, y_val),
        callbacks=[
            ProgressBar(),
            HistoryCSV(out / HISTORY),
            HistoryPlot(out / CURVES, note=curves_note(spec)),
        ],
    )
    classifier.provenance_ |= {
        "command": f"poster-genre demo --seed {seed}",
        "data": "drawn posters",
        "history": classifier.history_,
    }
    result, probabilities = evaluate_classifier(classifier, x_val, y_val, split="val")
    classifier.save(out / MODEL)
    indices = range(train_posters, train_posters + val_posters)
    write_report(
        out / REPORT,
        classifier,
        result,
        y_val,
        probabilities,
        posters=x_val,
        ids=[f"drawn {i}" for i in indices],
    )
    draw_predictions(out / PICTURE, seed, indices[:SHOWN], probabilities[:SHOWN])
    print(comparison(result))
    colours = histogram_auc(x, y, x_val, y_val, seed)
    print(
        f"\nMacro AUC {number(result['macro_auc'])}; from colours alone (logistic regression on histograms) "
        f"{number(defined(colours))}, from the genre priors 0.500."
    )
    print(
        f"The network learned this in {time.monotonic() - started:.0f} seconds, from nothing but "
        f"{train_posters:,} posters that were drawn for it.\n"
    )
    for name, what in (
        (PICTURE, "posters it had not seen, and its first three genres for each"),
        (CURVES, "how it learned"),
        (REPORT, "all numbers and pictures; open it in a browser"),
        (MODEL, "the network"),
    ):
        print(f"{out / name!s:<36} {what}")
    return result


def prepare_folder(out: Path) -> None:
    """Make ``out``, or empty it where an earlier demo made it. Anything else in the way is a UsageError."""
    marker = out / MARKER
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder")
    if out.exists() and contents(out):
        if not marker.exists():
            raise UsageError(f"--out {out} holds something that no demo wrote; name a new folder")
        for name in (CURVES, HISTORY, PICTURE, MODEL, REPORT):
            (out / name).unlink(missing_ok=True)
    try:
        out.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        raise PosterGenreError(
            f"cannot write to {out} ({error.strerror or error}); name another --out"
        ) from error


def drawn_posters(count: int, seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (count, h, w, 3) uint8 and labels (count, 25) uint8 of the posters 0, 1, ... of a seed."""
    from poster_genre.data.transforms import resize_poster
    from poster_genre.progress import progress_bar

    pixels = np.empty((count, *size, 3), np.uint8)
    labels = np.zeros((count, N_GENRES), np.uint8)
    with progress_bar("Drawing posters", count, " posters") as bar:
        for i in range(count):
            poster, genres = drawn_poster(seed, i, DRAWN_SIZE)
            pixels[i] = resize_poster(poster, size)
            labels[i, [INDEX[genre] for genre in genres]] = 1
            bar.update()
    return pixels, labels


def drawn_poster(seed: int, index: int, size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
    """A PIL image and its genres: the same poster for the same (seed, index), at any size."""
    from poster_genre.drawing.synthetic import draw_poster, random_genres

    rng = np.random.default_rng([seed, index])
    genres = tuple(random_genres(rng))
    return draw_poster(genres, rng, size=size), genres


def draw_predictions(path: Path, seed: int, indices: Sequence[int], probabilities: np.ndarray) -> None:
    """Posters in rows of six, under each its first three genres, the right ones in green, and the truth."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 6
    rows = -(-len(indices) // columns)
    figure = Figure(figsize=(2.1 * columns, 4.3 * rows), facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.99, bottom=0.25 / rows, wspace=0.06, hspace=0.36)
    for place, (index, row) in enumerate(zip(indices, probabilities, strict=True), start=1):
        poster, genres = drawn_poster(seed, index, SHOWN_SIZE)
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(np.asarray(poster), aspect="auto")
        axes.set_axis_off()
        for line, (genre, share) in enumerate(top_of(row, TOP), start=1):
            right = genre in genres
            style: dict[str, Any] = (
                {"color": "#1f7a4d", "fontweight": "bold"} if right else {"color": "#7a7f87"}
            )
            mark = "\N{CHECK MARK} " if right else "   "
            below = -0.005 - 0.065 * line
            axes.text(0.0, below, f"{mark}{genre}", transform=axes.transAxes, fontsize=11, **style)
            axes.text(1.0, below, f"{share:.0%}", transform=axes.transAxes, fontsize=11, ha="right", **style)
        truth = f"is: {', '.join(genres)}"
        axes.text(0.0, -0.265, truth, transform=axes.transAxes, fontsize=9, color="#1f2328")
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def histogram_auc(x: np.ndarray, y: np.ndarray, x_val: np.ndarray, y_val: np.ndarray, seed: int) -> float:
    """Macro AUC of logistic regression on colour histograms: what can be told from colours alone."""
    from minicnn.layers.dense import Dense
    from minicnn.losses import BinaryCrossEntropyWithLogits
    from minicnn.metrics import macro_roc_auc
    from minicnn.optim import Adam

    train, val = colour_histograms(x), colour_histograms(x_val)
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    train, val = (train - mean) / std, (val - mean) / std
    model = Dense(train.shape[1], N_GENRES, rng=seed)
    loss, optimizer = BinaryCrossEntropyWithLogits(), Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    for _ in range(300):
        model.zero_grad()
        loss.forward(model.forward(train, training=True), y)
        model.backward(loss.backward())
        optimizer.step()
    return macro_roc_auc(y_val, model.forward(val))


def colour_histograms(pixels: np.ndarray) -> np.ndarray:
    """uint8 (N, h, w, 3) -> float32 (N, 64): the share of pixels in each of 4 x 4 x 4 boxes of colour."""
    boxes = (pixels >> 6).astype(np.int64) @ np.array([16, 4, 1])
    counts = np.stack([np.bincount(row.ravel(), minlength=64) for row in boxes])
    return (counts / boxes[0].size).astype(np.float32)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
