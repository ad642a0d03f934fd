"""Walking through arrays in pieces."""

import numpy as np

import minicnn.kernels.runtime.chunks
from minicnn.kernels.runtime.chunks import Scratch, chunks


def test_chunks_cover_every_number_once_and_are_views(monkeypatch):
    monkeypatch.setattr(minicnn.kernels.runtime.chunks, "CHUNK", 7)
    a, b = np.zeros((5, 6)), np.arange(30.0).reshape(5, 6)
    sizes = []
    for left, right in chunks(a, b):
        left += right + 1
        sizes.append(left.size)
    assert np.array_equal(a, b + 1)
    assert sizes == [7, 7, 7, 7, 2]


def test_arrays_without_a_flat_view_come_whole():
    a, b = np.zeros((3, 4)), np.asfortranarray(np.ones((3, 4)))
    ((left, right),) = chunks(a, b)
    assert left is a
    assert right is b


def test_scalars_are_one_chunk_of_one():
    array = np.array(3.0)
    for (chunk,) in chunks(array):
        chunk += 1
    assert array == 4


def test_scratch_has_the_shape_and_dtype_asked_for_and_is_reused():
    scratch = Scratch()
    first = scratch.like(np.zeros((2, 3), np.float32))
    assert first.shape == (2, 3)
    assert first.dtype == np.float32
    assert np.shares_memory(first, scratch.like(np.zeros(5, np.float32)))
    assert scratch.like(np.zeros(4)).dtype == np.float64
