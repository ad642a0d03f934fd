"""The OpenAPI 3.1 document: ``openapi.yaml``, with what depends on the server's limits filled in."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from minicnn import __version__
from poster_genre.data.image_reader import accepted
from poster_genre.web.app_state import state_of
from poster_genre.web.limits import Limits

JsonObject = dict[str, Any]


async def openapi_json(request: Request) -> Response:
    """``GET /openapi.json``."""
    return JSONResponse(openapi_document(state_of(request).limits))


def openapi_document(limits: Limits) -> JsonObject:
    """The document of a server with these limits."""
    document: JsonObject = yaml.safe_load(openapi_yaml())
    document["info"]["version"] = __version__
    document["info"]["description"] = document["info"]["description"].format(
        formats=accepted(),
        pixels=f"{limits.pixels:,}",
        megabytes=limits.megabytes,
        request_pixels=f"{limits.request_pixels:,}",
    )
    body = document["paths"]["/api/v1/predict"]["post"]["requestBody"]
    body["content"]["multipart/form-data"]["schema"]["properties"]["image"]["maxItems"] = limits.pictures
    return document


@cache
def openapi_yaml() -> str:
    """The text of the file."""
    return (resources.files("poster_genre.web.api") / "openapi.yaml").read_text(encoding="utf-8")


def resolve(document: JsonObject, node: JsonObject) -> JsonObject:
    """The object that ``{"$ref": "#/..."}`` refers to within the document; any other node as it is."""
    if "$ref" not in node:
        return node
    target: Any = document
    for key in node["$ref"].removeprefix("#/").split("/"):
        target = target[key]
    return resolve(document, target)
