"""The interface, described in OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from minicnn import __version__
from poster_genre.explain import METHODS
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.web.limits import Limits
from poster_genre.web.problems import MEDIA_TYPE
from poster_genre.web.serving import serving

Schema = dict[str, Any]

PROBLEMS = {
    "400": "The body is not the multipart form that its header says it is.",
    "403": "The request came from a page of another site.",
    "408": "The upload took too long.",
    "413": "The upload is larger than the server takes.",
    "415": "The body is not multipart/form-data.",
    "421": "The Host header names a machine that this is not.",
    "422": "No picture that can be read, or a value that does not exist; `detail` says which.",
    "503": "The server has as much to do as it takes on; `Retry-After` says when to try again.",
}


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
                "forgotten. Names of files are not looked at."
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
            "/healthz": {"get": health("healthz", "Whether the process is alive", ())},
            "/readyz": {"get": health("readyz", "Whether it takes requests now", ("503",))},
        },
        "components": {"schemas": schemas()},
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
            **{status: problem(status) for status in PROBLEMS},
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
            **{status: problem(status) for status in PROBLEMS},
        },
    }


PICTURE: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}


def form(properties: Schema) -> Schema:
    schema = {"type": "object", "required": ["image"], "properties": properties}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def problem(status: str) -> Schema:
    found: Schema = {
        "description": PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
    }
    if status == "503":
        found["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer"}}}
    return found


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


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def thing(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def schemas() -> Schema:
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    genre = {"type": "string", "enum": list(GENRES)}
    whole, number, text = {"type": "integer"}, {"type": "number"}, {"type": "string"}
    return {
        "Prediction": thing(results={"type": "array", "items": ref("Result")}),
        "Result": thing(
            file={**text, "description": "`image 1`, `image 2`: the picture's place in the request."},
            top={"type": "array", "items": thing(genre=genre, probability=probability)},
            probabilities={
                "type": "object",
                "additionalProperties": probability,
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
            probability=probability,
            method={"type": "string", "enum": list(METHODS)},
            strength={**number, "description": "What 1 stands for: logits, or log-odds lost."},
            height=whole,
            width=whole,
            heat={
                "type": "array",
                "items": {"type": "array", "items": probability},
                "description": "Rows of the map, 0 (nothing) to 1 (the strongest place).",
            },
        ),
        "Model": thing(
            name=text,
            version=text,
            input_size={"type": "array", "items": whole, "description": "Height and width in pixels."},
            parameters=whole,
            calibrated={"type": "boolean"},
            sure_above_bits={"type": ["number", "null"]},
            train_posters={"type": ["integer", "null"]},
            genres={
                "type": "array",
                "items": thing(name=genre, frequency=probability, threshold=number),
            },
            limits=thing(formats={"type": "array", "items": text}, bytes=whole, pixels=whole, pictures=whole),
        ),
        "Problem": thing(type=text, title=text, status=whole, detail=text),
    }
