"""Multipart bodies read into memory, and nowhere else, as far as the limits allow.

The parser is python-multipart's. Nothing is spooled to disk, no file name is looked at.
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

from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import Problem, busy

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD_BYTES = 1000  # a genre or a method; no field needs more
FIELDS = 8
FORM = "multipart/form-data"


@dataclass
class Form:
    """Pictures in the order they came, and the text fields; of two of one name the last."""

    pictures: list[bytes] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


class Memory:
    """How many bytes of uploads are held; used on the event loop alone."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0


@contextmanager
def share_of(memory: Memory) -> Iterator[list[int]]:
    """A count that is given back in the end, whatever happened to the request."""
    taken = [0]
    try:
        yield taken
    finally:
        memory.held -= taken[0]


async def read_form(request: Request, limits: Limits, memory: Memory, taken: list[int]) -> Form:
    """The form in a request's body. Problem 400, 408, 413, 415 or 503 where it cannot be had."""
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != FORM.encode() or request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, f"send the picture as {FORM}, in a field called image")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.body:
        raise too_large(limits)
    collector = Collector(limits)
    try:
        parser = MultipartParser(parameters.get(b"boundary", b""), collector.callbacks())
        async with asyncio.timeout(limits.upload_seconds):
            async for piece in pieces(request, limits.idle_seconds):
                taken[0] += len(piece)
                memory.held += len(piece)
                if taken[0] > limits.body:
                    raise too_large(limits)
                if memory.held > memory.limit:
                    raise busy(limits.retry_after)
                parser.write(piece)
        parser.finalize()
    except TimeoutError:
        raise Problem(408, "the upload took too long", headers={"Connection": "close"}) from None
    except (FormParserError, ValueError):
        raise Problem(400, f"the body is not {FORM} as its header says") from None
    if not collector.complete:
        raise Problem(400, f"the body is not {FORM} as its header says")
    return collector.form


def too_large(limits: Limits) -> Problem:
    return Problem(413, f"the upload is larger than {limits.body / 2**20:.3g} MB; send a smaller picture")


async def pieces(request: Request, idle_seconds: float) -> AsyncIterator[bytes]:
    while True:
        message = await asyncio.wait_for(request.receive(), idle_seconds)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


class Collector:
    """What the parser calls while it reads."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.form, self.complete = limits, Form(), False
        self.header, self.value, self.disposition = bytearray(), bytearray(), b""
        self.name, self.is_picture, self.data, self.count = "", False, bytearray(), 0

    def callbacks(self) -> MultipartCallbacks:
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
        self.disposition, self.data = b"", bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self.header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def header_end(self) -> None:
        if self.header.lower() == b"content-disposition":
            self.disposition = bytes(self.value)
        self.header, self.value = bytearray(), bytearray()

    def headers_finished(self) -> None:
        _, options = parse_options_header(self.disposition.decode("latin-1"))
        if b"name" not in options:
            raise Problem(400, "a part of the form has no name")
        self.name = options[b"name"].decode("utf-8", "replace")
        self.is_picture = self.name == "image"
        self.count += 1
        if self.is_picture and len(self.form.pictures) >= self.limits.pictures:
            raise Problem(413, f"at most {self.limits.pictures} pictures at a time")
        if self.count > self.limits.pictures + FIELDS:
            raise Problem(413, "the form has too many fields")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if not self.is_picture and len(self.data) + end - start > FIELD_BYTES:
            raise Problem(413, f"a field other than image is longer than {FIELD_BYTES} bytes")
        self.data += data[start:end]

    def part_end(self) -> None:
        if self.is_picture:
            self.form.pictures.append(bytes(self.data))
        else:
            self.form.fields[self.name] = self.data.decode("utf-8", "replace")
        self.data = bytearray()

    def end(self) -> None:
        self.complete = True
