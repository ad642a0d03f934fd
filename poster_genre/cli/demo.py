"""``poster-genre demo``: draw posters, train a network on them, and show what it learned."""

from __future__ import annotations

import argparse
from pathlib import Path

from poster_genre.cli.arguments import add_threads, path, whole_number

SUMMARY = "draw posters, train a network on them from random weights, and show what it learned"
DETAILS = "Takes about a minute on two cores and needs no internet connection."
EXAMPLE = "poster-genre demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The output folder, the seed and the threads."""
    parser.add_argument(
        "--out",
        type=path,
        default="poster-genre-demo",
        metavar="DIR",
        help="folder for the output files (default: ./%(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, metavar="S", help="of all random numbers (default: 0)"
    )
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo in the output folder."""
    from poster_genre.demo.run import run_demo

    if arguments.threads is not None:
        from minicnn.kernels.runtime.thread_count import set_threads

        set_threads(arguments.threads)
    run_demo(Path(arguments.out), seed=arguments.seed)
    return 0
