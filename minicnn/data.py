"""Data sets and the loader that turns them into batches, in the background, the same way each time.

Nothing random comes from a running stream: the order of an epoch is a function of (seed, epoch), the
augmentation of a sample of (seed, epoch, sample). How far ahead the background thread reads, or whether a run
was interrupted, therefore changes no batch.
"""

from __future__ import annotations

import math
import queue
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import numpy as np

from minicnn.shapes import positive_int

Batch = tuple[np.ndarray, np.ndarray]
Batches = Generator[Batch, None, None]

SAMPLED = 64
_CHUNK_BYTES = 2**24

# What a generator is for, as part of its seed: equal numbers for different uses must not give equal draws.
_ORDER, _SAMPLE, _BATCH = 1, 2, 3


class Dataset(Protocol):
    """Anything with a length whose items are pairs (input, target) of arrays or numbers.

    One that also has ``checksum() -> int``, of all it holds, is told apart from any other when a run is
    resumed; of the rest ``DataLoader.settings`` compares SAMPLED items.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Any, Any]: ...


class ArrayDataset:
    """Inputs ``x`` (n, ...) and targets ``y`` (n, ...) that lie in memory or in a memory map.

    Items are read-only views, so that an augmentation cannot change the data set by accident.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        for name, array in (("x", x), ("y", y)):
            if not isinstance(array, np.ndarray) or array.ndim == 0:
                raise TypeError(
                    f"ArrayDataset: {name} must be an array of samples, got {type(array).__name__}"
                )
        if len(x) != len(y):
            raise ValueError(f"ArrayDataset: x has {len(x)} samples and y has {len(y)}; they must be as many")
        self.x, self.y = x.view(), y.view()
        self.x.flags.writeable = self.y.flags.writeable = False

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        return self.x[index], self.y[index]

    def checksum(self) -> int:
        """CRC-32 of all inputs and targets; takes about a second for each gigabyte."""
        return _crc_of_array(self.y, _crc_of_array(self.x, 0))


class Unlabelled:
    """Inputs without targets, as a data set for prediction."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        return self.x[index], 0


class DataLoader:
    """Batches of a data set, shuffled and augmented reproducibly, read ahead by one background thread.

    ``shuffle``        a new order each epoch, a function of (seed, epoch)
    ``drop_last``      leave out the last batch where it is smaller than the others
    ``augment``        (x_i, rng) -> x_i, for each sample, with a generator seeded by (seed, epoch, i)
    ``batch_augment``  (x, y, rng) -> (x, y), for each batch, with a generator seeded by (seed, epoch, batch)
    ``to_input``       x -> x, last, such as the normalisation from uint8 to float32
    ``prefetch``       batches kept ready; 0 works in the caller's thread

    The functions run in the background thread: NumPy and Pillow work there, parallel Numba kernels do not.

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
        self.seed = _count("seed", seed)
        self.augment, self.batch_augment, self.to_input = augment, batch_augment, to_input
        self.prefetch = _count("prefetch", prefetch)
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
        """The indices of the samples in the order in which ``epoch`` visits them, (samples,) int64."""
        indices = np.arange(len(self.dataset))
        if self.shuffle:
            indices = self._generator(epoch, _ORDER, 0).permutation(len(self.dataset))
        return indices[: self.samples]

    def epoch(self, epoch: int) -> Batches:
        """The batches (x, y) of one epoch, counted from 0. Leaving the iterator ends its thread."""
        batches = self._batches(_count("epoch", epoch))
        return _read_ahead(batches, self.prefetch) if self.prefetch else batches

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def settings(self) -> dict[str, Any]:
        """What decides which batches come: a resumed run must have the same."""
        n = len(self.dataset)
        if hasattr(self.dataset, "checksum"):
            checksum = int(self.dataset.checksum())
        else:
            checksum = 0
            for index in np.unique(np.linspace(0, n - 1, min(n, SAMPLED)).astype(int)):
                for part in self.dataset[int(index)]:
                    checksum = _crc_of_item(part, checksum)
        return {
            "samples": n,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "seed": self.seed,
            "augment": self.augment is not None,
            "batch_augment": self.batch_augment is not None,
            "checksum": checksum,
        }

    def _generator(self, epoch: int, use: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, use, index])

    def _batches(self, epoch: int) -> Batches:
        order = self.order(epoch)
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            samples = [self._sample(int(index), epoch) for index in chosen]
            x = _stack("input", [x for x, _ in samples], chosen)
            y = _stack("target", [y for _, y in samples], chosen)
            if self.batch_augment is not None:
                x, y = self.batch_augment(x, y, self._generator(epoch, _BATCH, number))
            if self.to_input is not None:
                x = self.to_input(x)
            yield x, y

    def _sample(self, index: int, epoch: int) -> tuple[Any, Any]:
        try:
            x, y = self.dataset[index]
            if self.augment is not None:
                x = self.augment(x, self._generator(epoch, _SAMPLE, index))
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


def _crc_of_array(array: np.ndarray, crc: int) -> int:
    """CRC-32 of an array's shape, dtype and numbers, read piece by piece: it may be a large memory map."""
    crc = zlib.crc32(f"{array.shape} {array.dtype}".encode(), crc)
    if array.dtype.hasobject:
        for item in array:
            crc = _crc_of_item(item, crc)
        return crc
    step = max(1, _CHUNK_BYTES * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), step):
        piece = np.ascontiguousarray(array[start : start + step])
        crc = zlib.crc32(piece.reshape(-1).view(np.uint8).data, crc)
    return crc


def _crc_of_item(item: Any, crc: int) -> int:
    return zlib.crc32(np.ascontiguousarray(item).tobytes(), crc)


def check_finite(
    x: np.ndarray, y: np.ndarray, loader: DataLoader, epoch: int, number: int, phase: str
) -> None:
    """Raise for NaN or infinity, naming the sample. The sum shows both, so most batches need no more."""
    for what, array in (("input", x), ("target", y)):
        with np.errstate(all="ignore"):
            if array.dtype.kind != "f" or math.isfinite(array.sum()):
                continue
        bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
        if bad.size:
            sample = loader.order(epoch)[number * loader.batch_size + bad[0]]
            raise ValueError(
                f"Trainer: the {what} of sample {sample} is NaN or infinite "
                f"({phase} batch {number + 1} of epoch {epoch + 1}); repair it or leave it out"
            )


def _count(what: str, value: Any) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 0:
        raise ValueError(f"DataLoader: {what} must be an integer of at least 0, got {value!r}")
    return int(value)


def _read_ahead(batches: Batches, ahead: int) -> Batches:
    """The same batches, prepared by a thread that stays at most ``ahead`` of them in front.

    The thread starts with the first batch asked for. When the consumer stops, early or not, it is told to
    stop, is freed from a full queue, and is waited for. What it raises is raised here, with its traceback.
    """
    ready: queue.Queue[tuple[Batch | None, BaseException | None]] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def work() -> None:
        try:
            for batch in batches:
                if stop.is_set():
                    return
                ready.put((batch, None))
            end: BaseException | None = None
        except BaseException as error:
            end = error
        if not stop.is_set():
            ready.put((None, end))

    worker = threading.Thread(target=work, name="minicnn-loader", daemon=True)
    worker.start()
    try:
        while True:
            batch, error = ready.get()
            if error is not None:
                raise error
            if batch is None:
                return
            yield batch
    finally:
        stop.set()
        # With the flag up the worker puts at most once more, and an emptied queue has room for that.
        while not ready.empty():
            ready.get_nowait()
        if worker is not threading.current_thread():
            worker.join()
