"""The model file: a ``TrainedModel`` as one ``.npz`` archive of arrays and metadata."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import __version__ as minicnn_version
from minicnn.serialize import SerializeError, load, load_model_arrays, model_arrays, save
from poster_genre.data.transforms import Normalisation
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.model.calibration import Calibration
from poster_genre.model.networks import SPECS, build_network
from poster_genre.model.spec import ModelSpec
from poster_genre.model.trained_model import TrainedModel

KIND = "poster_genre model"
VERSION = 1
SMALLEST_SIDE, LARGEST_SIDE = 8, 1024  # pixels; a larger picture of a larger network fills any memory
PACKAGED = "compact.npz"
LARGEST_HALF = float(np.finfo(np.float16).max)

Arrays = dict[str, np.ndarray]


# Writing.


def save_model(model: TrainedModel, path: str | Path) -> None:
    """Write one file with everything that prediction and evaluation need, atomically.

    Weights, statistics, priors, thresholds and calibration are arrays; the rest is metadata. A weight matrix
    whose numbers float16 can all hold is written in float16: half the size, and nothing is lost.
    PosterGenreError where the file cannot be written.
    """
    calibration = model.calibration
    arrays = {
        **{name: half_if_exact(array) for name, array in model_arrays(model.network).items()},
        "priors": model.priors,
        "thresholds": model.thresholds,
    }
    if calibration is not None:
        arrays |= {"calibration/slope": calibration.slope, "calibration/offset": calibration.offset}
    metadata = {
        "kind": KIND,
        "model_version": VERSION,
        "network": model.spec.description(),
        "genres": list(GENRES),
        "thresholds_from": model.thresholds_from,
        "calibration": None
        if calibration is None
        else {
            "posters": calibration.posters,
            "labels_digest": calibration.labels_digest,
            "sure_above_bits": calibration.sure_above,
        },
        "provenance": {**model.provenance, "written_by": f"poster-genre {minicnn_version}"},
    }
    try:
        save(path, arrays, metadata)
    except OSError as error:
        raise PosterGenreError(f"cannot write the model file {path}: {error.strerror or error}") from error


def half_if_exact(array: np.ndarray) -> np.ndarray:
    """A float32 matrix as float16 if that loses nothing; any other array as it is."""
    if array.ndim < 2 or array.dtype != np.float32 or float(np.abs(array).max(initial=0)) > LARGEST_HALF:
        return array
    half = array.astype(np.float16)
    return half if np.array_equal(half, array) else array


# Reading.


def load_model(path: str | Path | None = None) -> TrainedModel:
    """Read a file that ``save_model`` wrote; without a path the weights that came with the package.

    PosterGenreError, one sentence, for a file that is missing, damaged, forged or not a model file.
    """
    if path is not None:
        return _read(Path(path))
    packaged = resources.files("poster_genre.model") / "weights" / PACKAGED
    if not packaged.is_file():
        raise PosterGenreError(
            "this installation came without trained weights (poster_genre/model/weights/compact.npz): train "
            "a model with 'poster-genre train' and name its model.npz with --model-file"
        )
    with resources.as_file(packaged) as file:
        return _read(file)


def _read(path: Path) -> TrainedModel:
    if path.is_dir():
        raise PosterGenreError(f"{path} is a folder, not a model file; did you mean {path / 'model.npz'}?")
    if not path.exists():
        raise PosterGenreError(
            f"there is no model file {path}; 'poster-genre train' writes one, OUT/model.npz"
        )
    try:
        arrays, metadata = load(path)
    except SerializeError as error:
        raise PosterGenreError(str(error)) from error
    except OSError as error:
        raise PosterGenreError(f"cannot read the model file {path}: {error.strerror or error}") from error
    if metadata.get("kind") != KIND:
        raise PosterGenreError(
            f"{path} is not a model file of poster-genre; a training run's model is OUT/model.npz, "
            "its last.npz and best.npz are checkpoints"
        )
    if metadata.get("model_version") != VERSION:
        raise PosterGenreError(
            f"{path} has the model format {metadata.get('model_version')}, this poster-genre reads "
            f"{VERSION}: use the version that wrote it, or train again"
        )
    try:
        return _assemble(arrays, metadata)
    except (KeyError, TypeError, ValueError, ArithmeticError, MemoryError) as error:
        raise PosterGenreError(
            f"the model file {path} contradicts itself ({error}); get it again or train anew"
        ) from error


def _assemble(arrays: Arrays, metadata: dict[str, Any]) -> TrainedModel:
    if tuple(metadata["genres"]) != GENRES:
        raise ValueError("its genres are not the 25 of this version in their order")
    spec = _spec(metadata["network"])
    network = build_network(spec, rng=0)
    priors, thresholds = arrays.pop("priors"), arrays.pop("thresholds")
    calibration = _calibration(metadata.get("calibration"), arrays)
    for name, values in (("priors", priors), ("thresholds", thresholds)):
        if values.shape != (N_GENRES,) or not np.isfinite(values).all():
            raise ValueError(f"its {name} are not {N_GENRES} finite numbers")
        if values.min() < 0 or values.max() > 1:
            raise ValueError(f"its {name} are not all from 0 to 1")
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"the array {name} holds NaN or infinity")
    widened = {name: a.astype(np.float32) if a.dtype == np.float16 else a for name, a in arrays.items()}
    load_model_arrays(network, widened)
    provenance = dict(metadata["provenance"])
    if not all(isinstance(row, dict) for row in provenance.get("history", [])):
        raise ValueError("its history is not a list of rows")
    return TrainedModel(
        spec=spec,
        network=network,
        priors=priors,
        thresholds=thresholds,
        thresholds_from=str(metadata["thresholds_from"]),
        calibration=calibration,
        provenance=provenance,
    )


def _calibration(about: dict[str, Any] | None, arrays: Arrays) -> Calibration | None:
    """The calibration, its arrays taken out of ``arrays``; None for a model that has none."""
    if about is None:
        return None
    slope, offset = arrays.pop("calibration/slope"), arrays.pop("calibration/offset")
    sure_above = float(about["sure_above_bits"])
    for values in (slope, offset):
        if values.shape != (N_GENRES,) or not np.isfinite(values).all():
            raise ValueError(f"its calibration is not twice {N_GENRES} finite numbers")
    if slope.min() <= 0 or not math.isfinite(sure_above):
        raise ValueError("its calibration would turn the order of the posters around")
    return Calibration(slope, offset, sure_above, int(about["posters"]), str(about["labels_digest"]))


def _spec(network: dict[str, Any]) -> ModelSpec:
    if network["name"] not in SPECS:
        raise ValueError(f"its network is called {network['name']!r}, which this version does not know")
    height, width = (int(side) for side in network["input_size"])
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (height, width)):
        raise ValueError(
            f"its input size is {height}x{width}, expected sides of {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        )
    mean, std = _per_channel(network["mean"]), _per_channel(network["std"])
    Normalisation(mean, std)
    return replace(
        SPECS[network["name"]],
        input_size=(height, width),
        mean=mean,
        std=std,
        flip_average=bool(network["flip_average"]),
        arguments=dict(network["arguments"]),
    )


def _per_channel(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
