"""Functions written for the emitter: what their arguments arrive as."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from minicnn.kernels.runtime.jit import jit
from minicnn.kernels.simd.emitter import WIDTH, Emitter
from minicnn.kernels.simd.intrinsics import address_of, emitted
from tests.minicnn.geometry import DTYPES, numbers


class Row(NamedTuple):
    start: int
    step: int


class Line(NamedTuple):
    """y = slope * x + offset, for two rows of x."""

    slope: Any
    offset: Any
    row: Row


@emitted
def add_line(e: Emitter, x: Any, line: Line, y: Any) -> None:
    for r in range(2):
        position = e.sum(line.row.start, e.product(line.row.step, r))
        vector = e.load(x, position) * e.load(line.slope, 0) + e.broadcast(line.offset, 0)
        e.store(vector, y, e.sum(0, WIDTH * r))


@emitted
def copy_from_address(e: Emitter, address: Any, y: Any) -> None:
    e.store(e.load(e.pointer(address), 0), y, 0)


@jit
def run_with_record(x, slope, offset, start, step, y):
    add_line(x, Line(slope, offset, Row(start, step)), y)


@jit
def run_with_received_record(x, line, y):
    add_line(x, line, y)


@jit
def run_with_renamed_tuple(x, slope, offset, row, y):
    row = Row(*row)
    add_line(x, Line(slope, offset, row), y)


@jit
def run_with_address(x, position, y):
    copy_from_address(address_of(x, position), y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_record_of_arrays_integers_and_a_record_arrives_field_by_field(dtype):
    x, slope, offset = numbers((50,), dtype), numbers((WIDTH,), dtype, 1), numbers((1,), dtype, 2)
    expected = np.concatenate([x[at : at + WIDTH] * slope + offset for at in (3, 10)])
    for run, arguments in (
        (run_with_record, (slope, offset, 3, 7)),
        (run_with_received_record, (Line(slope, offset, Row(3, 7)),)),
        (run_with_renamed_tuple, (slope, offset, (3, 7))),
    ):
        y = np.zeros(2 * WIDTH, dtype)
        run(x, *arguments, y)
        np.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_address_is_that_of_the_number_at_its_position(dtype):
    x, y = numbers((40,), dtype), np.zeros(WIDTH, dtype)
    run_with_address(x, 5, y)
    np.testing.assert_array_equal(y, x[5 : 5 + WIDTH])
