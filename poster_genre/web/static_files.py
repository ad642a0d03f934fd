"""Files for browsers, read into memory once, so that no path in a request becomes a path on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".json": "application/json",
}
REVALIDATE = "no-cache"


@dataclass(frozen=True)
class StaticFile:
    """A file's content, its media type and its entity tag (RFC 9110)."""

    body: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> StaticFile:
        """The file with a tag computed from its content."""
        return cls(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')

    def response(self, request: Request) -> Response:
        """The file, or 304 where the browser has it."""
        headers = {"ETag": self.etag, "Cache-Control": REVALIDATE}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


def load_static_files() -> dict[str, StaticFile]:
    """Every file below ``static`` of a known type, by its path from there."""
    return dict(files_in(resources.files("poster_genre.web") / "static", ""))


def files_in(folder: Traversable, prefix: str) -> Iterator[tuple[str, StaticFile]]:
    """(path, file) for a folder and all below it; paths start with ``prefix``."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from files_in(entry, f"{prefix}{entry.name}/")
            continue
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in MEDIA_TYPES:
            yield f"{prefix}{entry.name}", StaticFile.of(entry.read_bytes(), MEDIA_TYPES[suffix])
