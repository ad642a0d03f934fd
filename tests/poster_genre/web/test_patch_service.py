"""The search for the strongest patches: once for all requests, and broken off when the server stops."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.explain.layer_trace.steps import network_steps
from poster_genre.web.inference import patch_service
from poster_genre.web.inference.patch_service import PatchService
from poster_genre.web.limits import Limits


def service_of(classifier: PosterGenreClassifier, posters: int) -> PatchService:
    model = classifier.trained()
    steps = network_steps(model.network, model.spec.input_size)
    return PatchService(model, steps, np.zeros((posters, *model.spec.input_size, 3), np.uint8), Limits())


def test_the_posters_are_searched_once(
    web_classifier: PosterGenreClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, searches, real = service_of(web_classifier, 20), [], patch_service.find_strongest_patches

    def counted(*arguments: object) -> object:
        searches.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(patch_service, "find_strongest_patches", counted)

    async def run() -> None:
        await asyncio.gather(*(service.run(lambda found: found.of(1, 0), True) for _ in range(5)))

    asyncio.run(run())
    service.close()
    assert len(searches) == 1


def test_a_server_that_stops_breaks_off_the_search(web_classifier: PosterGenreClassifier) -> None:
    service = service_of(web_classifier, 200_000)

    async def run() -> None:
        search = asyncio.create_task(service.run(lambda found: found.of(1, 0), True))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(service.close)
        with pytest.raises(PosterGenreError, match="stopping"):
            await search

    asyncio.run(run())
