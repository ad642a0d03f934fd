"""The pages. Each is rendered once, when it is first requested, because it depends on the model alone."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from importlib import resources

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.image_reader import accepted, formats
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES
from poster_genre.web.api.model_endpoint import describe_model
from poster_genre.web.api.openapi import openapi_document
from poster_genre.web.app_state import AppState, state_of
from poster_genre.web.pages.api_reference import EXAMPLE_ADDRESS, objects, operations
from poster_genre.web.pages.example_posters import EXAMPLES
from poster_genre.web.pages.html_templates import render
from poster_genre.web.pages.markdown_html import document_html
from poster_genre.web.problem_details import Problem
from poster_genre.web.static_files import StaticFile

HTML = "text/html; charset=utf-8"


def predict_page(state: AppState) -> str:
    """The start page: a poster in, its genres and heat maps out."""
    return render(
        "predict.html",
        path="",
        examples=EXAMPLES,
        limits=state.limits,
        formats=accepted(),
        types=media_types(),
        averages=json.dumps(averages(state)),
        genres=[genre for genre in GENRES if genre != "N/A"],
        address=EXAMPLE_ADDRESS,
    )


def averages(state: AppState) -> dict[str, float]:
    """The share of the training posters that have each genre; those that none has are left out."""
    priors = state.classifier.trained().priors
    return {genre: round(float(p), 6) for genre, p in zip(GENRES, priors, strict=True) if p > 0}


def media_types() -> str:
    """The accepted formats for a file chooser."""
    return ",".join(f"image/{name.lower()}" for name in formats())


def inside_page(state: AppState) -> str:
    """The layer trace of one poster."""
    return render("inside.html", path="inside", examples=EXAMPLES, limits=state.limits, types=media_types())


def model_page(state: AppState) -> str:
    """Facts about the served model, and the card of the model in the package."""
    card = resources.files("poster_genre.model") / "MODEL_CARD.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return render(
        "model.html",
        path="model",
        model=describe_model(state),
        is_packaged=is_packaged(state.classifier),
        card=document_html(text),
    )


def api_page(state: AppState) -> str:
    """The OpenAPI document for people."""
    document = openapi_document(state.limits)
    return render(
        "api.html",
        path="api",
        description=document["info"]["description"],
        operations=operations(document),
        objects=objects(document),
        genres=GENRES,
        address=EXAMPLE_ADDRESS,
    )


def is_packaged(classifier: PosterGenreClassifier) -> bool:
    """Whether this is the model that comes with the package, which the model card is about."""
    try:
        return PosterGenreClassifier.load().model_version == classifier.model_version
    except PosterGenreError:
        return False


def html_page(render_page: Callable[[AppState], str]) -> Callable[[Request], Awaitable[Response]]:
    """A handler for a page."""

    async def handler(request: Request) -> Response:
        state, name = state_of(request), render_page.__name__
        if name not in state.pages:
            state.pages[name] = StaticFile.of(render_page(state).encode(), HTML)
        return state.pages[name].response(request)

    return handler


async def static_file(request: Request) -> Response:
    """A file below ``static``."""
    file = state_of(request).static_files.get(request.path_params["path"])
    if file is None:
        raise Problem(404, "there is nothing at this path")
    return file.response(request)


async def favicon(request: Request) -> Response:
    """The path that browsers request whatever icon the page declares."""
    return state_of(request).static_files["favicon.svg"].response(request)


async def without_slash(request: Request) -> Response:
    """From ``/inside/`` to ``/inside``, by a relative address: a proxy may serve another path or scheme."""
    return RedirectResponse(f"../{request.url.path.rstrip('/').rpartition('/')[2]}")


routes = [
    Route("/", html_page(predict_page), methods=["GET"]),
    *(Route(f"/{name}/", without_slash, methods=["GET"]) for name in ("inside", "model", "api")),
    Route("/inside", html_page(inside_page), methods=["GET"]),
    Route("/model", html_page(model_page), methods=["GET"]),
    Route("/api", html_page(api_page), methods=["GET"]),
    Route("/favicon.ico", favicon, methods=["GET"]),
    Route("/static/{path:path}", static_file, methods=["GET"]),
]
