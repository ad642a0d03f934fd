"""What a network is built from and trained with: ``ModelSpec`` and its ``Recipe``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minicnn.argument_checks import Pair
from minicnn.layers.activation import sigmoid
from poster_genre.data.transforms import Normalisation
from poster_genre.errors import PosterGenreError

SMALLEST_SIDE, LARGEST_SIDE = 8, 1024  # pixels of an input; larger ones take too much memory
LARGEST_SCALE = 1000.0  # of mean and 1 / std: beyond it the input overflows the network


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    ``optimizer``        "adam" with a constant rate, or "adamw" with a one-cycle schedule up to its rate.
    ``ema_decay``        decay of the weights' moving average, which is validated and saved; None: no average.
    ``label_smoothing``  pulls the targets towards 0.5 by this share.
    ``mixup_alpha``      Beta(alpha, alpha) of mixup; 0 switches it off.
    ``augmentation``     arguments of ``poster_genre.data.augment.Augmentation``; None: posters as they are.

    PosterGenreError unless epochs and batch_size are integers above 0 and the learning rate is a number
    above 0.
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "adamw"
    adam_eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    ema_decay: float | None = None
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0
    augmentation: dict[str, float] | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise PosterGenreError(f"{name} must be a whole number, got {value!r}")
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
                raise PosterGenreError(f"{name} must be a number, got {value!r}")
            if not 0 < value < np.inf:
                raise PosterGenreError(f"{name} must be greater than 0, got {value}")


@dataclass(frozen=True)
class ModelSpec:
    """A network by name: its input, its output, how it is built and how it is trained.

    ``name``          of a registered network, see ``poster_genre.model.networks``.
    ``input_size``    (height, width) in pixels, 8 to 1024 each.
    ``mean, std``     per colour channel, in units of 0..1: the input is ``(pixel / 255 - mean) / std``;
                      mean -1000 to 1000, std 0.001 to 1000.
    ``logits``        True: puts out logits, trained with BinaryCrossEntropyWithLogits;
                      False: puts out probabilities, trained with BinaryCrossEntropy.
    ``flip_average``  prediction averages over the poster and its mirror image.
    ``arguments``     keyword arguments of the function that builds it; they are saved in model files.

    PosterGenreError for values outside these limits.
    """

    name: str
    input_size: Pair
    logits: bool
    recipe: Recipe
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    flip_average: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        height, width = self.input_size
        if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (height, width)):
            raise PosterGenreError(
                f"the input size is {height}x{width}, expected sides of {SMALLEST_SIDE} to {LARGEST_SIDE} "
                "pixels"
            )
        Normalisation(self.mean, self.std)
        largest_mean = max(abs(value) for value in self.mean)
        if (
            largest_mean > LARGEST_SCALE
            or not 1 / LARGEST_SCALE <= min(self.std) <= max(self.std) <= LARGEST_SCALE
        ):
            raise PosterGenreError(
                f"mean must be within {LARGEST_SCALE:g} of 0 and std from {1 / LARGEST_SCALE:g} to "
                f"{LARGEST_SCALE:g}, got {self.mean} and {self.std}"
            )

    def with_recipe(self, **changes: Any) -> ModelSpec:
        """The same network with some numbers of its recipe replaced; None leaves a number as it is."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, recipe=replace(self.recipe, **given))

    def to_input(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 pixels (N, h, w, 3) as the network's input, float32, in training and prediction alike."""
        return Normalisation(self.mean, self.std).apply(np.ascontiguousarray(pixels))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities (N, genres) from the network's outputs (N, genres)."""
        return sigmoid(outputs) if self.logits else outputs

    def description(self) -> dict[str, Any]:
        """What it takes to build the network and to feed it, as JSON values."""
        return {
            "name": self.name,
            "arguments": self.arguments,
            "input_size": list(self.input_size),
            "mean": list(self.mean),
            "std": list(self.std),
            "flip_average": self.flip_average,
        }
