"""Decoding for requests: on threads, with bounds on how many pixels one request and all of them may have.

Requests of the server's own pages go first. Of the others, first pictures go before second ones and so on, so
that a request of one picture does not wait for all 32 of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from poster_genre.data.transforms import load_poster
from poster_genre.errors import PosterGenreError
from poster_genre.web.inference.capacity import Capacity
from poster_genre.web.inference.priority_threads import PriorityThreads
from poster_genre.web.limits import Limits
from poster_genre.web.problem_details import Problem
from poster_genre.web.security.decompression_bombs import check_cost

THREADS = 2


class DecodeQueue:
    """Decodes pictures to the network's input size ``(height, width)``. Used on one event loop."""

    def __init__(self, size: tuple[int, int], limits: Limits) -> None:
        self.size, self.limits = size, limits
        self.pixels = Capacity(limits.decoding_pixels, limits.decoding_pixels_for_pages, limits.retry_after)
        self._headers = PriorityThreads(1, "headers")
        self._decoders = PriorityThreads(THREADS, "decode")

    async def decode(
        self, pictures: Sequence[bytes], names: Sequence[str], own_page: bool
    ) -> list[np.ndarray | str]:
        """For each picture uint8 (height, width, 3), or one sentence on why it cannot be read.

        Problem 413 where the pictures have too many pixels in all, 503 where too many are waiting. What is
        not yet decoded when the coroutine is cancelled, because the client has left or the deadline has
        passed, is dropped.
        """
        pixels = await self._headers.run(
            lambda: [pixels_or_error(*picture, self.limits) for picture in zip(pictures, names, strict=True)],
            own_page,
        )
        total = sum(count for count in pixels if isinstance(count, int))
        if total > self.limits.request_pixels:
            raise Problem(
                413,
                f"the {len(pictures)} pictures have {total:,} pixels in all, more than the "
                f"{self.limits.request_pixels:,} of one request; send fewer at a time, or smaller ones",
            )
        with self.pixels.reserve(total, own_page):
            decoding = [
                self._decode(picture, name, count, own_page, rank)
                for rank, (picture, name, count) in enumerate(zip(pictures, names, pixels, strict=True))
            ]
            return await asyncio.gather(*decoding)

    async def _decode(
        self, data: bytes, name: str, pixels: int | str, own_page: bool, rank: int
    ) -> np.ndarray | str:
        if isinstance(pixels, str):
            return pixels
        return await self._decoders.run(lambda: decode(data, self.size, name), own_page, rank)

    def close(self) -> None:
        """Finish the pictures that are waiting, then end the threads. Blocks."""
        self._headers.close()
        self._decoders.close()


def pixels_or_error(data: bytes, name: str, limits: Limits) -> int | str:
    """The number of pixels by the picture's header, or one sentence on why it will not be decoded."""
    try:
        return check_cost(data, name, limits)
    except PosterGenreError as error:
        return str(error)


def decode(data: bytes, size: tuple[int, int], name: str) -> np.ndarray | str:
    """uint8 (height, width, 3) of a picture's bytes, or one sentence on why it cannot be read."""
    try:
        return load_poster(data, size, name)
    except PosterGenreError as error:
        return str(error)
