"""``poster-genre ensemble``: combine trained networks into one."""

from __future__ import annotations

import argparse
from pathlib import Path

from poster_genre.cli.arguments import add_data, model_path, path

SUMMARY = "combine trained networks into an ensemble"
DETAILS = (
    "The ensemble's logits are the mean of its members' logits; its probabilities are calibrated on the val "
    "split. The members must have the same architecture and be trained on the same posters with different "
    "seeds. DIR receives model.npz and report.html."
)
EXAMPLE = (
    "poster-genre ensemble run0/model.npz run1/model.npz --data Movies-Poster_Dataset.zip --out ensemble"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The members, the data and the output folder."""
    parser.add_argument(
        "models", nargs="+", type=model_path, metavar="MODEL", help="model files of 'poster-genre train'"
    )
    add_data(parser)
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="a new or empty folder")


def run(arguments: argparse.Namespace) -> int:
    """Combine, and print the measures on val and where the files are."""
    from poster_genre.evaluation.tables import comparison
    from poster_genre.training.ensemble_run import run_ensemble
    from poster_genre.training.run_folder import MODEL, REPORT

    _, result = run_ensemble(arguments.models, arguments.data, arguments.out)
    out = Path(arguments.out)
    print(comparison(result))
    print(f"\nreport      {out / REPORT}")
    print(f"model       {out / MODEL}  ({len(arguments.models)} members)")
    return 0
