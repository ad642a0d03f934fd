"""``POST /api/v1/predict``: pictures in, genres out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from poster_genre.web.api.deadline import before_deadline
from poster_genre.web.api.query_parameters import is_lenient, top_of
from poster_genre.web.app_state import state_of
from poster_genre.web.problem_details import Problem
from poster_genre.web.security.host_origin_check import from_own_page
from poster_genre.web.upload_form import read_pictures


async def predict(request: Request) -> Response:
    """``{results: [...]}``, one for each picture, as ``poster-genre predict --json`` has them.

    Where no picture can be read that is a Problem 422, unless the client prefers ``handling=lenient``.
    """
    state, own_page = state_of(request), from_own_page(request.headers)
    top = top_of(request)
    state.predictions.capacity.check(own_page)  # a refusal comes better before an upload than after
    with state.upload_memory.reserve() as reservation:
        form = await read_pictures(request, state.limits, reservation)
        work = state.predictions.predict(form.pictures, own_page)
        answers = await before_deadline(request, state.limits, work)
    results = [{**answer, "top": answer["top"][:top]} for answer in answers]
    errors = [answer["error"] for answer in answers if answer["error"] is not None]
    if not is_lenient(request) and len(errors) == len(answers):
        raise Problem(422, errors[0], results=results)
    return JSONResponse({"results": results})


routes = [Route("/api/v1/predict", predict, methods=["POST"])]
