"""Arrays that begin at a cache line."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.kernels.runtime import aligned as arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [1, 1000, (3, 5, 7), ()])
def test_an_array_begins_at_a_cache_line_and_is_otherwise_ordinary(shape, dtype):
    x = arrays.empty(shape, dtype)
    plain = np.empty(shape, dtype)
    assert x.ctypes.data % arrays.LINE == 0
    assert (x.shape, x.dtype, x.strides) == (plain.shape, plain.dtype, plain.strides)
    assert x.flags.c_contiguous
    assert x.flags.writeable


def test_an_array_may_have_no_numbers():
    assert arrays.empty((2, 0, 4), np.float32).shape == (2, 0, 4)
