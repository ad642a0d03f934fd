"""The command line: parse, call, print. Exit code 0: done; 1: failed; 2: asked for in a way that cannot work.

Heavy modules are imported by the commands that need them, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from poster_genre.cli import commands
from poster_genre.errors import FAILED, INTERRUPTED, USAGE, PosterGenreError, UsageError
from poster_genre.genres import N_GENRES

DEBUG = "POSTER_GENRE_DEBUG"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code. Errors become one line on standard error, not a traceback."""
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said what there was to say: 0 after --help, 2 after a mistake
        return stop.code if isinstance(stop.code, int) else USAGE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows another one
            stream.reconfigure(errors="backslashreplace")
    debug = bool(os.environ.get(DEBUG))
    try:
        code = int(arguments.run(arguments))
        if sys.stdout is not None:  # a caller may have closed it
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read our output has left. Standard output goes nowhere from here, so that closing it is
        # silent.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except PosterGenreError as error:
        if debug:
            raise
        return complain(str(error), USAGE if isinstance(error, UsageError) else FAILED)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return complain(f"{where}{error.strerror or error}", FAILED)
    except MemoryError:
        if debug:
            raise
        return complain("out of memory; try a smaller --batch-size or close other programs", FAILED)
    except Exception as error:
        # The last resort: a person gets one line all the same, and can ask for the rest.
        if debug:
            raise
        said = str(error).strip().splitlines()
        if isinstance(error, (ValueError, TypeError)) and len(said) == 1:
            return complain(said[0], FAILED)  # minicnn words these for people
        return complain(
            f"{type(error).__name__}: {said[0] if said else 'no further message'} "
            f"(set {DEBUG}=1 to see where this happened)",
            FAILED,
        )


def complain(text: str, code: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code


# What the commands take.


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="poster-genre",
        description="A film's genres from its poster, by a convolutional network written in NumPy and Numba.",
        epilog="Start with: poster-genre demo",
    )
    top.add_argument("--version", action=Version)
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], summary: str, more: str, example: str
    ) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.{' ' if more else ''}{more}",
            epilog=f"example:\n  {example}",
            formatter_class=Formatter,
        )
        sub.set_defaults(run=run)
        return sub

    sub = command(
        "train",
        commands.run_train,
        "train a network on a data set",
        "OUT receives model.npz, the curves, the checkpoints and, where there are val posters, report.html. "
        "The train split is fitted; the val split calibrates the probabilities, chooses the thresholds and "
        "is reported on (without val posters every threshold is 0.5); the test split is not read.",
        "poster-genre train --data Movies-Poster_Dataset.zip --out run1",
    )
    add_data(sub)
    sub.add_argument(
        "--out", required=True, metavar="DIR", help="a new or empty folder for everything it writes"
    )
    sub.add_argument("--model", choices=("compact", "original"), help="the network (default: compact)")
    sub.add_argument("--epochs", type=whole(1), metavar="N", help="default: what suits the network")
    sub.add_argument("--batch-size", type=whole(1), metavar="N", help="posters a step (default: 32)")
    sub.add_argument(
        "--seed", type=whole(0), metavar="S", help="the same seed gives the same run (default: 0)"
    )
    sub.add_argument("--lr", type=positive, metavar="X", help="learning rate, of one-cycle the highest")
    sub.add_argument("--init", metavar="FILE", help="start from the weights of this model file")
    sub.add_argument("--threads", type=whole(1), metavar="N", help="default: one for each core")
    sub.add_argument(
        "--resume", action="store_true", help="go on where a killed run in OUT stopped; flags may be left out"
    )

    sub = command(
        "join",
        commands.run_join,
        "join trained networks into one that is better than each",
        "The joined network's logits are the mean of the members'; it is calibrated on val. The members must "
        "be of "
        "one recipe and trained on the same posters with different seeds. OUT receives model.npz and "
        "report.html.",
        "poster-genre join run0/model.npz run1/model.npz --data Movies-Poster_Dataset.zip --out joined",
    )
    sub.add_argument("models", nargs="+", metavar="MODEL", help="model files of 'poster-genre train'")
    add_data(sub)
    sub.add_argument("--out", required=True, metavar="DIR", help="a new or empty folder")

    sub = command(
        "evaluate",
        commands.run_evaluate,
        "measure a model on one split, beside both baselines",
        "Macro means are over the genres with at least 10 positives in the split. F1 and Hamming loss use "
        "the thresholds in the model file, chosen on val, or 0.5 for every genre where the model was trained "
        "without val posters; binary accuracy uses 0.5. The baselines are: no genre at all, and the train "
        "split's genre frequencies for every poster (their decisions: the most frequent genres, as many as "
        "promise the best micro F1).",
        "poster-genre evaluate --data Movies-Poster_Dataset.zip --split val --report val.html",
    )
    add_data(sub)
    sub.add_argument("--split", required=True, choices=("train", "val", "test"))
    add_model_file(sub)
    sub.add_argument("--report", metavar="FILE", help="also write a self-contained HTML report")
    sub.add_argument("--intervals", action="store_true", help="also 95 %% intervals, by the bootstrap")
    add_json(sub)

    sub = command(
        "predict",
        commands.run_predict,
        "name the genres of posters",
        "A file that cannot be read is reported and the others are answered; the exit code is then 1.",
        "poster-genre predict poster.jpg more-posters/ --top 3",
    )
    sub.add_argument(
        "images", nargs="+", metavar="IMAGE", help="picture files, folders of them, or - for standard input"
    )
    sub.add_argument(
        "--top", type=whole(1, N_GENRES), default=3, metavar="K", help="genres to show (default: 3)"
    )
    add_model_file(sub)
    add_json(sub)

    sub = command(
        "explain",
        commands.run_explain,
        "show where on a poster the evidence for a genre stands",
        "Grad-CAM looks inside the network; occlusion covers one place after the other, and takes longer.",
        "poster-genre explain poster.jpg --genre Horror --out map.png",
    )
    sub.add_argument("image", metavar="IMAGE", help="a picture file, or - for standard input")
    sub.add_argument("--genre", metavar="NAME", help="default: the most probable one")
    sub.add_argument("--out", required=True, metavar="FILE", help="PNG of the poster and its heat map")
    sub.add_argument("--method", choices=("grad-cam", "occlusion"), default="grad-cam")
    add_model_file(sub)

    sub = command(
        "dataset",
        commands.run_dataset,
        "print and plot what a data set holds, and every defect in it",
        "",
        "poster-genre dataset Movies-Poster_Dataset.zip --out about-the-posters",
    )
    sub.add_argument("path", metavar="PATH", help="the folder, or the zip as it was downloaded")
    sub.add_argument(
        "--out",
        metavar="DIR",
        default="poster-genre-dataset",
        help="where the plots, the list of defects and the numbers go (default: ./%(default)s)",
    )

    sub = command(
        "download",
        commands.run_download,
        "fetch the public data set (7,867 posters) and verify it",
        "The files are compared with the published version down to the last byte. A download that was cut "
        "off goes on "
        "where it stopped, as far as the server allows.",
        "poster-genre download posters",
    )
    sub.add_argument("out", metavar="OUT", help="a folder for the zip, or the zip's own name")

    sub = command(
        "synth",
        commands.run_synth,
        "draw film posters in the layout of the data set",
        "",
        "poster-genre synth drawn --count 500 --seed 1",
    )
    sub.add_argument("out", metavar="OUT", help="a new or empty folder")
    sub.add_argument(
        "--count", type=whole(1), default=200, metavar="N", help="posters to draw (default: 200)"
    )
    sub.add_argument("--seed", type=whole(0), default=0, metavar="S", help="default: 0")

    sub = command(
        "serve",
        commands.run_serve,
        "answer in a browser and over HTTP",
        "Opens its port when the model is loaded. SIGTERM and Ctrl+C end it once every request in flight is "
        "answered. Needs the extra: pip install 'poster-genre[web]'.",
        "poster-genre serve --port 8000",
    )
    sub.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0: the whole network (default: %(default)s)",
    )
    sub.add_argument(
        "--port", type=whole(0, 65535), default=8000, metavar="N", help="0: any free one (default: 8000)"
    )
    sub.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name that the server goes by, behind a proxy say; may be repeated",
    )
    add_model_file(sub)
    sub.add_argument("--threads", type=whole(1), metavar="N", help="default: one for each core")

    sub = command(
        "demo",
        commands.run_demo,
        "draw posters, train on them from nothing, and show what was learned",
        "Takes about a minute on two cores and needs no network.",
        "poster-genre demo",
    )
    sub.add_argument("--out", default="poster-genre-demo", metavar="DIR", help="default: ./poster-genre-demo")
    sub.add_argument("--seed", type=whole(0), default=0, metavar="S", help="default: 0")
    sub.add_argument("--threads", type=whole(1), metavar="N", help="default: one for each core")
    return top


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps the description, and leaves the example in its lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example:"):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


class Version(argparse.Action):
    """Prints the version; it is looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and leave")

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        from minicnn import __version__

        print(f"poster-genre {__version__}")
        parser.exit()


def add_data(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--data", required=True, metavar="PATH", help="the folder or zip with train.csv and Images"
    )


def add_model_file(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--model-file", metavar="FILE", help="default: the weights that came with the package")


def add_json(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--json", action="store_true", help="standard output is one JSON document")


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers from ``low`` to ``high``."""
    said = f"of at least {low}" if high is None else f"from {low} to {high}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"expected a whole number {said}, got {text!r}")
        return value

    return parse


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number greater than 0, got {text!r}")
    return value
