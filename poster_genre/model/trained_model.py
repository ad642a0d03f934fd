"""A trained model as a plain record, and the predictions that need nothing but it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from minicnn import fusion
from minicnn.containers import Sequential
from minicnn.layer import Layer
from minicnn.serialize import model_arrays
from poster_genre.data.transforms import VERSION as TRANSFORMS_VERSION
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES
from poster_genre.model.calibration import Calibration, fit_calibration
from poster_genre.model.network_parts import largest_activation, network_parts
from poster_genre.model.out_of_distribution import PosterDistance, descriptions_of, fit_poster_distance
from poster_genre.model.spec import ModelSpec
from poster_genre.model.thresholds import fit_thresholds

BATCH = 64  # posters that go through the network together, fewer where its activations are large
BATCH_NUMBERS = 2**27  # in the largest activation of a batch
NOT_FINITE = "the network's output is not a finite number; the weights in the model file are damaged"


class Answers(NamedTuple):
    """Probabilities (N, 25) float32, and (N,) bool: which pictures are unlike posters; None where unknown."""

    probabilities: np.ndarray
    unlike_posters: np.ndarray | None


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What training produces and a model file holds.

    ``spec``             how the network is built and fed.
    ``network``          the layers with their weights; outputs are in the order of ``GENRES``.
    ``priors``           (25,) float64, the genres' frequencies among the training posters.
    ``thresholds``       (25,) float64: a genre is named where its probability reaches its threshold.
    ``thresholds_from``  a sentence on the origin of the thresholds.
    ``calibration``      None where there were no validation posters to fit it on.
    ``provenance``       JSON values on the run that produced it, the history among them.
    ``distance``         of a picture from posters; None where there were too few to fit it on.

    Predictions write nothing into the network, so threads may predict together.
    """

    spec: ModelSpec
    network: Sequential
    priors: np.ndarray
    thresholds: np.ndarray
    thresholds_from: str
    calibration: Calibration | None
    provenance: dict[str, Any]
    distance: PosterDistance | None = None

    @classmethod
    def uncalibrated(
        cls, spec: ModelSpec, network: Sequential, priors: np.ndarray, provenance: dict[str, Any]
    ) -> TrainedModel:
        """A model without a calibration, and with 0.5 as every threshold."""
        return cls(
            spec=spec,
            network=network,
            priors=priors,
            thresholds=np.full(len(GENRES), 0.5),
            thresholds_from="0.5 for every genre: there were no validation posters",
            calibration=None,
            provenance=provenance,
        )

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row of numbers for each epoch of training; empty where the provenance has none."""
        return list(self.provenance.get("history", []))

    def probabilities(self, pixels: np.ndarray, *, calibrated: bool = True) -> np.ndarray:
        """Probabilities (N, 25), float32, of uint8 pixels (N, h, w, 3) at the network's input size.

        Where the specification says ``flip_average``, the mean over the poster and its mirror image; then
        calibrated, if ``calibrated`` and there is a calibration.

        The network runs fused (``minicnn.fusion``), which changes probabilities by rounding only, less than
        1e-5; ``MINICNN_FUSION=off`` in the environment runs it layer by layer.
        """
        [outputs] = self._outputs(pixels, fusion.steps_of(self.fast_network()))
        raw = self._raw(outputs)
        return self._calibrated(raw) if calibrated else raw

    def answers(self, pixels: np.ndarray) -> Answers:
        """The calibrated probabilities of uint8 pixels (N, h, w, 3), and which pictures are unlike posters.

        One pass through the network gives both.
        """
        if self.distance is None:
            return Answers(self.probabilities(pixels), None)
        raw, descriptions = self.raw_and_descriptions(pixels)
        return Answers(self._calibrated(raw), self.distance.exceeded(descriptions))

    def raw_and_descriptions(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities without calibration, (N, 25), and ``descriptions``: one pass through the network."""
        embeddings, outputs = self._outputs(pixels, *self._body_and_head())
        return self._raw(outputs), descriptions_of(pixels, embeddings.mean(axis=1))

    def embedding(self, pixels: np.ndarray) -> np.ndarray:
        """What the last dense layer reads, (N, d) float32, of uint8 pixels (N, h, w, 3).

        Where the specification says ``flip_average``, the mean over the poster and its mirror image.
        """
        [embeddings] = self._outputs(pixels, self._body_and_head()[0])
        return embeddings.mean(axis=1)

    def descriptions(self, pixels: np.ndarray) -> np.ndarray:
        """What ``distance`` measures of uint8 pixels (N, h, w, 3), see ``out_of_distribution``."""
        return descriptions_of(pixels, self.embedding(pixels))

    def sure(self, probabilities: np.ndarray) -> np.ndarray | None:
        """(N,) bool: whether calibrated probabilities (N, 25) rest on more than the genres' frequencies.

        The rule is in ``poster_genre.model.confidence``. None where there is no calibration.
        """
        return None if self.calibration is None else self.calibration.sure(probabilities, self.priors)

    def fast_network(self) -> Layer:
        """``network`` as predictions run it: fused, or itself with ``MINICNN_FUSION=off``.

        It shares the layers of ``network``: changed weights and statistics take effect at once.
        """
        return self._fused if fusion.enabled() else self.network

    @functools.cached_property
    def _fused(self) -> Layer:
        return fusion.fuse(self.network)

    @functools.cached_property
    def _batch(self) -> int:
        one = largest_activation(self.network, (1, *self.spec.input_size, 3))
        return max(1, min(BATCH, BATCH_NUMBERS // one))

    def _raw(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities (N, 25) from the network's outputs for every view, (N, views, 25)."""
        return self.spec.probabilities(outputs).mean(axis=1)

    def _calibrated(self, raw: np.ndarray) -> np.ndarray:
        """Probabilities (N, 25), calibrated if there is a calibration."""
        return raw if self.calibration is None else self.calibration.apply(raw)

    def _body_and_head(self) -> tuple[Sequence[Layer], Sequence[Layer]]:
        """The steps before the last dense layer, and those from it on. PosterGenreError without one."""
        head = network_parts(self.network, self.spec.input_size).head
        steps = fusion.steps_of(self.fast_network())
        return steps[: steps.index(head)], steps[steps.index(head) :]

    def _outputs(self, pixels: np.ndarray, *chains: Sequence[Layer]) -> list[np.ndarray]:
        """What each of several chains of steps puts out for every view of the posters: (N, views, outputs).

        A chain reads the output of the one before it.
        """
        views = (pixels, pixels[:, :, ::-1]) if self.spec.flip_average else (pixels,)
        batches: list[list[np.ndarray]] = [[] for _ in chains]
        for start in range(0, len(pixels), self._batch):
            outputs: list[list[np.ndarray]] = [[] for _ in chains]
            for view in views:
                y = self.spec.to_input(view[start : start + self._batch])
                for chain, of_chain in zip(chains, outputs, strict=True):
                    for step in chain:
                        y = step.forward(y)
                    of_chain.append(y)
            for batch, of_chain in zip(batches, outputs, strict=True):
                batch.append(np.stack(of_chain, axis=1))
        return [np.concatenate(batch) for batch in batches]

    @property
    def version(self) -> str:
        """The network's name and the first 12 digits of its ``model_fingerprint``."""
        return f"{self.spec.name}-{model_fingerprint(self)[:12]}"


def with_calibration(model: TrainedModel, pixels: np.ndarray, labels: np.ndarray) -> TrainedModel:
    """The model, calibrated on posters that were not trained on.

    Thresholds and the distance from posters are fitted on them too.
    """
    if ends_in_dense(model):
        raw, descriptions = model.raw_and_descriptions(pixels)
        distance = fit_poster_distance(descriptions)
    else:
        raw, distance = model.probabilities(pixels, calibrated=False), None
    calibration = fit_calibration(labels, raw, model.priors)
    return replace(
        model,
        calibration=calibration,
        thresholds=fit_thresholds(labels, calibration.apply(raw)),
        thresholds_from=f"highest F1 on {len(pixels)} validation posters",
        distance=distance,
    )


def ends_in_dense(model: TrainedModel) -> bool:
    """Whether the network has an embedding: what its last dense layer reads."""
    try:
        network_parts(model.network, model.spec.input_size)
    except PosterGenreError:
        return False
    return True


def model_fingerprint(model: TrainedModel) -> str:
    """SHA-256 of the weights in memory, the architecture and the path from picture to input, in hex.

    Not of the calibration or the thresholds, on which no embedding depends.
    """
    about = [model.spec.description(), list(GENRES), TRANSFORMS_VERSION]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, array in sorted(model_arrays(model.network).items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def top_of(row: np.ndarray, k: int) -> list[tuple[str, float]]:
    """The ``k`` most probable genres of one row of probabilities; equal ones in the order of GENRES."""
    return [(GENRES[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:k]]
