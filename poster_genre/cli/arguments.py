"""Options and types of arguments that several commands share."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from typing import Any


def path(text: str) -> str:
    """The type of every argument that names a file or folder. An empty text would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError(
            "expected a path, got an empty text; a variable in the command may be unset"
        )
    return text


def model_path(text: str) -> str:
    """The type of every argument that names a model file, which is read at random and cannot be a pipe."""
    from poster_genre.data.image_reader import is_pipe

    if is_pipe(path(text)):
        raise argparse.ArgumentTypeError(f"{text} is a pipe; name a file")
    return text


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """The type of a whole number from ``low`` to ``high``."""
    limits = f"of at least {low}" if high is None else f"from {low} to {high}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"expected a whole number {limits}, got {text!r}")
        return value

    return parse


def positive_number(text: str) -> float:
    """The type of a finite number greater than 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number greater than 0, got {text!r}")
    return value


def add_data(parser: argparse.ArgumentParser) -> None:
    """``--data``: the data set."""
    parser.add_argument(
        "--data", type=path, required=True, metavar="PATH", help="the folder or zip with train.csv and Images"
    )


def add_model_file(parser: argparse.ArgumentParser) -> None:
    """``--model-file``: the network to use."""
    parser.add_argument(
        "--model-file",
        type=model_path,
        metavar="FILE",
        help="a trained model (default: the one that comes with the package)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``: a document for programs instead of text for people."""
    parser.add_argument("--json", action="store_true", help="print one JSON document to standard output")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """``--threads``: how many threads compute."""
    parser.add_argument(
        "--threads",
        type=whole_number(1),
        metavar="N",
        help="threads to compute with (default: one for each core)",
    )


def json_text(document: Any) -> str:
    """The document as indented JSON. ValueError for NaN and infinity, which JSON does not have."""
    return json.dumps(document, indent=2, allow_nan=False)
