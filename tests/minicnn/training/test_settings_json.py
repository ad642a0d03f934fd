"""Settings as text: equal for equal settings, in any process, and different for different ones."""

import importlib
import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from pathlib import PurePosixPath

import numpy as np
import pytest

from minicnn.layers.dense import Dense
from minicnn.serialize import to_json
from minicnn.training.settings_json import as_json_values

RATE = 0.5


class Colour(Enum):
    RED, BLUE = 1, 2


@dataclass
class Options:
    rate: float = 0.1
    sizes: tuple = (1, 2)
    inner: object = field(default=None)


class Plain:
    def __init__(self, rate, table=()):
        self.rate, self.table, self._cache = rate, table, object()

    def method(self, x):
        return x * self.rate


def global_rate(x):
    return x * RATE


def words(x):
    return x in {"comedy", "drama", "horror", "western"}


def recursive(n):
    return n and recursive(n - 1)


EQUAL = {
    "number": lambda: np.float32(0.5),
    "array": lambda: np.arange(5),
    "dataclass": lambda: Options(inner=Options(2)),
    "object": lambda: Plain(3, table=np.ones(3)),
    "method": lambda: Plain(3).method,
    "partial": lambda: partial(words, x="drama"),
    "cached function": lambda: lru_cache(words),
    "ufunc": lambda: np.tanh,
    "class": lambda: Plain,
    "layer": lambda: Dense(2, 2, rng=0),
    "nan": lambda: float("nan"),
    "generator": lambda: np.random.default_rng(3),
    "recursive function": lambda: recursive,
}


@pytest.mark.parametrize("make", EQUAL.values(), ids=EQUAL)
def test_equal_settings_have_equal_descriptions_that_json_holds(make):
    assert as_json_values(make()) == as_json_values(make())
    to_json(as_json_values(make()))


DIFFERENT = {
    "dtype": (np.zeros(2, np.float32), np.zeros(2, np.int32)),
    "inner dataclass": (Options(inner=Options(1)), Options(inner=Options(2))),
    "attribute": (Plain(1), Plain(2)),
    "array in an object": (Plain(1, np.zeros(3)), Plain(1, np.ones(3))),
    "object of a method": (Plain(1).method, Plain(2).method),
    "name of a method": (np.float64(1).sum, np.float64(1).mean),
    "builtin": (np.tanh, np.sin),
    "constant of an inner function": (lambda: lambda x: x + 1, lambda: lambda x: x + 2),
    "attribute that is read": (lambda x: x.min, lambda x: x.max),
    "operation": (lambda x: x + 1, lambda x: x - 1),
    "default": (lambda x=1: x, lambda x=2: x),
    "keyword default": (lambda *, x=1: x, lambda *, x=2: x),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_different_settings_have_different_descriptions(pair):
    assert as_json_values(pair[0]) != as_json_values(pair[1])


def test_a_constant_of_the_module_counts(monkeypatch):
    before = as_json_values(global_rate)
    monkeypatch.setitem(globals(), "RATE", 0.6)
    assert as_json_values(global_rate) != before


def test_an_object_that_contains_itself_ends():
    loop = Plain(1)
    loop.rate = loop
    assert as_json_values(loop)["rate"] == "Plain"


def test_another_process_describes_alike():
    program = (
        "from tests.minicnn.training import test_settings_json as t\n"
        "from minicnn.serialize import to_json\n"
        "print(to_json([t.as_json_values(make()) for make in t.EQUAL.values()]))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(texts) == 1


def augmentation_that_captures(captured):
    return lambda x, rng: (captured, x)[1]


@pytest.mark.parametrize("module", ["numpy", "PIL.Image", "matplotlib.pyplot", "logging"])
def test_a_captured_module_is_given_by_its_name(module):
    function = augmentation_that_captures(importlib.import_module(module))
    assert as_json_values(function)["captured"] == {"captured": f"module {module}"}


def test_a_captured_logger_is_given_by_its_name():
    captured = as_json_values(augmentation_that_captures(logging.getLogger("posters")))["captured"]
    assert captured == {"captured": "Logger posters"}


def test_a_graph_of_shared_objects_ends_soon_and_stays_small():
    graph = [0]
    for _ in range(60):
        graph = [graph, graph]
    assert len(to_json(as_json_values(graph))) < 1_000_000


def test_a_long_list_is_told_apart_by_its_last_value_and_stays_small():
    numbers = list(range(100_000))
    assert len(to_json(as_json_values(numbers))) < 100
    assert as_json_values(numbers) != as_json_values([*numbers[:-1], 0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Colour.RED, Colour.BLUE),
        (b"a", b"b"),
        (range(3), range(4)),
        (Decimal("0.1"), Decimal("0.2")),
        (PurePosixPath("a"), PurePosixPath("b")),
        (re.compile("a"), re.compile("b")),
        (1j, 2j),
        (np.array([{"a": 1}]), np.array([{"a": 2}])),
    ],
)
def test_values_without_attributes_are_told_apart(one, other):
    assert as_json_values(one) == as_json_values(one)
    assert as_json_values(one) != as_json_values(other)


def test_a_property_that_raises_is_passed_over():
    class Lazy:
        def __init__(self, table=None):
            pass

        @property
        def table(self):
            raise RuntimeError("not loaded")

    assert as_json_values(Lazy())["type"].endswith("Lazy")


def test_a_method_settings_that_needs_an_argument_is_not_called():
    class Odd:
        def settings(self, which):
            raise AssertionError

    assert as_json_values(Odd())["type"].endswith("Odd")
