"""Limits on one request, and on all requests together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of the server's memory and answer times. Sizes in bytes, times in seconds.

    One request:
        ``body``               size of an upload.
        ``pictures``           pictures in it.
        ``pixels``             width times height of a picture, read from its header before decoding.
        ``side``               width or height of a picture: a decoder needs memory for every row.
        ``request_pixels``     pixels of all pictures of a request: half a second to a second of decoding.
        ``scans``              passes of a progressive JPEG over its pixels: a small file can have a thousand.
        ``scanned_pixels``     pixels times passes of a JPEG: some seconds of decoding.
        ``decoding_bytes``     memory that decoding a picture takes, as far as its header tells: a WebP of 15
                               megapixels reaches it.
        ``run_length_bytes``   size of a run-length BMP, which Pillow decodes byte by byte in Python.
        ``fields``             text fields of an upload.
        ``field_bytes``        size of one: a genre or a method.
        ``header_seconds``     from a connection's first byte to the end of a request's headers.
        ``idle_seconds``       between two pieces of an upload.
        ``upload_seconds``     for a whole upload.
        ``answer_seconds``     from the end of the upload to the answer.
        ``read_seconds``       from the answer until the client has read it.
    All requests together:
        ``upload_memory``      size of all uploads in memory at a time.
        ``queue``              pictures between the end of their upload and their answer.
        ``decoding_pixels``    pixels of all pictures that are being decoded or wait for it: some seconds.
        ``decoding_pixels_for_pages``  as many more for requests of the server's own pages.
        ``explanations``       heat maps waiting or in work.
        ``for_pages``          as many more pictures, heat maps or traces for requests of the server's own
                               pages, which also go first: a flood of programs leaves room for people.
        ``traces``             requests about layer traces, waiting or in work.
        ``session_pixels``     size of the posters of all trace sessions; past it the session that was not
                               used for longest ends.
        ``session_traces``     size of their traces; a dropped trace is computed again when it is needed.
        ``session_seconds``    without use after which a trace session ends.
        ``shutdown_seconds``   from the signal to stop until requests without an answer are dropped.
        ``batch``              pictures that go through the network together, when so many wait.
        ``gather_seconds``     time that the network waits for pictures which are still being decoded.
        ``connections``        open at a time; one more closes the one that has been idle longest.
        ``retry_after``        what ``Retry-After`` says where one of these is exceeded.
    """

    body: int = 10 * 2**20
    pictures: int = 32
    pixels: int = 25_000_000
    side: int = 20_000
    request_pixels: int = 100_000_000
    scans: int = 64
    scanned_pixels: int = 500_000_000
    decoding_bytes: int = 240 * 2**20
    run_length_bytes: int = 2**20
    fields: int = 8
    field_bytes: int = 1000
    header_seconds: float = 10.0
    idle_seconds: float = 10.0
    upload_seconds: float = 60.0
    answer_seconds: float = 30.0
    read_seconds: float = 10.0
    upload_memory: int = 128 * 2**20
    queue: int = 128
    decoding_pixels: int = 300_000_000
    decoding_pixels_for_pages: int = 100_000_000
    explanations: int = 8
    for_pages: int = 16
    traces: int = 64
    session_pixels: int = 16 * 2**20
    session_traces: int = 64 * 2**20
    session_seconds: float = 1800.0
    shutdown_seconds: int = 8
    batch: int = 16
    gather_seconds: float = 0.02
    connections: int = 512
    retry_after: int = 1

    @property
    def megabytes(self) -> str:
        """The size of an upload as people read it, in MB."""
        return f"{self.body / 2**20:.3g}"
