"""The layer trace of one poster, number by number, for the Inside page.

    POST /api/v1/inside                                the poster -> a token, the network, the 25 predictions
    GET  /api/v1/inside/{token}/poster.png             the poster at the network's input size
    GET  /api/v1/inside/{token}/maps/{step}.png        all feature maps of a step as tiles, or one of them
    GET  /api/v1/inside/{token}/numbers/{step}         how a number was computed
    GET  /api/v1/inside/{token}/genres/{genre}         every feature's contribution to a genre
    GET  /api/v1/inside/filters.png                    the first layer's filters

Query: ``mirrored=1`` is about the mirror image, which the prediction averages in. A token whose session has
ended is a Problem 404; with ``Prefer: handling=lenient`` the answer is 204, without content.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minicnn.layers.conv import Conv2D
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace import images
from poster_genre.explain.layer_trace.computation import check_position, computation_chain
from poster_genre.explain.layer_trace.contributions import contributions, feature_origin
from poster_genre.explain.layer_trace.descriptions import group_titles
from poster_genre.explain.layer_trace.formulas import Position
from poster_genre.explain.layer_trace.receptive_field import receptive_field
from poster_genre.explain.layer_trace.trace import Trace
from poster_genre.genres import genre_index
from poster_genre.web.api.deadline import Deadline, before_deadline
from poster_genre.web.api.query_parameters import (
    background_of,
    is_lenient,
    is_mirrored,
    optional_whole_number,
    whole_number,
)
from poster_genre.web.app_state import state_of
from poster_genre.web.inference.step_descriptions import MAX_MAPS, has_filters
from poster_genre.web.inference.trace_service import TraceService, view_of
from poster_genre.web.inference.trace_sessions import SessionExpired
from poster_genre.web.problem_details import Problem
from poster_genre.web.security.host_origin_check import from_own_page
from poster_genre.web.upload_form import read_pictures

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


async def start_session(request: Request) -> Response:
    """Trace a poster. One that cannot be read is a Problem 422; leniently, an answer with an ``error``."""
    state, own_page = state_of(request), from_own_page(request.headers)
    state.traces.queue.capacity.check(own_page)  # a refusal comes better before an upload than after
    with state.upload_memory.reserve() as reservation:
        form = await read_pictures(request, state.limits, reservation)
        if len(form.pictures) > 1:
            raise Problem(422, "one picture at a time can be traced")
        decoding = state.decoders.decode(form.pictures, ["image 1"], own_page)
        deadline = Deadline(request, state.limits)
        [pixels] = await deadline.wait_for(decoding)
    if isinstance(pixels, str):
        if is_lenient(request):
            return JSONResponse({"error": pixels})
        raise Problem(422, pixels)
    started = await deadline.wait_for(state.traces.start(pixels, own_page))
    return JSONResponse(
        {
            "token": started.token,
            "seconds": state.limits.session_seconds,
            "model": state.classifier.model_version,
            "two_views": state.traces.two_views,
            "difference": max(each["difference"] for each in started.predictions),
            "genres": started.predictions,
            "groups": group_titles(state.traces.steps),
            "steps": started.steps,
        }
    )


async def requested_trace(request: Request) -> Trace:
    """The trace of the session and the view that a request is about."""
    return await state_of(request).traces.trace(
        request.path_params["token"], is_mirrored(request), from_own_page(request.headers)
    )


async def poster(request: Request) -> Response:
    """The poster as the network reads it."""
    pixels = state_of(request).traces.sessions.pixels(request.path_params["token"])
    return png_response(images.rgb_image(view_of(pixels, is_mirrored(request))))


async def maps(request: Request) -> Response:
    """``channel=17`` gives that map alone, in full size; ``background=dark`` colours for a dark page."""
    trace = await requested_trace(request)
    step, channel = request.path_params["step"], optional_whole_number(request, "channel")
    or_not_found(lambda: check_position(trace.steps, step, (0, 0, channel or 0)))
    return await map_pictures(request, trace.image(step), images.display_scale)


async def map_pictures(
    request: Request, image: np.ndarray, scale_of: Callable[[np.ndarray], float]
) -> Response:
    """The maps of an image (height, width, channels) as tiles, or the one that ``channel`` names.

    ``scale_of`` the image is what the strongest colour stands for. Problem 422 for too many tiles.
    """
    step, background = request.path_params["step"], background_of(request)
    channel = optional_whole_number(request, "channel")
    if image.shape[2] > MAX_MAPS and channel is None:
        raise Problem(422, f"step {step} has more than {MAX_MAPS} channels; choose one with channel=0")

    def draw() -> bytes:
        scale = scale_of(image)
        if channel is None:
            return images.atlas(image, scale, background)
        return images.map_image(image[:, :, channel], scale, background)

    queue = state_of(request).traces.queue
    return png_response(await queue.run(draw, from_own_page(request.headers)))


def requested_position(request: Request) -> Position:
    """(row, column, channel) that a request is about."""
    row, column, channel = (whole_number(request, name) for name in ("row", "column", "channel"))
    return row, column, channel


async def numbers(request: Request) -> Response:
    """``row, column, channel`` say which number; ``input`` of which input channel the patch is shown."""
    traces, mirrored = state_of(request).traces, is_mirrored(request)
    token, step = request.path_params["token"], request.path_params["step"]
    trace = await traces.trace_with_fused(token, mirrored, from_own_page(request.headers))
    position = requested_position(request)
    input_channel = optional_whole_number(request, "input")
    computations = await traces.queue.run(
        lambda: or_not_found(lambda: computation_chain(trace, step, position, input_channel)),
        from_own_page(request.headers),
    )
    for each in computations:
        if each["kind"] == "input":
            each |= pixel_of(traces, token, position, mirrored)
    answer = {
        "step": step,
        "position": list(position),
        "receptive_field": list(receptive_field(trace.steps, step, *position)),
        "chain": computations,
    }
    if len(trace.steps[step].shape) == 1:
        answer["origin"] = feature_origin(trace, step, position[2])
    return JSONResponse(answer)


def pixel_of(traces: TraceService, token: str, position: Position, mirrored: bool) -> dict[str, Any]:
    """The pixel that a number of the input was computed from, and how."""
    spec, channel = traces.model.spec, position[2]
    value = int(view_of(traces.sessions.pixels(token), mirrored)[position])
    return {
        "pixel": value,
        "mean": spec.mean[channel],
        "std": spec.std[channel],
        "computed": (value / 255 - spec.mean[channel]) / spec.std[channel],
        "colour": ("red", "green", "blue")[channel],
    }


async def genre(request: Request) -> Response:
    """The contribution of every feature to a genre's score."""
    trace = await requested_trace(request)
    name = request.path_params["genre"]
    index = or_not_found(lambda: genre_index(name), "there is no such genre")
    found = await state_of(request).traces.queue.run(
        lambda: or_not_found(lambda: contributions(trace, index)), from_own_page(request.headers)
    )
    return JSONResponse(found)


async def filters(request: Request) -> Response:
    """One row of filters, each as many pixels as it has weights.

    ``step=1`` selects the layer where several read the poster itself; left out: the first of them.
    """
    number = optional_whole_number(request, "step")
    for step in state_of(request).traces.steps:
        if has_filters(step) and number in (None, step.index) and isinstance(step.layer, Conv2D):
            return png_response(images.filter_sheet(step.layer))
    raise Problem(404, "no such layer has filters over the poster's colours")


def under_session(handler: Handler) -> Handler:
    """The handler, but it ends at the deadline and when the client leaves.

    An ended session is status 204 for a lenient client.
    """

    async def session_handler(request: Request) -> Response:
        try:
            return await before_deadline(request, state_of(request).limits, handler(request))
        except SessionExpired:
            if is_lenient(request):
                return Response(status_code=204)
            raise

    return session_handler


def or_not_found(look_up: Callable[[], T], detail: str | None = None) -> T:
    """The result of ``look_up``; Problem 404 where it raises PosterGenreError."""
    try:
        return look_up()
    except PosterGenreError as error:
        raise Problem(404, detail or str(error)) from None


def png_response(body: bytes) -> Response:
    """A PNG file as a response."""
    return Response(body, media_type="image/png")


SESSION = "/api/v1/inside/{token}"
routes = [
    Route("/api/v1/inside", start_session, methods=["POST"]),
    Route("/api/v1/inside/filters.png", filters, methods=["GET"]),
    Route(f"{SESSION}/poster.png", under_session(poster), methods=["GET"]),
    Route(f"{SESSION}/maps/{{step:int}}.png", under_session(maps), methods=["GET"]),
    Route(f"{SESSION}/numbers/{{step:int}}", under_session(numbers), methods=["GET"]),
    Route(f"{SESSION}/genres/{{genre:path}}", under_session(genre), methods=["GET"]),
]
