"""What a map looks for: the patches of posters at which it is largest.

    GET /api/v1/inside/patches/{step}        the patches of one map, the strongest first
    GET /api/v1/inside/patches/{step}.png    the same as pictures, side by side

Query: ``channel`` says which map. The posters are drawn ones, or those of ``serve --data``; nobody's uploads
are among them.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from poster_genre.explain.layer_trace import images
from poster_genre.explain.layer_trace.computation import check_position
from poster_genre.explain.layer_trace.strongest_patches import StrongestPatches, has_patches
from poster_genre.web.api.deadline import before_deadline
from poster_genre.web.api.query_parameters import whole_number
from poster_genre.web.api.trace_endpoints import or_not_found, png_response
from poster_genre.web.app_state import state_of
from poster_genre.web.problem_details import Problem
from poster_genre.web.security.host_origin_check import from_own_page


def requested_map(request: Request) -> tuple[int, int]:
    """(step, channel) that a request is about. Problem 404 where there is no such map."""
    steps, step = state_of(request).patches.steps, request.path_params["step"]
    channel = whole_number(request, "channel")
    or_not_found(lambda: check_position(steps, step, (0, 0, channel)))
    if not has_patches(steps[step]):
        raise Problem(404, f"step {step} has no maps that a layer computed")
    return step, channel


async def patches(request: Request) -> Response:
    """``{source, patches: [{value, poster, row, column, region}]}``; region: top, left, bottom, right."""
    service, (step, channel) = state_of(request).patches, requested_map(request)
    work = service.run(lambda found: found.of(step, channel), from_own_page(request.headers))
    found = await before_deadline(request, state_of(request).limits, work)
    listed = [{**patch._asdict(), "region": list(patch.region)} for patch in found]
    return JSONResponse({"source": service.source, "patches": listed})


async def picture(request: Request) -> Response:
    """A row of square tiles, one for each patch."""
    step, channel = requested_map(request)

    def draw(found: StrongestPatches) -> bytes:
        return images.tile_row([found.picture(patch) for patch in found.of(step, channel)])

    work = state_of(request).patches.run(draw, from_own_page(request.headers))
    return png_response(await before_deadline(request, state_of(request).limits, work))


routes = [
    Route("/api/v1/inside/patches/{step:int}.png", picture, methods=["GET"]),
    Route("/api/v1/inside/patches/{step:int}", patches, methods=["GET"]),
]
