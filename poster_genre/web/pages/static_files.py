"""The files that pages are made of, read into memory once: nothing a visitor asks for becomes a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from poster_genre.web.problem_details import Problem

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".json": "application/json",
}
REVALIDATE = "no-cache"


@dataclass(frozen=True)
class Asset:
    body: bytes
    media_type: str
    etag: str

    def response(self, request: Request) -> Response:
        """The file, or 304 where the browser has it."""
        headers = {"ETag": self.etag, "Cache-Control": REVALIDATE}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


def asset(body: bytes, media_type: str) -> Asset:
    return Asset(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def load_assets() -> dict[str, Asset]:
    """Every file below ``static``, by its path from there."""
    found: dict[str, Asset] = {}
    collect(resources.files("poster_genre.web") / "static", "", found)
    return found


def collect(folder: Traversable, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            collect(entry, f"{prefix}{entry.name}/", found)
            continue
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in TYPES:
            found[f"{prefix}{entry.name}"] = asset(entry.read_bytes(), TYPES[suffix])


async def serve_asset(request: Request) -> Response:
    found = request.app.state.serving.assets.get(request.path_params["path"])
    if found is None:
        raise Problem(404, "there is nothing at this path")
    response: Response = found.response(request)
    return response
