"""``poster-genre evaluate``: measure a model on one split."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from poster_genre.cli.arguments import add_data, add_json, add_model_file, json_text, path
from poster_genre.errors import PosterGenreError

SUMMARY = "measure a model on one split, beside two baselines"
DETAILS = (
    "Macro means are over the genres with at least 10 positives in the split. F1 and Hamming loss use the "
    "thresholds in the model file, which were chosen on val, or 0.5 for every genre if the model was trained "
    "without val posters; binary accuracy uses 0.5. The baselines are: no genre at all, and the train "
    "split's genre frequencies for every poster (deciding for as many of the most frequent genres as give "
    "the best expected micro F1)."
)
EXAMPLE = "poster-genre evaluate --data Movies-Poster_Dataset.zip --split val --report val.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data, the split, the model, and the form of the output."""
    add_data(parser)
    parser.add_argument(
        "--split", required=True, choices=("train", "val", "test"), help="the posters to measure on"
    )
    add_model_file(parser)
    parser.add_argument("--report", type=path, metavar="FILE", help="also write a self-contained HTML report")
    parser.add_argument(
        "--intervals", action="store_true", help="also print 95 %% intervals (bootstrap over the posters)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write the report if there is to be one, and print the table or the JSON document."""
    from poster_genre.data.arrays import split_arrays
    from poster_genre.data.dataset import load_dataset
    from poster_genre.evaluation.bootstrap import RESAMPLES
    from poster_genre.evaluation.evaluate import evaluate_model
    from poster_genre.evaluation.tables import table
    from poster_genre.model.model_file import load_model
    from poster_genre.output_path import refuse_unwritable_file

    if arguments.report:
        refuse_unwritable_file(Path(arguments.report))
    model = load_model(arguments.model_file)
    dataset = load_dataset(arguments.data)
    pixels, labels, ids = split_arrays(dataset, arguments.split, model.spec.input_size)
    if len(pixels) == 0:
        raise PosterGenreError(f"{arguments.data} has no usable poster in its {arguments.split} split")
    result, probabilities = evaluate_model(
        model, pixels, labels, split=arguments.split, resamples=RESAMPLES if arguments.intervals else 0
    )
    if arguments.report:
        from poster_genre.evaluation.report.report import write_report

        write_report(Path(arguments.report), model, result, labels, probabilities, posters=pixels, ids=ids)
        print(f"report: {arguments.report}", file=sys.stderr)
    calibrated = model.calibration is not None
    print(json_text(result) if arguments.json else table(result, calibrated=calibrated))
    return 0
