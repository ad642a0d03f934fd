"""``poster-genre download``: download the public data set."""

from __future__ import annotations

import argparse

from poster_genre.cli.arguments import path

SUMMARY = "download the public data set (7,867 posters) and verify it"
DETAILS = (
    "Every byte is compared with the published version. An interrupted download continues where it stopped "
    "if the server allows it."
)
EXAMPLE = "poster-genre download posters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the zip goes."""
    parser.add_argument("out", type=path, metavar="OUT", help="a folder for the zip, or the zip's file name")


def run(arguments: argparse.Namespace) -> int:
    """Download, verify, and print where the zip is."""
    from poster_genre.data.download import download

    print(download(arguments.out))
    return 0
