"""How much one visitor may ask for, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Everything that a flood runs into. Sizes in bytes, times in seconds.

    One request:
        ``body``               size of an upload.
        ``pictures``           pictures in it.
        ``pixels``             width times height of a picture, looked up in its header before decoding.
        ``scans``              passes that a progressive JPEG may make over its pixels: a small file can ask
                               for a thousand.
        ``run_length_bytes``   size of a run-length BMP, which Pillow decodes byte by byte in Python.
        ``header_seconds``     from a connection's first byte to the end of a request's headers.
        ``idle_seconds``       between two pieces of an upload.
        ``upload_seconds``     for a whole upload.
        ``answer_seconds``     from the end of the upload to the answer.
    All together:
        ``upload_memory``      size of all uploads that are held at a time.
        ``queue``              pictures between the end of their upload and their answer.
        ``explanations``       heat maps waiting or at work.
        ``for_pages``          so many more of either for our own pages, whose requests also go first: people
                               are not kept out by a flood of programs.
        ``batch``              pictures that go through the network together, when so many wait.
        ``gather_seconds``     that the network waits for pictures which are still being decoded.
        ``connections``        open at a time; one more pushes out the one that has been idle longest.
    """

    body: int = 10 * 2**20
    pictures: int = 32
    pixels: int = 25_000_000
    scans: int = 64
    run_length_bytes: int = 2**20
    header_seconds: float = 10.0
    idle_seconds: float = 10.0
    upload_seconds: float = 60.0
    answer_seconds: float = 30.0
    upload_memory: int = 128 * 2**20
    queue: int = 128
    explanations: int = 8
    for_pages: int = 16
    batch: int = 16
    gather_seconds: float = 0.02
    connections: int = 512
    retry_after: int = 1
