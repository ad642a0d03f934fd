"""Arrays that begin at a cache line.

``np.empty`` starts large arrays 16 bytes past one, so that every vector of 64 bytes lies across two lines and
costs two accesses; kernels that do little but read and write lose a fifth of their speed by that. Kernels
accept any array; outputs of kernels and arrays that training reuses are allocated by ``empty``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

LINE = 64


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """``np.empty``, the first number at a multiple of LINE bytes."""
    kind = np.dtype(dtype)
    size = math.prod(shape) if isinstance(shape, tuple) else shape
    room = np.empty(size * kind.itemsize + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size * kind.itemsize].view(kind).reshape(shape)
