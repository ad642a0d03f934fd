"""The pages' frame, and the routes to them. Every page is built once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib import resources
from string import Template

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.web.api.predict_endpoint import about_model
from poster_genre.web.app_state import Serving, serving
from poster_genre.web.pages import api_reference, markdown_html
from poster_genre.web.pages.example_posters import EXAMPLES
from poster_genre.web.pages.static_files import asset

HTML = "text/html; charset=utf-8"
ANOTHER = (
    "The card below is about the network that comes with the package. The one that answers here is another."
)

NAV = (("/", "Predict"), ("/inside", "Inside"), ("/model", "Model"), ("/api", "API"))
"""(path, name) of the pages that every page leads to."""


def page(
    title: str,
    main: str,
    *,
    path: str,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
) -> str:
    """A whole HTML document. ``main`` is HTML that stands inside <main>; ``title`` is text.

    ``path`` marks the page in the navigation; ``scripts`` (modules) and ``styles`` are files below static/.
    """
    links = "".join(
        f'<a href="{where}"{" aria-current=page" if where == path else ""}>{escape(name)}</a>'
        for where, name in NAV
    )
    return Template(template("layout.html")).substitute(
        title=escape(title),
        nav=links,
        main=main,
        styles="".join(f'<link rel="stylesheet" href="/static/{name}">' for name in styles),
        scripts="".join(f'<script type="module" src="/static/{name}"></script>' for name in scripts),
    )


def template(name: str) -> str:
    return (resources.files("poster_genre.web.pages") / "templates" / name).read_text(encoding="utf-8")


def html_page(build: Callable[[Serving], str]) -> Callable[[Request], object]:
    """A handler for a page that depends on the served model alone."""

    async def handler(request: Request) -> Response:
        here = serving(request)
        name = f"page:{build.__name__}"
        if name not in here.assets:
            here.assets[name] = asset(build(here).encode(), HTML)
        return here.assets[name].response(request)

    return handler


def predict_page(here: Serving) -> str:
    limits = here.limits
    main = Template(template("index.html")).substitute(
        examples="".join(example_button(name, drawn) for name, drawn in EXAMPLES),
        megabytes=f"{limits.body / 2**20:.3g}",
        bytes=limits.body,
        pixels=limits.pixels,
    )
    return page("Poster genre: what a poster tells about its film", main, path="/", scripts=["app.js"])


def example_button(name: str, drawn: Sequence[str]) -> str:
    said = escape(", ".join(drawn))
    return (
        f'<li><button type="button" class="example" data-example="/static/examples/{name}">'
        f'<img src="/static/examples/{name}" width="120" height="180" decoding="async" '
        f'alt="Example poster, drawn as {said}"></button></li>'
    )


def model_page(here: Serving) -> str:
    card = resources.files("poster_genre.model") / "MODEL_CARD.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    facts = api_reference.model_facts(about_model(here))
    other = "" if is_packaged(here) else f'<p class="note">{ANOTHER}</p>'
    main = f'<article class="prose">{facts}{other}{markdown_html.to_html(text)}</article>'
    return page("Model card · Poster genre", main, path="/model")


def is_packaged(here: Serving) -> bool:
    """Whether the network that is served is the one that came with the package, which the card is about."""
    try:
        return PosterGenreClassifier.load().model_version == here.classifier.model_version
    except PosterGenreError:
        return False


def api_page(here: Serving) -> str:
    main = f'<article class="prose">{api_reference.to_html(here.limits)}</article>'
    return page("API · Poster genre", main, path="/api")


async def favicon(request: Request) -> Response:
    """Browsers ask for this path whatever the page says."""
    return serving(request).assets["favicon.svg"].response(request)


routes = [
    Route("/", html_page(predict_page), methods=["GET"]),
    Route("/model", html_page(model_page), methods=["GET"]),
    Route("/api", html_page(api_page), methods=["GET"]),
    Route("/favicon.ico", favicon, methods=["GET"]),
]
