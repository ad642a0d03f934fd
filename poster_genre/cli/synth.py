"""``poster-genre synth``: write a data set of drawn posters."""

from __future__ import annotations

import argparse
from pathlib import Path

from poster_genre.cli.arguments import path, whole_number

SUMMARY = "draw film posters in the layout of the data set"
DETAILS = ""
EXAMPLE = "poster-genre synth drawn --count 500 --seed 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The output folder, how many posters, and the seed."""
    parser.add_argument("out", type=path, metavar="OUT", help="a new or empty folder")
    parser.add_argument(
        "--count", type=whole_number(1), default=200, metavar="N", help="posters to draw (default: 200)"
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, metavar="S", help="of the random posters (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw the posters, and print where they are."""
    from poster_genre.drawing.synthetic import write_dataset

    write_dataset(Path(arguments.out), arguments.count, arguments.seed)
    print(f"{arguments.count} posters in {arguments.out}")
    return 0
