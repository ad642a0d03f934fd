"""The model file: what ``PosterGenreClassifier.save`` writes and ``load`` reads."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import __version__ as minicnn_version
from minicnn.serialize import SerializeError, load, load_model_arrays, model_arrays, save
from poster_genre.data.transforms import VERSION as TRANSFORMS_VERSION
from poster_genre.data.transforms import Normalisation
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.model.calibration import Calibration
from poster_genre.model.networks import SPECS, ModelSpec, build_network

if TYPE_CHECKING:
    from poster_genre.classifier import PosterGenreClassifier

KIND = "poster_genre model"
VERSION = 1
SMALLEST_SIDE, LARGEST_SIDE = 8, 1024  # pixels; a larger picture of a larger network fills any memory
PACKAGED = "compact.npz"
LARGEST_HALF = float(np.finfo(np.float16).max)


def save_classifier(classifier: PosterGenreClassifier, path: Path) -> None:
    """Weights, statistics, priors, thresholds and calibration as arrays; the rest as metadata.

    A weight matrix whose numbers float16 can all hold is written so: half the size, and nothing is lost.
    """
    calibration = classifier.calibration_
    arrays = {
        **{name: compact(array) for name, array in model_arrays(classifier.model_).items()},
        "priors": classifier.priors_,
        "thresholds": classifier.thresholds_,
    }
    if calibration is not None:
        arrays |= {"calibration/slope": calibration.slope, "calibration/offset": calibration.offset}
    metadata = {
        "kind": KIND,
        "model_version": VERSION,
        "network": network_of(classifier.spec_),
        "genres": list(classifier.genres_),
        "thresholds_from": classifier.thresholds_from_,
        "calibration": None
        if calibration is None
        else {
            "posters": calibration.posters,
            "labels_digest": calibration.labels_digest,
            "sure_above_bits": calibration.sure_above,
        },
        "provenance": {**classifier.provenance_, "written_by": f"poster-genre {minicnn_version}"},
    }
    try:
        save(path, arrays, metadata)
    except OSError as error:
        raise PosterGenreError(f"cannot write the model file {path}: {error.strerror or error}") from error


def compact(array: np.ndarray) -> np.ndarray:
    """A float32 matrix as float16 if that loses nothing; any other array as it is."""
    if array.ndim < 2 or array.dtype != np.float32 or float(np.abs(array).max(initial=0)) > LARGEST_HALF:
        return array
    half = array.astype(np.float16)
    return half if np.array_equal(half, array) else array


def network_of(spec: ModelSpec) -> dict[str, Any]:
    """What it takes to build the network again and to feed it."""
    return {
        "name": spec.name,
        "arguments": spec.arguments,
        "input_size": list(spec.input_size),
        "mean": list(spec.mean),
        "std": list(spec.std),
        "flip_average": spec.flip_average,
    }


def fingerprint(classifier: PosterGenreClassifier) -> str:
    """SHA-256 of the weights in memory, the architecture and the path from picture to input, in hex."""
    about = [network_of(classifier.spec_), list(classifier.genres_), TRANSFORMS_VERSION]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, array in sorted(model_arrays(classifier.model_).items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def load_classifier(
    kind: type[PosterGenreClassifier], path: str | Path | None = None
) -> PosterGenreClassifier:
    """A classifier ready to predict. PosterGenreError for a file that is missing, damaged or not ours."""
    if path is None:
        packaged = resources.files("poster_genre.model") / "weights" / PACKAGED
        if not packaged.is_file():
            raise PosterGenreError(
                "this installation came without trained weights (model/weights/compact.npz): train a "
                "model with 'poster-genre train' and name its model.npz with --model-file"
            )
        with resources.as_file(packaged) as file:
            return _read(kind, file)
    return _read(kind, Path(path))


def _read(kind: type[PosterGenreClassifier], path: Path) -> PosterGenreClassifier:
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
            f"{VERSION}: "
            "use the version that wrote it, or train again"
        )
    try:
        return _assemble(kind, arrays, metadata)
    except (KeyError, TypeError, ValueError, ArithmeticError, MemoryError) as error:
        raise PosterGenreError(
            f"the model file {path} contradicts itself ({error}); get it again or train anew"
        ) from error


def _assemble(
    kind: type[PosterGenreClassifier], arrays: dict[str, np.ndarray], metadata: dict[str, Any]
) -> PosterGenreClassifier:
    if tuple(metadata["genres"]) != GENRES:
        raise ValueError("its genres are not the 25 of this version in their order")
    spec = _spec(metadata["network"])
    model = build_network(spec, rng=0)
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
    load_model_arrays(model, widened)
    classifier = kind(spec.name)
    classifier.spec_, classifier.model_, classifier.genres_ = spec, model, GENRES
    classifier.priors_, classifier.thresholds_ = priors, thresholds
    classifier.thresholds_from_ = str(metadata["thresholds_from"])
    classifier.calibration_ = calibration
    classifier.provenance_ = dict(metadata["provenance"])
    classifier.history_ = list(classifier.provenance_.get("history", []))
    if not all(isinstance(row, dict) for row in classifier.history_):
        raise ValueError("its history is not a list of rows")
    return classifier


def _calibration(about: dict[str, Any] | None, arrays: dict[str, np.ndarray]) -> Calibration | None:
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
