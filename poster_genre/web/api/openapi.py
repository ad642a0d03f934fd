"""The interface, described in OpenAPI 3.1."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from minicnn import __version__
from poster_genre.explain.explain import METHODS
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.web.api.openapi_inside import inside_paths, inside_schemas
from poster_genre.web.api.openapi_parts import (
    NUMBER,
    PICTURE,
    PROBABILITY,
    TEXT,
    UPLOAD_PROBLEMS,
    WHOLE,
    Schema,
    answer,
    form,
    problem,
    ref,
    thing,
)
from poster_genre.web.app_state import serving
from poster_genre.web.limits import Limits


async def document(request: Request) -> Response:
    return JSONResponse(describe(serving(request).limits))


def describe(limits: Limits) -> Schema:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Poster genre",
            "version": __version__,
            "summary": "A film's genres from its poster.",
            "description": (
                f"Pictures are JPEG, PNG, WebP, GIF (its first frame) or BMP, up to {limits.pixels:,} pixels;"
                f" an upload holds up to {limits.body / 2**20:.3g} MB. They are read in memory, answered and "
                "forgotten, and never written to disk. Names of files are not looked at."
            ),
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "paths": {
            "/api/v1/predict": {"post": predict_operation(limits)},
            "/api/v1/explain": {"post": explain_operation()},
            "/api/v1/model": {
                "get": {
                    "operationId": "model",
                    "summary": "The model and what it takes",
                    "responses": {
                        "200": answer("Name, version, genres and limits.", ref("Model")),
                        "421": problem("421"),
                    },
                }
            },
            **inside_paths(),
            "/healthz": {"get": health("healthz", "Whether the process is alive", ())},
            "/readyz": {"get": health("readyz", "Whether it takes requests now", ("503",))},
        },
        "components": {"schemas": {**schemas(), **inside_schemas()}},
    }


def predict_operation(limits: Limits) -> Schema:
    return {
        "operationId": "predict",
        "summary": "Genres of one or several posters",
        "description": (
            "The same answers as `poster-genre predict --json`. A picture that cannot be read has an `error` "
            "and leaves the others alone; where none can be read, the status is 422, unless the "
            "request says `Prefer: handling=lenient`."
        ),
        "parameters": [
            {
                "name": "top",
                "in": "query",
                "description": "How many genres to list in `top`.",
                "schema": {"type": "integer", "minimum": 1, "maximum": N_GENRES, "default": 3},
            }
        ],
        "requestBody": form(
            {"image": {"type": "array", "items": PICTURE, "minItems": 1, "maxItems": limits.pictures}}
        ),
        "responses": {
            "200": answer("One result for each picture, in order.", ref("Prediction")),
            **{status: problem(status) for status in UPLOAD_PROBLEMS},
        },
    }


def explain_operation() -> Schema:
    return {
        "operationId": "explain",
        "summary": "Where on a poster the evidence for a genre stands",
        "description": (
            "`grad-cam` looks inside the network and is fast; `occlusion` covers one place after the other "
            "and takes a moment. Sent with `Accept: application/x-ndjson`, the answer is a line of JSON for "
            'every step, `{"done": 16, "of": 108}`, and a last one with the `result`.'
        ),
        "requestBody": form(
            {
                "image": PICTURE,
                "genre": {"enum": list(GENRES), "description": "Left out: the most probable one."},
                "method": {"enum": list(METHODS), "default": METHODS[0]},
            }
        ),
        "responses": {
            "200": {
                "description": "The heat map.",
                "content": {
                    "application/json": {"schema": ref("Explanation")},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
            },
            **{status: problem(status) for status in UPLOAD_PROBLEMS},
        },
    }


def health(name: str, summary: str, problems: tuple[str, ...]) -> Schema:
    schema = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": answer("Yes.", schema),
            **{status: problem(status) for status in (*problems, "421")},
        },
    }


def schemas() -> Schema:
    genre = {"type": "string", "enum": list(GENRES)}
    return {
        "Prediction": thing(results={"type": "array", "items": ref("Result")}),
        "Result": thing(
            file={**TEXT, "description": "`image 1`, `image 2`: the picture's place in the request."},
            top={"type": "array", "items": thing(genre=genre, probability=PROBABILITY)},
            probabilities={
                "type": "object",
                "additionalProperties": PROBABILITY,
                "description": "All 25; they do not sum to 1, for a film has several genres.",
            },
            sure={
                "type": ["boolean", "null"],
                "description": "False: the poster says hardly more than the genres' frequencies do.",
            },
            error={"type": ["string", "null"], "description": "Why this picture has no answer."},
        ),
        "Explanation": thing(
            genre=genre,
            probability=PROBABILITY,
            method={"type": "string", "enum": list(METHODS)},
            strength={**NUMBER, "description": "What 1 stands for: logits, or log-odds lost."},
            height=WHOLE,
            width=WHOLE,
            heat={
                "type": "array",
                "items": {"type": "array", "items": PROBABILITY},
                "description": "Rows of the map, 0 (nothing) to 1 (the strongest place).",
            },
        ),
        "Model": thing(
            name=TEXT,
            version=TEXT,
            input_size={"type": "array", "items": WHOLE, "description": "Height and width in pixels."},
            parameters=WHOLE,
            calibrated={"type": "boolean"},
            sure_above_bits={"type": ["number", "null"]},
            train_posters={"type": ["integer", "null"]},
            genres={
                "type": "array",
                "items": thing(name=genre, frequency=PROBABILITY, threshold=NUMBER),
            },
            limits=thing(formats={"type": "array", "items": TEXT}, bytes=WHOLE, pixels=WHOLE, pictures=WHOLE),
        ),
        "Problem": thing(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT),
    }
