"""Multipart forms read into memory, within the limits.

The parser is python-multipart's. Nothing is written to disk, and file names are ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from poster_genre.errors import quoted
from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import Problem, server_busy

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM = "multipart/form-data"


@dataclass
class UploadForm:
    """Pictures in the order they came, and the text fields; of two with one name the last."""

    pictures: list[bytes] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class UploadMemory:
    """How many bytes of uploads are in memory, of at most ``limit``. Used on the event loop alone."""

    limit: int
    retry_after: int
    in_use: int = 0

    @contextmanager
    def reserve(self) -> Iterator[Reservation]:
        """The memory of one upload, released at the end whatever happens to the request."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self.in_use -= reservation.size


@dataclass
class Reservation:
    """The share of one upload, ``size`` bytes so far."""

    memory: UploadMemory
    size: int = 0

    def add(self, count: int) -> None:
        """Count bytes that have come."""
        self.size += count
        self.memory.in_use += count

    def check(self, limits: Limits) -> None:
        """Problem 413 where this upload is too large, 503 where all of them are."""
        if self.size > limits.body:
            raise too_large(limits)
        if self.memory.in_use > self.memory.limit:
            raise server_busy(self.memory.retry_after)


async def read_pictures(request: Request, limits: Limits, reservation: Reservation) -> UploadForm:
    """The form in a request's body, which must have a picture. Problem 400, 408, 413, 415, 422 or 503."""
    form = await read_form(request, limits, reservation)
    if not form.pictures:
        raise Problem(422, "the form has no picture; send it in a field called image")
    return form


async def read_form(request: Request, limits: Limits, reservation: Reservation) -> UploadForm:
    """The form in a request's body. Problem 400, 408, 413, 415 or 503 where it cannot be read."""
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != FORM.encode() or request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, f"send the picture as {FORM}, in a field called image")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.body:
        raise too_large(limits)
    collector = FormCollector(limits)
    try:
        parser = MultipartParser(parameters.get(b"boundary", b""), collector.callbacks())
        async with asyncio.timeout(limits.upload_seconds):
            async for chunk in chunks(request, limits.idle_seconds):
                reservation.add(len(chunk))
                reservation.check(limits)
                parser.write(chunk)
        parser.finalize()
    except TimeoutError:
        raise Problem(408, "the upload took too long", headers={"Connection": "close"}) from None
    except (FormParserError, ValueError):
        raise Problem(400, f"the body is not {FORM} that its header declares") from None
    if not collector.complete:
        raise Problem(400, f"the body is not {FORM} that its header declares")
    return collector.form


def too_large(limits: Limits) -> Problem:
    """Status 413 for an upload."""
    return Problem(413, f"the upload is larger than {limits.megabytes} MB; send a smaller picture")


async def chunks(request: Request, idle_seconds: float) -> AsyncIterator[bytes]:
    """The body piece by piece. TimeoutError where the next one does not come in time."""
    while True:
        async with asyncio.timeout(idle_seconds):  # wait_for of Python 3.11 can swallow an outer timeout
            message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


class FormCollector:
    """Callbacks of the parser, which fill ``form``. ``complete`` once the closing boundary has come."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.form, self.complete = limits, UploadForm(), False
        self.header, self.value, self.disposition = bytearray(), bytearray(), b""
        self.name, self.is_picture, self.data, self.count = "", False, bytearray(), 0

    def callbacks(self) -> MultipartCallbacks:
        """The methods by the parser's names for them."""
        return {
            "on_part_begin": self.begin,
            "on_header_field": self.header_field,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_headers_finished": self.headers_finished,
            "on_part_data": self.part_data,
            "on_part_end": self.part_end,
            "on_end": self.end,
        }

    def begin(self) -> None:
        """A part starts."""
        self.disposition, self.data = b"", bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        """A piece of a header's name."""
        self.header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """A piece of a header's value."""
        self.value += data[start:end]

    def header_end(self) -> None:
        """A header is complete."""
        if self.header.lower() == b"content-disposition":
            self.disposition = bytes(self.value)
        self.header, self.value = bytearray(), bytearray()

    def headers_finished(self) -> None:
        """All headers of the part are complete: its name is known."""
        _, options = parse_options_header(self.disposition.decode("latin-1"))
        if b"name" not in options:
            raise Problem(400, "a part of the form has no name")
        self.name = options[b"name"].decode("utf-8", "replace")
        self.is_picture = self.name == "image"
        if b"filename" in options and not self.is_picture:
            raise Problem(422, f"the form has a file in the field {quoted(self.name)}; call the field image")
        self.count += 1
        if self.is_picture and len(self.form.pictures) >= self.limits.pictures:
            raise Problem(413, f"at most {self.limits.pictures} pictures at a time")
        if self.count > self.limits.pictures + self.limits.fields:
            raise Problem(413, "the form has too many fields")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        """A piece of the part's content."""
        if not self.is_picture and len(self.data) + end - start > self.limits.field_bytes:
            raise Problem(413, f"a field other than image is longer than {self.limits.field_bytes} bytes")
        self.data += data[start:end]

    def part_end(self) -> None:
        """The part is complete."""
        if self.is_picture:
            self.form.pictures.append(bytes(self.data))
        else:
            self.form.fields[self.name] = self.data.decode("utf-8", "replace")
        self.data = bytearray()

    def end(self) -> None:
        """The closing boundary has come."""
        self.complete = True
