"""The fingerprint is that of its twin, and every change shows in it."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.kernels.simd import fingerprint as module
from minicnn.kernels.simd.fingerprint import COLUMNS, fingerprint, reference
from tests.minicnn.geometry import numbers
from tests.minicnn.kernels.canaries import Walled

SIZES = (1, COLUMNS - 1, COLUMNS, 5 * COLUMNS + 3, 700)


@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_twins_and_reads_nothing_else(size, monkeypatch):
    monkeypatch.setattr(module, "PART", 2 * COLUMNS)
    walled = Walled()
    x = walled(numbers((size,), np.float32))
    assert fingerprint(x) == reference(x) == fingerprint(x.copy())
    assert walled.stand()


@pytest.mark.parametrize("size", SIZES)
def test_one_changed_bit_shows_wherever_it_is(size):
    x = numbers((size,), np.float32)
    before = fingerprint(x)
    for position in {0, size // 3, size - 1}:
        changed = x.copy()
        changed.view(np.uint32)[position] ^= 1
        assert fingerprint(changed) != before


def test_exchanged_numbers_and_another_shape_show():
    x = numbers((40, 64), np.float32)
    assert fingerprint(x) != fingerprint(x[::-1])
    assert fingerprint(x) != fingerprint(x.reshape(64, 40))
