"""The OpenAPI document as the API page lists it: operations and objects, with a table of fields for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from poster_genre.web.api.openapi import JsonObject, resolve

CURL = {
    "predict": "curl -F image=@poster.jpg ADDRESS/api/v1/predict",
    "explain": "curl -F image=@poster.jpg -F genre=Horror ADDRESS/api/v1/explain",
    "model": "curl ADDRESS/api/v1/model",
    "startTraceSession": "curl -F image=@poster.jpg ADDRESS/api/v1/inside",
    "tracePoster": "curl -o poster.png ADDRESS/api/v1/inside/TOKEN/poster.png",
    "traceMaps": "curl -o maps.png ADDRESS/api/v1/inside/TOKEN/maps/1.png",
    "traceNumber": "curl 'ADDRESS/api/v1/inside/TOKEN/numbers/1?row=3&column=4&channel=0'",
    "traceGenre": "curl ADDRESS/api/v1/inside/TOKEN/genres/Horror",
    "traceGradients": "curl ADDRESS/api/v1/inside/TOKEN/gradients/Horror",
    "traceGradientMaps": "curl -o maps.png ADDRESS/api/v1/inside/TOKEN/gradients/Horror/maps/1.png",
    "traceGradient": "curl 'ADDRESS/api/v1/inside/TOKEN/gradients/Horror/numbers/1?row=3&column=4&channel=0'",
    "tracePatches": "curl 'ADDRESS/api/v1/inside/patches/1?channel=0'",
    "tracePatchPictures": "curl -o patches.png 'ADDRESS/api/v1/inside/patches/1.png?channel=0'",
    "traceFilters": "curl -o filters.png ADDRESS/api/v1/inside/filters.png",
    "healthz": "curl ADDRESS/healthz",
    "readyz": "curl ADDRESS/readyz",
}
"""An example by operationId; ``ADDRESS`` stands for the server's address."""


EXAMPLE_ADDRESS = "http://127.0.0.1:8000"
"""In examples; a script puts the page's own address in its place."""


@dataclass
class Field:
    """A parameter, a form field or an object's member. ``meaning`` is Markdown.

    ``where`` is "path", "query" or "form"; "" for a member.
    """

    name: str
    where: str
    type: Markup
    meaning: str

    @classmethod
    def of(cls, name: str, where: str, schema: JsonObject, meaning: str | None = None) -> Field:
        """The field with a schema; the schema's description is the meaning where none is given."""
        return cls(
            name, where, type_html(schema), schema.get("description", "") if meaning is None else meaning
        )


@dataclass
class Operation:
    """A method of a path. ``statuses`` are (status, meaning); meanings are Markdown."""

    method: str
    path: str
    summary: str
    description: str
    curl: str
    fields: list[Field]
    statuses: list[tuple[str, str]]


def operations(document: JsonObject) -> list[Operation]:
    """Every operation, in the document's order."""
    return [
        Operation(
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            description=operation.get("description", ""),
            curl=CURL[operation["operationId"]].replace("ADDRESS", EXAMPLE_ADDRESS),
            fields=[*parameters(document, operation), *form_fields(operation)],
            statuses=[
                (status, resolve(document, response)["description"])
                for status, response in operation["responses"].items()
            ],
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def parameters(document: JsonObject, operation: JsonObject) -> Iterator[Field]:
    """The parameters in the path and the query."""
    for each in operation.get("parameters", []):
        parameter = resolve(document, each)
        yield Field.of(parameter["name"], parameter["in"], parameter["schema"], parameter["description"])


def form_fields(operation: JsonObject) -> Iterator[Field]:
    """The fields of the multipart form, for operations that take one."""
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    form = content.get("multipart/form-data", {}).get("schema", {})
    for name, schema in form.get("properties", {}).items():
        yield Field.of(name, "form", schema)


def objects(document: JsonObject) -> dict[str, list[Field]]:
    """The members of every object among the schemas, by its name."""
    return {
        name: [Field.of(member, "", each) for member, each in schema["properties"].items()]
        for name, schema in document["components"]["schemas"].items()
        if "properties" in schema
    }


def type_html(schema: JsonObject) -> Markup:
    """The type of a JSON schema; for an object a link to its table on the page."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return Markup("number") if name == "Probability" else Markup('<a href="#{0}">{0}</a>').format(name)
    if "contentMediaType" in schema:
        return Markup("file")
    if "enum" in schema:
        return Markup(" or ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    if schema["type"] == "array":
        return Markup("list of {}").format(type_html(schema["items"]))
    return Markup(" or ").join([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
