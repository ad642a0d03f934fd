"""What a feature map responds to: the patches of many posters at which its numbers are largest.

For every map of every step with images the ``PATCHES`` posters are found whose largest number is greatest,
and where on them it is. The patch is the receptive field of that number (Zeiler and Fergus 2014, "Visualizing
and Understanding Convolutional Networks", section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from poster_genre.explain.layer_trace.receptive_field import Region, receptive_field
from poster_genre.explain.layer_trace.steps import Step
from poster_genre.explain.layer_trace.trace import run_steps
from poster_genre.model.trained_model import TrainedModel

PATCHES = 9
BATCH = 8  # posters that go through the network together


class Patch(NamedTuple):
    """A map's largest number on one poster: its value, where it is, and what it was computed from."""

    value: float
    poster: int
    row: int
    column: int
    region: Region


@dataclass(frozen=True, eq=False)
class StrongestPatches:
    """The result of ``find_strongest_patches``.

    ``pixels``    the posters, uint8 (N, h, w, 3) at the network's input size.
    ``values``    by step: (k, channels), the largest numbers in falling order, at most one of a poster.
    ``posters``   by step: (k, channels), the indices of their posters.
    ``places``    by step: (k, channels), their row * width + column.
    """

    steps: Sequence[Step]
    pixels: np.ndarray
    values: dict[int, np.ndarray]
    posters: dict[int, np.ndarray]
    places: dict[int, np.ndarray]

    def of(self, step: int, channel: int) -> list[Patch]:
        """The patches of a map, the strongest first; those where it is 0 or less are left out."""
        width = self.steps[step].shape[1]
        patches = []
        for value, poster, place in zip(
            self.values[step][:, channel],
            self.posters[step][:, channel],
            self.places[step][:, channel],
            strict=True,
        ):
            if value > 0:
                row, column = divmod(int(place), width)
                region = receptive_field(self.steps, step, row, column, channel)
                patches.append(Patch(float(value), int(poster), row, column, region))
        return patches

    def picture(self, patch: Patch) -> np.ndarray:
        """The pixels of a patch, uint8 (rows, columns, 3)."""
        top, left, bottom, right = patch.region
        return self.pixels[patch.poster, top:bottom, left:right]


def has_patches(step: Step) -> bool:
    """Whether the step has maps of an image that a layer computed."""
    return step.layer is not None and len(step.shape) == 3


def find_strongest_patches(
    steps: Sequence[Step],
    model: TrainedModel,
    pixels: np.ndarray,
    progress: Callable[[float], None] = lambda share: None,
) -> StrongestPatches:
    """Send posters, uint8 (N, h, w, 3), through the network, and remember where every map is largest.

    ``progress`` is called with the share of posters done, 0 to 1.
    """
    best: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    for start in range(0, len(pixels), BATCH):
        batch = pixels[start : start + BATCH]
        outputs = run_steps(steps, model.spec.to_input(batch))
        numbers = np.arange(start, start + len(batch))
        for step in filter(has_patches, steps):
            flat = outputs[step.index].reshape(len(batch), -1, step.shape[2])
            found = flat.max(axis=1), np.repeat(numbers[:, None], step.shape[2], 1), flat.argmax(axis=1)
            best[step.index] = _largest(best[step.index], found) if step.index in best else _largest(found)
        progress((start + len(batch)) / len(pixels))
    values, posters, places = ({i: found[part] for i, found in best.items()} for part in range(3))
    return StrongestPatches(steps, pixels, values, posters, places)


def _largest(*found: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ``PATCHES`` largest of (values, posters, places), each (n, channels), in falling order."""
    values, posters, places = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-values, axis=0, kind="stable")[:PATCHES]
    return tuple(np.take_along_axis(a, order, axis=0) for a in (values, posters, places))  # type: ignore[return-value]
