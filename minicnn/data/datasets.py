"""Data sets: pairs of an input and a target by number, and a checksum of all of them."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

import numpy as np

SAMPLED = 64
_CHUNK_BYTES = 2**24


class Dataset(Protocol):
    """Anything with a length whose items are pairs (input, target) of arrays or numbers.

    Where it also has ``checksum() -> int``, of all that it holds, that is compared when a run is resumed; of
    other data sets SAMPLED items are compared.
    """

    def __len__(self) -> int:
        """Number of samples."""

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        """Input and target of one sample."""


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
    """Inputs (n, ...) without targets, as a data set for prediction."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        return self.x[index], 0


def checksum(dataset: Dataset) -> int:
    """The data set's own checksum, or else the CRC-32 of SAMPLED items spread evenly over it."""
    if hasattr(dataset, "checksum"):
        return int(dataset.checksum())
    n, crc = len(dataset), 0
    for index in np.unique(np.linspace(0, n - 1, min(n, SAMPLED)).astype(int)):
        for part in dataset[int(index)]:
            crc = _crc_of_item(part, crc)
    return crc


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
