"""The model file: a ``TrainedModel`` as one ``.npz`` archive of arrays and metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import __version__ as minicnn_version
from minicnn.containers import Sequential
from minicnn.serialize import SerializeError, load, load_model_arrays, model_arrays, save
from poster_genre.errors import PosterGenreError, printable
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.model.calibration import Calibration
from poster_genre.model.network_parts import largest_activation, network_parts
from poster_genre.model.networks import SPECS, build_network
from poster_genre.model.out_of_distribution import PosterDistance
from poster_genre.model.picture_statistics import STATISTICS
from poster_genre.model.spec import ModelSpec
from poster_genre.model.trained_model import TrainedModel
from poster_genre.model.weight_budget import WeightBudget

KIND = "poster_genre model"
VERSION = 1
PACKAGED = "compact.npz"
LARGEST_HALF = float(np.finfo(np.float16).max)
LARGEST_ACTIVATION = 2**26  # numbers that one layer puts out for one poster: 256 MB
LONGEST_TEXT = 300  # characters of a file's own text in an error message
LARGEST_LOGGED = 1e100  # in the history; JSON has whole numbers that no float can hold
LARGEST_SLOPE = LARGEST_OFFSET = 1e6  # of a calibration; fitted ones are near 1 and 0

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
    distance = model.distance
    if distance is not None:
        arrays |= {"distance/mean": distance.mean, "distance/whitening": half_if_exact(distance.whitening)}
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
        "distance": None if distance is None else {"posters": distance.posters, "limit": distance.limit},
        "provenance": {**model.provenance, "written_by": f"poster-genre {minicnn_version}"},
    }
    try:
        save(path, arrays, metadata)
    except OSError as error:
        raise PosterGenreError(
            f"cannot write the model file {printable(str(path))}: {error.strerror or error}"
        ) from error


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
    name = printable(str(path))
    if path.is_dir():
        raise PosterGenreError(
            f"{name} is a folder, not a model file; did you mean {Path(name) / 'model.npz'}?"
        )
    if not path.exists():
        raise PosterGenreError(
            f"there is no model file {name}; 'poster-genre train' writes one, OUT/model.npz"
        )
    try:
        arrays, metadata = load(path)
    except SerializeError as error:
        raise PosterGenreError(str(error)) from error
    except OSError as error:
        raise PosterGenreError(f"cannot read the model file {name}: {error.strerror or error}") from error
    if metadata.get("kind") != KIND:
        raise PosterGenreError(
            f"{name} is not a model file of poster-genre; a training run's model is OUT/model.npz, "
            "its last.npz and best.npz are checkpoints"
        )
    version = metadata.get("model_version")
    if version != VERSION:
        raise PosterGenreError(
            f"{name} has the model format {printable(str(version), LONGEST_TEXT)}, this poster-genre reads "
            f"{VERSION}: use the version that wrote it, or train again"
        )
    network = metadata.get("network")
    if isinstance(network, dict) and isinstance(network.get("name"), str) and network["name"] not in SPECS:
        raise PosterGenreError(
            f"{name} holds the network {printable(network['name'], LONGEST_TEXT)!r}, which this program "
            "has not registered; poster_genre.model.networks.register_model does so"
        )
    try:
        return _assemble(arrays, metadata)
    except (KeyError, TypeError, ValueError, ArithmeticError, MemoryError) as error:
        reason = printable(str(error), LONGEST_TEXT)
        raise PosterGenreError(
            f"the model file {name} contradicts itself ({reason}); get it again or train anew"
        ) from error


def _assemble(arrays: Arrays, metadata: dict[str, Any]) -> TrainedModel:
    """The model of a file; ValueError and others that ``_read`` catches where a value is impossible."""
    if tuple(metadata["genres"]) != GENRES:
        raise ValueError("its genres are not the 25 of this version in their order")
    priors = _genre_values(arrays, "priors", 0, 1)
    thresholds = _genre_values(arrays, "thresholds", 0, 1)
    calibration = _calibration(metadata.get("calibration"), arrays)
    spec = _spec(metadata["network"])
    distance = _distance(metadata.get("distance"), arrays)
    network = _network(spec, arrays)
    features = len(network_parts(network, spec.input_size).head.weight.data) if distance else 0
    if distance is not None and len(distance.mean) != features + len(STATISTICS):
        raise ValueError("its distance is not of its network's embeddings")
    return TrainedModel(
        spec=spec,
        network=network,
        priors=priors,
        thresholds=thresholds,
        thresholds_from=str(metadata["thresholds_from"]),
        calibration=calibration,
        provenance=_provenance(metadata["provenance"]),
        distance=distance,
    )


def _genre_values(arrays: Arrays, name: str, low: float, high: float) -> np.ndarray:
    """The array ``name``, taken out of ``arrays``: (25,) float64, all from ``low`` to ``high``."""
    values = arrays.pop(name)
    if values.shape != (N_GENRES,) or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise ValueError(f"its {name} are not {N_GENRES} finite numbers")
    if values.min() < low or values.max() > high:
        raise ValueError(f"its {name} are not all from {low:g} to {high:g}")
    return values.astype(np.float64, copy=False)


def _distance(about: dict[str, Any] | None, arrays: Arrays) -> PosterDistance | None:
    """The distance from posters, its arrays taken out of ``arrays``; None in a file that has none."""
    if about is None:
        return None
    mean, whitening = arrays.pop("distance/mean"), arrays.pop("distance/whitening")
    if mean.ndim != 1 or whitening.ndim != 2 or len(whitening) != len(mean) or not whitening.size:
        raise ValueError("the arrays of its distance do not fit each other")
    if any(a.dtype.kind != "f" or not np.isfinite(a).all() for a in (mean, whitening)):
        raise ValueError("the arrays of its distance are not finite numbers")
    limit, posters = float(about["limit"]), about["posters"]
    if not (math.isfinite(limit) and limit > 0) or not isinstance(posters, int) or posters < 1:
        raise ValueError("the limit of its distance is not a number above 0")
    return PosterDistance(mean.astype(np.float32), whitening.astype(np.float32), limit, posters)


def _calibration(about: dict[str, Any] | None, arrays: Arrays) -> Calibration | None:
    """The calibration, its arrays taken out of ``arrays``; None for a model that has none."""
    if about is None:
        return None
    slope = _genre_values(arrays, "calibration/slope", 1 / LARGEST_SLOPE, LARGEST_SLOPE)
    offset = _genre_values(arrays, "calibration/offset", -LARGEST_OFFSET, LARGEST_OFFSET)
    sure_above, posters = float(about["sure_above_bits"]), int(about["posters"])
    if not 0 <= sure_above < math.inf or posters < 1:
        raise ValueError("its calibration has an impossible limit or number of posters")
    return Calibration(slope, offset, sure_above, posters, str(about["labels_digest"]))


def _spec(network: dict[str, Any]) -> ModelSpec:
    name = network["name"]
    height, width = (int(side) for side in network["input_size"])
    return replace(
        SPECS[name],
        input_size=(height, width),
        mean=_per_channel(network["mean"]),
        std=_per_channel(network["std"]),
        flip_average=bool(network["flip_average"]),
        arguments=dict(network["arguments"]),
    )


def _per_channel(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _network(spec: ModelSpec, arrays: Arrays) -> Sequential:
    """The network with the weights and statistics of the file, and no larger than they are."""
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"the array {name} holds NaN or infinity")
        if name.endswith("running_var") and values.min(initial=0) < 0:
            raise ValueError(f"the array {name} holds a variance below 0")
    weights = {name: values for name, values in arrays.items() if name.startswith("parameter/")}
    network = build_network(spec, rng=WeightBudget(weights))
    largest = largest_activation(network, (1, *spec.input_size, 3))
    if largest > LARGEST_ACTIVATION:
        raise ValueError(f"one poster would take arrays of {largest:,} numbers in its network")
    widened = {name: a.astype(np.float32) if a.dtype == np.float16 else a for name, a in arrays.items()}
    load_model_arrays(network, widened)
    return network


def _provenance(about: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance, in which the number of posters and the history are what their readers expect."""
    provenance = dict(about)
    posters, history = provenance.get("train_posters", 0), provenance.get("history", [])
    if not isinstance(posters, int) or posters < 0:
        raise ValueError("its number of training posters is not a whole number")
    if not isinstance(history, list) or not all(isinstance(row, dict) and "epoch" in row for row in history):
        raise ValueError("its history is not a list of rows, one for each epoch")
    if not all(isinstance(value, (int, float)) for row in history for value in row.values()):
        raise ValueError("its history holds values that are not numbers")
    if any(abs(value) > LARGEST_LOGGED for row in history for value in row.values()):
        raise ValueError("its history holds numbers that no training has")
    return provenance
