"""``poster-genre train``: train a network on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from poster_genre.cli.arguments import add_data, add_threads, model_path, path, positive_number, whole_number

SUMMARY = "train a network on a data set"
DETAILS = (
    "DIR receives model.npz, the curves, the checkpoints and, if there are val posters, report.html. The "
    "network is fitted on the train split. The val split calibrates the probabilities, chooses the "
    "thresholds and is what the report measures on (without val posters every threshold is 0.5). The test "
    "split is not used."
)
EXAMPLE = "poster-genre train --data Movies-Poster_Dataset.zip --out run1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data, the run folder, and settings of the training run."""
    add_data(parser)
    parser.add_argument(
        "--out", type=path, required=True, metavar="DIR", help="a new or empty folder for all output files"
    )
    parser.add_argument("--model", choices=("compact", "original"), help="the network (default: compact)")
    parser.add_argument(
        "--epochs",
        type=whole_number(1),
        metavar="N",
        help="passes over the train split (default: those of the network's recipe)",
    )
    parser.add_argument(
        "--batch-size", type=whole_number(1), metavar="N", help="posters in a step (default: 32)"
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        metavar="S",
        help="of all random numbers; the same seed gives the same run (default: 0)",
    )
    parser.add_argument(
        "--lr",
        type=positive_number,
        metavar="X",
        help="learning rate; with a one-cycle schedule its peak (default: that of the recipe)",
    )
    parser.add_argument(
        "--init", type=model_path, metavar="FILE", help="start from the weights of this model file"
    )
    add_threads(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the interrupted run in DIR; its other settings need not be repeated",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and print the measures on val and where the files are."""
    from poster_genre.evaluation.tables import comparison
    from poster_genre.training.run_folder import CURVES, MODEL, REPORT
    from poster_genre.training.settings import Settings
    from poster_genre.training.training_run import run_training

    settings = Settings(
        model=arguments.model,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        lr=arguments.lr,
        init=arguments.init,
        threads=arguments.threads,
    )
    model, result = run_training(arguments.data, arguments.out, settings, resume=arguments.resume)
    out = Path(arguments.out)
    if result is not None:
        print(comparison(result))
        print(f"\nreport      {out / REPORT}")
    print(f"curves      {out / CURVES}")
    epochs = len(model.history)
    print(f"model       {out / MODEL}  ({epochs} epoch{'' if epochs == 1 else 's'})")
    print(f"\nTry it:     poster-genre predict IMAGE... --model-file {out / MODEL}")
    return 0
