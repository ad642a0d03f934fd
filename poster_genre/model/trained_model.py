"""A trained model as a plain record, and the predictions that need nothing but it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minicnn import fusion
from minicnn.containers import Sequential
from minicnn.layer import Layer
from minicnn.serialize import model_arrays
from poster_genre.data.transforms import VERSION as TRANSFORMS_VERSION
from poster_genre.genres import GENRES
from poster_genre.model.calibration import Calibration, fit_calibration
from poster_genre.model.network_parts import largest_activation, network_parts
from poster_genre.model.spec import ModelSpec
from poster_genre.model.thresholds import fit_thresholds

BATCH = 64  # posters that go through the network together, fewer where its activations are large
BATCH_NUMBERS = 2**27  # in the largest activation of a batch
NOT_FINITE = "the network's output is not a finite number; the weights in the model file are damaged"


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

    Predictions write nothing into the network, so threads may predict together.
    """

    spec: ModelSpec
    network: Sequential
    priors: np.ndarray
    thresholds: np.ndarray
    thresholds_from: str
    calibration: Calibration | None
    provenance: dict[str, Any]

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
        outputs = self._outputs(fusion.steps_of(self.fast_network()), pixels)
        raw = self.spec.probabilities(outputs).mean(axis=1)
        return raw if not calibrated or self.calibration is None else self.calibration.apply(raw)

    def embedding(self, pixels: np.ndarray) -> np.ndarray:
        """What the last dense layer reads, (N, d) float32, of uint8 pixels (N, h, w, 3).

        Where the specification says ``flip_average``, the mean over the poster and its mirror image.
        """
        head = network_parts(self.network, self.spec.input_size).head
        steps = fusion.steps_of(self.fast_network())
        return self._outputs(steps[: steps.index(head)], pixels).mean(axis=1)

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

    def _outputs(self, steps: Sequence[Layer], pixels: np.ndarray) -> np.ndarray:
        """The output of the chain of steps for every view of the posters: (N, views, outputs)."""
        views = (pixels, pixels[:, :, ::-1]) if self.spec.flip_average else (pixels,)
        batches = []
        for start in range(0, len(pixels), self._batch):
            outputs = []
            for view in views:
                y = self.spec.to_input(view[start : start + self._batch])
                for step in steps:
                    y = step.forward(y)
                outputs.append(y)
            batches.append(np.stack(outputs, axis=1))
        return np.concatenate(batches)

    @property
    def version(self) -> str:
        """The network's name and the first 12 digits of its ``model_fingerprint``."""
        return f"{self.spec.name}-{model_fingerprint(self)[:12]}"


def with_calibration(model: TrainedModel, pixels: np.ndarray, labels: np.ndarray) -> TrainedModel:
    """The model, calibrated on posters that were not trained on, with thresholds fitted on them."""
    raw = model.probabilities(pixels, calibrated=False)
    calibration = fit_calibration(labels, raw, model.priors)
    return replace(
        model,
        calibration=calibration,
        thresholds=fit_thresholds(labels, calibration.apply(raw)),
        thresholds_from=f"highest F1 on {len(pixels)} validation posters",
    )


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
