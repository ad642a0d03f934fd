"""``poster-genre dataset``: describe a data set."""

from __future__ import annotations

import argparse

from poster_genre.cli.arguments import path

SUMMARY = "print and plot what a data set contains, and list its defects"
DETAILS = ""
EXAMPLE = "poster-genre dataset Movies-Poster_Dataset.zip --out about-the-posters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data set and the output folder."""
    parser.add_argument("path", type=path, metavar="PATH", help="the folder or zip with train.csv and Images")
    parser.add_argument(
        "--out",
        type=path,
        metavar="DIR",
        default="poster-genre-dataset",
        help="folder for the plots, the list of defects and the numbers (default: ./%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Inspect the data set, write the files and print the description."""
    from poster_genre.data.inspection_report import describe_dataset

    print(describe_dataset(arguments.path, arguments.out))
    return 0
