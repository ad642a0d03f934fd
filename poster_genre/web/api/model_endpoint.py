"""``GET /api/v1/model``: the model, and what it takes."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from poster_genre.data.image_reader import formats
from poster_genre.genres import GENRES
from poster_genre.web.app_state import AppState, state_of


async def model(request: Request) -> Response:
    """The schema ``Model`` of the OpenAPI document."""
    return JSONResponse(describe_model(state_of(request)))


def describe_model(state: AppState) -> dict[str, Any]:
    """Name, version, genres and limits of the served model."""
    classifier, limits = state.classifier, state.limits
    spec, calibration = classifier.trained_.spec, classifier.trained_.calibration
    return {
        "name": spec.name,
        "version": classifier.model_version,
        "input_size": list(spec.input_size),
        "parameters": sum(p.data.size for p in classifier.trained_.network.parameters().values()),
        "calibrated": calibration is not None,
        "sure_above_bits": None if calibration is None else calibration.sure_above,
        "train_posters": classifier.trained_.provenance.get("train_posters"),
        "genres": [
            {"name": genre, "frequency": float(prior), "threshold": float(threshold)}
            for genre, prior, threshold in zip(
                GENRES, classifier.trained_.priors, classifier.trained_.thresholds, strict=True
            )
        ],
        "limits": {
            "formats": list(formats()),
            "bytes": limits.body,
            "pixels": limits.pixels,
            "pictures": limits.pictures,
        },
    }


routes = [Route("/api/v1/model", model, methods=["GET"])]
