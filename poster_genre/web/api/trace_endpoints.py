"""The Inside page and what it asks for: one poster's way through the network, number by number.

    POST /api/v1/inside                                the poster -> a token, the network, the 25 answers
    GET  /api/v1/inside/{token}/poster.png             the poster as the network sees it
    GET  /api/v1/inside/{token}/maps/{step}.png        all feature maps of a step as tiles, or one of them
    GET  /api/v1/inside/{token}/numbers/{step}         why a number is what it is
    GET  /api/v1/inside/{token}/genres/{genre}         what pushed a genre up or down
    GET  /api/v1/inside/filters.png                    the first layer's filters

Query: ``mirrored=1`` follows the mirror image, which the prediction averages in. A token that is forgotten is
a Problem 404; with ``Prefer: handling=lenient`` the answer is 204, without content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from string import Template
from typing import Any, Literal, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minicnn.layers.conv import Conv2D
from minicnn.summary import multiply_adds
from poster_genre.errors import PosterGenreError
from poster_genre.explain.explain import genre_index
from poster_genre.explain.layer_trace import images
from poster_genre.explain.layer_trace.computation import check_position, computation_chain
from poster_genre.explain.layer_trace.contributions import contributions, feature_origin, genre_answers
from poster_genre.explain.layer_trace.descriptions import (
    branch_title,
    group_titles,
    member_title,
    step_description,
    step_title,
)
from poster_genre.explain.layer_trace.fused_trace import fused_outputs
from poster_genre.explain.layer_trace.receptive_field import receptive_field
from poster_genre.explain.layer_trace.steps import Step, image_shape, network_steps
from poster_genre.explain.layer_trace.trace import Trace, trace_poster
from poster_genre.web.api.predict_endpoint import is_lenient, with_pictures
from poster_genre.web.api.upload_form import read_form, share_of
from poster_genre.web.app_state import Serving, serving
from poster_genre.web.inference.trace_sessions import Forgotten, Visits
from poster_genre.web.pages.example_posters import EXAMPLES
from poster_genre.web.pages.page_routes import example_button, html_page, page, template
from poster_genre.web.problem_details import Problem, busy

T = TypeVar("T")
Answers = list[dict[str, Any]]
WAITING = 64  # requests of all visitors that are computed or wait for it
SHOWN = 2048  # a step with more channels than this has no strip: no eye would find its way


class Inside:
    """What the handlers share: the network's steps, the visits, and a queue in front of the computing."""

    def __init__(self, here: Serving) -> None:
        self.here = here
        self.steps = network_steps(here.classifier.trained_.network, here.classifier.trained_.spec.input_size)
        self.version = here.classifier.model_version
        self.visits = Visits()
        self.waiting = 0
        self.turn = asyncio.Lock()

    async def compute(self, work: Callable[[], T]) -> T:
        """The result of ``work``, done on another thread, one at a time. Problem 503 where too many wait."""
        limits = self.here.limits
        if self.waiting >= WAITING:
            raise busy(limits.retry_after)
        self.waiting += 1
        try:
            async with asyncio.timeout(limits.answer_seconds), self.turn:
                return await asyncio.to_thread(work)
        except TimeoutError:
            raise busy(limits.retry_after) from None
        finally:
            self.waiting -= 1

    async def trace(self, token: str, mirrored: bool) -> Trace:
        pixels = self.visits.pixels(token)
        found = self.visits.trace(token, mirrored)
        if found is None:
            found = await self.compute(lambda: self.follow(pixels, mirrored))
            self.visits.keep_trace(token, mirrored, found)
        return found

    async def trace_with_fast(self, token: str, mirrored: bool) -> Trace:
        """The trace, and beside it what the fused network puts out."""
        found = await self.trace(token, mirrored)
        if not found.fused:
            pixels, plain = self.visits.pixels(token), found
            fused = await self.compute(
                lambda: fused_outputs(self.steps, self.here.classifier, view_of(pixels, mirrored))
            )
            found = replace(plain, fused=fused)
            self.visits.keep_trace(token, mirrored, found)
        return found

    def follow(self, pixels: np.ndarray, mirrored: bool) -> Trace:
        return trace_poster(self.steps, self.here.classifier, view_of(pixels, mirrored))

    def enter(self, pixels: np.ndarray) -> tuple[list[Trace], Answers, list[dict[str, Any]]]:
        """Traces of the views that the prediction averages, the verdict on them, and the steps for the page.

        Every view goes through the plain layers once, and through ``predict_proba`` once.
        """
        classifier = self.here.classifier
        views = [
            self.follow(pixels, mirrored) for mirrored in ((False, True) if self.two_views else (False,))
        ]
        answers = genre_answers(classifier, views, classifier.predict_proba(pixels[None])[0])
        return views, answers, described(views[0])

    @property
    def two_views(self) -> bool:
        return self.here.classifier.trained_.spec.flip_average


def view_of(pixels: np.ndarray, mirrored: bool) -> np.ndarray:
    return pixels[:, ::-1] if mirrored else pixels


def warm_up(here: Serving, pixels: np.ndarray) -> None:
    """Take a poster in as ``enter`` does, and compute what the first click needs."""
    within = Inside(here)
    [first, *_], _, _ = within.enter(pixels)
    fused_outputs(within.steps, here.classifier, pixels)
    images.atlas(first.image(0), images.display_scale(first.image(0)), "light")


def inside(request: Request) -> Inside:
    """The application's, made when it is first asked for."""
    state = request.app.state
    if not hasattr(state, "inside"):
        state.inside = Inside(serving(request))
    found: Inside = state.inside
    return found


async def enter(request: Request) -> Response:
    """Take a poster in. One that cannot be read is a Problem 422; leniently, an answer with an ``error``."""
    here, within = serving(request), inside(request)
    with share_of(here.memory) as taken:
        form = with_pictures(await read_form(request, here.limits, here.memory, taken))
        if len(form.pictures) > 1:
            raise Problem(422, "one picture at a time can be looked inside of")
        pixels = await here.workers.decode(form.pictures[0], "image 1")
    if isinstance(pixels, str):
        if is_lenient(request):
            return JSONResponse({"error": pixels})
        raise Problem(422, pixels)
    views, answers, steps = await within.compute(lambda: within.enter(pixels))
    token = within.visits.keep(pixels)
    for mirrored, trace in reversed(list(enumerate(views))):  # the poster as it lies is needed longest
        within.visits.keep_trace(token, bool(mirrored), trace)
    return JSONResponse(
        {
            "token": token,
            "seconds": within.visits.seconds,
            "model": within.version,
            "two_views": within.two_views,
            "difference": max(each["answer_difference"] for each in answers),
            "genres": answers,
            "groups": group_titles(within.steps),
            "steps": steps,
        }
    )


def of_visit(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A handler of something under a token, which may be forgotten."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except Forgotten:
            if is_lenient(request):
                return Response(status_code=204)
            raise

    return answered


def described(trace: Trace) -> list[dict[str, Any]]:
    """The steps for the page: names, shapes, parameters, and how their maps lie in an atlas."""
    found = []
    for step in trace.steps:
        height, width, channels = image_shape(step.shape)
        by = images.reduction_factor(height, width)
        layer = step.layer
        own = {} if layer is None or layer.children() else layer.parameters()
        found.append(
            {
                "step": step.index,
                "name": step.name,
                "kind": "Input" if layer is None else type(layer).__name__,
                "title": step_title(trace.steps, step),
                "text": step_description(trace.steps, step),
                "group": step.group,
                "branch": branch_title(step.branch),
                "network": member_title(trace.steps, step.member),
                "inputs": list(step.inputs),
                "height": height,
                "width": width,
                "channels": channels,
                "image": len(step.shape) == 3,
                "parameters": {name: list(p.data.shape) for name, p in own.items()},
                "count": sum(p.data.size for p in own.values()),
                "multiply_adds": 0 if not own or layer is None else multiply_adds(layer, (1, *step.shape)),
                "scale": images.display_scale(trace.image(step.index)),
                "tile": [height // by, width // by],
                "columns": images.atlas_columns(height // by, width // by, channels),
                "shown": channels <= SHOWN,
                "filters": has_filters(step),
            }
        )
    return found


async def poster(request: Request) -> Response:
    pixels = inside(request).visits.pixels(request.path_params["token"])
    return picture(images.rgb_image(view_of(pixels, is_mirrored(request))))


async def maps(request: Request) -> Response:
    """``channel=17`` gives that map alone, in full size; ``ground=dark`` colours for a dark page."""
    within = inside(request)
    trace = await within.trace(request.path_params["token"], is_mirrored(request))
    index, ground = request.path_params["step"], ground_of(request)
    place = (0, 0, number(request, "channel") if "channel" in request.query_params else 0)
    existing(lambda: check_position(trace.steps, index, place))
    image = trace.image(index)
    if image.shape[2] > SHOWN and "channel" not in request.query_params:
        raise Problem(422, f"step {index} has more than {SHOWN} channels; ask for one with channel=0")

    def draw() -> bytes:
        scale = images.display_scale(image)
        if "channel" in request.query_params:
            return images.map_image(image[:, :, place[2]], scale, ground)
        return images.atlas(image, scale, ground)

    return picture(await within.compute(draw))


async def numbers(request: Request) -> Response:
    """``row, column, channel`` say which number; ``input`` the input channel whose patch is wanted."""
    within = inside(request)
    trace = await within.trace_with_fast(request.path_params["token"], is_mirrored(request))
    index = request.path_params["step"]
    place = (number(request, "row"), number(request, "column"), number(request, "channel"))
    wanted = number(request, "input") if "input" in request.query_params else None
    found = existing(lambda: computation_chain(trace, index, place, wanted))
    field = receptive_field(trace.steps, index, *place)
    for each in found:
        if each["kind"] == "input":
            each |= colour(within, request.path_params["token"], place, is_mirrored(request))
    answer = {"step": index, "place": list(place), "field": list(field), "chain": found}
    if len(trace.steps[index].shape) == 1:
        answer["origin"] = feature_origin(trace, index, place[2])
    return JSONResponse(answer)


def colour(within: Inside, token: str, place: tuple[int, int, int], mirrored: bool) -> dict[str, Any]:
    """The pixel that an input number was made of."""
    pixels, spec = within.visits.pixels(token), within.here.classifier.trained_.spec
    channel = place[2]
    value = int(view_of(pixels, mirrored)[place])
    computed = (value / 255 - spec.mean[channel]) / spec.std[channel]
    return {
        "pixel": value,
        "mean": spec.mean[channel],
        "std": spec.std[channel],
        "computed": computed,
        "colour": ("red", "green", "blue")[channel],
    }


async def genre(request: Request) -> Response:
    within = inside(request)
    trace = await within.trace(request.path_params["token"], is_mirrored(request))
    index = existing(lambda: genre_index(request.path_params["genre"]), "there is no such genre")
    return JSONResponse(existing(lambda: contributions(trace, index)))


async def filters(request: Request) -> Response:
    """One row of filters, each as many pixels as it has weights.

    ``step=1`` says whose, where several layers look at the poster itself; left out: the first one's.
    """
    wanted = number(request, "step") if "step" in request.query_params else None
    for step in inside(request).steps:
        if has_filters(step) and wanted in (None, step.index) and isinstance(step.layer, Conv2D):
            return picture(images.filter_sheet(step.layer))
    raise Problem(404, "there are no filters over the poster's colours here")


def has_filters(step: Step) -> bool:
    """Whether the step has filters over the poster's colours."""
    return isinstance(step.layer, Conv2D) and step.inputs == (0,) and step.layer.groups == 1


def picture(body: bytes) -> Response:
    return Response(body, media_type="image/png")


def is_mirrored(request: Request) -> bool:
    text = request.query_params.get("mirrored", "0")
    if text not in ("0", "1"):
        raise Problem(422, "mirrored must be 0 or 1")
    return text == "1"


def ground_of(request: Request) -> Literal["light", "dark"]:
    text = request.query_params.get("ground", "light")
    if text not in ("light", "dark"):
        raise Problem(422, "ground must be light or dark")
    return "dark" if text == "dark" else "light"


def number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise Problem(422, f"{name} must be a whole number from 0 to 999999")
    return int(text)


def existing(look_up: Callable[[], T], otherwise: str | None = None) -> T:
    """What ``look_up`` finds; Problem 404 where there is no such thing."""
    try:
        return look_up()
    except PosterGenreError as error:
        raise Problem(404, otherwise or str(error)) from None


def inside_page(here: Serving) -> str:
    return page(
        "Inside the network · Poster genre",
        Template(template("inside.html")).substitute(
            examples="".join(example_button(name, drawn) for name, drawn in EXAMPLES),
            bytes=here.limits.body,
            pixels=here.limits.pixels,
        ),
        path="/inside",
        scripts=["inside/inside.js"],
        styles=["inside/inside.css"],
    )


routes = [
    Route("/inside", html_page(inside_page), methods=["GET"]),
    Route("/api/v1/inside", enter, methods=["POST"]),
    Route("/api/v1/inside/filters.png", filters, methods=["GET"]),
    Route("/api/v1/inside/{token}/poster.png", of_visit(poster), methods=["GET"]),
    Route("/api/v1/inside/{token}/maps/{step:int}.png", of_visit(maps), methods=["GET"]),
    Route("/api/v1/inside/{token}/numbers/{step:int}", of_visit(numbers), methods=["GET"]),
    Route("/api/v1/inside/{token}/genres/{genre:path}", of_visit(genre), methods=["GET"]),
]
