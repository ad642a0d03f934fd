"""What the OpenAPI document is put together from."""

from __future__ import annotations

from typing import Any

from poster_genre.web.problem_details import MEDIA_TYPE

Schema = dict[str, Any]

PROBLEMS = {
    "400": "The body is not the multipart form that its header says it is.",
    "403": "The request came from a page of another site.",
    "404": "There is no such poster, step, place or genre; `detail` says which.",
    "408": "The upload took too long.",
    "413": "The upload is larger than the server takes.",
    "415": "The body is not multipart/form-data.",
    "421": "The Host header names a machine that this is not.",
    "422": "No picture that can be read, or a value that does not exist; `detail` says which.",
    "503": "The server has as much to do as it takes on; `Retry-After` says when to try again.",
}
UPLOAD_PROBLEMS = tuple(status for status in PROBLEMS if status != "404")

FORGOTTEN = "The poster is forgotten, and the request says `Prefer: handling=lenient`; otherwise that is 404."

WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
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


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def thing(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}
