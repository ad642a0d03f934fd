"""Batches for the twin: minicnn's loader with poster_genre's augmentation, as PyTorch tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.experiments.posters import Posters
from benchmarks.experiments.trial_settings import Settings
from minicnn.data import ArrayDataset, DataLoader
from poster_genre.data.augment import Mixup
from poster_genre.data.transforms import Normalisation
from poster_genre.model.networks import SPECS


class BalancedLoader(DataLoader):
    """Class-balanced sampling: for each sample a genre is drawn uniformly, then one of its posters.

    An epoch has as many samples as without it, and a poster may occur more than once. This is the remedy of
    the original project, "equal distribution of genres".
    """

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the epoch's samples."""
        labels = np.stack([self.dataset[i][1] for i in range(len(self.dataset))])
        rng = np.random.default_rng([self.seed, epoch, 4, 0])
        members = [np.flatnonzero(column) for column in labels.T if column.any()]
        genres = rng.integers(len(members), size=self.samples)
        return np.array([rng.choice(members[g]) for g in genres])


class MixupOfPosters(Mixup):
    """Mixup with its own mixing share for every poster of a batch, not one share for all."""

    def __call__(
        self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        share = rng.beta(self.alpha, self.alpha, (len(x), 1)).astype(np.float32)
        partner = rng.permutation(len(x))
        y, pixel_share = y.astype(np.float32), share[:, :, None, None]
        return pixel_share * x + (1 - pixel_share) * x[partner], share * y + (1 - share) * y[partner]


def train_loader(settings: Settings, posters: Posters, seed: int) -> DataLoader:
    """Batches of the train split, shuffled, augmented, mixed and normalised as the settings say."""
    normalise = to_input()
    mix: Mixup | None = None
    if settings.mixup_alpha:
        mix = (Mixup if settings.mixup == "batches" else MixupOfPosters)(settings.mixup_alpha)
    count = round(settings.share * len(posters.train_x))
    loader = BalancedLoader if settings.sampling == "balanced" else DataLoader
    return loader(
        ArrayDataset(posters.train_x[:count], posters.train_y[:count]),
        settings.batch_size,
        shuffle=True,
        drop_last=True,
        seed=seed,
        augment=settings.augmentation(),
        batch_augment=mix and (lambda x, y, rng: mix(normalise(x), y, rng)),
        to_input=None if mix else normalise,
    )


def to_input() -> Callable[[np.ndarray], np.ndarray]:
    """The function from uint8 pixels (n, h, w, 3) to the network's normalised float32 input."""
    return Normalisation(SPECS["compact"].mean, SPECS["compact"].std).apply


def as_tensor(x: np.ndarray) -> torch.Tensor:
    """NHWC in memory is what PyTorch calls NCHW in the channels-last format: nothing is copied."""
    return torch.from_numpy(np.ascontiguousarray(x, np.float32)).permute(0, 3, 1, 2)
