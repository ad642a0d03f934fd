"""Parse the command line, run one command, and turn errors into one line and an exit code.

Exit codes: 0 success; 1 failure; 2 a command line that cannot work; 130 Ctrl+C.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from poster_genre.cli import (
    dataset,
    demo,
    download,
    ensemble,
    evaluate,
    explain,
    predict,
    serve,
    synth,
    train,
)
from poster_genre.cli.streams import complain, flush_output, usable_streams
from poster_genre.errors import FAILED, INTERRUPTED, USAGE, PosterGenreError, UsageError

DEBUG = "POSTER_GENRE_DEBUG"
COMMANDS = (train, ensemble, evaluate, predict, explain, dataset, download, synth, serve, demo)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code.

    An error becomes one line on standard error; with ``POSTER_GENRE_DEBUG`` in the environment it is raised.
    """
    with usable_streams():
        code = run(argv)
        return flush_output(code)


def run(argv: Sequence[str] | None) -> int:
    """``main`` without its guards of the standard streams."""
    try:
        arguments = parser().parse_args(argv)
        return int(arguments.run(arguments))
    except SystemExit as stop:  # argparse has printed its message: 0 after --help, 2 after a mistake
        return stop.code if isinstance(stop.code, int) else USAGE
    except BrokenPipeError:  # the program that read our output has ended, as in "poster-genre ... | head"
        return FAILED
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return complain(message(error), USAGE if isinstance(error, UsageError) else FAILED)


def message(error: Exception) -> str:
    """The error as one line."""
    if isinstance(error, PosterGenreError):
        return str(error)
    if isinstance(error, OSError):
        subject = f"{error.filename}: " if error.filename else ""
        return f"{subject}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller --batch-size or close other programs"
    lines = str(error).strip().splitlines()
    if isinstance(error, (ValueError, TypeError)) and len(lines) == 1:
        return lines[0]  # minicnn's messages are complete sentences
    first = lines[0] if lines else "no further message"
    return f"{type(error).__name__}: {first} (set {DEBUG}=1 for the traceback)"


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; the parsed arguments have the command's ``run`` as an attribute."""
    top = argparse.ArgumentParser(
        prog="poster-genre",
        description="A film's genres from its poster, by a convolutional network written in NumPy and Numba.",
        epilog="Start with: poster-genre demo",
    )
    top.add_argument("--version", action=Version)
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        summary = command.SUMMARY
        sub = subparsers.add_parser(
            command.__name__.rpartition(".")[2],
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}. {command.DETAILS}".strip(),
            epilog=f"example:\n  {command.EXAMPLE}",
            formatter_class=Formatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return top


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps the description, and prints the example line by line as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example:"):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


class Version(argparse.Action):
    """Prints the version, which is imported only when it is needed."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        from minicnn import __version__

        print(f"poster-genre {__version__}")
        parser.exit()
