"""``poster-genre serve``: the web app."""

from __future__ import annotations

import argparse

from poster_genre.cli.arguments import add_model_file, add_threads, path, whole_number
from poster_genre.errors import PosterGenreError

SUMMARY = "predict in a browser and over HTTP"
DETAILS = (
    "The port opens once the model is loaded. SIGTERM and Ctrl+C stop the server once the requests in "
    "progress are answered, after 8 seconds at most. Needs the extra: pip install 'poster-genre[web]'."
)
EXAMPLE = "poster-genre serve --port 8000"
WEB_PACKAGES = ("starlette", "uvicorn", "python_multipart", "markdown_it", "yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The address, the names of the server, the model and the threads."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 is every network interface (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, 65535),
        default=8000,
        metavar="N",
        help="port to listen on; 0 is any free one (default: 8000)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name of this server, such as posters.example.org, or *.example.org for all names "
        "below it; needed behind a proxy; may be repeated",
    )
    parser.add_argument(
        "--data",
        type=path,
        metavar="PATH",
        help="a folder or zip with train.csv and Images: the Inside page shows patches of 400 of its val "
        "posters to everybody who uses the page (default: of drawn posters)",
    )
    add_model_file(parser)
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal. PosterGenreError if the packages of the extra are not installed."""
    try:
        from poster_genre.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in WEB_PACKAGES:
            raise
        raise PosterGenreError(
            f"serving needs the package {error.name}: pip install 'poster-genre[web]'"
        ) from error
    serve(
        arguments.host,
        arguments.port,
        model_file=arguments.model_file,
        threads=arguments.threads,
        allow_hosts=arguments.allow_host,
        data=arguments.data,
    )
    return 0
