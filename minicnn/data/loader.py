"""Batches of a data set, shuffled and augmented the same way each time.

Nothing random comes from a running stream: the order of an epoch is a function of (seed, epoch), the
augmentation of a sample of (seed, epoch, sample). How far ahead the background thread reads, or whether a run
was interrupted, therefore changes no batch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from minicnn.argument_checks import non_negative_int, positive_int
from minicnn.data.datasets import Dataset, checksum
from minicnn.data.prefetch import read_ahead

Batch = tuple[np.ndarray, np.ndarray]
Batches = Generator[Batch, None, None]

# What a generator is for, as part of its seed: equal numbers for different uses must not give equal draws.
_ORDER, _SAMPLE, _BATCH = 1, 2, 3


class DataLoader:
    """Batches of a data set, shuffled and augmented reproducibly, read ahead by one background thread.

    ``shuffle``        a new order each epoch, a function of (seed, epoch)
    ``drop_last``      leave out the last batch where it is smaller than the others
    ``augment``        (x_i, rng) -> x_i, for each sample, with a generator seeded by (seed, epoch, i)
    ``batch_augment``  (x, y, rng) -> (x, y), for each batch, with a generator seeded by (seed, epoch, batch)
    ``to_input``       x -> x, last, such as the normalisation from uint8 to float32
    ``prefetch``       batches prepared in advance; 0 works in the caller's thread

    The three functions run in the background thread, beside the training step, so they must not share
    writable state with it.

    >>> loader = DataLoader(ArrayDataset(x, y), 32, shuffle=True, seed=1)
    >>> for x_batch, y_batch in loader.epoch(0): ...
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        augment: Callable[[Any, np.random.Generator], Any] | None = None,
        batch_augment: Callable[[np.ndarray, np.ndarray, np.random.Generator], Batch] | None = None,
        to_input: Callable[[np.ndarray], np.ndarray] | None = None,
        prefetch: int = 2,
    ) -> None:
        self.dataset = dataset
        self.batch_size = positive_int("DataLoader", "batch_size", batch_size)
        self.shuffle, self.drop_last = shuffle, drop_last
        self.seed = non_negative_int("DataLoader", "seed", seed)
        self.augment, self.batch_augment, self.to_input = augment, batch_augment, to_input
        self.prefetch = non_negative_int("DataLoader", "prefetch", prefetch)
        if len(dataset) == 0:
            raise ValueError("DataLoader: the data set is empty; it needs at least one sample")
        if len(self) == 0:
            raise ValueError(
                f"DataLoader: drop_last leaves no batch, for the data set has {len(dataset)} samples and "
                f"batch_size is {batch_size}; use a smaller batch_size"
            )

    def __len__(self) -> int:
        """Batches an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    @property
    def samples(self) -> int:
        """Samples an epoch."""
        return min(len(self.dataset), len(self) * self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the samples in the order of ``epoch``, (samples,) int64."""
        indices = np.arange(len(self.dataset))
        if self.shuffle:
            indices = _generator(self.seed, epoch, _ORDER, 0).permutation(len(self.dataset))
        return indices[: self.samples]

    def epoch(self, epoch: int) -> Batches:
        """The batches (x, y) of one epoch, counted from 0. Leaving the iterator ends its thread."""
        batches = _batches(self, non_negative_int("DataLoader", "epoch", epoch))
        return read_ahead(batches, self.prefetch) if self.prefetch else batches

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def settings(self) -> dict[str, Any]:
        """All that decides which batches come; a resumed run must have the same.

        It contains the functions themselves; ``minicnn.training.settings_json`` converts them to JSON.
        """
        return {
            "samples": len(self.dataset),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "seed": self.seed,
            "augment": self.augment,
            "batch_augment": self.batch_augment,
            "to_input": self.to_input,
            "checksum": checksum(self.dataset),
        }


def _generator(seed: int, epoch: int, use: int, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, epoch, use, index])


def _batches(loader: DataLoader, epoch: int) -> Batches:
    """The batches of an epoch, augmented, each made when it is requested."""
    order = loader.order(epoch)
    for number in range(len(loader)):
        indices = order[number * loader.batch_size : (number + 1) * loader.batch_size]
        samples = [_sample(loader, int(index), epoch) for index in indices]
        x = _stack("input", [x for x, _ in samples], indices)
        y = _stack("target", [y for _, y in samples], indices)
        if loader.batch_augment is not None:
            x, y = loader.batch_augment(x, y, _generator(loader.seed, epoch, _BATCH, number))
        if loader.to_input is not None:
            x = loader.to_input(x)
        yield x, y


def _sample(loader: DataLoader, index: int, epoch: int) -> tuple[Any, Any]:
    """(x, y) of one sample, augmented; an exception names the sample."""
    try:
        x, y = loader.dataset[index]
        if loader.augment is not None:
            x = loader.augment(x, _generator(loader.seed, epoch, _SAMPLE, index))
    except Exception as error:
        error.add_note(f"while the DataLoader read sample {index} in epoch {epoch + 1}")
        raise
    return x, y


def _stack(what: str, parts: list[Any], samples: np.ndarray) -> np.ndarray:
    """One array (batch, ...) of the inputs or the targets of ``samples``."""
    arrays = [np.asarray(part) for part in parts]
    for array, sample in zip(arrays, samples, strict=True):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"DataLoader: the {what} of sample {sample} has shape {array.shape} and that of sample "
                f"{samples[0]} has {arrays[0].shape}; all samples must have one shape"
            )
    return np.stack(arrays)
