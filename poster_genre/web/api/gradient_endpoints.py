"""The way back: gradients of a genre's log-odds through the layers, for the Inside page.

    GET  /api/v1/inside/{token}/gradients/{genre}                    the size of the gradient at each step
    GET  /api/v1/inside/{token}/gradients/{genre}/maps/{step}.png    a step's gradients as tiles, or one map
    GET  /api/v1/inside/{token}/gradients/{genre}/numbers/{step}     how a number's gradient was computed

Query and answers for ended sessions are those of ``trace_endpoints``.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from poster_genre.explain.layer_trace.computation import check_position
from poster_genre.explain.layer_trace.gradient_computation import gradient_chain, gradient_image
from poster_genre.explain.layer_trace.gradients import gradient_scale, gradient_sizes
from poster_genre.explain.layer_trace.trace import GenreGradients, Trace
from poster_genre.genres import GENRES, genre_index
from poster_genre.web.api.query_parameters import is_mirrored, optional_whole_number
from poster_genre.web.api.trace_endpoints import (
    SESSION,
    map_pictures,
    or_not_found,
    requested_position,
    under_session,
)
from poster_genre.web.app_state import state_of
from poster_genre.web.security.host_origin_check import from_own_page


async def requested_gradients(request: Request) -> tuple[Trace, GenreGradients]:
    """The trace that a request is about, with the gradients of its genre, and these."""
    name = request.path_params["genre"]
    genre = or_not_found(lambda: genre_index(name), "there is no such genre")
    return await state_of(request).traces.trace_with_gradients(
        request.path_params["token"], is_mirrored(request), genre, from_own_page(request.headers)
    )


async def sizes(request: Request) -> Response:
    """The root of the mean square, the largest number and the share of zeros of every step's gradient."""
    traces, own_page = state_of(request).traces, from_own_page(request.headers)
    trace, gradients = await requested_gradients(request)
    steps = await traces.queue.run(lambda: gradient_sizes(trace.steps, gradients), own_page)
    return JSONResponse({"genre": GENRES[gradients.genre], "steps": steps})


async def maps(request: Request) -> Response:
    """``channel`` and ``background`` as for the feature maps."""
    trace, _ = await requested_gradients(request)
    step, channel = request.path_params["step"], optional_whole_number(request, "channel")
    or_not_found(lambda: check_position(trace.steps, step, (0, 0, channel or 0)))
    image = or_not_found(lambda: gradient_image(trace, step))
    return await map_pictures(request, image, gradient_scale)


async def numbers(request: Request) -> Response:
    """``output`` of which output channel of a reading convolution the cells are listed."""
    traces, step = state_of(request).traces, request.path_params["step"]
    trace, _ = await requested_gradients(request)
    position = requested_position(request)
    output = optional_whole_number(request, "output")
    chain = await traces.queue.run(
        lambda: or_not_found(lambda: gradient_chain(trace, step, position, output)),
        from_own_page(request.headers),
    )
    return JSONResponse({"step": step, "position": list(position), "chain": chain})


GRADIENTS = f"{SESSION}/gradients/{{genre}}"
routes = [
    Route(GRADIENTS, under_session(sizes), methods=["GET"]),
    Route(f"{GRADIENTS}/maps/{{step:int}}.png", under_session(maps), methods=["GET"]),
    Route(f"{GRADIENTS}/numbers/{{step:int}}", under_session(numbers), methods=["GET"]),
]
