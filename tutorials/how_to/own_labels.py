"""Train `compact` on labels of one's own, which need not be genres; or predict with such a network.

    python tutorials/how_to/own_labels.py train FOLDER OUT.npz [EPOCHS]
    python tutorials/how_to/own_labels.py predict OUT.npz PICTURE...

FOLDER holds pictures and a table ``labels.csv`` with the columns ``file`` and ``labels``; several labels
of one picture are separated by ``;``, a picture without any is an empty cell.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from minicnn import metrics
from minicnn.serialize import load, load_model_arrays, save
from minicnn.training.callbacks import ProgressBar
from minicnn.training.trainer import Trainer
from poster_genre.data.arrays import poster_pixels
from poster_genre.data.splits import split_of
from poster_genre.model.networks import build_network, model_spec
from poster_genre.training.fit import plain_loader, trainer_of, training_loader


def read_table(folder: Path) -> tuple[list[Path], np.ndarray, list[str]]:
    """The files (N), what they are labelled with, uint8 (N, labels), and the labels' names, sorted."""
    with open(folder / "labels.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    of_row = [{label.strip() for label in row["labels"].split(";") if label.strip()} for row in rows]
    names = sorted(set().union(*of_row))
    labels = np.array([[name in row for name in names] for row in of_row], np.uint8)
    return [folder / row["file"] for row in rows], labels, names


def train(folder: Path, out: Path, epochs: int) -> None:
    """Fit on 85 % of the pictures, measure on the rest, and write the weights with the labels' names."""
    files, labels, names = read_table(folder)
    spec = model_spec("compact").with_recipe(epochs=epochs)
    pixels = poster_pixels(files, spec.input_size)
    # By the file's name alone: a picture that is added later moves no other one to another split.
    held_out = np.array([split_of(file.name) == "test" for file in files])

    network = build_network(spec, rng=0, n_genres=len(names))
    loader = training_loader(spec, pixels[~held_out], labels[~held_out], seed=0)
    trainer: Trainer = trainer_of(network, spec, len(loader), 0, [ProgressBar()], None)
    trainer.fit(loader, epochs)

    outputs = trainer.predict(plain_loader(spec, pixels[held_out], labels[held_out]))
    truth, score = labels[held_out], spec.probabilities(outputs)
    print(f"\n{len(truth)} pictures that were not trained on:")
    print(f"{'label':16} positives   share   average precision")
    for k, name in enumerate(names):
        precision = metrics.average_precision(truth[:, k], score[:, k])
        print(f"{name:16} {truth[:, k].sum():9}   {truth[:, k].mean():.3f}   {precision:.3f}")
    save(out, trainer.inference_arrays(), {"labels": names})


def predict(weights: Path, files: list[Path]) -> None:
    """Print every label's probability for each picture."""
    arrays, metadata = load(weights)
    spec = model_spec("compact")
    network = build_network(spec, n_genres=len(metadata["labels"]))
    load_model_arrays(network, arrays)
    score = spec.probabilities(network.forward(spec.to_input(poster_pixels(files, spec.input_size))))
    for file, row in zip(files, score, strict=True):
        words = [f"{name} {p:.0%}" for name, p in zip(metadata["labels"], row, strict=True)]
        print(f"{file.name}: {', '.join(words)}")


def main(arguments: list[str]) -> int:
    """The command."""
    match arguments:
        case ["train", folder, out, *epochs]:
            train(Path(folder), Path(out), int(epochs[0]) if epochs else 20)
        case ["predict", weights, *files] if files:
            predict(Path(weights), [Path(file) for file in files])
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
